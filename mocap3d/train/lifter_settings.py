"""What decides a training of the lifter, and who may be learned from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from mocap3d.base.errors import InputError
from mocap3d.train.lifter_data import ExampleSettings
from mocap3d.train.noise import NoiseSettings
from mocap3d.train.virtual_cameras import CameraSettings

__all__ = [
    "CMU_HELD_OUT",
    "CMU_RESERVED",
    "CMU_TRAINING",
    "LifterSettings",
]

CMU_TRAINING = ("01", "03", "14", "16", "17", "29")
CMU_HELD_OUT = ("02", "05")
CMU_RESERVED = ("09", "49", "127", "135")  # for acceptance: never trained or tuned on


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
        dilations: of its layers; (1, 3, 9) sees 27 frames.
        causal: whether the newest frame of a window is lifted, for live use, instead of the middle one.
        dropout: share of the hidden values dropped in training.
        learning_rate: of AdamW, at the start; falls along a cosine to ``last_rate`` of it.
        warm_up: steps over which the learning rate rises from 0.
        last_rate: share of the learning rate at the end.
        weight_decay: of AdamW.
        clip_norm: longest gradient.
        velocity: weight of the velocity error beside the position error.
        average: decay of the moving average of the weights, which is what is kept.
        seed: of everything random.
        examples: how examples are made.
    """

    subjects: tuple[str, ...] = CMU_TRAINING
    held_out: tuple[str, ...] = CMU_HELD_OUT
    minutes: float | None = 45.0
    steps: int = 10_000
    channels: int = 512
    dilations: tuple[int, ...] = (1, 3, 9)
    causal: bool = False
    dropout: float = 0.0
    learning_rate: float = 1e-3
    warm_up: int = 200
    last_rate: float = 0.02
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    velocity: float = 1.0
    average: float = 0.999
    seed: int = 0
    examples: ExampleSettings = field(default_factory=ExampleSettings)

    def __post_init__(self) -> None:
        """Refuse reserved subjects, and people on both sides."""
        reserved = set(CMU_RESERVED) & {*self.subjects, *self.held_out}
        if reserved:
            raise InputError(f"subjects {', '.join(sorted(reserved))} are reserved for acceptance")
        both = set(self.subjects) & set(self.held_out)
        if both:
            raise InputError(f"subjects {', '.join(sorted(both))} are both learned from and held out")

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """Read back what ``dataclasses.asdict`` made of settings, for example from a checkpoint."""
        examples = dict(plain["examples"])
        examples["cameras"] = CameraSettings(**examples["cameras"])
        examples["noise"] = NoiseSettings(**examples["noise"])
        return cls(**{**plain, "examples": ExampleSettings(**examples)})

    @property
    def window(self) -> int:
        """Frames that one output depends on."""
        return 1 + 2 * sum(self.dilations)

    @property
    def target(self) -> int:
        """Which frame of the window is lifted."""
        return self.window - 1 if self.causal else self.window // 2
