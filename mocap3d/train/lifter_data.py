"""Training examples for the lifter: pieces of recorded motion, seen by virtual cameras through a simulated detector.

What is simulated are *clips* of some seconds; the training loop cuts windows out of them (``example_pool.py``). A batch
of clips is a pure function of (settings, seed, number of the batch), so that any worker can make it and an interrupted
training goes on exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from mocap3d.base.errors import InputError
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17, LIFTER_20, skeleton_named
from mocap3d.data_prep.cmu import LEG_PER_STATURE
from mocap3d.data_prep.motion_file import read_sequences
from mocap3d.lift.encoding import encode, virtual_from_cam_points
from mocap3d.lift.holding import hold_unseen, longest_hold
from mocap3d.train.bending import bent
from mocap3d.train.body import OFFSETS_M, coco_points, mirrored, vary_bones
from mocap3d.train.contact_labels import contact_labels
from mocap3d.train.dropping import drop_points
from mocap3d.train.mixing import with_arms_of, with_upper_body_of
from mocap3d.train.noise import NoiseSettings, simulate_detector
from mocap3d.train.virtual_cameras import CameraSettings, into_camera, random_poses

__all__ = [
    "Bodies",
    "ClipBatches",
    "ExampleSettings",
    "Examples",
    "MotionBank",
    "make_clips",
    "observe",
]

Floats = NDArray[np.floating]

# Which way each face point looks, along the head's left, up, forward; other points look nowhere.
_LOOKS = dict.fromkeys(("nose", "left_eye", "right_eye"), (0, 0, 1)) | {"left_ear": (1, 0, 0), "right_ear": (-1, 0, 0)}
_FACE_AXES = np.array([_LOOKS.get(name, (0, 0, 0)) for name in COCO_17.joint_names], dtype=np.float32)
_HIDDEN_COSINE = -0.3
_MOST_LOG_DISTANCE = 1.5  # where the scale is worthless the distance cannot be learned
_UNDISTURBED = 0.9  # confidence of a detector's points when it makes no errors


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleSettings:
    """How examples are made.

    Attributes:
        fps: frame rate of the lifter.
        points: skeleton of the 2D points: coco-17 through a simulated detector, or human36m-17, the joints themselves.
        joints: skeleton of what is learned: lifter-20 or human36m-17.
        encoding: of the 2D points (``lift/encoding.py``).
        speed: time is stretched by a factor between these.
        mixed_upper: share of the clips that get the upper body of another.
        mixed_arms: share of the clips that get the arms of another.
        swung: share of the clips whose limbs, trunk and head swing about their joints (``bending.py``).
        bone_spread: bones are up to this share longer or shorter, left as right.
        offset_std_m: how far the detector's points lie beside where `body.OFFSETS_M` has them, each person.
        dropped: share of the clips that lose points at random, for a frame or for longer, each with a probability of up
            to a half (`drop_points`): the lifter must not depend on any.
        cameras: from where.
        noise: the simulated detector of coco-17; None sees exactly.
    """

    fps: int = 30
    points: str = COCO_17.name
    joints: str = LIFTER_20.name
    encoding: str = "hip-rays-2"
    speed: tuple[float, float] = (0.8, 1.25)
    mixed_upper: float = 0.2
    mixed_arms: float = 0.3
    swung: float = 0.5
    bone_spread: float = 0.07
    offset_std_m: float = 0.012
    dropped: float = 0.25
    cameras: CameraSettings = field(default_factory=CameraSettings)
    noise: NoiseSettings | None = field(default_factory=NoiseSettings)

    def __post_init__(self) -> None:
        """Refuse points that cannot be made from bodies."""
        if self.points not in (COCO_17.name, HUMAN36M_17.name) or self.joints not in (LIFTER_20.name, HUMAN36M_17.name):
            raise InputError(
                f"a lifter learns coco-17 or human36m-17 points and lifter-20 or human36m-17 joints, "
                f"not {self.points} and {self.joints}"
            )
        if self.points == COCO_17.name and self.joints != LIFTER_20.name:
            raise InputError("coco-17 points are made from lifter-20 joints: the face is needed")


class Bodies(NamedTuple):
    """B clips of T frames of moving people.

    Attributes:
        joints_m: (B, T, J, 3) world.
        contacts: (B, T, 4) left heel, left toe, right heel, right toe; NaN where the joints do not tell.
    """

    joints_m: Floats
    contacts: Floats


class Examples(NamedTuple):
    """B clips of T frames as the lifter learns them.

    Attributes:
        features: (B, T, F).
        truth: (B, T, O) joints without the root (x, y, z each), root beside the ray (x, y), logarithm of its distance
            times the scale, four contacts.
    """

    features: Floats
    truth: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MotionBank:
    """All training motion in memory, one sequence after another.

    Attributes:
        xyz_m: (F, J, 3) float32 joints in the world.
        contacts: (F, 4) float32, as in `Bodies`.
        first: (S,) where each sequence begins in it.
        frames: (S,) how long each is.
        fps: (S,) frame rate of each.
        names: S names SUBJECT/ACTION.
    """

    xyz_m: NDArray[np.float32]
    contacts: NDArray[np.float32]
    first: NDArray[np.int64]
    frames: NDArray[np.int64]
    fps: NDArray[np.float64]
    names: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, subjects: frozenset[str], skeleton: Skeleton = LIFTER_20) -> Self:
        """Read the sequences of these subjects from a motion-data file.

        The joints of human36m-17 are the first of lifter-20: a file of the latter serves both.

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
            if sequence.skeleton.name not in (skeleton.name, LIFTER_20.name):
                raise InputError(f"{name} has the joints {sequence.skeleton.name}, the lifter learns {skeleton.name}")
            lost = ~np.isfinite(sequence.xyz_m[:, : len(skeleton)]).all(axis=(0, 2))
            if lost.any():
                joints = ", ".join(np.array(skeleton.joint_names)[lost])
                raise InputError(f"{name} has joints that were not seen ({joints}): the lifter learns complete bodies")
        frames = np.array([len(sequence.xyz_m) for sequence in sequences])
        return cls(
            xyz_m=np.concatenate([sequence.xyz_m[:, : len(skeleton)] for sequence in sequences]),
            contacts=np.concatenate([contact_labels(sequence) for sequence in sequences]),
            first=np.cumsum(frames) - frames,
            frames=frames,
            fps=np.array([float(sequence.fps) for sequence in sequences]),
            names=tuple(f"{sequence.subject}/{sequence.action}" for sequence in sequences),
        )

    @property
    def stature_m(self) -> float:
        """How tall these people are, by the median length of their legs: thigh and shank are 0.491 of a stature."""
        names = HUMAN36M_17.joint_names  # the first of lifter-20
        legs = [[names.index(f"{side}_{part}") for part in ("hip", "knee", "ankle")] for side in ("left", "right")]
        lengths = np.linalg.norm(np.diff(self.xyz_m[:, legs], axis=2), axis=-1).sum(axis=-1)
        return float(np.median(lengths)) / LEG_PER_STATURE

    def pieces(self, rng: np.random.Generator, count: int, length: int, settings: ExampleSettings) -> Bodies:
        """Cut random pieces at the lifter's frame rate, at random speed and phase."""
        which = rng.choice(len(self.frames), count, p=self.frames / self.frames.sum())
        step = self.fps[which] / settings.fps * rng.uniform(*settings.speed, count)
        spare = np.maximum(self.frames[which] - 1 - step * (length - 1), 0)
        at = (rng.random(count) * spare)[:, None] + step[:, None] * np.arange(length)
        return self.at(which, at)

    def at(self, which: NDArray[np.int64], at: NDArray[np.float64]) -> Bodies:
        """Bodies at times between frames: joints on the straight line, contacts those of the nearer frame.

        Args:
            which: (B,) sequences.
            at: (B, T) times in frames of each from its first; after its last it stands still.
        """
        at = np.minimum(at, self.frames[which, None] - 1)
        whole = np.minimum(at.astype(np.int64), self.frames[which, None] - 2).clip(0)
        part = (at - whole).astype(np.float32)
        index = self.first[which, None] + whole
        following = self.first[which, None] + np.minimum(whole + 1, self.frames[which, None] - 1)
        mixed = part[..., None, None]
        return Bodies(
            joints_m=np.asarray(self.xyz_m[index] * (1 - mixed) + self.xyz_m[following] * mixed),
            contacts=self.contacts[np.where(part < 0.5, index, following)],
        )


