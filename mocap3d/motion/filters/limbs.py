"""A filter for each part of the body: the further out, the faster it moves, and the higher its cut-off.

The middle of these numbers is the 6 Hz of gait analysis: walking has 99.7 % of its power below it, the most at high
frequencies in toe and heel (Winter, Sidwall, Hobson 1974; Winter 2009, section 3.4). Trunk and head need less than feet
do (Angeloni et al. 1994). Hands and feet get more here than gait would need, since people also dance.

**When these are wrong: impacts.** A foot that strikes, a ball that is hit, a fist that lands, a landing from a jump
stop within a few milliseconds, and every low-pass spreads that over 1 / (2 cutoff) seconds to both sides: peaks are
lowered, speeds just before the impact come out too low, knees at landing too soft (Knudson and Bahamonde 2001 for
tennis; Nunome et al. 2006 for kicks; Bisseling and Hof 2006 for landings). Then take 15 to 20 Hz (and film at 120
frames per second or more), filter up to the impact and after it separately, or not at all.

References:
    Winter, Sidwall, Hobson, "Measurement and reduction of noise in kinematics of locomotion", J. Biomechanics 1974.
    Winter, "Biomechanics and Motor Control of Human Movement", 4th ed. 2009.
    Angeloni, Riley, Krebs, "Frequency content of whole body gait kinematic data", IEEE Trans. Rehab. Eng. 1994.
    Knudson, Bahamonde, "Effect of endpoint conditions on position and velocity near impact in tennis", J. Sports
    Sciences 2001.
    Nunome, Lake, Georgakis, Stergioulas, "Impact phase kinematics of instep kicking in soccer", J. Sports Sciences
    2006.
    Bisseling, Hof, "Handling of impact forces in inverse dynamics", J. Biomechanics 2006.
"""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose3D
from mocap3d.base.roles import Roles, role_joints
from mocap3d.base.skeleton import ROOT
from mocap3d.motion.filters.offline import Butterworth, Filter, Gaussian, Robust, filter_points, filter_wxyz

__all__ = ["FilterSettings", "LimbCutoffs", "filter_motion", "filter_pose", "filter_settings_from_text"]

Floats = NDArray[np.float64]
Kind = Literal["butterworth", "gaussian", "robust"]

