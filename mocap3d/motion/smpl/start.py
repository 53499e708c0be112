"""Where a fit begins: rotations in closed form, from the points or from the motion of another body.

From points, joint by joint from the pelvis outwards: where several bones leave a joint their directions give its
rotation (Kabsch's problem); a single bone is aimed the shortest way from the parent. What points do not show is
chosen as the solver of this project chooses it: elbows and knees are hinges, so the plane in which a limb bends turns
its upper bone about itself, the more the limb is bent; the twist of the trunk is shared along the spine; feet, hands
and head continue what they hang on.

Source: Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.rotations import rotation_between, rotvec_to_matrix, wxyz_to_matrix
from mocap3d.motion.smpl.model import SmplModel
from mocap3d.motion.smpl.skeletons import SMPL_ROLES
from mocap3d.motion.smpl.targets import Targets

__all__ = ["start_from_motion", "start_from_points"]

Floats = NDArray[np.float64]

_BENT_SIN: Final = (0.17, 0.64)  # of 10 and 40 degrees: below, a hinge tells nothing; above, everything
_HINGES: Final = {  # upper joint -> the axis about which the limb bends at rest, elbows forwards and knees backwards
    "left_shoulder": (0.0, -1.0, 0.0),
    "right_shoulder": (0.0, 1.0, 0.0),
    "left_hip": (1.0, 0.0, 0.0),
    "right_hip": (1.0, 0.0, 0.0),
}
_SPINE: Final = ("spine1", "spine2", "spine3")
# Bones that are aimed as those of the other body; hands take the forearm's correction, all other joints none: soles
# are level in both rest poses, and the spines bend in different places.
_AIMED: Final = {"shoulder": "elbow", "elbow": "wrist", "hip": "knee", "knee": "ankle"}


def start_from_points(targets: Targets, rest_m: Floats, model: SmplModel) -> tuple[Floats, Floats]:
    """Find world_from_joint (T, K, 3, 3) and the pelvis (T, 3).

    Args:
        targets: where joints shall be.
        rest_m: (K, 3) joints at rest, of about the right shape.
        model: whose joints they are.
    """
    start = _FromPoints(targets, rest_m, model)
    return start.world, start.places[:, 0]


def start_from_motion(motion: Motion, rest_m: Floats, model: SmplModel) -> Floats:
    """Take world_from_joint (T, K, 3, 3) over from a humanoid: bones of limbs keep their directions in the world."""
    names = model.skeleton.joint_names
    _, turns = forward(motion)
    roles = {joint: motion.rig.skeleton.index(role) for role, joint in SMPL_ROLES.items()}
    world = np.empty((len(motion), len(names), 3, 3))
    for j, (name, parent) in enumerate(zip(names, model.skeleton.parents, strict=True)):
        if name not in roles:
            world[:, j] = world[:, parent]
            continue
        side, _, joint = name.partition("_")
        bone = "elbow" if joint == "wrist" else joint
        world[:, j] = wxyz_to_matrix(turns[:, roles[name]])
        if bone in _AIMED:
            upper, lower = f"{side}_{bone}", f"{side}_{_AIMED[bone]}"
            ours = rest_m[names.index(lower)] - rest_m[names.index(upper)]
            theirs = motion.rig.offsets_m[roles[lower]]
            world[:, j] = world[:, j] @ wxyz_to_matrix(rotation_between(ours, theirs))
    return world


class _FromPoints:
    """Rotations and places, filled from the pelvis outwards."""

    def __init__(self, targets: Targets, rest_m: Floats, model: SmplModel) -> None:
        self.targets, self.rest_m = targets, rest_m
        self.names, self.parents = model.skeleton.joint_names, model.skeleton.parents
        self.children = [[c for c, parent in enumerate(self.parents) if parent == j] for j in range(len(self.parents))]
        frames = len(targets.xyz_m)
        self.world = np.empty((frames, len(self.parents), 3, 3))
        self.places = np.empty((frames, len(self.parents), 3))
        self._root()
        for j in range(1, len(self.parents)):
            parent = self.parents[j]
            carried = self.places[:, parent] + self.world[:, parent] @ (rest_m[j] - rest_m[parent])
            self.places[:, j] = targets.xyz_m[:, j] if targets.known[j] else carried
            self._turn(j)
        self._share_twist()

    def _below(self, j: int) -> list[int]:
        """The nearest joints with targets on each chain that leaves a joint."""
        found: list[int] = []
        for child in self.children[j]:
            found += [child] if self.targets.known[child] else self._below(child)
        return found

    def _root(self) -> None:
        """The pelvis, by all that hangs next to it and itself; its own place may be unknown."""
        among = ([0] if self.targets.known[0] else []) + self._below(0)
        rest, seen = self.rest_m[among], self.targets.xyz_m[:, among]
        middle, centre = rest.mean(axis=0), seen.mean(axis=1)
        self.world[:, 0] = _kabsch(rest - middle, seen - centre[:, None])
        placed = centre + self.world[:, 0] @ (self.rest_m[0] - middle)
        self.places[:, 0] = self.targets.xyz_m[:, 0] if self.targets.known[0] else placed

    def _turn(self, j: int) -> None:
        below = self._below(j)
        carried = self.world[:, self.parents[j]]
        rest = self.rest_m[below] - self.rest_m[j]
        seen = self.targets.xyz_m[:, below] - self.places[:, None, j]
        loose = self.names[j].endswith("collar") and not self.targets.exact
        if not below or loose:  # where definitions differ, a short bone would point anywhere
            self.world[:, j] = carried
        elif len(below) > 1:
            self.world[:, j] = _kabsch(rest, seen)
        else:
            self.world[:, j] = _aimed(carried, rest[0], seen[:, 0])
            if self.names[j] in _HINGES:
                self._bend(j, below[0], seen[:, 0])

    def _bend(self, j: int, middle: int, upper: Floats) -> None:
        """Turn an upper bone about itself until the hinge lies across the limb."""
        ends = self._below(middle)
        if len(ends) == 0 or not self.targets.known[middle]:
            return
        lower = self.targets.xyz_m[:, ends].mean(axis=1) - self.targets.xyz_m[:, middle]
        axis, along = _unit(upper), _unit(lower)
        across = np.cross(axis, along)
        hinge = self.world[:, j] @ np.array(_HINGES[self.names[j]])
        angle = np.arctan2(_dot(np.cross(hinge, across), axis), _dot(hinge, across))
        low, high = _BENT_SIN
        bent = np.clip((np.linalg.norm(across, axis=1) - low) / (high - low), 0.0, 1.0)
        bent = np.where(_dot(axis, along) < 0, 1.0, bent)  # more than a right angle
        if self.names[j].endswith("hip"):  # a knee that bends forwards is noise
            bent = bent * np.clip(np.cos(angle), 0.0, 1.0)
        twist = np.angle(bent * np.exp(1j * angle) + (1 - bent))
        self.world[:, j] = rotvec_to_matrix(axis * twist[:, None]) @ self.world[:, j]

    def _share_twist(self) -> None:
        """Spread the twist between pelvis and chest over the spine; no joint moves by it."""
        first, second, last = (self.names.index(name) for name in _SPINE)
        if not (self.targets.known[second] and self.targets.known[last]):
            return
        along = _unit(self.rest_m[last] - self.rest_m[second])
        between = self.world[:, second].transpose(0, 2, 1) @ self.world[:, last]
        axial = np.stack([between[:, 2, 1], between[:, 0, 2], between[:, 1, 0]], axis=1)
        axial -= np.stack([between[:, 1, 2], between[:, 2, 0], between[:, 0, 1]], axis=1)
        twist = 2 * np.arctan2(axial @ along, 1 + np.trace(between, axis1=1, axis2=2))
        for j, child, share in ((first, second, 1 / 3), (second, last, 2 / 3)):
            axis = _unit(self.world[:, j] @ (self.rest_m[child] - self.rest_m[j]))
            self.world[:, j] = rotvec_to_matrix(axis * (share * twist)[:, None]) @ self.world[:, j]


def _kabsch(rest: Floats, seen: Floats) -> Floats:
    """Rotations (T, 3, 3) that bring vectors (N, 3) closest to (T, N, 3)."""
    u, _, vt = np.linalg.svd(np.einsum("tni,nj->tij", seen, rest))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return np.asarray(u @ vt)


def _aimed(turn: Floats, rest: Floats, towards: Floats) -> Floats:
    """The rotation nearest to ``turn`` that points ``rest`` towards a direction; a direction of no length is left."""
    here = turn @ rest
    towards = np.where(np.linalg.norm(towards, axis=1, keepdims=True) > 1e-6, towards, here)
    return np.asarray(wxyz_to_matrix(rotation_between(here, towards)) @ turn)


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray((a * b).sum(axis=-1))