def make_clips(
    bank: MotionBank, rng: np.random.Generator, count: int, frames: int, settings: ExampleSettings
) -> Examples:
    """Simulate ``count`` clips of ``frames`` frames.

    Args:
        bank: the motion.
        rng: source of randomness; the same state gives the same clips.
        count: how many.
        frames: how long.
        settings: how.
    """
    joints_m, contacts = _bodies(bank, rng, count, frames, settings)
    if settings.bone_spread:
        joints_m = vary_bones(joints_m, _bone_factors(rng, count, settings))
    cam_from_world = random_poses(rng, joints_m[:, :, 0].mean(axis=1), settings.cameras)
    return observe(rng, Bodies(joints_m, contacts), cam_from_world, settings, varied=True)


def observe(
    rng: np.random.Generator, bodies: Bodies, cam_from_world: Floats, settings: ExampleSettings, *, varied: bool = False
) -> Examples:
    """See bodies through cameras and a detector, and encode what was seen.

    Args:
        rng: source of randomness.
        bodies: B clips.
        cam_from_world: (B, 4, 4).
        settings: ``points``, ``encoding``, ``noise`` and ``dropped`` say what is seen.
        varied: whether each person's points lie a little beside where they should.
    """
    joints_m = bodies.joints_m
    if settings.points == COCO_17.name:
        joints_m, rays, confidence = _detected(rng, joints_m, cam_from_world, settings, varied)
    else:
        (joints_m,) = into_camera(cam_from_world, joints_m)
        rays = joints_m[:, :, : len(HUMAN36M_17)] / joints_m[:, :, : len(HUMAN36M_17), 2:]
        confidence = np.ones(rays.shape[:-1], dtype=rays.dtype)  # as in the views called "true"
        if varied:  # whoever brings such points has a confidence of their own
            confidence *= rng.uniform(0.5, 1.0, (len(rays), 1, 1)).astype(rays.dtype)
    drop_points(rng, rays, confidence, settings.dropped)
    rays = hold_unseen(rays, longest_hold(settings.fps))
    encoded = encode(rays, confidence, skeleton_named(settings.points), settings.encoding)
    turned = virtual_from_cam_points(joints_m, encoded.virtual_from_cam)
    root = turned[:, :, 0]
    parts = (
        (turned[:, :, 1:] - turned[:, :, :1]).reshape(*root.shape[:2], -1),
        root[..., :2],
        np.log(root[..., 2:] * encoded.scale[..., None]).clip(-_MOST_LOG_DISTANCE, _MOST_LOG_DISTANCE),
        bodies.contacts,
    )
    return Examples(encoded.features, np.concatenate(parts, axis=-1))