_KINDS: Final[dict[Kind, type[Butterworth | Gaussian | Robust]]] = {
    "butterworth": Butterworth,
    "gaussian": Gaussian,
    "robust": Robust,
}
_LIMB_OF_WORD: Final = (
    ("hand|wrist|pinky|index|thumb|finger", "hands"),
    ("elbow|lowerarm", "arms"),
    ("foot|toe|heel|ankle", "feet"),
    ("knee|lowerleg", "legs"),
    ("head|nose|eye|_ear|mouth|face|neck", "head"),
)
"""By where a point lies: what moves an ankle is the whole leg. All other points belong to the trunk."""
_LIMB_OF_ROLE: Final = {
    **dict.fromkeys(("neck", "head"), "head"),
    **{f"{side}{bone}": "arms" for side in ("left", "right") for bone in ("UpperArm", "LowerArm")},
    **{f"{side}{bone}": "legs" for side in ("left", "right") for bone in ("UpperLeg", "LowerLeg")},
    **{f"{side}{bone}": "feet" for side in ("left", "right") for bone in ("Foot", "Toes")},
    **{f"{side}Hand": "hands" for side in ("left", "right")},
}
"""By which bone turns. All other roles belong to the trunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimbCutoffs:
    """Cut-offs in hertz, where 71 % of the amplitude is left.

    Attributes:
        trunk_hz: hips (with the path of the body), spine, chest, shoulders.
        head_hz: neck and head.
        arms_hz: upper and lower arms; the points at the elbows.
        hands_hz: hands and fingers; the points at the wrists.
        legs_hz: upper and lower legs; the points at the knees.
        feet_hz: feet and toes; the points at the ankles.
    """

    trunk_hz: float = 5.0
    head_hz: float = 6.0
    arms_hz: float = 8.0
    hands_hz: float = 10.0
    legs_hz: float = 8.0
    feet_hz: float = 10.0

    def __post_init__(self) -> None:
        """Check that all are frequencies."""
        for name, value in dataclasses.asdict(self).items():
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} must be finite and above 0, got {value}")

    @classmethod
    def all_at(cls, cutoff_hz: float) -> LimbCutoffs:
        """The same for every part of the body."""
        return cls(**{each.name: cutoff_hz for each in dataclasses.fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSettings:
    """How a whole body is filtered.

    Attributes:
        kind: "butterworth", "gaussian", or "robust": outliers taken out, then Butterworth.
        cutoffs: how strong, limb by limb.
        bridge_s: gaps in joints up to so many seconds are filtered across; they stay gaps.
    """

    kind: Kind = "butterworth"
    cutoffs: LimbCutoffs = field(default_factory=LimbCutoffs)
    bridge_s: float = 0.1

    def __post_init__(self) -> None:
        """Check the kind."""
        if self.kind not in get_args(Kind):
            raise InputError(f"a filter must be one of {', '.join(get_args(Kind))}, got {self.kind!r}")

    def of(self, limb: str) -> Filter:
        """The filter of "trunk", "head", "arms", "hands", "legs" or "feet"."""
        return _KINDS[self.kind](cutoff_hz=getattr(self.cutoffs, f"{limb}_hz"))


def filter_settings_from_text(text: str) -> FilterSettings | None:
    """Understand what a command line says.

    Args:
        text: "off", "limbs" (the defaults), "robust" (with the default cut-offs), a cut-off such as "6hz" for the
            whole body, or the standard deviation of a Gaussian such as "0.03s".

    Returns:
        The settings; None for "off".

    Raises:
        InputError: it is something else.
    """
    word = text.strip().lower()
    known: dict[str, FilterSettings | None] = {
        "off": None,
        "limbs": FilterSettings(),
        "robust": FilterSettings(kind="robust"),
    }
    if word in known:
        return known[word]
    number = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+) ?(hz|s)", word)
    if number is None or not float(number[1]) > 0:
        raise InputError(f"smoothing is said as off, limbs, robust, 6hz or 0.03s; got {text!r}")
    value = float(number[1])
    if number[2] == "hz":
        return FilterSettings(cutoffs=LimbCutoffs.all_at(value))
    return FilterSettings(kind="gaussian", cutoffs=LimbCutoffs.all_at(Gaussian.from_std_s(value).cutoff_hz))


def filter_pose(pose: Pose3D, settings: FilterSettings | None = None) -> Pose3D:
    """Filter joints in space, each by the limb that it belongs to.

    Args:
        pose: joints of any skeleton, in any frame; missing ones stay missing.
        settings: None takes the defaults, of which cut-offs at or above half of the frame rate are left out.

    Returns:
        The same with other ``xyz_m``; confidence and expected errors are as before.

    Raises:
        InputError: a cut-off of given settings is at or above half of the frame rate.
    """
    limbs = [_limb_of_point(name) for name in pose.skeleton.joint_names]
    chosen, xyz_m = settings or FilterSettings(), pose.xyz_m.copy()
    for limb, joints in _grouped(limbs).items():
        how = _usable(chosen.of(limb), pose.fps, is_default=settings is None)
        if how is not None:
            xyz_m[:, joints] = filter_points(xyz_m[:, joints], pose.fps, how, bridge_s=chosen.bridge_s)
    return replace(pose, xyz_m=xyz_m)


def filter_motion(motion: Motion, settings: FilterSettings | None = None, *, roles: Roles | None = None) -> Motion:
    """Filter the rotations of joints, each by the limb that it turns, and the path of the root as the trunk.

    Bone lengths stay. Feet that stood may slide a little afterwards: filter first, lock feet last.

    Args:
        motion: on any rig.
        settings: None takes the defaults, of which cut-offs at or above half of the frame rate are left out.
        roles: humanoid joint -> joint of the rig; None looks for the humanoid's names. What has no role belongs to the
            limb that it hangs on (fingers to hands), and on a rig without roles to the feet, which pass the most.

    Returns:
        The same with other rotations and path; contacts are as before.

    Raises:
        InputError: a cut-off of given settings is at or above half of the frame rate, or the roles do not fit the rig.
    """
    limbs = _limbs_of_joints(motion, roles)
    chosen = settings or FilterSettings()
    local_wxyz, root_m = motion.local_wxyz.copy(), motion.root_m.copy()
    local_m = None if motion.local_m is None else motion.local_m.copy()
    for limb, joints in _grouped(limbs).items():
        how = _usable(chosen.of(limb), motion.fps, is_default=settings is None)
        if how is None:
            continue
        local_wxyz[:, joints] = filter_wxyz(local_wxyz[:, joints], motion.fps, how)
        if local_m is not None:
            local_m[:, joints] = filter_points(local_m[:, joints], motion.fps, how)
        if 0 in joints:
            root_m = filter_points(root_m, motion.fps, how)
    return replace(motion, local_wxyz=local_wxyz, root_m=root_m, local_m=local_m)


def _limb_of_point(name: str) -> str:
    return next((limb for words, limb in _LIMB_OF_WORD if re.search(words, name.lower())), "trunk")


def _limbs_of_joints(motion: Motion, roles: Roles | None) -> list[str]:
    """The limb that each joint of the rig turns."""
    role_of = {j: role for role, j in role_joints(motion.rig, roles).items()}
    limbs: list[str] = []
    for j, parent in enumerate(motion.rig.skeleton.parents):
        inherited = limbs[parent] if parent != ROOT else ("trunk" if role_of else "feet")
        limbs.append(_LIMB_OF_ROLE.get(role_of[j], "trunk") if j in role_of else inherited)
    return limbs


def _grouped(limbs: list[str]) -> dict[str, list[int]]:
    return {limb: [j for j, of in enumerate(limbs) if of == limb] for limb in dict.fromkeys(limbs)}


def _usable(how: Filter, fps: Fraction, *, is_default: bool) -> Filter | None:
    """None where a default passes all that the frame rate can show; a cut-off that was asked for is not left out."""
    return None if is_default and how.cutoff_hz >= float(fps) / 2 else how
