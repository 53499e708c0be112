"""The mocap3d humanoid: 22 joints in T-pose, facing +Z, +Y up, so that the left arm points along +X.

All rest rotations are the identity: in the T-pose the frame of every joint is parallel to the world. The spine is
straight, the soles lie at y = 0 when the hips stand at ``rest_hips_height_m``, and left mirrors right.

                      headTop
                         |
    rightHand ---- upperChest ---- leftHand      +Y
                         |                        |
                       hips                       o---- +X    (+Z comes towards you, and so does the face)
                       |  |
               rightFoot  leftFoot
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np

from mocap3d.base.errors import InputError
from mocap3d.base.feet import heel_offsets_m
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.skeletons import HUMANOID_22

__all__ = ["HUMANOID_RIG", "BodyLengths", "humanoid_rig", "rest_hips_height_m"]

_STATURE_M: Final = 1.70


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BodyLengths:
    """The bone lengths of a symmetrical humanoid, in metres.

    The defaults are the average adult of Drillis and Contini (1966), as fractions of stature in Winter,
    "Biomechanics and Motor Control of Human Movement", fig. 4.1, at 1.70 m: knee 0.285, hip 0.530, shoulder 0.818
    high; arm 0.186 + 0.146 + 0.108; foot 0.152 long and its ankle 0.039 high. What they do not give is ours, and
    said beside the number.
    """

    pelvis_half_width: float = 0.052 * _STATURE_M  # hip joint centres stand about 18 cm apart (ours)
    upper_leg: float = 0.245 * _STATURE_M
    lower_leg: float = 0.246 * _STATURE_M
    ankle_height: float = 0.039 * _STATURE_M
    foot: float = (
        0.0764 * _STATURE_M
    )  # ankle to the joint of the toes: 0.47 of the foot's length ahead, and down (ours)
    toes: float = 0.0443 * _STATURE_M  # that joint to the tip: 0.28 of the foot's length ahead, and down (ours)
    toes_height: float = 0.012 * _STATURE_M  # of that joint above the sole (ours)
    spine: float = 0.060 * _STATURE_M  # hips to spine; these four and the head share 0.470 of stature (ours)
    chest: float = 0.080 * _STATURE_M  # spine to chest
    upper_chest: float = 0.080 * _STATURE_M  # chest to upperChest
    neck_base: float = 0.090 * _STATURE_M  # upperChest to neck
    neck: float = 0.070 * _STATURE_M  # neck to head, which is the base of the skull
    head: float = 0.090 * _STATURE_M  # head to the top of the head
    clavicle_half_width: float = 0.012 * _STATURE_M  # upperChest to shoulder, sideways (ours)
    clavicle_rise: float = 0.068 * _STATURE_M  # upperChest to shoulder, upwards: shoulders 0.818 of stature high
    clavicle: float = 0.097 * _STATURE_M  # shoulder to upperArm: shoulder joint centres 37 cm apart (ours)
    upper_arm: float = 0.186 * _STATURE_M
    lower_arm: float = 0.146 * _STATURE_M
    hand: float = 0.108 * _STATURE_M  # wrist to the tip of the middle finger

    def __post_init__(self) -> None:
        """Check that every length is one, and that the foot reaches the ground."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"body length {field.name} must be finite and above 0 metres, got {value}")
        if self.foot <= abs(self.ankle_height - self.toes_height) or self.toes <= self.toes_height:
            raise InputError(
                f"foot ({self.foot:g} m) must be longer than the drop from ankle_height ({self.ankle_height:g}) to "
                f"toes_height ({self.toes_height:g}), and toes ({self.toes:g}) longer than toes_height"
            )

    @property
    def stature_m(self) -> float:
        """From the soles to the top of the head."""
        trunk = self.spine + self.chest + self.upper_chest + self.neck_base
        return self.hips_height_m + trunk + self.neck + self.head

    @property
    def hips_height_m(self) -> float:
        """From the soles to the hips at rest."""
        return self.upper_leg + self.lower_leg + self.ankle_height

    def scaled(self, stature_m: float) -> BodyLengths:
        """Make the same body as tall as wanted; every length grows alike."""
        if not (math.isfinite(stature_m) and stature_m > 0):
            raise InputError(f"stature must be finite and above 0 metres, got {stature_m}")
        factor = stature_m / self.stature_m
        return BodyLengths(**{name: value * factor for name, value in dataclasses.asdict(self).items()})


