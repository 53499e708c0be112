"""What decides a training of the lifter, and who may be learned from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Self

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17, LIFTER_20
from mocap3d.train.lifter_data import ExampleSettings
from mocap3d.train.noise import NoiseSettings
from mocap3d.train.reserved import refuse_reserved
from mocap3d.train.settings_checks import check_counts, check_dilations, check_shares, check_sizes
from mocap3d.train.virtual_cameras import CameraSettings

__all__ = [
    "CAMERAS_OF_HUMAN36M",
    "CMU_HELD_OUT",
    "CMU_TRAINING",
    "HUMAN36M_HELD_OUT",
    "HUMAN36M_TRAINING",
    "WINDOWS",
    "LifterSettings",
    "cmu_settings",
    "human36m_settings",
]

CMU_TRAINING = ("01", "03", "06", "07", "08", "11", "14", "16", "17", "29", "35", "55", "91", "93", "104", "131")
CMU_HELD_OUT = ("02", "05")
HUMAN36M_TRAINING = ("S1", "S5", "S6", "S7", "S8")
HUMAN36M_HELD_OUT = ("S9", "S11")
CAMERAS_OF_HUMAN36M = CameraSettings(height_m=(1.2, 1.8), distance_m=(3.0, 7.0), roll_rad=0.05, any_roll=0.0)
"""About as the four of its room stand."""

WINDOWS = {1: (0, 0, 0), 9: (1, 3), 27: (1, 3, 9), 81: (1, 3, 9, 27), 243: (1, 3, 9, 27, 81)}
"""Frames that an output depends on -> dilations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LifterSettings:
    """Everything that decides what a training makes of its data.

    Attributes:
        subjects: who is learned from.
        held_out: who is only measured on.
        minutes: how long to train; the learning rate follows the clock. None: ``steps`` decides, and a resumed run
            equals an uninterrupted one.
        steps: how many steps to take when ``minutes`` is None.
        channels: width of the network.
        dilations: of its layers, see `WINDOWS`; (1, 3, 9, 27) sees 81 frames.
        causal: whether the newest frame of a window is lifted, for live use, instead of the middle one.
        direct: whether the lifted frame's features also reach the outputs directly.
        contacts: whether foot contacts are learned (the joints must have toes).
        dropout: share of the hidden values dropped in training.
        short_windows: share of the training, at its beginning, that sees windows of a third of the length, which cost a
            third; the last block joins after it. A network that sees one frame, or has no blocks, begins as it ends.
        batch: windows in one step, of all processes that train together.
        clip_frames: length of the simulated clips that windows are cut from.
        clips_per_step: how many new clips each process simulates for each step.
        pool_steps: for how many steps a clip stays in the pool.
        learning_rate: of AdamW, at the start; falls along a cosine to ``last_rate`` of it.
        warm_up: steps over which the learning rate rises from 0.
        last_rate: share of the learning rate at the end.
        weight_decay: of AdamW.
        clip_norm: longest gradient.
        momentum: of batch normalisation's statistics, at the start and at the end.
        trajectory_weight: of the root's error beside the joints'.
        contact_weight: of the contacts' cross entropy.
        average: decay of the moving average of the weights, which is what is kept.
        precision: of the matrix products: "bf16", "fp16" (CUDA only) or "fp32".
        compiled: whether `torch.compile` translates the network; on a CPU it needs a C++ compiler and does not pay.
        seed: of everything random.
        licence: of the weights that come out.
        examples: how examples are made.
    """

    subjects: tuple[str, ...] = CMU_TRAINING
    held_out: tuple[str, ...] = CMU_HELD_OUT
    minutes: float | None = 45.0
    steps: int = 10_000
    channels: int = 512
    dilations: tuple[int, ...] = (1, 3, 9, 27)
    causal: bool = False
    direct: bool = True
    contacts: bool = True
    dropout: float = 0.0
    short_windows: float = 0.65
    batch: int = 128
    clip_frames: int = 300
    clips_per_step: int = 1
    pool_steps: int = 800
    learning_rate: float = 1e-3
    warm_up: int = 100
    last_rate: float = 0.02
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    momentum: tuple[float, float] = (0.1, 0.01)
    trajectory_weight: float = 0.1
    contact_weight: float = 0.01
    average: float = 0.999
    precision: str = "bf16"
    compiled: bool = False
    seed: int = 0
    licence: str = "Apache-2.0"
    examples: ExampleSettings = field(default_factory=ExampleSettings)

    def __post_init__(self) -> None:
        """Refuse reserved subjects, people on both sides, nobody on one, and what no network can be."""
        refuse_reserved({*self.subjects, *self.held_out})
        both = set(self.subjects) & set(self.held_out)
        if both:
            raise InputError(f"subjects {', '.join(sorted(both))} are both learned from and held out")
        if not self.subjects or not self.held_out:
            raise InputError("name at least one subject to learn from and one that is held out")
        if self.precision not in ("bf16", "fp16", "fp32"):
            raise InputError(f"precision must be bf16, fp16 or fp32, got {self.precision!r}")
        length = self.steps if self.minutes is None else self.minutes
        if not (length > 0 and math.isfinite(length)):
            raise InputError(f"nothing can be trained in {self.minutes} minutes, {self.steps} steps")
        if self.contacts and self.examples.joints != LIFTER_20.name:
            raise InputError(f"contacts need toes, which {self.examples.joints} has not")
        self._check_numbers()

    def _check_numbers(self) -> None:
        counts = ("channels", "clip_frames", "clips_per_step", "pool_steps", "warm_up")
        # One frame has no spread: normalisation needs two.
        check_counts(self, {**dict.fromkeys(counts, 1), "batch": 2, "seed": 0})
        check_dilations(self.dilations, strided=True)
        check_shares(self, "short_windows", "average")
        check_shares(self, "dropout", whole=False)
        check_sizes(self, "learning_rate", "clip_norm")
        check_sizes(self, "last_rate", "weight_decay", "trajectory_weight", "contact_weight", zero=True)
        if not all(0 < momentum <= 1 for momentum in self.momentum):
            raise InputError(f"momentum must be two numbers above 0, up to 1, got {self.momentum}")

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """Read back what ``dataclasses.asdict`` made of settings, for example from a checkpoint."""
        examples = dict(plain["examples"])
        examples["cameras"] = CameraSettings(**examples["cameras"])
        if examples["noise"] is not None:
            examples["noise"] = NoiseSettings(**examples["noise"])
        return cls(**{**plain, "examples": ExampleSettings(**examples)})

    @property
    def begins_short(self) -> float:
        """Share of the training in which the last block is left out: ``short_windows``, if it can be."""
        return self.short_windows if len(self.dilations) > 1 and self.dilations[-1] else 0.0

    @property
    def window(self) -> int:
        """Frames that one output depends on."""
        return 1 + 2 * sum(self.dilations)


