"""Recorded people as the lifter sees them: a simulated detector, one camera, the shipped lifter, gravity as it is."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from cmu_people import ON_RIG, Take, fk_rig
from lifter_limits import CAMERAS, camera_at

from mocap3d.base.camera import Camera
from mocap3d.base.pose import Pose2D
from mocap3d.base.projection import project
from mocap3d.base.skeletons import COCO_17, LIFTER_20
from mocap3d.identify.repair import fill_gaps
from mocap3d.motion.solve import solve
from mocap3d.solving import Sight, Wanted, lift_person, moved
from mocap3d.train.body import coco_points
from mocap3d.train.noise import NoiseSettings, simulate_detector

__all__ = ["life_of", "seen_from"]

WHOLE = NoiseSettings(level=(1.0, 1.0), cut_off=0.0, occluded=0.0, swapped=0.0, hidden=0.0)
"""A detector that sees the whole person: its usual errors, joints lost for moments, outliers."""


def life_of(take: Take) -> np.ndarray:
    """(2, 4): of the lifted joints and of the solved ones, what `_life` says; means of two cameras."""
    joints = [joint for joint in LIFTER_20.joint_names if joint in ON_RIG]
    columns = [LIFTER_20.index(joint) for joint in joints]
    figures = []
    for number, view in enumerate(CAMERAS[:2]):
        camera = _camera(take, *view[:2])
        placed = lift_person(Sight(person=1, first=0, pose2d=_detected(take, camera, number)), Wanted(camera=camera))
        pose = moved(placed.pose3d, np.linalg.inv(camera.cam_from_world))
        motion = solve(pose, hint=placed.hint)
        places, _ = fk_rig(motion.rig, motion.local_wxyz, motion.root_m)
        solved_m = np.stack([places[ON_RIG[joint]] for joint in joints], axis=1)
        true_m = take.joints_m[:, columns]
        figures.append([_life(found_m, true_m, take.fps) for found_m in (pose.xyz_m[:, columns], solved_m)])
    return np.mean(figures, axis=0)


def seen_from(take: Take, azimuth_deg: float, number: int) -> tuple[Pose2D, Camera]:
    """One of several cameras, each with a detector's errors of its own."""
    camera = replace(_camera(take, azimuth_deg, 1.6), name=f"camera{number}")
    return replace(_detected(take, camera, number), camera_name=camera.name), camera


def _camera(take: Take, azimuth_deg: float, height_m: float) -> Camera:
    """One that stands far enough from the path not to be run over."""
    middle = take.joints_m[:, 0].mean(axis=0)
    radius = np.linalg.norm((take.joints_m[:, 0] - middle)[:, [0, 2]], axis=-1).max()
    return camera_at(middle, azimuth_deg, height_m, max(4.0, radius + 2.5), 0.0)


def _detected(take: Take, camera: Camera, seed: int) -> Pose2D:
    """What the detector makes of a person, short gaps bridged as capture does."""
    xyz_m = coco_points(take.joints_m.astype(np.float32)).xyz_m.astype(float)
    px, _ = project(camera, xyz_m)
    depth_m = (take.joints_m[:, 0] @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3])[:, 2]
    focal, centre = np.diag(camera.K)[:2], camera.K[:2, 2]
    rays, confidence = simulate_detector(
        np.random.default_rng(seed),
        ((px - centre) / focal)[None],
        1 / depth_m[None],
        np.zeros((1, *px.shape[:2]), dtype=bool),
        WHOLE,
        take.fps,
    )
    seen = Pose2D(xy_px=rays[0] * focal + centre, confidence=confidence[0], fps=Fraction(take.fps), skeleton=COCO_17)
    return fill_gaps(seen)


def _life(found_m: np.ndarray, true_m: np.ndarray, fps: int) -> tuple[float, float, float, float]:
    """Error of velocities; share of the true accelerations that is found; size of accelerations; size of jerks.

    All relative to the truth: 0, 1, 1 and 1 are right.
    """
    sizes = []
    for order in (1, 2, 3):
        found, true = (np.diff(m, n=order, axis=0) * fps**order for m in (found_m, true_m))
        size = np.linalg.norm(true, axis=-1).mean()
        off = np.linalg.norm(found - true, axis=-1).mean() / size
        sizes.append((off, (found * true).sum() / (true * true).sum(), np.linalg.norm(found, axis=-1).mean() / size))
    return sizes[0][0], sizes[1][1], sizes[1][2], sizes[2][2]