def humanoid_rig(lengths: BodyLengths | None = None) -> Rig:
    """Build the humanoid for given bone lengths (default: an average adult of 1.70 m)."""
    body = BodyLengths() if lengths is None else lengths
    offsets: dict[str, tuple[float, float, float]] = {
        "hips": (0, body.hips_height_m, 0),
        "spine": (0, body.spine, 0),
        "chest": (0, body.chest, 0),
        "upperChest": (0, body.upper_chest, 0),
        "neck": (0, body.neck_base, 0),
        "head": (0, body.neck, 0),
    }
    drop = body.ankle_height - body.toes_height
    for side, left in (("left", 1.0), ("right", -1.0)):
        offsets |= {
            f"{side}Shoulder": (left * body.clavicle_half_width, body.clavicle_rise, 0),
            f"{side}UpperArm": (left * body.clavicle, 0, 0),
            f"{side}LowerArm": (left * body.upper_arm, 0, 0),
            f"{side}Hand": (left * body.lower_arm, 0, 0),
            f"{side}UpperLeg": (left * body.pelvis_half_width, 0, 0),
            f"{side}LowerLeg": (0, -body.upper_leg, 0),
            f"{side}Foot": (0, -body.lower_leg, 0),
            f"{side}Toes": (0, -drop, math.sqrt(body.foot**2 - drop**2)),
        }
    toe_tip = (0.0, -body.toes_height, math.sqrt(body.toes**2 - body.toes_height**2))
    tips = (
        _tip("headTop", "head", (0, body.head, 0)),
        _tip("leftHandTip", "leftHand", (body.hand, 0, 0)),
        _tip("rightHandTip", "rightHand", (-body.hand, 0, 0)),
        _tip("leftToesTip", "leftToes", toe_tip),
        _tip("rightToesTip", "rightToes", toe_tip),
    )
    return Rig(
        skeleton=HUMANOID_22,
        offsets_m=np.array([offsets[name] for name in HUMANOID_22.joint_names]),
        rest_wxyz=np.tile([1.0, 0.0, 0.0, 0.0], (len(HUMANOID_22), 1)),
        tips=tips,
    )


def rest_hips_height_m(rig: Rig) -> float:
    """Measure how high the hips of a humanoid rig stand above its soles at rest (the mean of both legs).

    Raises:
        InputError: the rig is no mocap3d humanoid.
    """
    _check_humanoid(rig)
    heights = [
        -sum(rig.offsets_m[HUMANOID_22.index(f"{side}{bone}"), 1] for bone in ("UpperLeg", "LowerLeg", "Foot"))
        - heel[1]
        for side, heel in zip(("left", "right"), heel_offsets_m(rig), strict=True)
    ]
    return float(np.mean(heights))


def _tip(name: str, parent: str, offset_m: tuple[float, float, float]) -> Tip:
    return Tip(name=name, parent=HUMANOID_22.index(parent), offset_m=np.array(offset_m))


def _check_humanoid(rig: Rig) -> None:
    toes = {HUMANOID_22.index("leftToes"), HUMANOID_22.index("rightToes")}
    if rig.skeleton != HUMANOID_22 or not toes <= {tip.parent for tip in rig.tips}:
        raise InputError(
            f"this needs the mocap3d humanoid rig with tips on its toes (see humanoid_rig), got {rig.skeleton.name!r}"
        )


HUMANOID_RIG: Final = humanoid_rig()
"""The average adult, 1.70 m tall."""
