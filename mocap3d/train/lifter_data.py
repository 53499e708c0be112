"""Training examples for the lifter: pieces of recorded motion, seen by virtual cameras through a simulated detector.

A batch is a pure function of (settings, seed, number of the batch), so that any worker can make it and an interrupted
training goes on exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import COCO_17, LIFTER_20
from mocap3d.data_prep.motion_file import read_sequences
from mocap3d.lift.encoding import encode, virtual_from_cam_points
from mocap3d.train.body import OFFSETS_M, coco_points, mirrored, vary_bones
from mocap3d.train.mixing import with_arms_of, with_upper_body_of
from mocap3d.train.noise import NoiseSettings, simulate_detector
from mocap3d.train.virtual_cameras import CameraSettings, into_camera, random_poses

__all__ = [
    "ExampleBatches",
    "ExampleSettings",
    "MotionBank",
    "make_examples",
    "observe",
]

Floats = NDArray[np.floating]

# Which way each face point looks, along the head's left, up, forward; other points look nowhere.
_LOOKS = dict.fromkeys(("nose", "left_eye", "right_eye"), (0, 0, 1)) | {"left_ear": (1, 0, 0), "right_ear": (-1, 0, 0)}
_FACE_AXES = np.array([_LOOKS.get(name, (0, 0, 0)) for name in COCO_17.joint_names], dtype=np.float32)
_HIDDEN_COSINE = -0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleSettings:
    """How examples are made.

    Attributes:
        fps: frame rate of the lifter.
        outputs: consecutive frames that are lifted in one example; 9 wastes no arithmetic with dilations 1, 3, 9.
        clips: examples in one batch.
        speed: time is stretched by a factor between these.
        mixed_upper: share of the examples that get the upper body of another.
        mixed_arms: share of the examples that get the arms of another.
        bone_spread: bones are up to this share longer or shorter, left as right.
        offset_std_m: how far the detector's points lie beside where `body.OFFSETS_M` has them, each person.
        cameras: from where.
        noise: the simulated detector.
    """

    fps: int = 30
    outputs: int = 9
    clips: int = 128
    speed: tuple[float, float] = (0.8, 1.25)
    mixed_upper: float = 0.2
    mixed_arms: float = 0.3
    bone_spread: float = 0.07
    offset_std_m: float = 0.012
    cameras: CameraSettings = field(default_factory=CameraSettings)
    noise: NoiseSettings = field(default_factory=NoiseSettings)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MotionBank:
    """All training motion in memory, one sequence after another.

    Attributes:
        xyz_m: (F, 20, 3) float32 joints of LIFTER_20 in the world.
        first: (S,) where each sequence begins in it.
        frames: (S,) how long each is.
        fps: (S,) frame rate of each.
        names: S names SUBJECT/ACTION.
    """

    xyz_m: NDArray[np.float32]
    first: NDArray[np.int64]
    frames: NDArray[np.int64]
    fps: NDArray[np.float64]
    names: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, subjects: frozenset[str]) -> Self:
        """Read the sequences of these subjects from a motion-data file.

        Raises:
            InputError: a subject is not there, or a sequence has another skeleton or unseen joints.
            FileFormatError: not a motion-data file.
        """
        sequences = list(read_sequences(path, subjects))
        missing = subjects - {sequence.subject for sequence in sequences}
        if missing:
            raise InputError(f"{path} lacks the subjects {', '.join(sorted(missing))}")
        for sequence in sequences:
            name = f"{sequence.subject}/{sequence.action}"
            if sequence.skeleton.name != LIFTER_20.name:
                raise InputError(f"{name} has the joints {sequence.skeleton.name}, the lifter learns {LIFTER_20.name}")
            if not np.isfinite(sequence.xyz_m).all():
                raise InputError(f"{name} has joints that were not seen; the lifter learns from complete bodies")
        frames = np.array([len(sequence.xyz_m) for sequence in sequences])
        return cls(
            xyz_m=np.concatenate([sequence.xyz_m for sequence in sequences]),
            first=np.cumsum(frames) - frames,
            frames=frames,
            fps=np.array([float(sequence.fps) for sequence in sequences]),
            names=tuple(f"{sequence.subject}/{sequence.action}" for sequence in sequences),
        )

    def pieces(self, rng: np.random.Generator, count: int, length: int, settings: ExampleSettings) -> Floats:
        """Cut random pieces (count, length, 20, 3) at the lifter's frame rate, at random speed and phase."""
        which = rng.choice(len(self.frames), count, p=self.frames / self.frames.sum())
        step = self.fps[which] / settings.fps * rng.uniform(*settings.speed, count)
        spare = np.maximum(self.frames[which] - 1 - step * (length - 1), 0)
        at = (rng.random(count) * spare)[:, None] + step[:, None] * np.arange(length)
        at = np.minimum(at, self.frames[which, None] - 1)  # a short sequence stands still at its end
        whole = np.minimum(at.astype(np.int64), self.frames[which, None] - 2).clip(0)
        part = (at - whole).astype(np.float32)[..., None, None]
        index = self.first[which, None] + whole
        following = self.first[which, None] + np.minimum(whole + 1, self.frames[which, None] - 1)
        return np.asarray(self.xyz_m[index] * (1 - part) + self.xyz_m[following] * part)