def _detected(
    rng: np.random.Generator, joints_m: Floats, cam_from_world: Floats, settings: ExampleSettings, varied: bool
) -> tuple[Floats, Floats, Floats]:
    """Joints in the camera, and the rays and confidence of the COCO-17 points that the detector makes of them."""
    offsets_m = OFFSETS_M
    if varied:
        beside_m = rng.normal(0, settings.offset_std_m, (len(joints_m), 1, len(COCO_17), 3))
        offsets_m = (OFFSETS_M + beside_m).astype(np.float32)
    body = coco_points(joints_m, offsets_m)
    joints_m, points_m = into_camera(cam_from_world, joints_m, body.xyz_m)
    rays = points_m / points_m[..., 2:]
    confidence: Floats = np.full(rays.shape[:-1], _UNDISTURBED, dtype=np.float32)
    if settings.noise is not None:
        hidden = _turned_away(points_m, cam_from_world, body.head_axes)
        size = 1 / joints_m[:, :, 0, 2]
        rays[..., :2], confidence = simulate_detector(rng, rays[..., :2], size, hidden, settings.noise, settings.fps)
    return joints_m, rays, confidence


def _turned_away(points_m: Floats, cam_from_world: Floats, head_axes: Floats) -> NDArray[np.bool_]:
    """(B, T, 17): face points on the far side of the head."""
    R = cam_from_world[:, None, :3, :3].astype(points_m.dtype)
    looks = np.matmul(_FACE_AXES, np.swapaxes(np.matmul(R, head_axes), -1, -2))
    towards = -points_m / np.linalg.norm(points_m, axis=-1, keepdims=True)
    return np.asarray((looks * towards).sum(axis=-1) < _HIDDEN_COSINE)


