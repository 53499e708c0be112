"""Which nodes of a glTF are joints, and the rig that they make.

* With skins, joints are what the skins of the scene name, nodes between them, and moving nodes above them.
* Without a skin, they are the nodes that move and all that hangs on them.

What stands still above the topmost joints (an "Armature" turned by 90 degrees and scaled by 0.01) goes into them: into
the places and rotations of the topmost, and as a factor into all lengths below. Bones are rigid afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.rig import Rig, Tip
from mocap3d.base.rotations import matrix_to_wxyz, project_to_so3, wxyz_multiply, wxyz_rotate
from mocap3d.base.skeleton import ROOT, SEVERAL_ROOTS, Skeleton
from mocap3d.output.gltf.nodes import Nodes
from mocap3d.output.gltf.record import Record
from mocap3d.output.names import mirror_from_names, unique_names

__all__ = ["Joints", "choose_joints", "skins_in_scene"]

Floats = NDArray[np.float64]

_MOST_JOINTS: Final = 65535
_LARGEST_SIZE, _SMALLEST_SIZE = 1e12, 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Joints:
    """The rig of a file, and how its joints follow from nodes.

    Attributes:
        rig: J joints; joint 0 may be synthetic, ``SEVERAL_ROOTS``.
        nodes: of each joint; ``ROOT`` for a synthetic one.
        still_m: (J, 3) offsets while nothing moves; not those of the rig where its skin was bound in another pose.
        still_wxyz: (J, 4) likewise.
        lengths: (J,) metres that one unit of the translation of a joint's node stands for.
        scales: (J,) the same for what hangs on the joint.
        bases: for each topmost joint, world_from_parent of what stands still above it: place, rotation.
    """

    rig: Rig
    nodes: list[int]
    still_m: Floats
    still_wxyz: Floats
    lengths: Floats
    scales: Floats
    bases: dict[int, tuple[Floats, Floats]]

    def place(self, joint: int, translation: Floats) -> Floats:
        """Turn translations (..., 3) of a joint's node into offsets in the rig, in metres."""
        metres = translation * self.lengths[joint]
        if joint not in self.bases:
            return np.asarray(metres)
        base_m, base_wxyz = self.bases[joint]
        return base_m + wxyz_rotate(base_wxyz, metres)

    def turn(self, joint: int, wxyz: Floats) -> Floats:
        """Turn rotations (..., 4) of a joint's node into rotations in the rig."""
        return wxyz_multiply(self.bases[joint][1], wxyz) if joint in self.bases else wxyz


def skins_in_scene(root: Record, nodes: Nodes) -> list[Record]:
    """List the skins that nodes of the scene wear, or all if none is worn."""
    skins = root.records("skins")
    worn = {nodes.records[n].index("skin", len(skins)) for n in nodes.in_scene} - {None}
    return [skin for s, skin in enumerate(skins) if s in worn or not worn]


def choose_joints(root: Record, nodes: Nodes, moving: set[int], named: dict[int, str] | None = None) -> Joints:
    """Find the joints of the scene.

    Args:
        root: the document.
        nodes: its nodes.
        moving: nodes that an animation moves.
        named: use these nodes, with these names, instead of what skins name.

    Raises:
        FileFormatError: there are none, too many, or they are scaled so that no rigid bone is meant.
    """
    joints = _joint_nodes(root, nodes, moving, list(named or ()))
    if not joints:
        raise root.error("there is no skeleton in it: no skin, and no node moves")
    if len(joints) > _MOST_JOINTS:
        raise root.error(f"at most {_MOST_JOINTS} joints are read, it has {len(joints)}")
    inside = set(joints)
    several = sum(nodes.parents[n] not in inside for n in joints) > 1
    order = [ROOT, *joints] if several else joints  # several roots hang under a joint that is no node
    skins = skins_in_scene(root, nodes)
    given = {ROOT: SEVERAL_ROOTS} | (named or {})
    names = unique_names([given.get(n) or nodes.records[n].text("name") for n in order])
    index = {n: j for j, n in enumerate(order)}
    skeleton = Skeleton(
        name=(skins[0].text("name") if skins else "") or Path(root.path).stem,
        joint_names=names,
        parents=tuple(ROOT if j == 0 else index.get(nodes.parents[n], 0) for j, n in enumerate(order)),
        mirror=mirror_from_names(names),
    )
    return _rigid(nodes, order, skeleton)


