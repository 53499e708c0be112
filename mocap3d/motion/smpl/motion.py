"""SMPL parameters as a motion on a rig, which every file format of this project takes.

The rig has the joints of the body model by their names, where shape puts them; at rest it is the model's T-pose, stands
with its soles on the floor, faces +Z, and all its rest rotations are the identity. `SMPL_ROLES` says which of its
joints are the humanoid's.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.mesh import INFLUENCES, Material, SkinnedMesh
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.rotations import rotvec_to_wxyz, wxyz_continuous
from mocap3d.base.smpl import SmplParameters
from mocap3d.motion.smpl.forward import check_fits
from mocap3d.motion.smpl.model import SmplModel

__all__ = ["smpl_mesh", "smpl_rig", "smpl_to_motion"]

_TIPS: Final = {  # landmark -> the joints on which it may hang
    "headTop": ("head",),
    "leftHandTip": ("left_hand", "left_middle3"),
    "rightHandTip": ("right_hand", "right_middle3"),
    "leftToesTip": ("left_foot",),
    "rightToesTip": ("right_foot",),
}
_SKIN: Final = Material(name="skin", rgb=(0.55, 0.42, 0.36))


def smpl_to_motion(parameters: SmplParameters, model: SmplModel) -> Motion:
    """Turn parameters into a motion on `smpl_rig`, +Y up; soft tissue (``dmpls``) is left out.

    Raises:
        InputError: the parameters are of another body model.
    """
    check_fits(parameters, model)
    pelvis_m = model.rest_joints_m(parameters.betas)[0]
    upright = parameters.turned("Y", pelvis_m)
    return Motion(
        rig=smpl_rig(model, parameters.betas),
        fps=parameters.fps,
        local_wxyz=wxyz_continuous(rotvec_to_wxyz(upright.poses_rotvec)),
        root_m=upright.trans_m + pelvis_m,
    )


def smpl_rig(model: SmplModel, betas: ArrayLike) -> Rig:
    """Build the rig of a body of that shape; the ends of head, hands and feet are points of its skin."""
    skeleton = model.skeleton
    rest_m = model.rest_joints_m(betas)
    marks = model.rest_landmarks_m(betas)
    offsets_m = rest_m - rest_m[[max(parent, 0) for parent in skeleton.parents]]
    offsets_m[0] = rest_m[0] - [0.0, _floor_m(marks), 0.0]
    tips = []
    for name, joints in _TIPS.items():
        joint = next(skeleton.index(joint) for joint in joints if joint in skeleton.joint_names)
        tips.append(Tip(name=name, parent=joint, offset_m=marks[name] - rest_m[joint]))
    rest_wxyz = np.tile([1.0, 0.0, 0.0, 0.0], (len(skeleton), 1))
    return Rig(skeleton=skeleton, offsets_m=offsets_m, rest_wxyz=rest_wxyz, tips=tuple(tips))


def smpl_mesh(model: SmplModel, betas: ArrayLike) -> SkinnedMesh:
    """Make the skin of that shape for `smpl_rig`, to be written into FBX, GLB or USD.

    Formats and engines take four joints per vertex and no correctives of pose: elbows and knees bend less well than in
    ``smpl_vertices_m``. The skin stays the work of the model's makers: a file with it is under their licence.

    Raises:
        InputError: the model was read without its surface.
    """
    surface = model.surface
    if surface is None:
        raise InputError("the body model was read without its surface: read_smpl_model(..., surface=True)")
    vertices = surface.template_m + surface.per_beta_m @ model.known_betas(betas)
    vertices[:, 1] -= _floor_m(model.rest_landmarks_m(betas))
    strongest = np.argsort(-surface.weights, axis=1, kind="stable")[:, :INFLUENCES]
    weights = np.take_along_axis(surface.weights, strongest, axis=1).clip(min=0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    return SkinnedMesh(
        name=model.kind,
        vertices_m=vertices,
        normals=_normals(vertices, surface.triangles),
        triangles=surface.triangles,
        joints=np.where(weights > 0, strongest, 0),
        weights=weights,
        materials=(_SKIN,),
        material=np.zeros(len(surface.triangles), dtype=np.int64),
    )


def _floor_m(marks: dict[str, NDArray[np.float64]]) -> float:
    """The height of the soles of the body at rest."""
    return float(min(marks["leftSole"][1], marks["rightSole"][1]))


def _normals(vertices: NDArray[np.float64], triangles: NDArray[np.int64]) -> NDArray[np.float64]:
    """(V, 3) unit vectors: the mean of the triangles around each vertex; straight up where there are none."""
    a, b, c = (vertices[triangles[:, n]] for n in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for n in range(3):
        np.add.at(normals, triangles[:, n], faces)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(lengths > 1e-12, normals / np.maximum(lengths, 1e-12), [0.0, 1.0, 0.0])
