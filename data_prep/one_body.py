"""Everybody on one body: bone lengths that differ by marker set become those of `REFERENCE_BODY`.

Marker sets do not mean the same points. Hips stand 172 mm apart in CMU's data and 266 in Human3.6M's, shoulders 370
and 267, and CMU's pelvis lies 11 cm above the hip joints where Human3.6M's lies between them. A lifter that learns from
both without further ado learns two bodies. The rule, frame by frame, for one person:

* **Legs.** The direction from hip to ankle stays, its length times the ratio of the leg lengths of that side, so that
  a straight leg stays straight; the knee bends to the side to which it bent. The foot keeps its direction.
* **Hips** stand along the line through the recorded hips, as far apart as the reference body's.
* **Pelvis**: above the hips and behind them, as in the reference body, turned as the recorded pelvis is. Where it is
  recorded between the hips and shows no turn, the line from the hips to the spine gives it.
* **Spine, thorax, neck, head, elbows, wrists, face** keep the direction from the joint before them.
* **Shoulders** move about their rest place in the chest as recorded; that place, the median of all frames, becomes the
  reference body's. This is what takes away narrow or low shoulders.
* **Path.** The middle of the hips goes times the ratio of the leg lengths. It is moved, smoothly, towards where the
  standing foot is as far from it as the leg says; what is left over of that, a few centimetres across where hips were
  wide, turns the standing leg a little. So a foot that stands is where it was, times the ratio: feet do not begin to
  slide. The floor, y = 0, stays the floor.

Joints that are not there (NaN) stay so, with all that hang from them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from mocap3d.data_prep.motion_sequence import MotionSequence
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from mocap3d.base.contacts import foot_contacts
from mocap3d.base.errors import InputError
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import HUMAN36M_17, LIFTER_20

__all__ = ["REFERENCE_BODY", "OneBody", "Person", "measure_person", "on_one_body", "onto_body"]

Floats = NDArray[np.float64]

_CHAIN: Final = (("pelvis", "spine"), ("spine", "thorax"), ("thorax", "neck"), ("neck", "head"))
_ARMS: Final = (("shoulder", "elbow"), ("elbow", "wrist"))
_SIDES: Final = (("left", 1.0), ("right", -1.0))
_BETWEEN_HIPS_M: Final = 0.03  # a pelvis nearer than this to the middle of the hips shows no turn
_WEIGHTS_S: Final = 0.1  # how softly one foot takes over from the other, for the height of the body ...
_SWAY_S: Final = 0.35  # ... and for its way over the floor
_LETTING_GO_S: Final = 0.08  # a foot in the air comes back to its leg's direction
_LEAST_WEIGHT: Final = 0.02
_STANDS: Final = 0.5
_STRAIGHT_M: Final = 1e-4  # a knee nearer than this to the line from hip to ankle
_MOST_FRAMES: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OneBody:
    """A body, in metres; triples are (left, up, forward), for the left side.

    Attributes:
        hip: from the middle of the hips.
        pelvis: from the middle of the hips, up being the direction to the spine.
        shoulder: from the thorax, up being the direction from spine to thorax.
        lengths: from a joint to the one before it: knee ankle toe spine thorax neck head elbow wrist.
        face: of the face point from the middle of the head bone.
    """

    hip: float
    pelvis: tuple[float, float, float]
    shoulder: tuple[float, float, float]
    lengths: dict[str, float]
    face: float

    @property
    def leg(self) -> float:
        """Thigh and shank."""
        return self.lengths["knee"] + self.lengths["ankle"]


# Medians over CMU's subjects 01 03 14 16 17 29, each scaled to 1.70 m by the legs, left and right averaged.
REFERENCE_BODY: Final = OneBody(
    hip=0.0863,
    pelvis=(0.0, 0.100, -0.039),
    shoulder=(0.185, -0.037, -0.012),
    lengths={
        "knee": 0.3990, "ankle": 0.4357, "toe": 0.184, "spine": 0.236, "thorax": 0.2165, "neck": 0.099, "head": 0.100,
        "elbow": 0.293, "wrist": 0.295,
    },
    face=0.200,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Person:
    """What is recorded of one person's body.

    Attributes:
        legs_m: of the left and the right side, thigh and shank.
        shoulders_m: (2, 3) median place of the shoulders from the thorax, (left, up, forward) of the chest.
        pelvis_turns: whether the pelvis is a point beside the hips, which shows how it is turned.
    """

    legs_m: tuple[float, float]
    shoulders_m: Floats
    pelvis_turns: bool


def on_one_body(sequences: Sequence[MotionSequence], body: OneBody = REFERENCE_BODY) -> list[MotionSequence]:
    """Put all takes of one person onto ``body``.

    Raises:
        InputError: other skeletons than LIFTER_20 and HUMAN36M_17, or a person whose legs are nowhere to be seen.
    """
    if not sequences:
        return []
    skeleton = sequences[0].skeleton
    person = measure_person([sequence.xyz_m.astype(np.float64) for sequence in sequences], skeleton)
    return [
        dataclasses.replace(
            sequence,
            xyz_m=onto_body(sequence.xyz_m.astype(np.float64), skeleton, sequence.fps, person, body).astype(np.float32),
        )
        for sequence in sequences
    ]


def measure_person(takes_m: Sequence[Floats], skeleton: Skeleton) -> Person:
    """Measure a person over all takes: medians, so that single bad frames do not count.

    Args:
        takes_m: (T, J, 3) each.
        skeleton: LIFTER_20 or HUMAN36M_17.

    Raises:
        InputError: another skeleton, or legs or shoulders without one frame in which they are seen.
    """
    if skeleton not in (LIFTER_20, HUMAN36M_17):
        raise InputError(f"one body has the joints of lifter-20 or human36m-17, not of {skeleton.name}")
    xyz_m = np.concatenate(list(takes_m))
    xyz_m = xyz_m[:: max(1, len(xyz_m) // _MOST_FRAMES)]
    at = _by_name(xyz_m, skeleton)
    legs = []
    for side, _ in _SIDES:
        thigh, shank = at[f"{side}_knee"] - at[f"{side}_hip"], at[f"{side}_ankle"] - at[f"{side}_knee"]
        legs.append(_median(np.linalg.norm(thigh, axis=-1) + np.linalg.norm(shank, axis=-1), "legs"))
    chest = _axes(at["left_shoulder"] - at["right_shoulder"], at["thorax"] - at["spine"])
    shoulders = np.array(
        [
            [_median(column, "shoulders") for column in _into(chest, at[f"{side}_shoulder"] - at["thorax"]).T]
            for side, _ in _SIDES
        ]
    )
    middle = (at["left_hip"] + at["right_hip"]) / 2
    beside = _median(np.linalg.norm(at["pelvis"] - middle, axis=-1), "pelvis and hips")
    turns = beside * 2 * REFERENCE_BODY.leg / sum(legs) > _BETWEEN_HIPS_M
    return Person(legs_m=(legs[0], legs[1]), shoulders_m=shoulders, pelvis_turns=turns)


def onto_body(
    xyz_m: Floats, skeleton: Skeleton, fps: Fraction | float, person: Person, body: OneBody = REFERENCE_BODY
) -> Floats:
    """Put one take onto a body, by the rule in the module's text.

    Args:
        xyz_m: (T, J, 3) world, Y up.
        skeleton: LIFTER_20 or HUMAN36M_17.
        fps: frames per second.
        person: whose take it is.
        body: the lengths it shall have.

    Returns:
        (T, J, 3); every bone of the skeleton's tree has one length, but for the face point's, whose distance from the
        middle of the head bone is constant.
    """
    old = _by_name(xyz_m, skeleton)
    scale = 2 * body.leg / sum(person.legs_m)
    middle = (old["left_hip"] + old["right_hip"]) / 2
    new: dict[str, Floats] = {}
    _place_hips(old, new, middle, middle * scale, person, body)
    for before, joint in _CHAIN:
        # A pelvis that is recorded elsewhere is thought where this body has it.
        start = middle + (new["pelvis"] - middle * scale) / scale if joint == "spine" else old[before]
        new[joint] = new[before] + body.lengths[joint] * _unit(old[joint] - start)
    _place_arms(old, new, person, body, scale)
    for (side, _), leg_m in zip(_SIDES, person.legs_m, strict=True):
        along = (old[f"{side}_ankle"] - old[f"{side}_hip"]) * (body.leg / leg_m)
        _place_leg(old, new, side, new[f"{side}_hip"] + along, body)
    if "face" in old:
        ahead = _unit(old["face"] - (old["neck"] + old["head"]) / 2)
        new["face"] = (new["neck"] + new["head"]) / 2 + body.face * ahead
    _stand(old, new, scale, fps, body)
    return np.stack([new[name] for name in skeleton.joint_names], axis=1)


def _place_hips(
    old: dict[str, Floats], new: dict[str, Floats], middle: Floats, place: Floats, person: Person, body: OneBody
) -> None:
    across = _unit(old["left_hip"] - old["right_hip"])
    up, behind = body.pelvis[1], body.pelvis[2]
    if person.pelvis_turns:
        axes = _axes(across, old["pelvis"] - middle)
        up, behind = float(np.hypot(up, behind)), 0.0
    else:
        axes = _axes(across, old["spine"] - middle)
    new["pelvis"] = place + axes[..., 1] * up + axes[..., 2] * behind
    for side, sign in _SIDES:
        new[f"{side}_hip"] = place + sign * body.hip * across


def _place_arms(old: dict[str, Floats], new: dict[str, Floats], person: Person, body: OneBody, scale: float) -> None:
    chest = _axes(old["left_shoulder"] - old["right_shoulder"], old["thorax"] - old["spine"])
    for (side, sign), rest in zip(_SIDES, person.shoulders_m, strict=True):
        wanted = np.array(body.shoulder) * (sign, 1.0, 1.0)
        swung = wanted + scale * (_into(chest, old[f"{side}_shoulder"] - old["thorax"]) - rest)
        swung = np.linalg.norm(wanted) * _unit(swung)
        new[f"{side}_shoulder"] = new["thorax"] + np.einsum("tij,tj->ti", chest, swung)
        for before, joint in _ARMS:
            bone = _unit(old[f"{side}_{joint}"] - old[f"{side}_{before}"])
            new[f"{side}_{joint}"] = new[f"{side}_{before}"] + body.lengths[joint] * bone


def _place_leg(old: dict[str, Floats], new: dict[str, Floats], side: str, ankle: Floats, body: OneBody) -> None:
    """Ankle where it is wanted, as near as the leg reaches; knee to the recorded side, toe along the recorded foot."""
    thigh, shank = body.lengths["knee"], body.lengths["ankle"]
    hip, knee = new[f"{side}_hip"], old[f"{side}_knee"] - old[f"{side}_hip"]
    leg = _unit(ankle - hip)
    reach = np.linalg.norm(ankle - hip, axis=-1, keepdims=True)
    reach = np.clip(reach, abs(thigh - shank) + 1e-6, thigh + shank)
    # The law of cosines: how far down the leg the knee is, and how far beside it.
    along = (thigh**2 - shank**2 + reach**2) / (2 * reach)
    aside = np.sqrt(np.maximum(thigh**2 - along**2, 0.0))
    old_leg = _unit(old[f"{side}_ankle"] - old[f"{side}_hip"])
    bend = knee - old_leg * (knee * old_leg).sum(axis=-1, keepdims=True)
    bend = bend - leg * (bend * leg).sum(axis=-1, keepdims=True)
    forward = np.cross(leg, new["left_hip"] - new["right_hip"])  # where a straight leg shows no side
    bend = _unit(np.where(np.linalg.norm(bend, axis=-1, keepdims=True) < _STRAIGHT_M, forward, bend))
    new[f"{side}_knee"] = hip + along * leg + aside * bend
    new[f"{side}_ankle"] = hip + reach * leg
    if f"{side}_toe" in old:
        foot = _unit(old[f"{side}_toe"] - old[f"{side}_ankle"])
        new[f"{side}_toe"] = new[f"{side}_ankle"] + body.lengths["toe"] * foot


def _stand(old: dict[str, Floats], new: dict[str, Floats], scale: float, fps: Fraction | float, body: OneBody) -> None:
    """Move the body, then the standing legs, until feet that stand are where they were, times ``scale``."""
    rate = float(fps)
    points = [old.get(f"{side}_{joint}", old[f"{side}_ankle"]) for side, _ in _SIDES for joint in ("ankle", "toe")]
    contacts = foot_contacts(np.stack(points, axis=1) * scale, fps, up=(0.0, 1.0, 0.0))
    stands = np.stack([contacts[:, :2].max(axis=1), contacts[:, 2:].max(axis=1)], axis=1)
    off = np.stack([scale * old[f"{side}_ankle"] - new[f"{side}_ankle"] for side, _ in _SIDES], axis=1)
    known = np.asarray(np.isfinite(off).all(axis=-1))
    off = np.where(known[..., None], off, 0.0)
    weights = gaussian_filter1d(stands + _LEAST_WEIGHT, _WEIGHTS_S * rate, axis=0, mode="nearest") * known
    shift = (off * weights[..., None]).sum(axis=1) / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    shift[:, ::2] = gaussian_filter1d(shift[:, ::2], _SWAY_S * rate, axis=0, mode="nearest")
    for name in new:
        new[name] = new[name] + shift
    # A foot is held from a little before it stands until a little after, so that it lets go in the air.
    width = 2 * math.ceil(2 * _LETTING_GO_S * rate) + 1
    held = maximum_filter1d((stands >= _STANDS).astype(np.float64), width, axis=0, mode="nearest")
    held = gaussian_filter1d(held, _LETTING_GO_S * rate, axis=0, mode="nearest")
    for number, (side, _) in enumerate(_SIDES):
        left_over = (off[:, number] - shift) * held[:, number, None] * known[:, number, None]
        left_over[:, 1] = 0.0
        _place_leg(old, new, side, new[f"{side}_ankle"] + left_over, body)


def _by_name(xyz_m: Floats, skeleton: Skeleton) -> dict[str, Floats]:
    return {name: xyz_m[:, j] for j, name in enumerate(skeleton.joint_names)}


def _axes(left: Floats, up: Floats) -> Floats:
    """(T, 3, 3) columns left, up, forward: left as given, up made upright to it."""
    left = _unit(left)
    up = _unit(up - left * (left * up).sum(axis=-1, keepdims=True))
    return np.stack([left, up, np.cross(left, up)], axis=-1)


def _into(axes: Floats, vectors: Floats) -> Floats:
    return np.asarray(np.einsum("tji,tj->ti", axes, vectors))


def _unit(vectors: Floats) -> Floats:
    """Unit vectors; +X where there is no direction."""
    size = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(size < 1e-9, [1.0, 0.0, 0.0], vectors / np.maximum(size, 1e-9))


def _median(values: Floats, what: str) -> float:
    seen = values[np.isfinite(values)]
    if not len(seen):
        raise InputError(f"a person can be measured only where {what} are seen; here they never are")
    return float(np.median(seen))
