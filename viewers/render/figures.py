"""Who is drawn: people as mannequins or as rods and balls, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from mocap3d.viewers.bones import bones_of
from mocap3d.viewers.render.surfaces import LEFT, MIDDLE, RIGHT, Surface, balls, linear, merged, rods
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.mesh import SkinnedMesh
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose3D
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import wxyz_conjugate, wxyz_multiply, wxyz_to_matrix
from mocap3d.base.skeleton import Skeleton
from mocap3d.motion.bone_map import propose_bone_map
from mocap3d.motion.bone_names import bone_names
from mocap3d.output.mannequin import mannequin
from mocap3d.output.presets import roles

__all__ = ["SHIRTS", "Colours", "Figure", "Skin", "Style", "figure_of_motion", "figure_of_points"]

Floats = NDArray[np.float64]
Style = Literal["mannequin", "skeleton", "joints"]
Colours = Literal["plain", "sides"]

SHIRTS: Final = tuple(map(linear, ("#2a7f8a", "#a8456b", "#7a6a1f", "#5b5aa8", "#3f7d46", "#9a5230")))
"""What tells people and models apart, in their order."""
_SIDES: Final = np.stack([MIDDLE, LEFT, RIGHT])
_ROD: Final = 0.016  # radius, in statures
_BALL: Final = 0.021
_ENOUGH: Final = 14  # joints of known names: the mannequin needs hips, head and both arms and legs
_USUAL_M: Final = 1.7  # stature, where nothing tells it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Figure:
    """One person over time.

    Attributes:
        name: to tell people apart.
        start: the frame of the scene at which it begins.
        fps: frames per second.
        skeleton: names and tree of the J joints.
        joints_m: (T, J, 3) in the world; NaN where a joint was not seen.
        skin: its body, if its joints have rotations.
        colour: (3,) of its shirt or, when it has one colour only, of all of it.
        one_colour: whether sides are not told apart: models beside each other are.
    """

    name: str
    start: int
    fps: Fraction
    skeleton: Skeleton
    joints_m: Floats
    skin: Skin | None = None
    colour: Floats = field(default_factory=lambda: SHIRTS[0])
    one_colour: bool = False

    @property
    def stop(self) -> int:
        """The first frame of the scene without it."""
        return self.start + len(self.joints_m)

    @property
    def stature_m(self) -> float:
        """About how tall it is: what rods and balls are sized by."""
        joints_m = self.joints_m[::10]
        seen = np.asarray(np.isfinite(joints_m).all(axis=-1))
        enough = seen.mean(axis=1) >= 0.5
        if not enough.any():
            return _USUAL_M
        low = np.where(seen[..., None], joints_m, np.inf)[enough].min(axis=1)
        high = np.where(seen[..., None], joints_m, -np.inf)[enough].max(axis=1)
        return max(float(np.median(np.linalg.norm(high - low, axis=-1))), 1e-3)

    def joints_at(self, frame: int) -> Floats | None:
        """(J, 3) joints at a frame of the scene; None where it is not there."""
        return self.joints_m[frame - self.start] if self.start <= frame < self.stop else None

    def surface(self, frame: int, style: Style = "mannequin", colours: Colours = "plain") -> Surface | None:
        """The body at a frame of the scene; None where it is not there, or nothing of it was seen."""
        if not self.start <= frame < self.stop:
            return None
        if style == "mannequin" and self.skin is not None:
            return self.skin.surface(frame - self.start, self._paint(colours))
        return self._rods(self.joints_m[frame - self.start], only_balls=style == "joints")

    def _paint(self, colours: Colours) -> Floats:
        """(V, 3) colours of the skin's vertices."""
        skin = self.skin
        if skin is None or self.one_colour:
            return np.broadcast_to(self.colour, (0 if skin is None else len(skin.rgb), 3))
        if colours == "plain":
            return np.where(skin.shirt[:, None], self.colour, skin.rgb)
        sided = _SIDES[_sides(self.skeleton)[skin.leader]]
        dark = 0.55 + 0.45 * np.clip(skin.rgb.mean(axis=1) / 0.4, 0, 1)  # shoes and hair stay visible
        return np.asarray(sided * dark[:, None])

    def _rods(self, joints_m: Floats, *, only_balls: bool) -> Surface | None:
        seen = np.asarray(np.isfinite(joints_m).all(axis=-1))
        if not seen.any():
            return None
        paint = np.tile(self.colour, (len(joints_m), 1)) if self.one_colour else _SIDES[_sides(self.skeleton)]
        tall_m = self.stature_m
        parts = [balls(joints_m[seen], _BALL * tall_m, paint[seen])]
        edges = np.array(bones_of(self.skeleton), dtype=np.int64).reshape(-1, 2)
        starts, ends = edges[seen[edges].all(axis=1)].T
        long = np.linalg.norm(joints_m[ends] - joints_m[starts], axis=-1) > 1e-6
        if long.any() and not only_balls:
            starts, ends = starts[long], ends[long]
            parts.append(rods(joints_m[starts], joints_m[ends], _ROD * tall_m, paint[ends]))
        return merged(parts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Skin:
    """A mesh that follows a motion, its vertices doubled where two colours meet.

    Attributes:
        mesh: whose vertices.
        source: (V,) which vertex of the mesh each of ours is.
        triangles: (F, 3) of ours.
        rgb: (V, 3) as the mesh is painted.
        shirt: (V,) whether it is of the part that tells people apart.
        leader: (V,) the joint that it follows most.
        rest_m: (J, 3) joints at rest.
        turned_wxyz: (T, J, 4) rotations since then.
        world_m: (T, J, 3) joints.
    """

    mesh: SkinnedMesh
    source: NDArray[np.int64]
    triangles: NDArray[np.int64]
    rgb: Floats
    shirt: NDArray[np.bool_]
    leader: NDArray[np.int64]
    rest_m: Floats
    turned_wxyz: Floats
    world_m: Floats

    def surface(self, frame: int, rgb: Floats) -> Surface:
        """The mesh in one frame: linear blend skinning."""
        mesh, joints = self.mesh, self.mesh.joints
        turned = wxyz_to_matrix(self.turned_wxyz[frame])
        shifted_m = self.world_m[frame] - np.einsum("jab,jb->ja", turned, self.rest_m)
        blend = np.einsum("vk,vkab->vab", mesh.weights, turned[joints])
        shift_m = np.einsum("vk,vka->va", mesh.weights, shifted_m[joints])
        vertices_m = np.einsum("vab,vb->va", blend, mesh.vertices_m) + shift_m
        normals = np.einsum("vab,vb->va", blend, mesh.normals)
        normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
        rgba = np.ones((len(self.source), 4))
        rgba[:, :3] = rgb
        return Surface(
            vertices_m=vertices_m[self.source], normals=normals[self.source], triangles=self.triangles, rgba=rgba
        )


def figure_of_motion(motion: Motion, name: str, *, number: int = 0) -> Figure:
    """A person with rotations; ``number`` counts the people of a scene."""
    world_m, world_wxyz = forward(motion)
    rest_m, rest_wxyz = rest_pose(motion.rig)
    turned_wxyz = wxyz_multiply(world_wxyz, wxyz_conjugate(rest_wxyz))
    return Figure(
        name=name,
        start=motion.start_frame,
        fps=motion.fps,
        skeleton=motion.rig.skeleton,
        joints_m=world_m,
        skin=_skin(mannequin(motion.rig, _roles(motion.rig)), rest_m, turned_wxyz, world_m),
        colour=SHIRTS[number % len(SHIRTS)],
    )


def figure_of_points(pose: Pose3D, name: str, *, start: int = 0, colour: Floats | None = None) -> Figure:
    """A person of whom only points are known; in one colour if it is given."""
    return Figure(
        name=name,
        start=start,
        fps=pose.fps,
        skeleton=pose.skeleton,
        joints_m=pose.xyz_m,
        colour=SHIRTS[0] if colour is None else colour,
        one_colour=colour is not None,
    )


def _skin(mesh: SkinnedMesh, rest_m: Floats, turned_wxyz: Floats, world_m: Floats) -> Skin:
    corners = np.stack([mesh.triangles.ravel(), np.repeat(mesh.material, 3)], axis=1)
    ours, index = np.unique(corners, axis=0, return_inverse=True)
    source, material = ours.T
    shirts = [material.name == "shirt" for material in mesh.materials]
    strongest = mesh.weights.argmax(axis=1)
    return Skin(
        mesh=mesh,
        source=source,
        triangles=index.reshape(-1, 3),
        rgb=np.array([one.rgb for one in mesh.materials])[material],
        shirt=np.array(shirts)[material],
        leader=mesh.joints[np.arange(len(mesh.joints)), strongest][source],
        rest_m=rest_m,
        turned_wxyz=turned_wxyz,
        world_m=world_m,
    )


@lru_cache(maxsize=32)
def _sides_of(names: tuple[str, ...]) -> NDArray[np.int64]:
    order = {"left": 1, "right": 2}
    return np.array([order.get(bone.side, 0) for bone in bone_names(names)])


def _sides(skeleton: Skeleton) -> NDArray[np.int64]:
    """0 middle, 1 left, 2 right for each joint, by its name."""
    return _sides_of(skeleton.joint_names)


def _roles(rig: Rig) -> dict[int, str]:
    """Which joints the mannequin goes by: by known names, else as the rig looks; none where neither tells."""
    known = roles(rig)
    if len(known) > _ENOUGH:
        return known
    try:
        proposed = propose_bone_map(rig).roles
    except InputError:
        return known
    return {rig.skeleton.joint_names.index(joint): role for role, joint in proposed.items()}