def _rigid(nodes: Nodes, order: list[int], skeleton: Skeleton) -> Joints:
    """Bake what stands still above, and every scale, into places and rotations."""
    index = {n: j for j, n in enumerate(order) if n != ROOT}
    bases, lengths, scales = _bases_and_scales(nodes, order, index)
    unturned = np.tile([1.0, 0.0, 0.0, 0.0], (len(order), 1))
    rig = Rig(skeleton=skeleton, offsets_m=np.zeros((len(order), 3)), rest_wxyz=unturned)
    joints = Joints(
        rig=rig, nodes=order, still_m=rig.offsets_m, still_wxyz=unturned, lengths=lengths, scales=scales, bases=bases
    )
    still_m, still_wxyz = np.zeros((len(order), 3)), unturned.copy()
    for n, j in index.items():
        still_m[j], still_wxyz[j] = joints.place(j, nodes.local_m[n]), joints.turn(j, nodes.local_wxyz[n])
    tips = _tips(nodes, index, scales)
    rig = Rig(skeleton=skeleton, offsets_m=still_m, rest_wxyz=still_wxyz, tips=tips)
    return replace(joints, rig=rig, still_m=still_m, still_wxyz=still_wxyz)


def _joint_nodes(root: Record, nodes: Nodes, moving: set[int], named: list[int]) -> list[int]:
    """List the joints, parents first: as the skin lists them, if it does so, else as they hang."""
    if not named:
        members = [n for skin in skins_in_scene(root, nodes) for n in skin.indices("joints", len(nodes.records))]
        named = list(dict.fromkeys(members))  # several skins may share joints
    if not named:
        hanging = _below(nodes, moving)
        return _ordered(nodes, hanging, sorted(hanging))
    chosen = set(named).intersection(nodes.in_scene)
    if not chosen:
        raise root.error("its joints are not in the scene")
    # Upwards: a node counts if a joint hangs below it and it, or something above it, is a joint or moves.
    carries = set(chosen)
    for n in reversed(nodes.in_scene):
        if n in carries and nodes.parents[n] != ROOT:
            carries.add(nodes.parents[n])
    joints: set[int] = set()
    for n in nodes.in_scene:
        if n in carries and (n in chosen or n in moving or nodes.parents[n] in joints):
            joints.add(n)
    return _ordered(nodes, [n for n in nodes.in_scene if n in joints], named)


def _ordered(nodes: Nodes, joints: list[int], wanted: list[int]) -> list[int]:
    """Use the wanted order where it holds the same joints, parents first."""
    if set(wanted) != set(joints):
        return joints
    place = {n: k for k, n in enumerate(wanted)}
    is_parents_first = all(place.get(nodes.parents[n], -1) < k for n, k in place.items())
    return wanted if is_parents_first else joints


def _below(nodes: Nodes, tops: set[int]) -> list[int]:
    chosen: list[int] = []
    inside: set[int] = set()
    for n in nodes.in_scene:
        record = nodes.records[n]
        looks = record.has("mesh") or record.has("camera") or _is_our_tip(record)
        if n in tops or (nodes.parents[n] in inside and not looks):
            inside.add(n)
            chosen.append(n)
    return chosen


def _bases_and_scales(
    nodes: Nodes, order: list[int], index: dict[int, int]
) -> tuple[dict[int, tuple[Floats, Floats]], Floats, Floats]:
    bases: dict[int, tuple[Floats, Floats]] = {}
    lengths, scales = np.ones(len(order)), np.ones(len(order))
    for j, n in enumerate(order):
        if n == ROOT:
            continue
        parent = nodes.parents[n]
        if parent in index:
            lengths[j] = scales[index[parent]]
        elif parent != ROOT:
            matrix = nodes.world_matrix(parent)
            lengths[j] = np.linalg.norm(matrix[:3, 0])
            if _SMALLEST_SIZE < lengths[j] < _LARGEST_SIZE:
                bases[j] = matrix[:3, 3], matrix_to_wxyz(project_to_so3(matrix[:3, :3] / lengths[j]))
        scales[j] = lengths[j] * nodes.uniform_scale(n)
        if not _SMALLEST_SIZE < scales[j] < _LARGEST_SIZE:
            raise nodes.records[n].error(f"it is scaled by {scales[j]:g}, so that no size is meant")
    return bases, lengths, scales


def _is_our_tip(record: Record) -> bool:
    extras = record.fields.get("extras")
    return isinstance(extras, dict) and extras.get("tip") is True


def _tips(nodes: Nodes, index: dict[int, int], scales: Floats) -> tuple[Tip, ...]:
    """Take ends without a joint, mesh or camera for tips."""
    tips = []
    for n in nodes.in_scene:
        record, parent = nodes.records[n], nodes.parents[n]
        is_bare = not any(record.has(key) for key in ("children", "mesh", "camera", "skin"))
        if n in index or parent not in index or not is_bare:
            continue
        name = record.text("name") or f"{nodes.records[parent].text('name')}_end"
        tips.append(Tip(name=name, parent=index[parent], offset_m=nodes.local_m[n] * scales[index[parent]]))
    return tuple(tips)
