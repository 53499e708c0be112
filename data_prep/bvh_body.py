"""The body inside a BVH file: LIFTER_20 or Human3.6M-17 joints from whatever joints the file has.

Three parts are not simply joints of the file. The **spine** is the fixed point half-way along the chain of spine bones,
measured at rest. **Toes** and **head** are the End Sites (or last joints) of the foot and the head; a head without one
gets its top by proportion, marked as not seen. The **face** looks where the head looks, forward being where the body
faces at rest.

The CMU conversions by B. Hahne (cgspeed) lack the thorax bone: neck and collar bones begin at its lower end, 119 mm too
low, and the forearm ends at its twist joint, two thirds down. Both are put back: the thorax is as long as the spine
bone below it and turns with the joint that carries its rotation; the forearm is half as long again. Against the AMC
files of the same takes legs, pelvis and spine are exact, and all else is 3 to 5 mm off (subjects 01 02 03 05).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from mocap3d.data_prep.bvh_names import HEAD_TOPS, find_parts, plain
from mocap3d.data_prep.cmu import FOREARM_PER_RADIUS, LEG_PER_STATURE, STATURE_M, place_face
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.rotations import wxyz_rotate, wxyz_to_matrix
from mocap3d.base.skeleton import ROOT, Skeleton
from mocap3d.base.skeletons import HUMAN36M_17, LIFTER_20

__all__ = ["UNITS_M", "BodyJoints", "body_joints", "drop_t_pose", "unit_of"]

Floats = NDArray[np.float64]

_SPINE_SHARE: Final = 0.52  # of the chain from the pelvis to the base of the neck: where CMU's upperback ends
_HEAD_PER_STATURE: Final = 0.058  # CMU's head bone, for heads whose top no file says
_SHORTEST_FOOT: Final = 0.06  # of the stature; from the ankle to the tip of the toes it is 0.11
UNITS_M: Final = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "foot": 0.3048, "CMU": 0.0254 / 0.45}
_PERSON_M: Final = (0.5, 2.5)
_STRETCH: Final = (0.9, 1.1)
_JUMP_MPS: Final = 3.0
_LEVEL, _UPRIGHT = math.sin(math.radians(25)), math.cos(math.radians(25))
_LIMB_BONES: Final = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
_Y_UP_FROM_Y_UP: Final = np.eye(3)
_Y_UP_FROM_Z_UP: Final = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyJoints:
    """A body of `STATURE_M` that moves.

    Attributes:
        xyz_m: (T, J, 3) world, Y up; the face point looks straight ahead of the head.
        world_from_head: (T, 3, 3), the identity for an upright head that looks along +Z.
        seen: (J,) False for a joint that was put there by proportion.
        unit: of the file, judged by the size of its body: "cm" and so on.
        convention: whose names the file uses.
    """

    xyz_m: Floats
    world_from_head: Floats
    seen: NDArray[np.bool_]
    unit: str
    convention: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Point:
    """A point fixed to a joint: ``offset`` in the joint's frame, units of the file."""

    joint: int
    offset: Floats
    seen: bool = True


def body_joints(motion: Motion, joints: Skeleton = LIFTER_20) -> BodyJoints:
    """Find the joints of a body in a motion, and scale it to `STATURE_M`.

    Args:
        motion: as `read_bvh` gives it with ``unit_m=1``.
        joints: LIFTER_20 or HUMAN36M_17.

    Raises:
        InputError: a joint that cannot be found, a rest pose that is not upright, or a body of no person's size.
    """
    if joints not in (LIFTER_20, HUMAN36M_17):
        raise InputError(f"a BVH can be brought to human36m-17 or lifter-20, not to {joints.name}")
    convention, parts = find_parts(motion.rig.skeleton.joint_names)
    rest = _rest_places(motion)
    leg = _leg_length(rest, parts)
    unit = unit_of(leg / LEG_PER_STATURE)
    up = _up_of(rest, parts)
    points = _points(motion, parts, rest, leg / LEG_PER_STATURE, up)
    missing = [name for name in joints.joint_names if name not in points and name != "face"]
    if missing:
        raise InputError(f"nothing in the file can stand for {', '.join(missing)}; human36m-17 needs no toes")
    world, world_wxyz = forward(motion)
    lift = _thorax(motion, parts, world_wxyz) if convention.marks else np.zeros_like(world)
    y_up = _Y_UP_FROM_Y_UP if up[1] else _Y_UP_FROM_Z_UP
    moving = _leg_length(world, parts)
    if not _STRETCH[0] < moving / leg < _STRETCH[1]:
        raise InputError(
            f"the legs are {moving:g} units long in motion and {leg:g} at rest: the places of inner joints "
            "mean something else than usual"
        )
    scale = STATURE_M * LEG_PER_STATURE / leg
    xyz_m = np.empty((len(motion), len(joints), 3))
    for j, name in enumerate(joints.joint_names):
        if name != "face":
            at = points[name]
            place = world[:, at.joint] + lift[:, at.joint] + wxyz_rotate(world_wxyz[:, at.joint], at.offset)
            xyz_m[:, j] = place @ y_up.T * scale
    left = rest[parts["left_hip"]] - rest[parts["right_hip"]]
    rest_from_head = _axes(left, up)
    world_from_head = y_up @ wxyz_to_matrix(world_wxyz[:, parts["head"]]) @ rest_from_head
    if "face" in joints.joint_names:
        place_face(xyz_m, world_from_head, pitch_rad=0.0)
    seen = np.array([name == "face" or points[name].seen for name in joints.joint_names])
    return BodyJoints(xyz_m=xyz_m, world_from_head=world_from_head, seen=seen, unit=unit, convention=convention.name)


