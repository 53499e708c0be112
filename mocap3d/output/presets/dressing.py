"""A motion of the mocap3d humanoid, renamed, turned and rested as a preset says.

Every bone of the preset has an orientation B in the T-pose, made of the directions that its axes shall have. When our
joint has turned by G since the T-pose (its world rotation, since all our rest rotations are the identity), the bone's
orientation is ``G @ B``; at rest, where the limb has been turned by P (arms lowered), it is ``P @ B``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import trimmed
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.rotations import (
    matrix_to_wxyz,
    rotvec_to_wxyz,
    wxyz_conjugate,
    wxyz_heading,
    wxyz_multiply,
    wxyz_rotate,
)
from mocap3d.base.skeleton import ROOT
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.output.presets.parsing import DIRECTIONS
from mocap3d.output.presets.preset import Bone, Preset, preset_named, preset_names

__all__ = ["dress", "roles"]

Floats = NDArray[np.float64]

_BLOCK_FRAMES: Final = 2048  # bounds the memory
_STILL_M: Final = 1e-11  # a bone that moves less than this against its parent has a constant offset
_IDENTITY: Final = np.array([1.0, 0.0, 0.0, 0.0])


def dress(motion: Motion, preset: Preset) -> Motion:
    """Give a motion of the mocap3d humanoid the bones of a preset.

    The joints that the preset takes stay where they are in every frame; contacts, frame rate and start frame are kept
    (``preset.fps_for`` tells which rate the program wants). Where a bone moves against its parent (below a root bone
    on the floor, or where the preset leaves a joint out) ``local_m`` of the result says so. At rest the body stands on
    the floor at the origin, even if the motion comes from a file that says nothing of the kind, as BVH.

    Raises:
        InputError: the motion's rig is no mocap3d humanoid.
    """
    _check_humanoid(motion.rig)
    standing = _standing(motion.rig)
    rig = _dressed_rig(standing, preset)
    skeleton = rig.skeleton
    _, tpose_wxyz = _tpose(standing, preset)
    local_wxyz, local_m = np.empty((len(motion), len(skeleton), 4)), np.empty((len(motion), len(skeleton), 3))
    heading_wxyz = wxyz_heading(
        motion.local_wxyz[:, HUMANOID_22.root]
    )  # of the whole way: it is held where there is none
    for start in range(0, len(motion), _BLOCK_FRAMES):
        part = slice(start, min(start + _BLOCK_FRAMES, len(motion)))
        world_m, world_wxyz = _worlds(preset, *forward(trimmed(motion, part.start, part.stop)), heading_wxyz[part])
        world_wxyz = wxyz_multiply(world_wxyz, tpose_wxyz)  # G @ B
        local_wxyz[part], local_m[part] = world_wxyz, world_m
        for b, parent in enumerate(skeleton.parents):
            if parent != ROOT:
                to_parent = wxyz_conjugate(world_wxyz[:, parent])
                local_wxyz[part, b] = wxyz_multiply(to_parent, world_wxyz[:, b])
                local_m[part, b] = wxyz_rotate(to_parent, world_m[:, b] - world_m[:, parent])
    root_m = local_m[:, 0].copy()
    local_wxyz /= np.linalg.norm(local_wxyz, axis=-1, keepdims=True)
    still = np.abs(local_m - rig.offsets_m).max(axis=(0, 2)) < _STILL_M
    still[0] = True  # the root's way is root_m
    local_m[:, 1:][:, still[1:]] = rig.offsets_m[1:][still[1:]]
    return Motion(
        rig=rig,
        fps=motion.fps,
        local_wxyz=local_wxyz,
        root_m=root_m,
        local_m=None if still.all() else local_m,
        contacts=motion.contacts,
        start_frame=motion.start_frame,
    )


def roles(rig: Rig, preset: Preset | None = None) -> dict[int, str]:
    """Tell which joints of a rig are which joints of the humanoid, by their names.

    Args:
        rig: any rig.
        preset: whose names to look for; None takes the humanoid's own or those of the preset of mocap3d that fits best.

    Returns:
        Joint index -> name in ``HUMANOID_22``; empty where no name is known.
    """
    if preset is not None:
        return _named(rig, {bone.name: bone.joint for bone in preset.bones if bone.takes_joint})
    candidates = [_named(rig, {name: name for name in HUMANOID_22.joint_names})]
    candidates += [roles(rig, preset_named(name)) for name in preset_names()]
    return max(candidates, key=len)


def _named(rig: Rig, joints: Mapping[str, str | None]) -> dict[int, str]:
    found = ((j, joints.get(name)) for j, name in enumerate(rig.skeleton.joint_names))
    return {j: joint for j, joint in found if joint is not None}


def _standing(rig: Rig) -> Rig:
    """Put the T-pose on the floor at the origin: the lowest joint or tip at y = 0."""
    joint_m, _ = rest_pose(rig)
    heights = [*joint_m[:, 1], *(joint_m[tip.parent, 1] + tip.offset_m[1] for tip in rig.tips)]
    offsets_m = rig.offsets_m.copy()
    offsets_m[0] = (0.0, offsets_m[0, 1] - min(heights), 0.0)
    return replace(rig, offsets_m=offsets_m)


def _dressed_rig(rig: Rig, preset: Preset) -> Rig:
    """Build the preset's rig with the lengths of ours."""
    skeleton = preset.skeleton
    tpose_m, tpose_wxyz = _tpose(rig, preset)
    rest_wxyz = wxyz_multiply(np.array([_lowered(bone, preset) for bone in preset.bones]), tpose_wxyz)  # P @ B
    offsets_m, local_wxyz = tpose_m.copy(), rest_wxyz.copy()
    for b, parent in enumerate(skeleton.parents):
        if parent != ROOT:
            local_wxyz[b] = wxyz_multiply(wxyz_conjugate(rest_wxyz[parent]), rest_wxyz[b])
            offsets_m[b] = wxyz_rotate(wxyz_conjugate(tpose_wxyz[parent]), tpose_m[b] - tpose_m[parent])
    tips = _tips(rig, preset, tpose_m, tpose_wxyz)
    return Rig(skeleton=skeleton, offsets_m=offsets_m, rest_wxyz=local_wxyz, tips=tips)


