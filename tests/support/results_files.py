"""Miniature files of results, in the layout that `mocap3d evaluate -o` writes, and their errors, found by loops."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import h5py
import numpy as np
from mocap3d.data_prep.motion_file import MotionWriter
from mocap3d.data_prep.motion_sequence import MotionSequence

from mocap3d import Camera, skeleton_named

H17 = skeleton_named("human36m-17")
L20 = skeleton_named("lifter-20")

TAKES = (("S9", "walking_1", 120), ("S9", "eating_2", 60), ("S11", "walking_1", 80))

STANDING_M = np.array([
    [0, 0.94, 0], [-0.13, 0.93, 0], [-0.13, 0.49, 0.02], [-0.13, 0.06, 0], [0.13, 0.93, 0], [0.13, 0.49, 0.02],
    [0.13, 0.06, 0], [0, 1.17, 0], [0, 1.42, 0], [0, 1.54, 0.03], [0, 1.66, 0], [0.15, 1.40, 0], [0.24, 1.14, 0],
    [0.27, 0.90, 0.05], [-0.15, 1.40, 0], [-0.24, 1.14, 0], [-0.27, 0.90, 0.05],
])  # fmt: skip
"""Human3.6M's 17 joints of a person at rest."""


def walking_m(frames: int, fps: float, seed: int) -> np.ndarray:
    """(T, 17, 3) somebody who walks in a circle and swings arms and legs."""
    t = np.arange(frames) / fps
    phase = 2 * np.pi * (0.9 * t + 0.37 * seed)
    body = np.repeat(STANDING_M[None], frames, axis=0)
    names = list(H17.joint_names)
    for side, sign in (("left", 1), ("right", -1)):
        for joint, swing in (("knee", 0.18), ("ankle", 0.36), ("elbow", -0.12), ("wrist", -0.30)):
            body[:, names.index(f"{side}_{joint}"), 2] += sign * swing * np.sin(phase)
        body[:, names.index(f"{side}_ankle"), 1] += 0.10 * np.maximum(0, sign * np.cos(phase))
    turn = 0.4 * t + seed
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    x, z = body[..., 0].copy(), body[..., 2].copy()
    body[..., 0], body[..., 2] = (
        c * x + s * z - 1.2 * np.cos(turn)[:, None],
        -s * x + c * z + 1.2 * np.sin(turn)[:, None],
    )
    return body


def predicted_m(truth_m: np.ndarray, fps: float, mm: float, seed: int) -> np.ndarray:
    """The truth with smooth errors of about so many millimetres; the hands are worse, and now and then all is."""
    rng = np.random.default_rng(seed)
    t = np.arange(len(truth_m))[:, None, None] / fps
    speed, phase = rng.uniform(0.3, 1.5, truth_m.shape[1:]), rng.uniform(0, 6.3, truth_m.shape[1:])
    error = np.sin(2 * np.pi * speed * t + phase) * mm / 1000 * 1.1
    error[:, [13, 16]] *= 2.5
    return truth_m + error * (1 + 3 * np.exp(-(((t - rng.uniform(0, t.max() + 0.1)) / 0.4) ** 2)))


def ring_of_cameras(count: int = 4, distortion: Sequence[float] = (-0.2, 0.1, 0.001, -0.0005, 0.0)) -> list[Camera]:
    """Cameras that look at the middle of the room from 4 m, each a name like those of Human3.6M."""
    found = []
    for i in range(count):
        angle = 2 * np.pi * (i + 0.5) / count
        eye = np.array([4.3 * np.sin(angle), 1.6, 4.3 * np.cos(angle)])
        forward = np.array([0, 0.9, 0]) - eye
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 1, 0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(forward, right), forward])
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = R, -R @ eye
        K = np.array([[1145, 0, 512 + 3 * i], [0, 1144, 509 - 2 * i], [0, 0, 1.0]])
        found.append(
            Camera(
                name=f"5{i}138969", size_wh_px=(1000, 1002), K=K, distortion=np.array(distortion), cam_from_world=pose
            )
        )
    return found


def through_lens(camera: Camera, xyz_m: np.ndarray) -> np.ndarray:
    """(..., 2) pixels, by OpenCV."""
    pose = camera.cam_from_world
    xy, _ = cv2.projectPoints(
        xyz_m.reshape(-1, 3), cv2.Rodrigues(pose[:3, :3])[0], pose[:3, 3], camera.K, camera.distortion
    )
    return xy.reshape(*xyz_m.shape[:-1], 2)


def write_results(
    path: Path,
    *,
    models: Sequence[tuple[str, float]] = (("plain", 12.0), ("causal", 30.0)),
    takes: Sequence[tuple[str, str, int]] = (
        ("S9", "walking_1", 120),
        ("S9", "eating_2", 60),
        ("S11", "walking_1", 80),
    ),
    fps: Fraction = Fraction(50),
    cameras: int = 4,
    lifter_20: Sequence[str] = ("causal",),
) -> Path:
    """A file of results.

    Args:
        path: where.
        models: (name, size of its errors in millimetres); those of ``lifter_20`` are written with 20 joints.
        takes: (subject, action, frames).
        fps: of all.
        cameras: how many.
        lifter_20: which models.
    """
    rig = ring_of_cameras(cameras)
    with MotionWriter(path) as writer:
        for camera in rig:
            for subject in dict.fromkeys(subject for subject, _, _ in takes):
                writer.add_camera(subject, camera)
        for seed, (subject, action, frames) in enumerate(takes):
            xyz_m = walking_m(frames, float(fps), seed).astype(np.float32)
            writer.add(MotionSequence.seen(subject, action, xyz_m, fps, H17, "made up"))
            for c, camera in enumerate(rig):
                seen = through_lens(camera, xyz_m.astype(np.float64)) + np.random.default_rng(c).normal(0, 2, (17, 2))
                writer.add_view(subject, action, camera.name, "noisy", seen, np.ones(seen.shape[:2]), H17)
                for m, (model, mm) in enumerate(models):
                    found = predicted_m(xyz_m, float(fps), mm * (1 + 0.1 * c), 100 * seed + 10 * m + c)
                    skeleton = L20 if model in lifter_20 else H17
                    if skeleton is L20:
                        wide = np.full((frames, 20, 3), 9.0)
                        wide[:, [L20.index(name) for name in H17.joint_names]] = found
                        found = wide
                    writer.add_prediction(
                        *(subject, action, model, camera.name, found, np.ones(found.shape[:2])),
                        skeleton=skeleton,
                        weights_sha256=f"{m:064d}",
                    )
    return path


def errors_in_file_mm(path: Path, subject: str, action: str, model: str, camera: str) -> np.ndarray:
    """(T, 17) errors around the pelvis, joint by joint from the file's own numbers."""
    with h5py.File(path) as file:
        take = file[f"sequences/{subject}/{action}"]
        truth, seen = take["xyz_m"][()].astype(float), take["confidence"][()]
        group = take[f"predictions/{model}/{camera}"]
        found, names = group["xyz_m"][()].astype(float), skeleton_named(group.attrs["skeleton"]).joint_names
    errors = np.full((len(truth), 17), np.nan)
    for t in range(len(truth)):
        for j, name in enumerate(H17.joint_names):
            k = list(names).index(name)
            apart = (found[t, k] - found[t, list(names).index("pelvis")]) - (truth[t, j] - truth[t, 0])
            if seen[t, j] > 0 and seen[t, 0] > 0:
                errors[t, j] = 1000 * (apart @ apart) ** 0.5
    return errors
