"""What `calibrate` returns: cameras, and everything that says how far to believe them."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.cameras.gate import Gate

__all__ = ["Calibration", "How", "ViewFit", "coverage_of", "view_fit"]

Floats = NDArray[np.float64]
How = Literal["lens", "board", "points", "people", "refined"]

_CELLS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ViewFit:
    """How one camera fits what was seen.

    Attributes:
        camera: its name.
        residual_px: typical distance between where something was seen and where the cameras put it: root mean square
            over the corners of a board or measured points, the median over joints of people.
        before_px: the same with the given cameras, where they were refined; else None.
        sights: how many corners, points or joints that is over.
        coverage: share of the picture where they were seen, 0..1, of 8 x 8 cells.
        lens: where the lens is known from: "given", "board", "field of view" or "metadata".
        crop: what the video shows of the calibrated picture; "as calibrated" when they are of one size.
        began_s: when the video began, in seconds after the first one.
        seen_px: (N, 2) where each of them was seen.
        off_px: (N,) how far from there the cameras put it; NaN where they put it nowhere.
    """

    camera: str
    residual_px: float
    before_px: float | None
    sights: int
    coverage: float
    lens: str
    crop: str
    began_s: float
    seen_px: Floats = field(default_factory=lambda: np.zeros((0, 2)), repr=False)
    off_px: Floats = field(default_factory=lambda: np.zeros(0), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """A calibrated rig, or lenses alone.

    Attributes:
        cameras: in the order of the videos, in the world: metres, +Y up, floor at y = 0; lenses alone at the origin.
        how: what they were found from.
        world: where the vertical and the floor come from: "board on the floor", "measured points", "people",
            "given cameras", or "first camera", which stands at the origin and is taken to be level; "none" of lenses.
        scale: where the size comes from: "board", "measured points", "height", "distance", "given cameras", or
            "assumed", when nobody said.
        views: one for each camera.
        gates: everything that was asked of the result.
        sync: what told when each video began: "motion", "audio", "none", "given", "photos", or
            "nothing" where motion should have, and nobody moved; "none" of lenses.
        paths_m: per person (T, 2), x and z of the middle of the hips; NaN where not seen. For the top view.
        notes: what a user should know.
        settings: what was given, by name.
    """

    cameras: tuple[Camera, ...]
    how: How
    world: str
    scale: str
    views: tuple[ViewFit, ...]
    gates: tuple[Gate, ...]
    sync: str
    paths_m: tuple[Floats, ...] = ()
    notes: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether no gate failed."""
        return all(gate.passed for gate in self.gates)

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> Path:
        """Write the cameras.

        Args:
            path: the file.
            format: one of `mocap3d.cameras.files.FORMATS`; what the extension says when None (``.toml``: ours).

        Raises:
            InputError: no such format, or the file cannot be written.
        """
        from mocap3d.cameras.files import write_cameras

        write_cameras(self.cameras, path, format=format)
        return Path(path)

    def summary(self) -> dict[str, object]:
        """Everything but the cameras' matrices, for JSON; numbers that are not known are None."""
        return {
            "how": self.how,
            "world": self.world,
            "scale": self.scale,
            "sync": self.sync,
            "passed": self.passed,
            "cameras": [
                {
                    "name": camera.name,
                    "place_m": [round(float(value), 4) for value in camera.world_from_cam[:3, 3]],
                    "fov_deg": round(camera.fov_deg, 2),
                    "size_wh_px": list(camera.size_wh_px),
                    "residual_px": _known(view.residual_px),
                    "before_px": None if view.before_px is None else _known(view.before_px),
                    "sights": view.sights,
                    "coverage": round(view.coverage, 3),
                    "lens": view.lens,
                    "crop": view.crop,
                    "began_s": round(view.began_s, 4),
                }
                for camera, view in zip(self.cameras, self.views, strict=True)
            ],
            "gates": [
                {
                    "name": gate.name,
                    "passed": gate.passed,
                    "value": _known(gate.value),
                    "limit": gate.limit,
                    "advice": gate.advice,
                }
                for gate in self.gates
            ],
            "notes": list(self.notes),
            "settings": dict(self.settings),
        }


def view_fit(camera: Camera, seen_px: Floats, off_px: Floats, **others: Any) -> ViewFit:
    """A view of what was seen at ``seen_px`` (N, 2), NaN where nothing, and missed by ``off_px`` (N,)."""
    known = np.isfinite(seen_px).all(axis=-1)
    return ViewFit(
        camera=camera.name,
        sights=int(known.sum()),
        coverage=coverage_of(seen_px, camera.size_wh_px),
        seen_px=seen_px[known],
        off_px=off_px[known],
        **others,
    )


def coverage_of(xy_px: Floats, size_wh_px: tuple[int, int]) -> float:
    """Share of 8 x 8 cells of a picture in which anything was seen.

    Args:
        xy_px: (..., 2); NaN where not seen.
        size_wh_px: of the picture.
    """
    flat = xy_px.reshape(-1, 2)
    flat = flat[np.isfinite(flat).all(axis=-1)]
    inside = flat[((flat >= -0.5) & (flat < np.asarray(size_wh_px) - 0.5)).all(axis=-1)]
    cells = np.zeros((_CELLS, _CELLS), bool)
    column, row = np.clip((inside + 0.5) / size_wh_px * _CELLS, 0, _CELLS - 1).astype(int).T
    cells[row, column] = True
    return float(cells.mean())


def _known(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