def _worlds(preset: Preset, joint_m: Floats, joint_wxyz: Floats, heading_wxyz: Floats) -> tuple[Floats, Floats]:
    """Place the bones where their joints are: world_m (T, B, 3), and G (T, B, 4), how they turned since the T-pose."""
    places, turns = [], []
    for bone in preset.bones:
        if bone.joint is None:
            places.append(joint_m[:, HUMANOID_22.root] * [1.0, 0.0, 1.0])
            turns.append(heading_wxyz)
            continue
        j = HUMANOID_22.index(bone.joint)
        place = joint_m[:, j]
        if bone.towards is not None:
            place = place + bone.at * (joint_m[:, HUMANOID_22.index(bone.towards)] - place)
        places.append(place)
        turns.append(joint_wxyz[:, j])
    return np.stack(places, axis=1), np.stack(turns, axis=1)


def _tpose(rig: Rig, preset: Preset) -> tuple[Floats, Floats]:
    """Place the bones in the T-pose: (B, 3) and their orientations B (B, 4)."""
    joint_m, joint_wxyz = rest_pose(rig)
    places, _ = _worlds(preset, joint_m[None], joint_wxyz[None], wxyz_heading(joint_wxyz[None, HUMANOID_22.root]))
    matrices = [_orientation(bone, _direction(bone, rig, joint_m)) for bone in preset.bones]
    return places[0], matrix_to_wxyz(np.array(matrices))


