"""A motion moved onto another body: the same turns since the T-pose, the way over the floor as long as its legs.

Both bodies are thought of in the same T-pose (`base/tpose.py`). A joint of the target turns in the world as the joint
of the source with the same role has turned since then, so that limbs, which the T-pose aims alike, point exactly alike
whatever their lengths, axes and rest poses are. Trunk, neck and collar bones keep the shape of the target, feet the
slope of its soles.

Where the chains differ: what the target's trunk lacks is turned by the bones that it has (the mean over the source's
bones, by length); what the source lacks rests, but for a neck, which takes half of the head's turn. Helpers between two
bones, fingers, twist bones, IK bones and everything else without a role rest on their parents.

The middle between the hip joints is carried over: with ``k`` the target's legs over the source's (hip joint to ankle),
``place_target = k * (place_source - ankle_source) + ankle_target``, where the ankles are those heights above the sole.
So the stride is scaled like the legs, and a foot flat on the floor at y = 0 stays flat on the floor at y = 0, whether
the knees are bent or not. Everything else in the world is scaled too: a step that was 20 cm high is ``k * 20`` cm high.
Shins and thighs in another proportion, hips of another width or feet of another length leave millimetres to
centimetres of sliding, which foot lock takes away afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.feet import legs
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import trimmed
from mocap3d.base.rig import Rig
from mocap3d.base.roles import Roles, role_joints
from mocap3d.base.rotations import wxyz_conjugate, wxyz_multiply, wxyz_rotate, wxyz_slerp
from mocap3d.base.skeleton import ROOT
from mocap3d.base.tpose import tpose_wxyz

__all__ = ["RetargetSettings", "legs_ratio", "retarget"]

Floats = NDArray[np.float64]

_NEEDED: Final = (
    "hips", "leftUpperLeg", "leftLowerLeg", "leftFoot", "rightUpperLeg", "rightLowerLeg", "rightFoot",
    "leftUpperArm", "leftLowerArm", "rightUpperArm", "rightLowerArm",
)  # fmt: skip
_TRUNK: Final = ("spine", "chest", "upperChest")
_COLUMN: Final = ("hips", *_TRUNK, "neck", "head")
_BLOCK_FRAMES: Final = 2048  # bounds the memory


@dataclass(frozen=True, slots=True, kw_only=True)
class RetargetSettings:
    """What a caller may want otherwise.

    Attributes:
        scale: how much longer the target's way is than the source's; None takes the ratio of the legs.
    """

    scale: float | None = None

    def __post_init__(self) -> None:
        """Check the scale."""
        if self.scale is not None and not (math.isfinite(self.scale) and self.scale > 0):
            raise InputError(f"scale must be finite and above 0, got {self.scale}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Body:
    """A rig in the T-pose: role -> joint, orientations (J, 4), places (J, 3), and the size of its legs."""

    rig: Rig
    joints: dict[str, int]
    tpose_wxyz: Floats
    tpose_m: Floats
    leg_m: float
    ankle_m: float

    @property
    def hips_to_middle_m(self) -> Floats:
        """From the hips to the middle between the hip joints, in the T-pose."""
        middle = (self.tpose_m[self.joints["leftUpperLeg"]] + self.tpose_m[self.joints["rightUpperLeg"]]) / 2
        return np.asarray(middle - self.tpose_m[self.joints["hips"]])


def retarget(
    motion: Motion,
    target: Rig,
    *,
    source_roles: Roles | None = None,
    target_roles: Roles | None,
    settings: RetargetSettings | None = None,
) -> Motion:
    """Move a motion onto another body.

    Args:
        motion: T frames of any rig, +Y up, in the world.
        target: J joints with any rest pose, and any bones above the hips; those rest, the hips carry the way
            (`root_motion.carried_by` changes that).
        source_roles: humanoid joint -> joint of ``motion.rig``; None means that it has the humanoid's names.
        target_roles: likewise for ``target``. Hips, legs down to the feet and arms down to the forearms are needed.
        settings: None takes the defaults.

    Returns:
        T frames of ``target``, with the contacts, frame rate and start frame of ``motion``. Feet may slide a little:
        lock them now (`foot_lock.lock_feet`).

    Raises:
        InputError: a role is missing or wrong, or a body lies in one point.
    """
    source, wanted = _body(motion.rig, source_roles), _body(target, target_roles)
    scale = (settings or RetargetSettings()).scale or wanted.leg_m / source.leg_m
    count, hips = len(motion), wanted.joints["hips"]
    local_wxyz, hips_m = np.empty((count, len(target.skeleton), 4)), np.empty((count, 3))
    for start in range(0, count, _BLOCK_FRAMES):
        part = slice(start, min(start + _BLOCK_FRAMES, count))
        world_m, world_wxyz = forward(trimmed(motion, part.start, part.stop))
        turns = {r: wxyz_multiply(world_wxyz[:, j], _inverse(source, j)) for r, j in source.joints.items()}
        world_wxyz, local_wxyz[part] = _posed(wanted, _turns(turns, source, wanted))
        middle_m = (world_m[:, source.joints["leftUpperLeg"]] + world_m[:, source.joints["rightUpperLeg"]]) / 2
        up = np.array([0.0, 1.0, 0.0])
        middle_m = scale * (middle_m - source.ankle_m * up) + wanted.ankle_m * up
        hips_m[part] = middle_m - wxyz_rotate(turns["hips"], wanted.hips_to_middle_m)
    local_wxyz /= np.linalg.norm(local_wxyz, axis=-1, keepdims=True)
    return _carried_by_hips(motion, target, hips, local_wxyz, hips_m)


def legs_ratio(source: Rig, target: Rig, source_roles: Roles | None = None, target_roles: Roles | None = None) -> float:
    """Measure how many times longer the target's legs are than the source's, from the hip joints to the ankles.

    Raises:
        InputError: a role is missing or wrong, or a body lies in one point.
    """
    return _body(target, target_roles).leg_m / _body(source, source_roles).leg_m


def _inverse(body: _Body, joint: int) -> Floats:
    return wxyz_conjugate(body.tpose_wxyz[joint])


def _body(rig: Rig, roles: Roles | None) -> _Body:
    joints = role_joints(rig, roles, needed=_NEEDED)
    wxyz = tpose_wxyz(rig, roles)
    at = np.empty((len(rig.skeleton), 3))
    for j, parent in enumerate(rig.skeleton.parents):
        at[j] = 0.0 if parent == ROOT else at[parent] + wxyz_rotate(wxyz[parent], rig.offsets_m[j])
    both = legs(rig, roles)
    lengths = [
        np.linalg.norm(at[a] - at[b]) for leg in both for a, b in ((leg.upper, leg.lower), (leg.lower, leg.foot))
    ]
    if not sum(lengths) > 0:
        raise InputError(f"the legs of {rig.skeleton.name!r} have no length")
    ankles = [-wxyz_rotate(leg.level_foot_wxyz, leg.heel_m)[1] for leg in both]
    return _Body(
        rig=rig,
        joints=joints,
        tpose_wxyz=wxyz,
        tpose_m=at,
        leg_m=float(sum(lengths) / 2),
        ankle_m=float(np.mean(ankles)),
    )


def _turns(turns: Mapping[str, Floats], source: _Body, target: _Body) -> dict[int, Floats]:
    """How joints of the target shall have turned since the T-pose: joint -> (T, 4); the others rest."""
    merged = {r: turn for r, turn in turns.items() if r not in _TRUNK} | _merged_trunk(turns, source, target)
    if "neck" not in merged and "head" in merged:
        below = next(merged[r] for r in reversed(_COLUMN[:4]) if r in merged)
        merged["neck"] = wxyz_slerp(below, merged["head"], 0.5)
    return {target.joints[r]: turn for r, turn in merged.items() if r in target.joints}


def _merged_trunk(turns: Mapping[str, Floats], source: _Body, target: _Body) -> dict[str, Floats]:
    """Share the source's trunk out among the bones that the target's trunk has."""
    has = [role for role in _TRUNK if role in target.joints]
    if not has:
        return {}
    shares: dict[str, list[str]] = {role: [] for role in has}
    for role in _TRUNK:
        if role in turns:
            below = [other for other in has if _TRUNK.index(other) <= _TRUNK.index(role)]
            shares[below[-1] if below else has[0]].append(role)
    return {
        r: _mean([turns[s] for s in share], [_bone_m(source, s) for s in share]) for r, share in shares.items() if share
    }


def _bone_m(body: _Body, role: str) -> float:
    """The length of a bone of the trunk, to the next one that the body has; never quite 0."""
    later = [r for r in _COLUMN[_COLUMN.index(role) + 1 :] if r in body.joints]
    if not later:
        return 1e-3
    return max(float(np.linalg.norm(body.tpose_m[body.joints[later[0]]] - body.tpose_m[body.joints[role]])), 1e-3)


def _mean(turns: list[Floats], weights: list[float]) -> Floats:
    """The mean rotation (T, 4) of a few that are near each other; a single one stays exactly what it is."""
    if len(turns) == 1:
        return turns[0]
    total = np.zeros_like(turns[0])
    for turn, weight in zip(turns, weights, strict=True):
        sign = np.where(np.sum(turn * turns[0], axis=-1, keepdims=True) < 0, -1.0, 1.0)
        total += weight * sign * turn
    return np.asarray(total / np.linalg.norm(total, axis=-1, keepdims=True))


def _posed(target: _Body, turns: Mapping[int, Floats]) -> tuple[Floats, Floats]:
    """Turn the joints of the target: world_from_joint and parent_from_joint, (T, J, 4) each."""
    rig = target.rig
    count = len(next(iter(turns.values())))
    world_wxyz, local_wxyz = np.empty((2, count, len(rig.skeleton), 4))
    for j, parent in enumerate(rig.skeleton.parents):
        above = np.array([1.0, 0.0, 0.0, 0.0]) if parent == ROOT else world_wxyz[:, parent]
        if j in turns:
            world_wxyz[:, j] = wxyz_multiply(turns[j], target.tpose_wxyz[j])
            local_wxyz[:, j] = wxyz_multiply(wxyz_conjugate(above), world_wxyz[:, j])
        else:
            local_wxyz[:, j] = rig.rest_wxyz[j]
            world_wxyz[:, j] = wxyz_multiply(above, rig.rest_wxyz[j])
    return world_wxyz, local_wxyz


def _carried_by_hips(motion: Motion, target: Rig, hips: int, local_wxyz: Floats, hips_m: Floats) -> Motion:
    """Place the hips in the world; what is above them rests."""
    made = replace(motion, rig=target, local_wxyz=local_wxyz, root_m=hips_m, local_m=None)
    if hips == target.skeleton.root:
        return made
    local_m = np.tile(target.offsets_m, (len(motion), 1, 1))
    made = replace(made, root_m=np.tile(target.offsets_m[0], (len(motion), 1)))
    world_m, world_wxyz = forward(trimmed(made, 0, 1))  # the bones above the hips stay where they are
    above = target.skeleton.parents[hips]
    local_m[:, hips] = wxyz_rotate(wxyz_conjugate(world_wxyz[0, above]), hips_m - world_m[0, above])
    return replace(made, local_m=local_m)