def unit_of(stature: float) -> str:
    """The unit in which a body of this many units has the size of a person, nearest to `STATURE_M`.

    Raises:
        InputError: in none; a person is 0.5 to 2.5 m tall.
    """
    sizes = {name: stature * metres for name, metres in UNITS_M.items()}
    people = [name for name, size in sizes.items() if _PERSON_M[0] <= size <= _PERSON_M[1]]
    if not people:
        raise InputError(f"a body {stature:g} units tall is a person in none of {', '.join(UNITS_M)}")
    return min(people, key=lambda name: abs(math.log(sizes[name] / STATURE_M)))


def drop_t_pose(body: BodyJoints, fps: float, joints: Skeleton = LIFTER_20) -> BodyJoints:
    """Leave out frame 0 when it is a T-pose from which the body jumps into its motion.

    A T-pose: upper arms and forearms within 25° of level, legs within 25° of upright. A jump: all joints together
    faster than 3 m/s on average, and five times faster than in the frames after it.
    """
    if len(body.xyz_m) < 3:
        return body
    at = {name: body.xyz_m[0, j] for j, name in enumerate(joints.joint_names)}
    for side in ("left", "right"):
        for a, b, upright in (
            ("shoulder", "elbow", 0),
            ("elbow", "wrist", 0),
            ("hip", "knee", 1),
            ("knee", "ankle", 1),
        ):
            bone = at[f"{side}_{b}"] - at[f"{side}_{a}"]
            rise = abs(bone[1]) / max(float(np.linalg.norm(bone)), 1e-9)
            if rise < math.cos(math.radians(25)) if upright else rise > math.sin(math.radians(25)):
                return body
    speeds = np.linalg.norm(np.diff(body.xyz_m[:12], axis=0), axis=-1).mean(axis=-1) * fps
    if speeds[0] < max(_JUMP_MPS, 5 * float(np.median(speeds[1:]))):
        return body
    return dataclasses.replace(body, xyz_m=body.xyz_m[1:], world_from_head=body.world_from_head[1:])


def _rest_places(motion: Motion) -> Floats:
    """(J, 3) every joint at rest, around the root."""
    rig = motion.rig
    rest = np.zeros((len(rig.skeleton), 3))
    for j, parent in enumerate(rig.skeleton.parents):
        if parent != ROOT:
            rest[j] = rest[parent] + rig.offsets_m[j]
    return rest


def _leg_length(places: Floats, parts: dict[str, int]) -> float:
    """Thigh and shank, mean of both sides, of places (J, 3), or the median over (T, J, 3)."""
    bones = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in _LIMB_BONES[2:]]
    lengths = [np.linalg.norm(places[..., parts[a], :] - places[..., parts[b], :], axis=-1) for a, b in bones]
    return float(np.median(np.sum(lengths, axis=0))) / 2


def _up_of(rest: Floats, parts: dict[str, int]) -> Floats:
    """+Y or +Z, whichever way the body stands at rest."""
    trunk = rest[parts["neck"]] - (rest[parts["left_hip"]] + rest[parts["right_hip"]]) / 2
    rise = trunk / max(float(np.linalg.norm(trunk)), 1e-9)
    for axis in (1, 2):
        if rise[axis] > 0.7:
            up = np.zeros(3)
            up[axis] = 1.0
            return up
    raise InputError("the rest pose stands neither along +Y nor along +Z, so that it does not say where a face looks")


def _axes(left: Floats, up: Floats) -> Floats:
    """(3, 3) columns: left, up, forward."""
    across = left - up * (left @ up)
    size = float(np.linalg.norm(across))
    if size < 1e-9:
        raise InputError("both hips are in one place at rest")
    across = across / size
    return np.stack([across, up, np.cross(across, up)], axis=-1)


