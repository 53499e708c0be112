"""What decides a semi-supervised training of the lifter, and who is on which side."""

from __future__ import annotations

from dataclasses import dataclass

from mocap3d.base.errors import InputError
from mocap3d.lift.encoding import ENCODING, ENCODINGS
from mocap3d.train.reserved import refuse_reserved
from mocap3d.train.settings_checks import check_counts, check_dilations, check_shares, check_sizes

__all__ = ["SemiSupervisedSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SemiSupervisedSettings:
    """What decides a semi-supervised training.

    Attributes:
        labelled: subjects with 3D truth.
        unlabelled: subjects of whom only 2D joints are used, whatever truth the file has; () trains on the labelled
            ones alone, for comparison.
        held_out: subjects that are only measured on.
        detector: whose 2D joints.
        encoding: of the network's input.
        channels: width of both networks.
        dilations: of their layers; (1, 3, 9) sees 27 frames.
        causal: whether the newest frame of a window is lifted.
        dropout: share of the hidden values dropped in training.
        steps: how many to take; every step has ``clips`` labelled and as many unlabelled examples.
        warm_up: steps at the start in which unlabelled examples teach nothing.
        clips: examples of each kind.
        outputs: consecutive frames that are lifted in one example.
        learning_rate: of AdamW at the start; falls exponentially to ``last_rate`` of it.
        last_rate: share of the learning rate at the end.
        weight_decay: of AdamW.
        clip_norm: longest gradient.
        trajectory: weight of the trajectory loss, metres per metre of depth.
        back_projection: weight of the back-projection loss, half widths of the picture.
        bones: weight of the bone-length loss, metres.
        mirrored: whether mirror images are learned from, too.
        seed: of everything random.
    """

    labelled: tuple[str, ...]
    unlabelled: tuple[str, ...]
    held_out: tuple[str, ...]
    detector: str = "true"
    encoding: str = ENCODING
    channels: int = 1024
    dilations: tuple[int, ...] = (1, 3, 9)
    causal: bool = False
    dropout: float = 0.25
    steps: int = 20_000
    warm_up: int = 1000
    clips: int = 64
    outputs: int = 9
    learning_rate: float = 1e-3
    last_rate: float = 0.02
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    trajectory: float = 1.0
    back_projection: float = 1.0
    bones: float = 1.0
    mirrored: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse reserved subjects, people on two sides, an empty side, an unknown encoding, and impossible numbers."""
        people = [*self.labelled, *self.unlabelled, *self.held_out]
        refuse_reserved(people)
        twice = {name for name in people if people.count(name) > 1}
        if twice:
            raise InputError(f"subjects {', '.join(sorted(twice))} stand on two sides")
        if not self.labelled or not self.held_out:
            raise InputError("at least one labelled and one held-out subject must be named")
        if self.encoding not in ENCODINGS:
            raise InputError(f"encoding must be one of {', '.join(ENCODINGS)}, got {self.encoding!r}")
        check_counts(self, {"steps": 1, "channels": 1, "clips": 1, "outputs": 1, "warm_up": 0, "seed": 0})
        if self.clips * self.outputs * (2 if self.unlabelled else 1) < 2:
            raise InputError("a step with one frame has no spread: more clips or outputs are needed")
        check_dilations(self.dilations, strided=self.outputs == 1)
        check_shares(self, "dropout", whole=False)
        check_sizes(self, "learning_rate", "last_rate", "clip_norm")
        check_sizes(self, "weight_decay", "trajectory", "back_projection", "bones", zero=True)
