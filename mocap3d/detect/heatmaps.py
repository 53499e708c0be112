"""Head maps -> joints: the official decoding of MoveNet, shared by every device that runs the network.

A heatmap network marks for every joint where it may be, on a grid with one cell per ``STRIDE_PX`` pixels. A plain
argmax picks other people's joints (OKS .71 instead of .80), so MoveNet first finds the person's centre, asks
the regression map at that cell roughly where this person's joints are, weights the heatmaps by nearness to these,
takes the argmax, and adds the offset inside the cell.

Everything here is NumPy and looks at one picture. Cells are float (y, x) on the grid, as in the network; what leaves
are pixels (x, y), where (0, 0) is the centre of the top-left pixel.

Source: read from the decoding part of the published TF.js graphs; the numbers of that runtime are in the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError

__all__ = ["STRIDE_PX", "FoundPeople", "HeadMaps", "Maps", "decode_people", "decode_person"]

STRIDE_PX = 4
"""Pixels per cell of the maps."""

_DISTANCE_BIAS = 1.8
"""Cells added to a distance before dividing by it (single-person networks)."""

_MAX_PEOPLE = 6
"""MultiPose keeps that many centres."""

_PEAK_CELLS = 5
"""A centre is the largest value of its 5x5 cells."""

_REACH = 0.3
"""MultiPose weights by exp(-d² / (_REACH · shorter side)), d in cells."""

_MIN_CONFIDENCE = 0.126953125
"""MultiPose leaves joints below it out of a person's score (0.127 as the float16 of the published file)."""

Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadMaps:
    """What the network says about one picture, on h x w cells.

    Attributes:
        centre: (h, w) probability that a person's centre lies in the cell.
        joints: (h, w, J) probability that the joint lies in the cell: the heatmaps.
        regression: (h, w, J, 2) from this cell, as a person's centre, to its joints; (y, x) in cells.
        offsets: (h, w, J, 2) from the cell's corner to the joint that lies in it; (y, x) in cells.
        box_size: (h, w, 2) height and width in cells of the person centred here (MultiPose only).
        box_offset: (h, w, 2) from this cell to the centre of the person's box; (y, x) in cells (MultiPose only).
    """

    centre: Maps
    joints: Maps
    regression: Maps
    offsets: Maps
    box_size: Maps | None = None
    box_offset: Maps | None = None

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, Maps]) -> HeadMaps:
        """Give the flat channels (h, w, C) of one picture their meaning."""
        h, w, joint_count = outputs["joints"].shape
        return cls(
            centre=outputs["centre"][..., 0],
            joints=outputs["joints"],
            regression=outputs["regression"].reshape(h, w, joint_count, 2),
            offsets=outputs["offsets"].reshape(h, w, joint_count, 2),
            box_size=outputs.get("box_size"),
            box_offset=outputs.get("box_offset"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPeople:
    """People found in one picture, best first.

    Attributes:
        xy_px: (N, J, 2) joints.
        confidence: (N, J) 0..1.
        box_px: (N, 4) left, top, right, bottom of the person, clipped to the picture.
        score: (N,) 0..1.
    """

    xy_px: NDArray[np.float64]
    confidence: NDArray[np.float64]
    box_px: NDArray[np.float64]
    score: NDArray[np.float64]


def decode_person(maps: HeadMaps) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the joints of the person nearest to the middle of the picture (Thunder, Lightning).

    Returns:
        (J, 2) pixels (x, y) and (J,) confidences 0..1.
    """
    h, w = maps.centre.shape
    middle = _distance(h, w, h / 2, w / 2)
    centre = np.unravel_index(np.argmax(maps.centre / (middle + _DISTANCE_BIAS)), (h, w))
    rough = np.array(centre) + maps.regression[centre]  # (J, 2)
    nearness = 1.0 / (_distance(h, w, rough[:, 0], rough[:, 1]) + _DISTANCE_BIAS)  # (h, w, J)
    cells = _peaks(maps.joints * nearness)  # (J, 2)
    joint = np.arange(len(cells))
    exact = cells + maps.offsets[cells[:, 0], cells[:, 1], joint]
    return _cells_to_px(exact), maps.joints[cells[:, 0], cells[:, 1], joint].astype(np.float64)


def decode_people(maps: HeadMaps) -> FoundPeople:
    """Find up to six people, their boxes and joints (MultiPose).

    A score is the centre's probability times the mean confidence of the joints that are at least faintly seen, and a
    confidence is the heatmap weighted by nearness, both as published. There are always six answers: judge the score.

    Raises:
        InputError: the maps are those of a network that finds no boxes.
    """
    if maps.box_size is None or maps.box_offset is None:
        raise InputError("these maps have no boxes: only movenet_multipose finds people")
    h, w = maps.centre.shape
    centres, centre_score = _centres(maps.centre)  # (N, 2), (N,)
    at = centres[:, 0], centres[:, 1]
    middle = centres + maps.box_offset[at]
    half = np.maximum(maps.box_size[at], 0.0) / 2
    corners = np.stack([middle - half, middle + half], axis=1).clip(0, [h, w])  # (N, 2, 2): top left, bottom right
    weighted = _near_and_inside(maps, centres, corners)  # (h, w, N, J)
    n, joint = len(centres), np.arange(maps.joints.shape[-1])
    cells = _peaks(weighted.reshape(h, w, -1)).reshape(n, -1, 2)
    y, x = cells[..., 0], cells[..., 1]
    # The published graph reads the weight of the *best* person at that cell, not of this one.
    confidence = weighted.max(axis=2)[y, x, joint].astype(np.float64)
    seen = confidence > _MIN_CONFIDENCE
    score = centre_score * np.where(seen, confidence, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    order = np.argsort(-score, kind="stable")
    return FoundPeople(
        xy_px=_cells_to_px(cells + maps.offsets[y, x, joint])[order],
        confidence=confidence[order],
        box_px=_cells_to_px(corners).reshape(n, 4)[order],
        score=score[order],
    )


def _centres(centre: Maps) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The cells (N, 2) that are the largest around themselves, largest first, and their values (N,)."""
    from scipy.ndimage import maximum_filter

    around = maximum_filter(centre, size=_PEAK_CELLS, mode="constant", cval=-np.inf)
    peaks = np.where(np.abs(centre - around) < 1e-6, centre, 0.0)
    order = np.argsort(-peaks, axis=None, kind="stable")[:_MAX_PEOPLE]
    cells = np.stack(np.unravel_index(order, centre.shape), axis=-1)
    return cells, peaks.reshape(-1)[order].astype(np.float64)


def _near_and_inside(maps: HeadMaps, centres: NDArray[np.intp], corners: NDArray[np.floating]) -> Maps:
    """The heatmaps once per person (h, w, N, J), weighted by nearness to the regressed joints, zero outside the box.

    Both weights split into one for the row and one for the column: exp(-(a + b)) = exp(-a) exp(-b).
    """
    h, w = maps.centre.shape
    rough = centres[:, None] + maps.regression[centres[:, 0], centres[:, 1]]  # (N, J, 2)
    weights = []
    for axis, size in enumerate((h, w)):
        cell = np.arange(size)[:, None]  # (size, 1)
        inside = (cell >= corners[:, 0, axis]) & (cell < corners[:, 1, axis])  # (size, N)
        near = np.exp(-((cell[..., None] - rough[..., axis]) ** 2) / (_REACH * min(h, w)))  # (size, N, J)
        weights.append((near * inside[..., None]).astype(np.float32))
    return np.asarray(maps.joints[:, :, None] * weights[0][:, None] * weights[1], dtype=np.float32)


def _distance(h: int, w: int, y: NDArray[np.floating] | float, x: NDArray[np.floating] | float) -> Maps:
    """(h, w, ...) distance in cells of every cell of the grid to a point, or to each of several."""
    rows, columns = np.mgrid[:h, :w].astype(np.float32)
    extra = (...,) + (None,) * np.ndim(y)
    return np.asarray(np.hypot(rows[extra] - y, columns[extra] - x))


def _peaks(maps: NDArray[np.floating]) -> NDArray[np.intp]:
    """(h, w, K) -> (K, 2): the cell (y, x) of each map's largest value."""
    h, w, count = maps.shape
    return np.stack(np.unravel_index(np.argmax(maps.reshape(h * w, count), axis=0), (h, w)), axis=-1)


def _cells_to_px(cells: NDArray[np.floating]) -> NDArray[np.float64]:
    """(..., 2) cells (y, x) -> pixels (x, y).

    MoveNet's card does not say whether 0 is the centre or the edge of the first pixel. Flipping 80 people of real
    video says the centre: joints and mirrored joints then meet to 0.2 px (Thunder) and 0.1 px (Lightning) of the crop.
    """
    return np.asarray(cells[..., ::-1], dtype=np.float64) * STRIDE_PX
