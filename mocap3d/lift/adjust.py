"""All frames of several cameras at once: bones of constant length, smooth paths, views that disagree left out.

What ``multiview.py`` finds frame by frame is where this starts from. Gauss-Newton on one sum: pixels through the true
lenses, weighted by the noise of the clip and by agreement; the lengths of limbs, each one unknown number for the whole
clip; and accelerations. Normal equations reach two frames far and are banded; the lengths border them
(``chain.py``). A joint that one camera sees, or none for a moment, is held by all the rest: it is filled in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from mocap3d.base.camera import Camera
from mocap3d.base.consensus import agreement
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.projection import project
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.triangulation import px_per_m
from mocap3d.lift.chain import Chain, solved, variances
from mocap3d.lift.multiview import MultiviewSettings, stacked, triangulate_everything

__all__ = ["AdjustSettings", "adjust_pose", "rigid_bones"]

Floats = NDArray[np.float64]

_LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"), ("ankle", "toe"))
_RIGID = (
    *((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in _LIMBS),
    *(("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "right_eye"), ("left_ear", "right_ear")),
    *(("nose", "left_ear"), ("nose", "right_ear"), ("left_hip", "right_hip"), ("neck", "head")),
    *(("pelvis", "left_hip"), ("pelvis", "right_hip")),
)
_MPS2 = {"wrist": 40.0, "ankle": 40.0, "toe": 60.0, "heel": 50.0, "hand": 50.0, "elbow": 25.0, "knee": 25.0}
_TRUNK_MPS2 = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustSettings:
    """What is believed about bodies and motion.

    Attributes:
        views: about the cameras, as for `triangulate_pose`.
        bone_std_m: by how much a limb's length seems to change, because a detector means different points of a joint.
        acceleration: factor on the accelerations that joints are thought to have (12 m/s² of the trunk to 60 of toes).
        iterations: of Gauss-Newton at most.
        settled_m: no more of them once nothing moves further.
        longest_s: how long a joint may go without two cameras that agree; beyond it stays missing, for one ray and
            a bone fit in two places.
        largest_std_m: what is less sure than this, and not seen by two cameras, stays missing.
    """

    views: MultiviewSettings | None = None
    bone_std_m: float = 0.002
    acceleration: float = 1.0
    iterations: int = 12
    settled_m: float = 0.0005
    longest_s: float = 0.25
    largest_std_m: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        given = (
            self.bone_std_m,
            self.acceleration,
            self.iterations,
            self.settled_m,
            self.longest_s,
            self.largest_std_m,
        )
        if not all(np.isfinite(value) and value > 0 for value in given):
            raise InputError(f"settings of the adjustment must be above 0, got {self}")


def adjust_pose(
    poses: Sequence[Pose2D | None], cameras: Sequence[Camera], *, settings: AdjustSettings | None = None
) -> Pose3D:
    """Triangulate one person over the whole clip.

    Args:
        poses: as for `triangulate_pose`, and so are the cameras.
        cameras: C calibrated cameras.
        settings: what is believed beforehand.

    Returns:
        Joints in the world. Seen by two cameras or more that agree: confidence above 0. Held by one camera, bones or
        the moments around: filled in, finite with confidence 0, as long as the settings allow. ``std_m`` is the
        marginal of the whole system.

    Raises:
        InputError: as `triangulate_pose`.

    Reference:
        Triggs et al., "Bundle Adjustment: A Modern Synthesis", 2000, for robust weights and bordered systems.
    """
    settings = settings or AdjustSettings()
    first = triangulate_everything(poses, cameras, settings=settings.views)
    xy_px, confidence, _ = stacked(poses, cameras)
    pose = first.pose
    known = np.asarray(np.isfinite(pose.xyz_m).all(axis=-1))
    joints = np.flatnonzero(known.any(axis=0))  # a joint that was never found is not looked for
    if not len(joints):
        return pose
    with np.errstate(divide="ignore"):
        sigma_px = first.std_px[:, None, joints] / np.sqrt(confidence[:, :, joints])
    views = _Views(cameras, xy_px[:, :, joints], sigma_px)
    bones = rigid_bones(pose.skeleton, joints)
    chain, x, say = _minimised(views, _bridged(pose.xyz_m[:, joints], known[:, joints]), bones, pose, joints, settings)
    std_m = np.sqrt(variances(chain, x.shape[1]).sum(axis=-1) / 3)
    return _result(pose, joints, x, std_m, say, confidence[:, :, joints], settings)


def rigid_bones(skeleton: Skeleton, joints: NDArray[np.int64]) -> NDArray[np.int64]:
    """(B, 2) pairs of points that keep their distance, as places in ``joints``."""
    place = {skeleton.joint_names[joint]: n for n, joint in enumerate(joints.tolist())}
    pairs = [(place[a], place[b]) for a, b in _RIGID if a in place and b in place]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


class _Views:
    """The pixels' part of the sum."""

    def __init__(self, cameras: Sequence[Camera], xy_px: Floats, sigma_px: Floats) -> None:
        self.cameras = cameras
        self.xy_px = np.where(np.isfinite(sigma_px)[..., None], xy_px, np.nan)
        self.sigma_px = sigma_px

    def linearised(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Information (T, J, 3, 3), pull (T, J, 3) and the say (C, T, J) of each view at x (T, J, 3)."""
        information, pull, says = np.zeros((*x.shape, 3)), np.zeros(x.shape), []
        for camera, xy, sigma in zip(self.cameras, self.xy_px, self.sigma_px, strict=True):
            off = (xy - project(camera, x)[0]) / sigma[..., None]
            say = agreement(np.linalg.norm(off, axis=-1))
            root = np.sqrt(say)[..., None]
            off = np.where(root > 0, off * root, 0.0)
            slope = np.where(root[..., None] > 0, px_per_m(camera, x) * (root / sigma[..., None])[..., None], 0.0)
            information += np.einsum("tjka,tjkb->tjab", slope, slope)
            pull += np.einsum("tjka,tjk->tja", slope, off)
            says.append(say)
        return information, pull, np.stack(says)


def _minimised(
    views: _Views,
    x: Floats,
    bones: NDArray[np.int64],
    pose: Pose3D,
    joints: NDArray[np.int64],
    settings: AdjustSettings,
) -> tuple[Chain, Floats, Floats]:
    """The last equations, (T, J, 3) and the say of the views there."""
    spans = np.linalg.norm(x[:, bones[:, 0]] - x[:, bones[:, 1]], axis=-1)
    lengths_m = np.median(spans, axis=0) if len(bones) else np.zeros(0)
    calm = np.array([_acceleration(pose.skeleton.joint_names[j]) for j in joints]) * settings.acceleration
    smooth = float(pose.fps) ** 2 / calm  # one over the standard deviation of a second difference
    chain, say = _equations(views, x, bones, lengths_m, smooth, settings.bone_std_m)
    for _ in range(settings.iterations):
        step, longer = solved(chain)
        step *= np.minimum(1.0, 0.2 / np.maximum(np.linalg.norm(step, axis=-1, keepdims=True), 1e-12))
        x, lengths_m = x + step, lengths_m + longer
        chain, say = _equations(views, x, bones, lengths_m, smooth, settings.bone_std_m)
        if np.abs(step).max() < settings.settled_m:
            break
    return chain, x, say


def _equations(
    views: _Views, x: Floats, bones: NDArray[np.int64], lengths_m: Floats, smooth: Floats, bone_std_m: float
) -> tuple[Chain, Floats]:
    information, pull, say = views.linearised(x)
    frames, joints, _ = x.shape
    blocks = np.zeros((frames, joints, 3, joints, 3))
    each = np.arange(joints)
    blocks[:, each, :, each] = np.moveaxis(information, 1, 0)
    border, pull_border = _add_bones(x, bones, lengths_m, bone_std_m, blocks, pull)
    weight = np.repeat(smooth**2, 3).reshape(joints, 3)
    bend = np.diff(x, n=2, axis=0) * weight
    for start, factor in ((0, -1.0), (1, 2.0), (2, -1.0)):
        pull[start : start + len(bend)] += factor * bend
    chain = Chain(
        blocks=blocks.reshape(frames, 3 * joints, 3 * joints),
        bend=weight.ravel(),
        border=border.reshape(frames, 3 * joints, -1),
        corner=np.full(len(bones), frames / bone_std_m**2),
        pull=pull.reshape(frames, -1),
        pull_border=pull_border,
    )
    return chain, say


def _add_bones(
    x: Floats, bones: NDArray[np.int64], lengths_m: Floats, bone_std_m: float, blocks: Floats, pull: Floats
) -> tuple[Floats, Floats]:
    """Put bones into blocks and pull; return what their lengths share with the joints, and their own pull."""
    border, pull_border = np.zeros((*x.shape, len(bones))), np.zeros(len(bones))
    for n, (a, b) in enumerate(bones.tolist()):
        apart = x[:, a] - x[:, b]
        span = np.linalg.norm(apart, axis=-1)
        along = apart / np.maximum(span, 1e-9)[:, None] / bone_std_m
        short = (lengths_m[n] - span) / bone_std_m
        outer = along[:, :, None] * along[:, None]
        for p, q, sign in ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1)):
            blocks[:, p, :, q] += sign * outer
        pull[:, a] += along * short[:, None]
        pull[:, b] -= along * short[:, None]
        border[:, a, :, n] = -along / bone_std_m
        border[:, b, :, n] = along / bone_std_m
        pull_border[n] = -short.sum() / bone_std_m
    return border, pull_border


def _acceleration(name: str) -> float:
    return next((value for part, value in _MPS2.items() if part in name), _TRUNK_MPS2)


def _bridged(xyz_m: Floats, known: NDArray[np.bool_]) -> Floats:
    """Something to start from everywhere: straight lines over gaps."""
    x = xyz_m.copy()
    everywhere = np.arange(len(x))
    for joint in range(x.shape[1]):
        there = np.flatnonzero(known[:, joint])
        for axis in range(3):
            x[:, joint, axis] = np.interp(everywhere, there, xyz_m[there, joint, axis])
    return x


def _seconds_away(there: NDArray[np.bool_], fps: float) -> Floats:
    """(T,) time to the nearest frame that counts; infinite where none does."""
    if not there.any():
        return np.full(len(there), np.inf)
    return np.asarray(distance_transform_edt(~there) / fps, dtype=np.float64)


def _result(
    pose: Pose3D,
    joints: NDArray[np.int64],
    x: Floats,
    std_m: Floats,
    say: Floats,
    confidence: Floats,
    settings: AdjustSettings,
) -> Pose3D:
    views = (say > 0).sum(axis=0)
    sure = (say * confidence).sum(axis=0) / np.maximum(say.sum(axis=0), 1e-12)
    near = np.stack([_seconds_away(column, float(pose.fps)) for column in (views >= 2).T], axis=1)
    there = (views >= 2) | ((std_m <= settings.largest_std_m) & (near <= settings.longest_s))
    xyz_m, all_std = np.full(pose.xyz_m.shape, np.nan), np.zeros(pose.std_m.shape)
    all_confidence, all_views = np.zeros(pose.confidence.shape), np.zeros(pose.views.shape, dtype=np.int64)
    xyz_m[:, joints] = np.where(there[..., None], x, np.nan)
    all_std[:, joints] = np.where(there, std_m, 0.0)
    all_confidence[:, joints] = np.where(views >= 2, sure, 0.0)
    all_views[:, joints] = np.where(there, views, 0)
    return replace(pose, xyz_m=xyz_m, std_m=all_std, confidence=all_confidence.clip(0, 1), views=all_views)