def make_examples(
    bank: MotionBank, rng: np.random.Generator, window: int, target: int, settings: ExampleSettings
) -> tuple[Floats, Floats]:
    """Make one batch.

    Args:
        bank: the motion.
        rng: source of randomness; the same state gives the same batch.
        window: frames that the lifter sees for one output.
        target: which frame of the window is lifted.
        settings: how.

    Returns:
        features (B, T, 52) and the truth (B, outputs, 20, 3): metres around the pelvis, virtual camera's axes.
    """
    joints_m = _bodies(bank, rng, window + settings.outputs - 1, settings)
    joints_m = vary_bones(joints_m, _bone_factors(rng, settings))
    offsets_m = OFFSETS_M + rng.normal(0, settings.offset_std_m, (settings.clips, 1, len(COCO_17), 3))
    body = coco_points(joints_m, offsets_m.astype(np.float32))
    cam_from_world = random_poses(rng, joints_m[:, :, 0].mean(axis=1), settings.cameras)
    return observe(
        rng, (joints_m, body.xyz_m, body.head_axes), cam_from_world, settings.noise, target, settings.outputs
    )


def observe(
    rng: np.random.Generator,
    body: tuple[Floats, Floats, Floats],
    cam_from_world: Floats,
    noise: NoiseSettings | None,
    target: int,
    outputs: int,
) -> tuple[Floats, Floats]:
    """See bodies through cameras and a detector, and encode what was seen.

    Args:
        rng: source of randomness.
        body: joints (B, T, 20, 3), COCO points (B, T, 17, 3) and head axes (B, T, 3, 3), world.
        cam_from_world: (B, 4, 4).
        noise: the simulated detector; None sees everything exactly, with confidence 0.9.
        target: first frame whose truth is wanted.
        outputs: how many frames' truth is wanted.

    Returns:
        features (B, T, 52) and truth (B, outputs, 20, 3) in the virtual camera's axes.
    """
    joints_m, points_m, head_axes = body
    joints_m, points_m = into_camera(cam_from_world, joints_m, points_m)
    rays = points_m / points_m[..., 2:]
    confidence: Floats = np.full(rays.shape[:-1], 0.9, dtype=np.float32)
    if noise is not None:
        hidden = _turned_away(points_m, cam_from_world, head_axes)
        size = 1 / joints_m[:, :, 0, 2]
        rays[..., :2], confidence = simulate_detector(rng, rays[..., :2], size, hidden, noise)
    encoded = encode(rays, confidence)
    kept = slice(target, target + outputs)
    truth = joints_m[:, kept] - joints_m[:, kept, :1]
    return encoded.features, virtual_from_cam_points(truth, encoded.virtual_from_cam[:, kept])


def _turned_away(points_m: Floats, cam_from_world: Floats, head_axes: Floats) -> NDArray[np.bool_]:
    """(B, T, 17): face points on the far side of the head."""
    R = cam_from_world[:, None, :3, :3].astype(points_m.dtype)
    looks = np.matmul(_FACE_AXES, np.swapaxes(np.matmul(R, head_axes), -1, -2))
    towards = -points_m / np.linalg.norm(points_m, axis=-1, keepdims=True)
    return np.asarray((looks * towards).sum(axis=-1) < _HIDDEN_COSINE)


def _bodies(bank: MotionBank, rng: np.random.Generator, length: int, settings: ExampleSettings) -> Floats:
    """Pieces of motion (B, length, 20, 3), half of them mirrored, some with the upper body or the arms of another."""

    def pieces() -> Floats:
        joints_m = bank.pieces(rng, settings.clips, length, settings)
        flip = rng.random(settings.clips) < 0.5
        joints_m[flip] = mirrored(joints_m[flip])
        return joints_m

    joints_m, others_m = pieces(), pieces()
    lot = rng.random(settings.clips)
    upper = lot < settings.mixed_upper
    arms = (lot >= settings.mixed_upper) & (lot < settings.mixed_upper + settings.mixed_arms)
    joints_m[upper] = with_upper_body_of(joints_m[upper], others_m[upper])
    joints_m[arms] = with_arms_of(joints_m[arms], others_m[arms])
    return joints_m


def _bone_factors(rng: np.random.Generator, settings: ExampleSettings) -> NDArray[np.float32]:
    """(B, 20), the same left and right."""
    spread = settings.bone_spread
    factors = rng.uniform(1 - spread, 1 + spread, (settings.clips, len(LIFTER_20))).astype(np.float32)
    representative = np.minimum(np.arange(len(LIFTER_20)), np.array(LIFTER_20.mirror))
    return factors[:, representative]


class ExampleBatches(Dataset[tuple[Tensor, Tensor]]):
    """Batch number n of a training, for torch's DataLoader (whose workers make batches ahead).

    Args:
        bank: the motion.
        window: frames that the lifter sees for one output.
        target: which frame of the window is lifted.
        settings: how examples are made.
        seed: of the whole training.
    """

    def __init__(self, bank: MotionBank, window: int, target: int, settings: ExampleSettings, seed: int) -> None:
        self.bank = bank
        self.window = window
        self.target = target
        self.settings = settings
        self.seed = seed

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Features (B, T, 52) and truth (B, outputs, 20, 3), float32."""
        rng = np.random.default_rng([self.seed, number])
        features, truth = make_examples(self.bank, rng, self.window, self.target, self.settings)
        return torch.from_numpy(features.astype(np.float32)), torch.from_numpy(truth.astype(np.float32))
