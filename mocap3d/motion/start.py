"""Where the solver starts: rotations frame by frame and closed-form, from the landmarks of a body.

Every bone is aimed from where its joint really is (after forward kinematics) at the next landmark, so errors do not
pile up along a limb. Aiming leaves one freedom per bone, the twist about itself. The rules:

* **Hips** stand midway between the hip joints, lie along the line between them and lean as the spine does.
* **Spine**: ``spine`` aims at the middle of the back and takes half of the twist between hips and shoulders; ``chest``
  aims at the base of the neck and faces as the shoulder line says; ``upperChest`` follows it.
* **Neck and head**: the head looks at the face point; the neck takes half of its turn.
* **Elbows and knees** are hinges: the plane in which a limb bends decides the twist of its upper bone. A limb that is
  nearly straight (bent less than 10°; fully trusted from 40°) has no such plane: it keeps, in between smoothly, the
  twist of the shortest turn from its rest direction, and so does a knee that seems to bend forwards. The lower bone
  turns from the upper one by the shortest turn.
* **Feet** aim at the toe tip and stay level with the shin's hinge. Toes, wrists and hands stay at rest: nothing
  observes them.
* What was not seen stays at rest: a lower body under level hips, arms stretched out to the sides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mocap3d.base.rig import Rig
from mocap3d.base.rotations import matrix_to_wxyz, rotation_between, rotvec_to_matrix, wxyz_to_matrix
from mocap3d.base.skeleton import ROOT

__all__ = ["StartSettings", "analytic_start", "smoothed"]

Floats = NDArray[np.float64]

_UP, _ACROSS = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])
_SIDES = ("left", "right")
_NO_WAY_M = 1e-6  # what is shorter has no direction


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSettings:
    """How landmarks become rotations.

    Attributes:
        smoothing_s: standard deviation of the Gaussian over landmarks.
        twist_smoothing_s: the same for the bending planes of elbows and knees.
        straight_deg: the plane of a limb bent less than the first angle is ignored, more than the second fully trusted.
    """

    smoothing_s: float = 0.03
    twist_smoothing_s: float = 0.1
    straight_deg: tuple[float, float] = (10.0, 40.0)


def analytic_start(
    points: Mapping[str, Floats],
    rig: Rig,
    fps: float,
    unseen: Collection[str] = (),
    settings: StartSettings | None = None,
) -> tuple[Floats, Floats]:
    """Aim the bones of a humanoid rig at landmarks.

    Args:
        points: name -> (T, 3) as `landmarks.landmarks` names and fills them.
        rig: a humanoid rig.
        fps: frames per second.
        unseen: parts of the body to leave at rest, as `solve.unobserved` names them.
        settings: smoothing and thresholds.

    Returns:
        (T, 22, 3, 3) parent_from_joint and (T, 3) the root.
    """
    chosen = settings or StartSettings()
    smooth = {name: smoothed(xyz_m, chosen.smoothing_s * fps) for name, xyz_m in points.items()}
    aimer = _Aimer(rig, smooth, fps, chosen)
    world = aimer.aim(unseen)
    local = world.copy()
    for j, parent in enumerate(rig.skeleton.parents):
        if parent != ROOT:
            local[:, j] = np.swapaxes(world[:, parent], -1, -2) @ world[:, j]
    return local, aimer.place["hips"]


class _Aimer:
    """World rotations (T, 3, 3) and positions (T, 3) of the rig's joints, filled from the hips outwards."""

    def __init__(self, rig: Rig, points: Mapping[str, Floats], fps: float, settings: StartSettings) -> None:
        self.rig, self.points, self.fps, self.settings = rig, points, fps, settings
        self.turn: dict[str, Floats] = {}
        self.place: dict[str, Floats] = {"hips": (points["left_hip"] + points["right_hip"]) / 2}

    def aim(self, unseen: Collection[str]) -> Floats:
        """Return (T, 22, 3, 3) world_from_joint; the parts that were not seen follow what they hang on."""
        self._hips("lower body" not in unseen, "upper body" not in unseen)
        self._trunk("upper body" not in unseen)
        self._head(not {"upper body", "head"} & set(unseen))
        for side in _SIDES:
            self._arm(side, not {"upper body", f"{side} arm"} & set(unseen))
            self._leg(side, "lower body" not in unseen)
        return np.stack([self.turn[name] for name in self.rig.skeleton.joint_names], axis=1)

    def _seen(self, name: str) -> Floats:
        return self.points[name]

    def _rest(self, name: str) -> Floats:
        """The offset of a joint from its parent at rest."""
        return np.asarray(self.rig.offsets_m[self.rig.skeleton.index(name)])

    def _along(self, *names: str) -> Floats:
        """The way along several bones at rest; upwards where it has no length."""
        way = np.sum([self._rest(name) for name in names], axis=0)
        return way if np.linalg.norm(way) > 1e-6 else _UP

    def _tip(self, name: str) -> Floats:
        """The offset of the tip that hangs on a joint."""
        tips: dict[int, Floats] = {tip.parent: tip.offset_m for tip in self.rig.tips}
        return tips[self.rig.skeleton.index(name)]

    def _set(self, name: str, turn: Floats) -> None:
        """Fix a joint's rotation, and thereby where its children are."""
        self.turn[name] = turn
        index = self.rig.skeleton.index(name)
        for child, parent in enumerate(self.rig.skeleton.parents):
            if parent == index:
                self.place[self.rig.skeleton.joint_names[child]] = self.place[name] + turn @ self.rig.offsets_m[child]

    def _rigid(self, names: Sequence[str], parent: str) -> None:
        """Leave joints at rest on a parent."""
        for name in names:
            self._set(name, self.turn[parent])

    def _hips(self, legs_seen: bool, shoulders_seen: bool) -> None:
        hip_line, shoulders = (self._seen(f"left_{j}") - self._seen(f"right_{j}") for j in ("hip", "shoulder"))
        if legs_seen:
            spine = self._seen("spine") - self.place["hips"]
            upwards = spine if shoulders_seen else np.broadcast_to(_UP, spine.shape)
            across = self._rest("leftUpperLeg") - self._rest("rightUpperLeg")
            self._set("hips", _frames(hip_line, upwards, across, self._along("spine", "chest")))
        else:
            self._set("hips", _frames(np.broadcast_to(_UP, shoulders.shape), shoulders, _UP, _ACROSS))

    def _trunk(self, seen: bool) -> None:
        if not seen:
            self._rigid(("spine", "chest", "upperChest"), "hips")
            return
        shoulders = self._seen("left_shoulder") - self._seen("right_shoulder")
        # Seen from where the chest will be, the shoulders say how far the trunk is twisted.
        to_neck = self._along("upperChest", "neck")
        trunk = _frames(self._seen("thorax") - self._seen("spine"), shoulders, to_neck, _ACROSS)
        lower = _aimed(self.turn["hips"], self._along("chest"), self._seen("spine") - self.place["spine"])
        self._set("spine", _share_twist(lower, trunk, self._along("chest")))
        self._set("chest", _frames(self._seen("thorax") - self.place["chest"], shoulders, to_neck, _ACROSS))
        self._rigid(("upperChest",), "chest")

    def _head(self, seen: bool) -> None:
        if not seen:
            self._rigid(("neck", "head"), "upperChest")
            return
        skull = self._seen("neck")
        if "face" not in self.points:
            self._set("neck", _aimed(self.turn["upperChest"], self._along("head"), skull - self.place["neck"]))
            self._rigid(("head",), "neck")
            return
        centre = (skull + self._seen("head")) / 2
        head = _frames(self._seen("face") - centre, self._seen("head") - skull, np.array([0.0, 0.0, 1.0]), _UP)
        neck = _aimed(self.turn["upperChest"], self._along("head"), skull - self.place["neck"])
        self._set("neck", _share_twist(neck, head, self._along("head")))
        self._set("head", head)

    def _arm(self, side: str, seen: bool) -> None:
        upper, lower, hand = (f"{side}{bone}" for bone in ("UpperArm", "LowerArm", "Hand"))
        self._rigid((f"{side}Shoulder",), "upperChest")
        if not seen:
            self._rigid((upper, lower, hand), f"{side}Shoulder")
            return
        to_shoulder = self._seen(f"{side}_shoulder") - self.place[f"{side}Shoulder"]
        self._set(f"{side}Shoulder", _aimed(self.turn["upperChest"], self._rest(upper), to_shoulder))
        # At rest (palms down) an elbow bends the hand forwards, +Z: about -Y on the left, +Y on the right.
        hinge = -_UP if side == "left" else _UP
        self._limb(upper, lower, hand, f"{side}_elbow", f"{side}_wrist", hinge)
        self._rigid((hand,), lower)

    def _leg(self, side: str, seen: bool) -> None:
        upper, lower, foot, toes = (f"{side}{bone}" for bone in ("UpperLeg", "LowerLeg", "Foot", "Toes"))
        if not seen:
            self._rigid((upper, lower, foot, toes), "hips")
            return
        # A knee bends the foot backwards, -Z: about +X.
        self._limb(upper, lower, foot, f"{side}_knee", f"{side}_ankle", _ACROSS)
        if f"{side}_toe" in self.points:
            rest = self._rest(toes) + self._tip(toes)
            to_toe = self._seen(f"{side}_toe") - self.place[foot]
            self._set(foot, _frames(to_toe, self.turn[lower][..., 0], rest, _ACROSS))
        else:
            self._rigid((foot,), lower)
        self._rigid((toes,), foot)

    def _limb(self, upper: str, lower: str, end: str, middle_joint: str, end_joint: str, hinge: Floats) -> None:
        """Aim two bones; the plane in which they bend turns the upper one about itself."""
        parent = self.turn[self.rig.skeleton.joint_names[self.rig.skeleton.parents[self.rig.skeleton.index(upper)]]]
        toward = next((self.points[name] for name in (middle_joint, end_joint) if name in self.points), None)
        if toward is None:
            self._set(upper, parent)
            self._rigid((lower,), upper)
            return
        bone = _unit(toward - self.place[upper])
        straight = _aimed(parent, self._rest(lower), bone)
        if middle_joint not in self.points or end_joint not in self.points:
            self._set(upper, straight)
            self._rigid((lower,), upper)
            return
        middle = self.place[upper] + bone * np.linalg.norm(self._rest(lower))
        forearm = _unit(self._seen(end_joint) - middle)
        twist = self._twist(bone, forearm, straight @ hinge, is_knee=upper.endswith("Leg"))
        self._set(upper, rotvec_to_matrix(bone * twist[:, None]) @ straight)
        self._set(lower, _aimed(self.turn[upper], self._rest(end), forearm))

    def _twist(self, bone: Floats, forearm: Floats, hinge: Floats, is_knee: bool) -> Floats:
        """The angle (T,) about ``bone`` that turns ``hinge`` onto the axis the limb bends about.

        Averaged over time as unit complex numbers, a share ``bent`` of the angle seen and the rest of the angle 0.
        """
        axis = np.cross(bone, forearm)
        angle = np.arctan2(_dot(np.cross(hinge, axis), bone), _dot(hinge, axis))
        low, high = np.sin(np.radians(self.settings.straight_deg))
        bent = np.clip((np.linalg.norm(axis, axis=-1) - low) / (high - low), 0.0, 1.0)
        bent = np.where(_dot(bone, forearm) < 0, 1.0, bent)  # more than a right angle
        if is_knee:  # bends backwards only: the other way round is noise
            bent = bent * np.clip(np.cos(angle), 0.0, 1.0)
        turning = bent * np.exp(1j * angle) + (1 - bent)
        sigma = self.settings.twist_smoothing_s * self.fps
        smooth = smoothed(turning.real, sigma) + 1j * smoothed(turning.imag, sigma)
        return np.asarray(np.angle(smooth))