def _bodies(bank: MotionBank, rng: np.random.Generator, count: int, frames: int, settings: ExampleSettings) -> Bodies:
    """Pieces of motion, half of them mirrored, some with the upper body or the arms of another."""

    def pieces() -> Bodies:
        joints_m, contacts = bank.pieces(rng, count, frames, settings)
        flip = rng.random(count) < 0.5
        joints_m[flip] = mirrored(joints_m[flip])
        contacts[flip] = contacts[flip][..., [2, 3, 0, 1]]
        return Bodies(joints_m, contacts)

    joints_m, contacts = pieces()
    if settings.mixed_upper + settings.mixed_arms > 0:
        others_m, _ = pieces()
        lot = rng.random(count)
        upper = lot < settings.mixed_upper
        arms = (lot >= settings.mixed_upper) & (lot < settings.mixed_upper + settings.mixed_arms)
        joints_m[upper] = with_upper_body_of(joints_m[upper], others_m[upper])
        joints_m[arms] = with_arms_of(joints_m[arms], others_m[arms])
    which = rng.random(count) < settings.swung
    if which.any():
        joints_m[which] = bent(rng, joints_m[which], settings.fps)
    return Bodies(joints_m, contacts)


def _bone_factors(rng: np.random.Generator, count: int, settings: ExampleSettings) -> NDArray[np.float32]:
    """(B, J), the same left and right."""
    skeleton, spread = skeleton_named(settings.joints), settings.bone_spread
    factors = rng.uniform(1 - spread, 1 + spread, (count, len(skeleton))).astype(np.float32)
    return factors[:, np.minimum(np.arange(len(skeleton)), np.array(skeleton.mirror))]


class ClipBatches(Dataset[tuple[Tensor, Tensor]]):
    """Batch number n of a training, for torch's DataLoader (whose workers make batches ahead).

    Args:
        bank: the motion.
        clips: how many in a batch.
        frames: how long they are.
        settings: how they are made.
        seed: of the whole training, and the rank of a process among several.
    """

    def __init__(
        self, bank: MotionBank, clips: int, frames: int, settings: ExampleSettings, seed: tuple[int, ...]
    ) -> None:
        self.bank = bank
        self.clips = clips
        self.frames = frames
        self.settings = settings
        self.seed = seed

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Features (B, T, F) and truth (B, T, O), float32."""
        rng = np.random.default_rng([*self.seed, number])
        features, truth = make_clips(self.bank, rng, self.clips, self.frames, self.settings)
        return torch.from_numpy(features.astype(np.float32)), torch.from_numpy(truth.astype(np.float32))