def cmu_settings(points: str = COCO_17.name, **changes: Any) -> LifterSettings:
    """Settings of the lifter that mocap3d ships, learned from CMU motion.

    Args:
        points: "coco-17" through the simulated detector, or "human36m-17", true 2D of the joints themselves.
        changes: other fields of `LifterSettings`.
    """
    exact = points == HUMAN36M_17.name
    return LifterSettings(examples=ExampleSettings(points=points, noise=None if exact else NoiseSettings()), **changes)


def human36m_settings(points: str = HUMAN36M_17.name, **changes: Any) -> LifterSettings:
    """Settings of the Human3.6M protocol: S1 5 6 7 8 learned from, 50 frames per second, no noise for true 2D.

    Args:
        points: "human36m-17", true 2D of the joints themselves, or "coco-17" through the simulated detector.
        changes: other fields of `LifterSettings`.
    """
    exact = points == HUMAN36M_17.name
    examples = ExampleSettings(
        fps=50,
        points=points,
        joints=HUMAN36M_17.name if exact else LIFTER_20.name,
        speed=(0.9, 1.1),
        mixed_upper=0.0,
        mixed_arms=0.0,
        swung=0.0,
        bone_spread=0.0,
        dropped=0.8,
        cameras=CAMERAS_OF_HUMAN36M,
        noise=None if exact else NoiseSettings(),
    )
    fields: dict[str, Any] = {
        "subjects": HUMAN36M_TRAINING,
        "held_out": HUMAN36M_HELD_OUT,
        "contacts": not exact,
        "licence": "research only (trained on Human3.6M)",
        "examples": examples,
    }
    return replace(LifterSettings(**fields), **changes)