def smoothed(values: Floats, sigma_frames: float) -> Floats:
    """Average over time (axis 0) with a Gaussian; the first and the last value are held beyond the ends."""
    if sigma_frames <= 0 or len(values) < 2:
        return values
    reach = min(round(4 * sigma_frames), 4 * len(values))  # a rate of a million frames per second is no reason to wait
    return np.asarray(gaussian_filter1d(values, sigma_frames, axis=0, mode="nearest", radius=reach))


def _frames(primary: Floats, secondary: Floats, rest_primary: Floats, rest_secondary: Floats) -> Floats:
    """Rotations that turn one rest direction onto ``primary`` and a second one towards ``secondary``.

    Where ``primary`` is no direction, because both its points are at one place, it stays as at rest.
    """
    rest = _basis(rest_primary, rest_secondary)
    primary = np.where(_is_none(primary), rest_primary, primary)
    return np.asarray(_basis(primary, secondary) @ rest.T)


def _basis(primary: Floats, secondary: Floats) -> Floats:
    first = _unit(primary)
    across = secondary - first * _dot(first, secondary)[..., None]
    # Where both are parallel, any direction across will do: the coordinate axis that the first leans to least.
    spare = np.eye(3)[np.argmin(np.abs(first), axis=-1)]
    spare = spare - first * _dot(first, spare)[..., None]
    parallel = np.linalg.norm(across, axis=-1, keepdims=True) < 1e-3 * np.linalg.norm(secondary, axis=-1, keepdims=True)
    second = _unit(np.where(parallel, spare, across))
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def _aimed(turn: Floats, rest: Floats, towards: Floats) -> Floats:
    """The rotation nearest to ``turn`` that points ``rest`` towards a direction; ``turn`` itself where that is none."""
    now = turn @ rest
    return np.asarray(wxyz_to_matrix(rotation_between(now, np.where(_is_none(towards), now, towards))) @ turn)


def _share_twist(turn: Floats, goal: Floats, axis: Floats) -> Floats:
    """Add half of the twist about ``axis`` (in the bone's own frame) that is left between ``turn`` and ``goal``."""
    along = axis / np.linalg.norm(axis)
    wxyz = matrix_to_wxyz(np.swapaxes(turn, -1, -2) @ goal)
    angle = 2 * np.arctan2(wxyz[..., 1:] @ along, wxyz[..., 0])
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    return np.asarray(turn @ rotvec_to_matrix(angle[..., None] / 2 * along))


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


def _is_none(vectors: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.linalg.norm(vectors, axis=-1, keepdims=True) < _NO_WAY_M)


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray((a * b).sum(axis=-1))
