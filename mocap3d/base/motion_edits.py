"""Cutting, resampling and joining motions: what files and live streams ask for, whatever the rig."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.resampling import frames_between
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.rotations import wxyz_slerp
from mocap3d.base.skeleton import ROOT, SEVERAL_ROOTS, Skeleton

__all__ = ["in_place", "resampled", "split", "together", "trimmed"]

_Floats = NDArray[np.float64]


def trimmed(motion: Motion, start: int, stop: int) -> Motion:
    """Keep the frames from ``start`` up to, but not including, ``stop``.

    Raises:
        InputError: no frame lies between them, or they reach beyond the motion.
    """
    if not 0 <= start < stop <= len(motion):
        raise InputError(f"frames {start}:{stop} are not within 0:{len(motion)}")
    kept = slice(start, stop)
    return replace(
        motion,
        local_wxyz=motion.local_wxyz[kept],
        root_m=motion.root_m[kept],
        local_m=None if motion.local_m is None else motion.local_m[kept],
        contacts=None if motion.contacts is None else motion.contacts[kept],
        start_frame=motion.start_frame + start,
    )


def resampled(motion: Motion, fps: Fraction | float | str) -> Motion:
    """The same movement at another frame rate: turned along the shortest arc, moved along straight lines.

    The first frame stays; the last one lies at most one period before the old last frame. ``start_frame`` counts frames
    of the source's rate, so that it stays 0 or is scaled to the nearest.

    Raises:
        InputError: no frame rate, or one that would make millions of frames.
    """
    rate = as_fps(fps)
    if rate == motion.fps:
        return motion
    at = frames_between(len(motion), motion.fps, rate)
    return replace(
        motion,
        fps=rate,
        local_wxyz=wxyz_slerp(motion.local_wxyz[at.before], motion.local_wxyz[at.after], at.part[:, None]),
        root_m=at.mean(motion.root_m),
        local_m=None if motion.local_m is None else at.mean(motion.local_m),
        contacts=None if motion.contacts is None else at.mean(motion.contacts),
        start_frame=round(motion.start_frame * rate / motion.fps),
    )


def in_place(motion: Motion) -> Motion:
    """The same movement on one spot: the root keeps its height and loses its path over the floor (x and z become 0).

    Of several people in one motion, each stays where it began.
    """
    skeleton, root_m = motion.rig.skeleton, motion.root_m.copy()
    if skeleton.joint_names[0] != SEVERAL_ROOTS or len(skeleton) == 1:
        root_m[:, [0, 2]] = 0.0
        return replace(motion, root_m=root_m)
    local_m = _offsets(motion)
    for root in (0, *(j for j, parent in enumerate(skeleton.parents) if parent == 0)):
        local_m[:, root, ::2] = local_m[0, root, ::2]
    return replace(motion, root_m=local_m[:, 0], local_m=local_m)


def together(people: Mapping[str, Motion], *, prefixes: bool = True) -> Motion:
    """Several people in one motion, under the synthetic joint `SEVERAL_ROOTS`.

    Whoever comes later (``start_frame``) or leaves earlier than others stands still in the meantime.

    Args:
        people: a motion for each name, of one frame rate.
        prefixes: joints are called ``NAME:JOINT``; else as they are.

    Raises:
        InputError: nobody, a name that is empty or has a colon, different frame rates, or joints of the same name.
    """
    if not people:
        raise InputError("there is nobody to put together")
    if wrong := [name for name in people if not name or ":" in name]:
        raise InputError(f"a person put together with others needs a name without a colon, got {wrong[0]!r}")
    motions = list(people.values())
    rates = {motion.fps for motion in motions}
    if len(rates) > 1:
        listed = ", ".join(str(rate) for rate in sorted(rates))
        raise InputError(f"motions of different frame rates cannot be put together: {listed}")
    start = min(motion.start_frame for motion in motions)
    stop = max(motion.start_frame + len(motion) for motion in motions)
    held = [_held(motion, start, stop) for motion in motions]
    ones = np.tile([1.0, 0.0, 0.0, 0.0], (stop - start, 1, 1))
    offsets_m = [_offsets(motion) for motion in held]
    return Motion(
        rig=_rig_of_all({name: motion.rig for name, motion in people.items()}, prefixes=prefixes),
        fps=motions[0].fps,
        local_wxyz=np.concatenate([ones, *(motion.local_wxyz for motion in held)], axis=1),
        root_m=np.zeros((stop - start, 3)),
        local_m=np.concatenate([np.zeros((stop - start, 1, 3)), *offsets_m], axis=1),
        start_frame=start,
    )


def split(motion: Motion) -> dict[str, Motion]:
    """The people in a motion, by the prefix of their joints, or else by their root's name; one person stays as it is.

    Contacts are lost when there are several, because a motion holds those of one person.
    """
    skeleton = motion.rig.skeleton
    if skeleton.joint_names[0] != SEVERAL_ROOTS or len(skeleton) == 1:
        return {_prefix(skeleton.joint_names[0]) or skeleton.joint_names[0]: motion}
    world_m, world_wxyz = forward(motion)
    people: dict[str, Motion] = {}
    for root in (j for j, parent in enumerate(skeleton.parents) if parent == 0):
        joints = _below(skeleton, root)
        prefix = _prefix(skeleton.joint_names[root])
        if not all(_prefix(skeleton.joint_names[j]) == prefix for j in joints):
            prefix = ""
        local_wxyz = motion.local_wxyz[:, joints].copy()
        local_wxyz[:, 0] = world_wxyz[:, root]
        inner = motion.local_m is not None and not np.allclose(
            motion.local_m[:, joints[1:]], motion.rig.offsets_m[joints[1:]], rtol=0, atol=1e-12
        )
        people[prefix or skeleton.joint_names[root]] = Motion(
            rig=_part(motion.rig, joints, len(prefix) + 1 if prefix else 0),
            fps=motion.fps,
            local_wxyz=local_wxyz,
            root_m=world_m[:, root],
            local_m=motion.local_m[:, joints] if inner and motion.local_m is not None else None,
            start_frame=motion.start_frame,
        )
    return people


def _held(motion: Motion, start: int, stop: int) -> Motion:
    """The motion from frame ``start`` to ``stop`` of the source; outside of its own frames it stands still."""
    index = (np.arange(start, stop) - motion.start_frame).clip(0, len(motion) - 1)
    local_m = None if motion.local_m is None else motion.local_m[index]
    return replace(
        motion, local_wxyz=motion.local_wxyz[index], root_m=motion.root_m[index], local_m=local_m, contacts=None
    )


def _offsets(motion: Motion) -> _Floats:
    """(T, J, 3) places of all joints in their parents, the root's in the world."""
    still = np.broadcast_to(motion.rig.offsets_m, (len(motion), *motion.rig.offsets_m.shape))
    offsets_m = (still if motion.local_m is None else motion.local_m).copy()
    offsets_m[:, motion.rig.skeleton.root] = motion.root_m
    return offsets_m


