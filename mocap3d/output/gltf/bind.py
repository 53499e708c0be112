"""The pose in which a skin was bound to its joints: the rest pose of a character.

The skin says for each joint where it stood, ``joint_from_mesh``; the nodes say where it stands. Usually that is one and
the same pose, and the nodes say it more exactly. But a file may be saved in the middle of a dance. Then
``world_from_mesh = world_from_joint @ joint_from_mesh`` differs from joint to joint, and the skin is right.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.kinematics import rest_pose
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import (
    matrix_to_wxyz,
    project_to_so3,
    wxyz_conjugate,
    wxyz_multiply,
    wxyz_rotate,
    wxyz_to_matrix,
)
from mocap3d.base.skeleton import ROOT
from mocap3d.output.gltf.accessors import Accessors
from mocap3d.output.gltf.joints import Joints, skins_in_scene
from mocap3d.output.gltf.nodes import Nodes
from mocap3d.output.gltf.record import Record

__all__ = ["bind_pose", "inverse_bind_matrices", "rest_matrices"]

Floats = NDArray[np.float64]

_SAME: Final = 1e-3  # radians, and metres per metre of the body
_CANDIDATES: Final = 32  # joints that are asked where the mesh stands


def rest_matrices(joints: Joints) -> Floats:
    """Make (J, 4, 4) world_from_joint of the rest pose, with the scales that the file's joints have."""
    rest_m, rest_wxyz = rest_pose(joints.rig)
    matrices = np.zeros((len(rest_m), 4, 4))
    matrices[:, :3, :3] = wxyz_to_matrix(rest_wxyz) * joints.scales[:, None, None]
    matrices[:, :3, 3] = rest_m
    matrices[:, 3, 3] = 1.0
    return matrices


def inverse_bind_matrices(skin: Record, joints: int, accessors: Accessors) -> Floats | None:
    """Read (joints, 4, 4) joint_from_mesh of a skin; None where it has none, which means identity.

    Raises:
        FileFormatError: no joints, fewer matrices than joints, or the last row of one is not 0 0 0 1.
    """
    if joints == 0:
        raise skin.error("a skin needs at least one joint")
    index = skin.index("inverseBindMatrices", len(accessors))
    if index is None:
        return None
    values = accessors.floats(index, ("MAT4",))
    if len(values) < joints:
        raise skin.error(f"{joints} joints need as many inverseBindMatrices, there are {len(values)}")
    matrices = np.swapaxes(values[:joints].reshape(-1, 4, 4), -1, -2)  # glTF stores column after column
    if np.abs(matrices[:, 3] - [0, 0, 0, 1]).max() > 1e-3:
        raise skin.error("the last row of its inverseBindMatrices must be 0 0 0 1")
    return matrices


def bind_pose(root: Record, nodes: Nodes, joints: Joints, accessors: Accessors) -> Joints:
    """Give the rig the rest pose that its skins were bound in, with a warning where it is not that of the nodes."""
    index = {n: j for j, n in enumerate(joints.nodes) if n != ROOT}
    standing = rest_matrices(joints)
    bound: dict[int, Floats] = {}  # world_from_joint, by joint
    for skin in skins_in_scene(root, nodes):
        members = skin.indices("joints", len(nodes.records))
        joint_from_mesh = inverse_bind_matrices(skin, len(members), accessors)
        if joint_from_mesh is None:
            continue
        usable = [k for k, n in enumerate(members) if n in index and _is_rigid(joint_from_mesh[k])]
        if not usable:
            continue
        owners = [index[members[k]] for k in usable]
        bound |= {j: m for j, m in _moved(standing[owners], joint_from_mesh[usable], owners).items() if j not in bound}
    if not bound:
        return joints
    root.warn("its skin was bound in another pose than its nodes show; the rest pose is that of the skin")
    return replace(joints, rig=_rebound(joints, bound))


def _is_rigid(matrix: Floats) -> bool:
    """Tell whether a matrix says where a joint stood; programs leave the identity at joints that move no vertex."""
    size = np.linalg.norm(matrix[:3, 0])
    if np.array_equal(matrix, np.eye(4)) or not 1e-9 < size < 1e9:
        return False
    axes = matrix[:3, :3] / size
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() < 1e-2 and np.linalg.det(axes) > 0)


def _moved(standing: Floats, joint_from_mesh: Floats, owners: list[int]) -> dict[int, Floats]:
    """Find where the joints of a skin stood, if that is not where they stand: world_from_joint by joint.

    The mesh stands where most joints say that it does; where no two agree, the topmost is believed.
    """
    mesh_from_joint = np.linalg.inv(joint_from_mesh)
    size = max(float(np.abs(standing[:, :3, 3] - standing[0, :3, 3]).max()), 1e-9)
    best, agreeing = mesh_from_joint, -1
    for world_from_mesh in standing[:_CANDIDATES] @ joint_from_mesh[:_CANDIDATES]:
        stood = world_from_mesh @ mesh_from_joint
        scale = max(float(np.abs(world_from_mesh[:3, :3]).max()), 1e-9) * np.abs(mesh_from_joint[:, :3, :3]).max((1, 2))
        turned = np.abs(stood - standing)[:, :3, :3].max(axis=(1, 2)) / scale
        shifted = np.abs(stood - standing)[:, :3, 3].max(axis=1) / size
        agree = int(((turned < _SAME) & (shifted < _SAME)).sum())
        if agree == len(owners):
            return {}
        if agree > agreeing:
            best, agreeing = stood, agree
    return dict(zip(owners, best, strict=True))


def _rebound(joints: Joints, bound: dict[int, Floats]) -> Rig:
    """Make the rig whose joints rest where ``bound`` says; others keep their place on their parents."""
    rig = joints.rig
    offsets_m, rest_wxyz = rig.offsets_m.copy(), rig.rest_wxyz.copy()
    world_m, world_wxyz = np.zeros_like(offsets_m), np.zeros_like(rest_wxyz)
    for j, parent in enumerate(rig.skeleton.parents):
        above_m = np.zeros(3) if parent == ROOT else world_m[parent]
        above_wxyz = np.array([1.0, 0.0, 0.0, 0.0]) if parent == ROOT else world_wxyz[parent]
        if j in bound:
            axes = bound[j][:3, :3] / np.linalg.norm(bound[j][:3, 0])
            down = wxyz_conjugate(above_wxyz)
            rest_wxyz[j] = wxyz_multiply(down, matrix_to_wxyz(project_to_so3(axes)))
            offset_m = wxyz_rotate(down, bound[j][:3, 3] - above_m)
            if np.abs(offset_m - offsets_m[j]).max() > _SAME * max(float(np.abs(offset_m).max()), 1e-9):
                offsets_m[j] = offset_m  # else the nodes say it with more digits
        world_m[j] = above_m + wxyz_rotate(above_wxyz, offsets_m[j])
        world_wxyz[j] = wxyz_multiply(above_wxyz, rest_wxyz[j])
    return replace(rig, offsets_m=offsets_m, rest_wxyz=rest_wxyz)