def _points(motion: Motion, parts: dict[str, int], rest: Floats, stature: float, up: Floats) -> dict[str, _Point]:
    """Joint of ours -> a point fixed to a joint of the file; toes only where there are any."""
    zero = np.zeros(3)
    points = {name: _Point(joint=j, offset=zero) for name, j in parts.items() if name not in ("neck", "head", "spine")}
    points["thorax"] = _Point(joint=parts["neck"], offset=zero)
    points["neck"] = _Point(joint=parts["head"], offset=zero)
    spine = parts.get("spine")
    points["spine"] = _half_way(motion, parts) if spine is None else _Point(joint=spine, offset=zero)
    points["head"] = _head_top(motion, parts["head"], stature, up)
    for side in ("left", "right"):
        toe = _toe(motion, parts[f"{side}_ankle"], rest)
        if toe is not None and np.linalg.norm(rest[toe.joint] + toe.offset - rest[parts[f"{side}_ankle"]]) > (
            _SHORTEST_FOOT * stature
        ):
            points[f"{side}_toe"] = toe
        if "spine" in parts:  # cgspeed
            forearm = FOREARM_PER_RADIUS * motion.rig.offsets_m[parts[f"{side}_wrist"]]
            points[f"{side}_wrist"] = _Point(joint=parts[f"{side}_elbow"], offset=forearm)
    return points


def _half_way(motion: Motion, parts: dict[str, int]) -> _Point:
    """The point of the spine's bones that lies half-way from the pelvis to the neck at rest."""
    parents, offsets = motion.rig.skeleton.parents, motion.rig.offsets_m
    below = {parts["pelvis"]}  # it and what it hangs from: some programs hang hips and spine under one root
    while (parent := parents[min(below)]) != ROOT:
        below.add(parent)
    chain = [parts["neck"]]
    while chain[-1] not in below and parents[chain[-1]] != ROOT:
        chain.append(parents[chain[-1]])
    chain.reverse()
    lengths = np.array([np.linalg.norm(offsets[j]) for j in chain[1:]])
    left = _SPINE_SHARE * float(lengths.sum())
    for parent, joint, length in zip(chain, chain[1:], lengths, strict=False):
        if left <= length:
            return _Point(joint=parent, offset=offsets[joint] * (left / max(length, 1e-9)))
        left -= length
    return _Point(joint=chain[-1], offset=np.zeros(3))  # a chain without length


def _head_top(motion: Motion, head: int, stature: float, up: Floats) -> _Point:
    rig = motion.rig
    names = rig.skeleton.joint_names
    ends = [_Point(joint=head, offset=tip.offset_m) for tip in rig.tips if tip.parent == head]
    ends += [
        _Point(joint=j, offset=np.zeros(3))
        for j, parent in enumerate(rig.skeleton.parents)
        if parent == head and plain(names[j]) in HEAD_TOPS
    ]
    for end in ends:
        offset = end.offset if end.joint == head else rig.offsets_m[end.joint]
        if offset @ up > 0.3 * _HEAD_PER_STATURE * stature:
            return end
    return _Point(joint=head, offset=up * _HEAD_PER_STATURE * stature, seen=False)


def _toe(motion: Motion, ankle: int, rest: Floats) -> _Point | None:
    """The point of the foot that is farthest from the ankle."""
    skeleton = motion.rig.skeleton
    foot = {ankle}
    for j, parent in enumerate(skeleton.parents):
        if parent in foot:
            foot.add(j)
    ends = [_Point(joint=j, offset=np.zeros(3)) for j in sorted(foot - {ankle})]
    ends += [_Point(joint=tip.parent, offset=tip.offset_m) for tip in motion.rig.tips if tip.parent in foot]
    return max(ends, key=lambda end: float(np.linalg.norm(rest[end.joint] + end.offset - rest[ankle])), default=None)


def _thorax(motion: Motion, parts: dict[str, int], world_wxyz: Floats) -> Floats:
    """(T, J, 3) by how much the missing thorax bone moves each joint: those above it, where it is missing at all."""
    skeleton, offsets = motion.rig.skeleton, motion.rig.offsets_m
    spine, lift = parts["spine"], np.zeros((*world_wxyz.shape[:2], 3))
    neck_root = [j for j, parent in enumerate(skeleton.parents) if parent == spine]
    if not neck_root or any(np.linalg.norm(offsets[j]) > 1e-6 for j in neck_root):
        return lift
    above = set(neck_root)
    for j, parent in enumerate(skeleton.parents):
        if parent in above:
            above.add(j)
    lift[:, sorted(above)] = wxyz_rotate(world_wxyz[:, spine], offsets[spine])[:, None]
    return lift
