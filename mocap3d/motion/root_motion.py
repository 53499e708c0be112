"""Who carries a body over the floor: its hips, a root bone on the floor below them, or nobody.

Game engines move characters by a root bone (Unreal, Unity's generic rigs); animators and BVH have none, and the hips
carry everything. Either way the body is in the same place: only ``in-place`` changes what is seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.roles import Roles, role_joints
from mocap3d.base.rotations import wxyz_conjugate, wxyz_heading, wxyz_multiply, wxyz_rotate
from mocap3d.base.skeleton import ROOT, Skeleton
from mocap3d.base.tpose import tpose_wxyz

__all__ = ["CARRIERS", "carried_by", "with_root_bone"]

Floats = NDArray[np.float64]

CARRIERS: Final = ("hips", "root", "in-place")
"""Who may carry a body: see ``carried_by``."""

_IDENTITY: Final = np.array([1.0, 0.0, 0.0, 0.0])


def carried_by(motion: Motion, carrier: str, roles: Roles | None = None) -> Motion:
    """Let another bone carry the way over the floor.

    Args:
        motion: T frames.
        carrier: ``hips``: they carry the whole way, and the bones above them rest. ``root``: joint 0 stays on the floor
            under the hips and carries their way and their heading (the turn about the vertical); the hips carry the
            rest. Where the hips are joint 0, a bone called ``root`` is put above them first (``with_root_bone``),
            ``root_motion`` if that is what the hips are called.
            ``in-place``: nobody carries it; the hips stay above the origin, whatever carried them before.
        roles: humanoid joint -> joint of the motion's rig; None means that it has the humanoid's names.

    Raises:
        InputError: there is no such carrier, or the hips are not known.
    """
    if carrier not in CARRIERS:
        raise InputError(f"the way can be carried by {', '.join(CARRIERS)}; got {carrier!r}")
    if carrier == "in-place":
        return _in_place(motion, roles)
    rig, hips = motion.rig, _hips(motion.rig, roles)
    if hips == 0:
        if carrier == "hips":
            return motion
        motion = _below_a_root(motion)
        rig, hips = motion.rig, 1
    world_m, world_wxyz = forward(motion)
    if carrier == "hips":
        root_m, root_wxyz = np.tile(rig.offsets_m[0], (len(motion), 1)), np.tile(rig.rest_wxyz[0], (len(motion), 1))
    else:
        root_m = world_m[:, hips] * [1.0, 0.0, 1.0] + [0.0, rest_pose(rig)[0][0, 1], 0.0]
        still = tpose_wxyz(rig, roles)
        heading = wxyz_heading(wxyz_multiply(world_wxyz[:, hips], wxyz_conjugate(still[hips])))
        root_wxyz = wxyz_multiply(heading, still[0])
    return _above_moved(motion, hips, (root_m, root_wxyz), (world_m[:, hips], world_wxyz[:, hips]))


def with_root_bone(rig: Rig, name: str = "root") -> Rig:
    """Put a bone on the floor at the origin above joint 0; all joints move up by one place.

    A mesh that follows the rig must follow: its ``joints`` grow by one.

    Raises:
        InputError: a joint has that name already.
    """
    skeleton = rig.skeleton
    if name in skeleton.joint_names:
        raise InputError(f"the rig has a joint {name!r} already")
    return Rig(
        skeleton=Skeleton(
            name=skeleton.name,
            joint_names=(name, *skeleton.joint_names),
            parents=(ROOT, *(parent + 1 for parent in skeleton.parents)),
            mirror=(0, *(partner + 1 for partner in skeleton.mirror)),
        ),
        offsets_m=np.concatenate([np.zeros((1, 3)), rig.offsets_m]),
        rest_wxyz=np.concatenate([_IDENTITY[None], rig.rest_wxyz]),
        tips=tuple(replace(tip, parent=tip.parent + 1) for tip in rig.tips),
    )


def _hips(rig: Rig, roles: Roles | None) -> int:
    return role_joints(rig, roles, needed=["hips"])["hips"]


def _below_a_root(motion: Motion) -> Motion:
    """The arrays of a motion whose rig has got one more joint above the others, resting at the origin."""
    count = len(motion)
    still = np.broadcast_to(motion.rig.offsets_m, (count, *motion.rig.offsets_m.shape))
    local_m = (still if motion.local_m is None else motion.local_m).copy()
    local_m[:, 0] = motion.root_m
    taken = motion.rig.skeleton.joint_names
    return replace(
        motion,
        rig=with_root_bone(motion.rig, next(name for name in _root_names() if name not in taken)),
        local_wxyz=np.concatenate([np.tile(_IDENTITY, (count, 1, 1)), motion.local_wxyz], axis=1),
        root_m=np.zeros((count, 3)),
        local_m=np.concatenate([np.zeros((count, 1, 3)), local_m], axis=1),
    )


def _root_names() -> Iterator[str]:
    """What a bone above the hips may be called, the usual name first."""
    yield "root"
    yield "root_motion"
    yield from (f"root_motion{n}" for n in itertools.count(2))


def _above_moved(motion: Motion, hips: int, root: tuple[Floats, Floats], place: tuple[Floats, Floats]) -> Motion:
    """Move joint 0 to ``root``, let what lies between it and the hips rest, and leave the hips where they are."""
    rig = motion.rig
    local_wxyz = motion.local_wxyz.copy()
    local_m = np.tile(rig.offsets_m, (len(motion), 1, 1)) if motion.local_m is None else motion.local_m.copy()
    local_wxyz[:, 0] = root[1]
    path, j = [], rig.skeleton.parents[hips]
    while j > 0:
        path.append(j)
        j = rig.skeleton.parents[j]
    at_m, at_wxyz = root
    for j in reversed(path):
        local_wxyz[:, j], local_m[:, j] = rig.rest_wxyz[j], rig.offsets_m[j]
        at_m = at_m + wxyz_rotate(at_wxyz, rig.offsets_m[j])
        at_wxyz = wxyz_multiply(at_wxyz, rig.rest_wxyz[j])
    to_above = wxyz_conjugate(at_wxyz)
    local_m[:, hips] = wxyz_rotate(to_above, place[0] - at_m)
    local_wxyz[:, hips] = wxyz_multiply(to_above, place[1])
    local_wxyz /= np.linalg.norm(local_wxyz, axis=-1, keepdims=True)
    return replace(motion, local_wxyz=local_wxyz, root_m=root[0], local_m=local_m)


def _in_place(motion: Motion, roles: Roles | None) -> Motion:
    """Take the way of the hips over the floor from whoever carries it."""
    hips = _hips(motion.rig, roles)
    world_m, world_wxyz = forward(motion)
    way_m = world_m[:, hips] * [1.0, 0.0, 1.0]
    above = motion.rig.skeleton.parents[hips]
    still = motion.local_m is not None and np.ptp(motion.root_m[:, ::2], axis=0).max() < 1e-9
    if above == ROOT or not still or motion.local_m is None:
        return replace(motion, root_m=motion.root_m - way_m)
    local_m = motion.local_m.copy()
    local_m[:, hips] -= wxyz_rotate(wxyz_conjugate(world_wxyz[:, above]), way_m)
    return replace(motion, local_m=local_m)
