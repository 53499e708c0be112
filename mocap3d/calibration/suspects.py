"""Cameras from people alone: is a video mirrored or late, or was a camera bumped?

Cameras that are free to stand anywhere explain a wrong video in part, so that no residual points at it. Each suspicion
is tried instead: the video is mirrored back, or the videos are shifted as the motion in them says, and the cameras are
found again. What makes them good is what was wrong. And what was bumped shows in cameras that know one half only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mocap3d.base.camera import Camera
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.base.pose import Pose2D
from mocap3d.calibration.seen import longest
from mocap3d.calibration.ways import Solved
from mocap3d.cameras.from_people import refine_from_people
from mocap3d.cameras.gate import Gate, make_gate
from mocap3d.cameras.gate_measures import Scene
from mocap3d.cameras.gates import check_cameras
from mocap3d.cameras.sync import sync_motion, synchronised

__all__ = ["bumped_camera", "late_videos", "suspected"]

_SURE = 0.5
_LATE_S = 0.1  # less shows in residuals
_BETTER = 0.8  # of the residual

Tracks = Sequence[Sequence[Pose2D]]
Again = Callable[[list[list[Pose2D]]], Solved]


def suspected(tracks: Tracks, cameras: Sequence[Camera], again: Again) -> list[Gate]:
    """What was wrong with the videos, if something that can be tried was.

    Args:
        tracks: per camera the people that it saw, on one clock.
        cameras: of which the names and sizes of pictures are used.
        again: finds cameras from other tracks.

    Returns:
        No gate, or one that failed.
    """
    main = _main(tracks)
    return (late_videos(tracks, cameras, again) or _mirrored(main, cameras, again)) if all(main) else []


def late_videos(tracks: Tracks, cameras: Sequence[Camera], again: Again, residual_px: float = np.inf) -> list[Gate]:
    """Whether shifting the videos as motion says mends the cameras; or, if given, makes the residual clearly smaller.

    Somebody who walks in a circle is late, or the camera stands further round: only the residual tells.
    """
    main = _main(tracks)
    if not all(main):
        return []
    found = sync_motion(main)
    offsets = found.offsets_s
    if not ((found.confidence >= _SURE).all() and np.ptp(offsets) > _LATE_S):
        return []
    try:
        poses, _ = synchronised([own[0] for own in main], offsets)
    except InputError:
        return []
    if not _mends(again, [[pose] for pose in poses if pose is not None], _BETTER * residual_px):
        return []
    far = np.array([np.median(np.delete(offsets, c)) - own for c, own in enumerate(offsets)])
    worst = int(np.argmax(np.abs(far)))
    return [
        make_gate(
            "synchronous",
            False,
            float(far[worst]),
            "videos of one moment",
            f"camera {cameras[worst].name!r} shows things {abs(far[worst]):.2f} s "
            f"{'later' if far[worst] > 0 else 'earlier'} than the others: synchronise the videos (`mocap3d sync`, "
            "`--sync motion`), or clap once in view of all cameras and film again",
        )
    ]


def bumped_camera(solved: Solved) -> list[Gate]:
    """Whether cameras that are refined by the first half of the moments see the second half elsewhere, or the reverse.

    Cameras that know both halves stand between two places, so that neither is far off.
    """
    told = []
    for last in (False, True):
        people = [tuple(None if pose is None else _half(pose, last) for pose in views) for views in solved.people or ()]
        try:
            cameras = refine_from_people(solved.cameras, people).cameras
        except (CalibrationError, InputError):
            return []
        asked = check_cameras(cameras, solved.people or ())
        told.append([gate for gate in asked if gate.name == "steady" and not gate.passed])
    # A half from which too little is known is off in the other one: both must say so.
    return min(told, key=lambda gates: gates[0].value) if all(told) else []


def _half(pose: Pose2D, last: bool) -> Pose2D:
    kept = (np.arange(len(pose)) >= len(pose) // 2) == last
    return replace(
        pose,
        xy_px=np.where(kept[:, None, None], pose.xy_px, np.nan),
        confidence=np.where(kept[:, None], pose.confidence, 0.0),
    )


def _mirrored(main: list[list[Pose2D]], cameras: Sequence[Camera], again: Again) -> list[Gate]:
    one_of_two = len(cameras) == 2
    scene = Scene(cameras=tuple(cameras), people=(tuple(own[0] for own in main),))
    for c, camera in enumerate(cameras[:1] if one_of_two else cameras):
        (back,) = scene.mirrored_back(c).people
        if _mends(again, [[pose] for pose in back if pose is not None]):
            who = (
                f"one of the pictures, of camera {cameras[0].name!r} or {cameras[1].name!r}, is mirrored"
                if one_of_two
                else f"the picture of camera {camera.name!r} is mirrored"
            )
            advice = f"{who}, as selfie cameras do: turn mirroring off and film again, or mirror the video back"
            return [make_gate("mirrored", False, 0.0, "pictures as they are", advice)]
    return []


def _main(tracks: Tracks) -> list[list[Pose2D]]:
    """Per camera the person seen longest."""
    return [longest(own)[:1] for own in tracks]


def _mends(again: Again, tracks: list[list[Pose2D]], most_px: float = np.inf) -> bool:
    """Whether these videos would give cameras that no gate refuses."""
    try:
        solved = again(tracks)
        if solved.people is None or not np.nanmean(solved.residual_px) < most_px:
            return False
        return all(gate.passed for gate in check_cameras(solved.cameras, solved.people))
    except (CalibrationError, InputError):
        return False