def _rig_of_all(rigs: Mapping[str, Rig], *, prefixes: bool) -> Rig:
    names, parents, mirror = [SEVERAL_ROOTS], [ROOT], [0]
    tips: list[Tip] = []
    for name, rig in rigs.items():
        first, before = len(names), f"{name}:" if prefixes else ""
        names += [before + joint for joint in rig.skeleton.joint_names]
        parents += [0 if parent == ROOT else first + parent for parent in rig.skeleton.parents]
        mirror += [first + partner for partner in rig.skeleton.mirror]
        tips += [replace(tip, name=before + tip.name, parent=first + tip.parent) for tip in rig.tips]
    skeleton = Skeleton(name="people", joint_names=tuple(names), parents=tuple(parents), mirror=tuple(mirror))
    return Rig(
        skeleton=skeleton,
        offsets_m=np.concatenate([np.zeros((1, 3)), *(rig.offsets_m for rig in rigs.values())]),
        rest_wxyz=np.concatenate([[[1.0, 0.0, 0.0, 0.0]], *(rig.rest_wxyz for rig in rigs.values())]),
        tips=tuple(tips),
    )


def _below(skeleton: Skeleton, root: int) -> list[int]:
    """A joint and all that hang on it; parents come first."""
    inside = {root}
    for j, parent in enumerate(skeleton.parents):
        if parent in inside:
            inside.add(j)
    return sorted(inside)


def _part(rig: Rig, joints: Sequence[int], cut: int) -> Rig:
    """The rig of some joints, the first of which becomes the root; ``cut`` letters of the names are left out."""
    new = {joint: n for n, joint in enumerate(joints)}
    skeleton = rig.skeleton
    names = tuple(skeleton.joint_names[j][cut:] for j in joints)
    return Rig(
        skeleton=Skeleton(
            name=skeleton.name,
            joint_names=names,
            parents=tuple(new.get(skeleton.parents[j], ROOT) for j in joints),
            mirror=tuple(new.get(skeleton.mirror[j], new[j]) for j in joints),
        ),
        offsets_m=rig.offsets_m[joints],
        rest_wxyz=rig.rest_wxyz[joints],
        tips=tuple(replace(tip, name=tip.name[cut:], parent=new[tip.parent]) for tip in rig.tips if tip.parent in new),
    )


def _prefix(name: str) -> str:
    """What stands before the first colon, if something stands before and behind it."""
    found = re.fullmatch(r"([^:]+):.+", name, flags=re.DOTALL)
    return found.group(1) if found else ""
