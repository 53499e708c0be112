"""A body for any rig: a figure where the joints are known, tapered bones where they are not. Ours, no licence.

```
mesh = mannequin(motion.rig, roles(motion.rig))
write_glb(motion, "walk.glb", mesh=mesh)
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import rest_pose
from mocap3d.base.mesh import INFLUENCES, Material, SkinnedMesh
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import rotation_between, wxyz_rotate
from mocap3d.base.skeleton import ROOT
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.output.mannequin_figure import MATERIALS, SHORTS, figure
from mocap3d.output.mannequin_landmarks import find_landmarks
from mocap3d.output.mannequin_shapes import Part, blended_normals, ellipsoid, joined, loft, outward_normals

__all__ = ["mannequin"]

Floats = NDArray[np.float64]

_BONES: Final = (Material(name="bones", rgb=(0.54, 0.43, 0.35)), Material(name="joints", rgb=(0.045, 0.22, 0.27)))
_SEAM: Final = 0.04  # statures around the seam of legs and trunk in which they are lit alike
_LONE_JOINT_M: Final = 0.05  # radius of the ball when a rig has no bone to measure


def mannequin(rig: Rig, roles: Mapping[int, str] | None = None) -> SkinnedMesh:
    """Make a low-poly body for a rig, in its rest pose.

    A figure (about 5,800 triangles, materials body, shirt, shorts, shoes and features) needs to know hips, head and
    both arms and legs; what else the rig lacks is placed by the proportions of an adult. It may stand in a T- or an
    A-pose, look anywhere and have bones of any orientation; fingers and other joints without a role are not drawn.
    Otherwise every bone becomes a tapered rod with a ball at its joint.

    Args:
        rig: any rig.
        roles: joint index -> name in HUMANOID_22, such as ``presets.roles(rig)``.

    Returns:
        Closed parts that overlap (arms and trunk are one), each vertex with at most four joints.

    Raises:
        InputError: a role for a joint that the rig has not, or a name that the humanoid has not.
    """
    named = dict(roles or {})
    for j, name in named.items():
        if not 0 <= j < len(rig.skeleton) or name not in HUMANOID_22.joint_names:
            raise InputError(f"joint {j} of a rig of {len(rig.skeleton)} joints cannot be the humanoid's {name!r}")
    body = find_landmarks(rig, named)
    if body is None:
        return _mesh(_rods(rig), _BONES)
    part = figure(body)
    weights = np.zeros((len(part.vertices), len(rig.skeleton)))
    for k, j in enumerate(body.joint):
        weights[:, j] += part.weights[:, k]
    mesh = _mesh(
        Part(
            vertices=part.vertices @ body.world_from_body.T + body.origin,
            triangles=part.triangles,
            weights=weights,
            material=part.material,
        ),
        MATERIALS,
    )
    shorts = np.unique(mesh.triangles[mesh.material == SHORTS])  # where legs leave the trunk
    normals = blended_normals(mesh.vertices_m, mesh.normals, shorts, _SEAM * body.stature)
    return replace(mesh, normals=normals)


def _mesh(part: Part, materials: tuple[Material, ...]) -> SkinnedMesh:
    """Keep the strongest influences of each vertex."""
    kept = min(INFLUENCES, part.weights.shape[1])
    strongest = np.argsort(-part.weights, axis=1, kind="stable")[:, :kept]
    weights = np.zeros((len(part.vertices), INFLUENCES))
    weights[:, :kept] = np.take_along_axis(part.weights, strongest, axis=1)
    weights[weights < 1e-3] = 0.0
    joints = np.zeros((len(part.vertices), INFLUENCES), dtype=np.int64)
    joints[:, :kept] = strongest
    joints[weights == 0.0] = 0
    return SkinnedMesh(
        name="mannequin",
        vertices_m=part.vertices,
        normals=outward_normals(part.vertices, part.triangles),
        triangles=part.triangles,
        joints=joints,
        weights=weights / weights.sum(axis=1, keepdims=True),
        materials=materials,
        material=part.material,
    )


def _rods(rig: Rig) -> Part:
    """Draw every bone as a tapered rod, and every joint as a ball."""
    rest_m, rest_wxyz = rest_pose(rig)
    bones = [(parent, rest_m[j]) for j, parent in enumerate(rig.skeleton.parents) if parent != ROOT]
    bones += [(tip.parent, rest_m[tip.parent] + wxyz_rotate(rest_wxyz[tip.parent], tip.offset_m)) for tip in rig.tips]
    lengths = np.array([np.linalg.norm(end - rest_m[j]) for j, end in bones])
    real = lengths > 1e-6 * max(lengths.max(initial=0.0), 1e-6)
    usual = 0.1 * float(np.median(lengths[real])) if real.any() else _LONE_JOINT_M
    parts = []
    for (j, end), length, is_real in zip(bones, lengths, real, strict=True):
        if is_real:
            radius = min(usual, 0.2 * float(length))
            parts.append(_followed(_rod(rest_m[j], end, radius), j, len(rest_m), 0))
    for j, place in enumerate(rest_m):
        ball = ellipsoid(place, np.eye(3), (0.8 * usual,) * 3, rings=5, sides=8)
        parts.append(_followed(ball, j, len(rest_m), 1))
    return joined(parts)


def _rod(start: Floats, end: Floats, radius: float) -> Part:
    """Make a rod that is widest near its start."""
    turn = rotation_between([0.0, 0.0, 1.0], end - start)
    frame = wxyz_rotate(turn, np.eye(3)[:2])
    steps = np.array([0.03, 0.14, 0.5, 0.9, 0.98])
    radii = np.repeat(radius * np.array([0.5, 1.0, 0.75, 0.5, 0.25])[:, None], 4, axis=1)
    centers = start + np.outer(steps, end - start)
    return loft(centers, np.broadcast_to(frame, (5, 2, 3)), radii, np.stack([start, end]), sides=8)


def _followed(part: Part, joint: int, joints: int, material: int) -> Part:
    weights = np.zeros((len(part.vertices), joints))
    weights[:, joint] = 1.0
    painted = np.full(len(part.triangles), material)
    return Part(vertices=part.vertices, triangles=part.triangles, weights=weights, material=painted)
