"""The named points of a moving body that C3D, TRC and CSV carry: its joints and a few more that are fixed to bones.

They are a ``Pose3D``: points over time with names, a rate and "not seen" is all that these formats hold. Its skeleton
has the tree of the rig; the additional points hang under the joints that they follow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Final

import numpy as np

from mocap3d.base import pose_edits
from mocap3d.base.errors import InputError
from mocap3d.base.feet import heel_offsets_m
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import trimmed
from mocap3d.base.pose import Pose3D
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.rotations import wxyz_rotate
from mocap3d.base.skeleton import ROOT, SEVERAL_ROOTS, Skeleton
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.output.names import mirror_from_names, unique_names
from mocap3d.output.presets.humanoid import as_humanoid

__all__ = ["PointStream", "marker_skeleton", "markers", "point_stream", "virtual_markers"]

_BLOCK_FRAMES: Final = 512
_FARTHEST_M: Final = 1e8


@dataclass(frozen=True, slots=True)
class _Layout:
    """The markers of a rig: their names and tree, the first joint that is one, and what is fixed to joints."""

    skeleton: Skeleton
    first: int
    fixed: tuple[Tip, ...]


def markers(motion: Motion) -> Pose3D:
    """Place the joints and the virtual markers of a motion in the world.

    A motion of the mocap3d humanoid that was read from a file has the same markers as before, whatever the format has
    lost. The synthetic joint above several roots is left out. ``confidence`` is 1 everywhere; ``std_m`` and ``views``
    are 0, since a motion does not know them.

    Returns:
        (T, J + K, 3) points in metres: joints in the order of the rig, then what ``virtual_markers`` lists.
    """
    motion = _standard(motion)
    return _placed(motion, _layout(motion.rig))


def virtual_markers(rig: Rig) -> tuple[Tip, ...]:
    """List the points that are fixed to joints: the tips of the rig (toes, hands, top of the head), and the heels.

    Only the mocap3d humanoid has heels, ``leftHeel`` and ``rightHeel``: of other rigs nobody knows where they are.
    """
    toes = {HUMANOID_22.index("leftToes"), HUMANOID_22.index("rightToes")}
    if rig.skeleton != HUMANOID_22 or not toes <= {tip.parent for tip in rig.tips}:
        return rig.tips
    heels = (
        Tip(name=f"{side}Heel", parent=HUMANOID_22.index(f"{side}Foot"), offset_m=offset_m)
        for side, offset_m in zip(("left", "right"), heel_offsets_m(rig), strict=True)
    )
    return (*rig.tips, *heels)


def marker_skeleton(rig: Rig) -> Skeleton:
    """Name the markers of a rig and hang each under the joint that it follows; repeated names are numbered."""
    return _layout(rig).skeleton


def _layout(rig: Rig) -> _Layout:
    skeleton = rig.skeleton
    first = _first(rig)
    fixed = virtual_markers(rig)
    count = len(skeleton) - first
    names = unique_names([*skeleton.joint_names[first:], *(marker.name for marker in fixed)])
    parents = [parent - first for parent in skeleton.parents[first:]] + [marker.parent - first for marker in fixed]
    # What hung under the synthetic joint hangs under the first root: a skeleton has one root.
    parents = [ROOT] + [max(parent, 0) for parent in parents[1:]]
    mirror = [partner - first if partner >= first else j for j, partner in enumerate(skeleton.mirror[first:])] + [
        count + partner for partner in mirror_from_names(names[count:])
    ]
    skeleton = Skeleton(
        name=f"{skeleton.name}-markers", joint_names=names, parents=tuple(parents), mirror=tuple(mirror)
    )
    return _Layout(skeleton, first, fixed)


def _standard(motion: Motion) -> Motion:
    """The motion on the humanoid's rig; another body stays as it is, with the markers that it has."""
    with contextlib.suppress(InputError):
        return as_humanoid(motion)
    return motion


def _placed(motion: Motion, layout: _Layout) -> Pose3D:
    """Place the joints of a motion on a standard rig, and what is fixed to them."""
    parents = [marker.parent for marker in layout.fixed]
    offsets_m = np.array([marker.offset_m for marker in layout.fixed]).reshape(-1, 3)
    world_m, world_wxyz = forward(motion)
    fixed_m = world_m[:, parents] + wxyz_rotate(world_wxyz[:, parents], offsets_m)
    xyz_m = np.concatenate([world_m[:, layout.first :], fixed_m], axis=1)
    return Pose3D(
        xyz_m=xyz_m,
        confidence=np.ones(xyz_m.shape[:2]),
        std_m=np.zeros(xyz_m.shape[:2]),
        views=np.zeros(xyz_m.shape[:2], dtype=np.int64),
        fps=motion.fps,
        skeleton=layout.skeleton,
        frame="world",
    )


@dataclass(frozen=True, slots=True)
class PointStream:
    """Points on their way into a file, some frames at a time: the markers of a long motion are never all in memory.

    Attributes:
        skeleton: names of the points.
        fps: frames per second.
        frames: how many.
        farthest_m: the largest coordinate of all frames, without its sign.
        cut: gives the points from one frame up to, but not including, another.
    """

    skeleton: Skeleton
    fps: Fraction
    frames: int
    farthest_m: float
    cut: Callable[[int, int], Pose3D]

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.frames

    def blocks(self) -> Iterator[tuple[int, Pose3D]]:
        """Yield the first frame and the points of each block."""
        for start in range(0, self.frames, _BLOCK_FRAMES):
            yield start, self.cut(start, min(start + _BLOCK_FRAMES, self.frames))


def point_stream(source: Motion | Pose3D) -> PointStream:
    """Take the markers of a motion, or points as they are; all of them are looked at once.

    Raises:
        InputError: the points are in the axes of a camera, not in the world; there is no frame; or a point lies beyond
            any measure.
    """
    if isinstance(source, Pose3D):
        if source.frame != "world":
            raise InputError(f"only points in the world can be written, these are in the {source.frame} frame")
        if not len(source):
            raise InputError("there is no frame to write")
        skeleton, cut = source.skeleton, partial(pose_edits.trimmed, source)
    else:
        layout = _layout(_standard(trimmed(source, 0, 1)).rig)
        skeleton, cut = layout.skeleton, partial(_cut, source, layout)
    stream = PointStream(skeleton, source.fps, len(source), 0.0, cut)
    farthest_m = max(float(np.nan_to_num(np.abs(block.xyz_m)).max(initial=0.0)) for _, block in stream.blocks())
    if farthest_m > _FARTHEST_M:
        raise InputError(f"a point lies {farthest_m:g} m away, beyond what a file can hold")
    return replace(stream, farthest_m=farthest_m)


def _cut(motion: Motion, layout: _Layout, start: int, stop: int) -> Pose3D:
    return _placed(_standard(trimmed(motion, start, stop)), layout)


def _first(rig: Rig) -> int:
    """Tell at which joint a body begins: behind the synthetic one, if there is one."""
    return int(rig.skeleton.joint_names[0] == SEVERAL_ROOTS and len(rig.skeleton) > 1)