def _orientation(bone: Bone, along: Floats) -> Floats:
    """Make the (3, 3) orientation of a bone in the T-pose: columns are its axes in the world."""
    words = {name: np.array(vector) for name, vector in DIRECTIONS.items()} | {"bone": along, "-bone": -along}
    (first, exact), (second, near) = bone.axes
    i, j = "xyz".index(first), "xyz".index(second)
    one = words[exact]
    other = words[near] - one * (words[near] @ one)
    if np.linalg.norm(other) < 1e-3:
        raise InputError(f"bone {bone.name!r} points to where its axis {second} should: give another direction")
    matrix = np.empty((3, 3))
    matrix[:, i], matrix[:, j] = one, other / np.linalg.norm(other)
    k = 3 - i - j
    matrix[:, k] = np.cross(matrix[:, (k + 1) % 3], matrix[:, (k + 2) % 3])
    return matrix


def _direction(bone: Bone, rig: Rig, joint_m: Floats) -> Floats:
    """Find where a bone points in the T-pose, a unit vector: to the next joint, else to the tip, else as its parent."""
    if bone.joint is None:
        return np.array(DIRECTIONS["up"])
    j = HUMANOID_22.index(bone.joint)
    ends = [joint_m[child] for child, parent in enumerate(HUMANOID_22.parents) if parent == j]
    ends += [joint_m[j] + tip.offset_m for tip in rig.tips if tip.parent == j]
    ends += [2 * joint_m[j] - joint_m[HUMANOID_22.parents[j]]]
    for end in ends:
        length = float(np.linalg.norm(end - joint_m[j]))
        if length > 1e-6:
            return np.asarray((end - joint_m[j]) / length)
    return np.array(DIRECTIONS["up"])


def _lowered(bone: Bone, preset: Preset) -> Floats:
    """P: how far a bone has turned from the T-pose to the rest pose, a unit quaternion."""
    j = ROOT if bone.joint is None else HUMANOID_22.index(bone.joint)
    while j != ROOT:
        name = HUMANOID_22.joint_names[j]
        if name.endswith("UpperArm"):
            down = np.deg2rad(preset.arms_down_deg) * (-1.0 if name.startswith("left") else 1.0)
            return np.asarray(rotvec_to_wxyz([0.0, 0.0, down]))
        j = HUMANOID_22.parents[j]
    return _IDENTITY


def _tips(rig: Rig, preset: Preset, tpose_m: Floats, tpose_wxyz: Floats) -> tuple[Tip, ...]:
    """Hang our tips on the last bones."""
    joint_m, _ = rest_pose(rig)
    taken = {bone.joint: b for b, bone in enumerate(preset.bones) if bone.takes_joint}
    tips = []
    for tip in rig.tips:
        b = taken.get(HUMANOID_22.joint_names[tip.parent])
        if b is not None:
            offset_m = wxyz_rotate(wxyz_conjugate(tpose_wxyz[b]), joint_m[tip.parent] + tip.offset_m - tpose_m[b])
            bone = preset.bones[b]
            tips.append(replace(tip, name=bone.tip or f"{bone.name}_end", parent=b, offset_m=offset_m))
    return _with_unique_names(tips)


def _with_unique_names(tips: Sequence[Tip]) -> tuple[Tip, ...]:
    names = [tip.name for tip in tips]
    again = [names[:n].count(name) for n, name in enumerate(names)]
    return tuple(replace(tip, name=f"{tip.name}_{n + 1}") if n else tip for tip, n in zip(tips, again, strict=True))


def _check_humanoid(rig: Rig) -> None:
    names, parents = rig.skeleton.joint_names, rig.skeleton.parents
    if names != HUMANOID_22.joint_names or parents != HUMANOID_22.parents:
        raise InputError(
            f"a preset dresses the mocap3d humanoid (22 joints, see base/humanoid.py), "
            f"but {rig.skeleton.name!r} has other joints: retarget the motion first"
        )
    if not np.allclose(np.abs(rig.rest_wxyz[:, 0]), 1.0, atol=1e-9):
        raise InputError(f"a preset dresses a rig in T-pose without rest rotations, but {rig.skeleton.name!r} has some")
