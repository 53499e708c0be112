"""A few frames of a video that say how good a capture is: how people move, and where it fits worst."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from mocap3d.viewers.captures.clip_videos import ClipVideos
from mocap3d.viewers.captures.people import Person, facts_of
from numpy.typing import NDArray

import mocap3d
from mocap3d.base.projection import project
from mocap3d.cameras.jpeg import jpeg_bytes
from mocap3d.quality.series import reprojection_series_px

__all__ = ["FITS_WORST", "KeyFrame", "choose_frames", "key_frames", "same_moment"]

Floats = NDArray[np.float64]

FITS_WORST: Final = "fits worst"
"""How the reason of the worst frame begins."""

_POSES: Final = 3  # that differ most from each other
_HIGH_PX: Final = 440  # of a picture on the page
_MARGIN: Final = 0.22  # around a person, of their height
_NARROWEST: Final = 0.6  # width of a picture per height
_FARTHEST_PX: Final = 1e5


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFrame:
    """One picture of one person.

    Attributes:
        frame: as the video counts.
        why: why this one.
        svg: the picture with what was seen and the body, a whole ``<svg>`` element.
    """

    frame: int
    why: str
    svg: str


def choose_frames(person: Person, pose: mocap3d.Pose2D, camera: mocap3d.Camera) -> list[tuple[int, str]]:
    """Choose frames, from 0, each with the reason: the poses that differ most, and the one that fits worst.

    Only frames count in which half of the joints are seen in this camera.
    """
    if person.motion is None:
        return []
    there = np.flatnonzero((pose.confidence > 0).sum(axis=1) >= len(pose.skeleton) / 2)
    if not len(there):
        return []
    places = person.places_m()[there]
    shapes = (places - places[:, :1]).reshape(len(there), -1)
    chosen = [int(np.argmax(pose.confidence[there].mean(axis=1)))]
    while len(chosen) < min(_POSES, len(there)):
        far = np.min([np.linalg.norm(shapes - shapes[one], axis=1) for one in chosen], axis=0)
        chosen.append(int(np.argmax(far)))
    found = {int(there[one]): "seen best" if n == 0 else "another pose" for n, one in enumerate(chosen)}
    off_px = reprojection_series_px(person.motion, pose, camera, roles=person.roles)[there]
    known = np.isfinite(off_px).any(axis=1)
    if known.any():
        mean_px = np.nansum(off_px, axis=1) / np.maximum(np.isfinite(off_px).sum(axis=1), 1)
        worst = int(np.argmax(np.where(known, mean_px, -1.0)))
        found[int(there[worst])] = f"{FITS_WORST}, {mean_px[worst]:.0f} px off"
    return sorted(found.items())


def key_frames(person: Person, number: int, camera: mocap3d.Camera, videos: ClipVideos) -> list[KeyFrame]:
    """Cut a few frames out of the video of a camera.

    Args:
        person: of the clip.
        number: of the camera, as in ``person.seen``.
        camera: the same, as it stands in the world.
        videos: of the clip.
    """
    pose = person.seen.get(number)
    chosen = [] if pose is None else choose_frames(person, pose, camera)
    found = [_picture(person, number, camera, videos, frame, why) for frame, why in chosen]
    return [one for one in found if one is not None]


def same_moment(person: Person, cameras: Sequence[mocap3d.Camera], videos: ClipVideos, frame: int) -> list[KeyFrame]:
    """Cut one frame, as the video counts, out of the videos of all cameras that see the person then."""
    found = []
    for number, pose in person.seen.items():
        if (pose.confidence[frame - person.first] > 0).any():
            camera = cameras[number]
            found.append(_picture(person, number, camera, videos, frame - person.first, camera.name))
    return [one for one in found if one is not None]


def _picture(
    person: Person, number: int, camera: mocap3d.Camera, videos: ClipVideos, frame: int, why: str
) -> KeyFrame | None:
    """One frame of a person, from 0, in the picture of a camera; None where there is no picture."""
    video = videos.of_cameras[number if len(videos.of_cameras) > 1 else 0]
    try:
        picture = video.picture(videos.index(number, person.first + frame))
    except (LookupError, mocap3d.Mocap3dError):  # gone, damaged, or the camera did not film then
        return None
    svg = _svg(picture, person, person.seen[number], camera, frame)
    return KeyFrame(frame=person.first + frame, why=why, svg=svg)


def _svg(picture: NDArray[np.uint8], person: Person, pose: mocap3d.Pose2D, camera: mocap3d.Camera, frame: int) -> str:
    """The part of a picture that shows the person, with joints and bones in its own pixels."""
    seen_px, shown_px = pose.xy_px[frame], project(camera, person.places_m()[frame])[0]
    left, top, right, bottom = _around(np.concatenate([seen_px, shown_px]), camera.size_wh_px)
    data = base64.b64encode(jpeg_bytes(picture[top:bottom, left:right], quality=80, longest_px=_HIGH_PX)).decode()
    width, height = right - left, bottom - top
    thick = height / 150
    facts = facts_of(person)
    bones = [(p, j, facts["sides"][j]) for j, p in enumerate(facts["parents"]) if p >= 0]
    lines = [_line(shown_px[a], shown_px[b], f"bone {side}", thick * 1.6) for a, b, side in bones]
    lines += [_line(seen_px[a], seen_px[b], "seen", thick * 0.5) for a, b in facts["seen"]["edges"]]
    sure = pose.confidence[frame]
    dots = [
        f'<circle class="{side if c > 0 else "guessed"}" cx="{x + 0.5:.1f}" cy="{y + 0.5:.1f}" r="{thick * 1.5:.1f}"/>'
        for (x, y), side, c in zip(seen_px, facts["seen"]["sides"], sure, strict=True)
        if np.isfinite([x, y]).all()
    ]
    return (
        f'<svg viewBox="{left} {top} {width} {height}" role="img" stroke-width="{thick / 2:.1f}">'
        f'<image href="data:image/jpeg;base64,{data}" x="{left}" y="{top}" width="{width}" height="{height}"/>'
        f"{''.join(lines)}{''.join(dots)}</svg>"
    )


def _line(a: Floats, b: Floats, kind: str, thick: float) -> str:
    """A line between the centres of two pixels; nothing where an end is not known."""
    if not np.isfinite([a, b]).all() or np.abs([a, b]).max() > _FARTHEST_PX:
        return ""
    (x1, y1), (x2, y2) = a + 0.5, b + 0.5
    return f'<path class="{kind}" stroke-width="{thick:.1f}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def _around(points_px: Floats, size_wh_px: Sequence[int]) -> tuple[int, int, int, int]:
    """The part of a picture around points: left, top, right, bottom, whole pixels."""
    known = points_px[np.isfinite(points_px).all(axis=1)]
    size = np.array(size_wh_px, np.float64)
    low, high = np.clip(known.min(axis=0), 0, size), np.clip(known.max(axis=0), 0, size)
    tall = max(float(high[1] - low[1]), 32.0) * (1 + 2 * _MARGIN)
    wide = max(float(high[0] - low[0]) + tall * _MARGIN, tall * _NARROWEST)
    middle = (low + high) / 2
    half = np.array([wide, tall]) / 2
    first = np.floor(np.clip(middle - half, 0, np.maximum(size - 2, 0)))
    last = np.ceil(np.minimum(np.maximum(middle + half, first + 2), size))
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])
