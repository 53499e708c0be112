"""The root's path: where a lifted body must stand so that it projects onto the 2D joints.

The lifter knows the body's shape, not its place. With the lens known, each joint says that the body lies on that
joint's ray; all joints of all frames together, with a smooth path and feet that do not slide while planted, are one
sparse linear least-squares problem in the root's positions, reweighted a few times against outliers. Scale comes from
the body height alone: a body said to be 5 % taller is found 5 % further away and moves 5 % faster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from mocap3d.base.camera import Camera
from mocap3d.base.contacts import ContactSettings, foot_contacts
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.projection import px_to_rays

__all__ = ["RootPathSettings", "ankles_and_toes", "place"]


_LENIENT = ContactSettings(still_mps=0.5, moving_mps=1.2)
_LENIENT_ROUNDS = 2
"""Before planted feet hold it, the path drifts in depth, and feet seem to slide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootPathSettings:
    """What is believed before looking; standard deviations.

    Attributes:
        joint_std_m: error of a lifted joint against its ray, at the body.
        acceleration_mps2: acceleration of a human pelvis.
        slide_mps: speed of a planted foot.
        outlier_std: joints off their rays, and feet that slide, by more than so many standard deviations lose weight
            (Cauchy).
        rounds: reweighting rounds at most; contacts are looked for again in each.
        settled_m: no more rounds once no position moves further than this.
    """

    joint_std_m: float = 0.04
    acceleration_mps2: float = 3.0
    slide_mps: float = 0.1
    outlier_std: float = 2.0
    rounds: int = 30
    settled_m: float = 0.001


def place(
    body: Pose3D, pose2d: Pose2D, camera: Camera, *, settings: RootPathSettings | None = None
) -> tuple[Pose3D, NDArray[np.float64]]:
    """Move a root-relative body to where it reprojects onto the 2D joints.

    Args:
        body: camera axes, root at the origin, finite in every frame.
        pose2d: the same frames; joints are matched by name, weighted by confidence.
        camera: the lens.
        settings: what is believed beforehand.

    Returns:
        The body in the camera's frame, and its foot contacts (T, 4): left ankle, left toe, right ankle, right toe.

    Raises:
        InputError: other frames, no common joint, or no joint seen at all.
    """
    settings = settings or RootPathSettings()
    u, X, weight = _correspondences(body, pose2d, camera)
    feet = ankles_and_toes(body)
    frames = len(body)
    dt = float(1 / body.fps)
    data_weight = weight / settings.joint_std_m**2
    robust = np.ones_like(weight)
    contacts = np.zeros((frames, 4))
    planted = np.zeros((max(frames - 1, 0), 4))
    smooth = _smoothness(frames, dt, settings)
    T = np.zeros((frames, 3))
    for round_ in range(settings.rounds):
        A, b = _ray_equations(u, X, data_weight * robust)
        C, d = _contact_equations(feet, planted, dt, settings)
        normal = (A.T @ A + C.T @ C + smooth).tocsc()
        before, T = T, splu(normal).solve(A.T @ b + C.T @ d).reshape(frames, 3)
        # A joint's distance from its ray, at the body.
        at = X + T[:, None]
        error = np.linalg.norm(at[..., :2] - u * at[..., 2:], axis=-1)
        robust = 1 / (1 + (error / (settings.outlier_std * settings.joint_std_m)) ** 2)
        contacts = foot_contacts(feet + T[:, None], body.fps, settings=_LENIENT if round_ < _LENIENT_ROUNDS else None)
        slip = np.linalg.norm(np.diff(feet + T[:, None], axis=0), axis=-1) / dt
        planted = np.minimum(contacts[1:], contacts[:-1]) / (
            1 + (slip / (settings.outlier_std * settings.slide_mps)) ** 2
        )
        if round_ > _LENIENT_ROUNDS and np.abs(T - before).max() < settings.settled_m:
            break
    if ((T[:, None] + X)[..., 2][weight > 0] <= 0).any():
        raise InputError("the body cannot be placed in front of the camera: check the field of view and the 2D joints")
    return replace(body, xyz_m=body.xyz_m + T[:, None], frame="camera"), contacts


def ankles_and_toes(body: Pose3D) -> NDArray[np.float64]:
    """Pick (T, 4, 3): left ankle, left toe, right ankle, right toe."""
    names = ("left_ankle", "left_toe", "right_ankle", "right_toe")
    return body.xyz_m[:, [body.skeleton.index(name) for name in names]]


def _correspondences(
    body: Pose3D, pose2d: Pose2D, camera: Camera
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Rays (T, N, 2) at z = 1, joints (T, N, 3) and weights (T, N) of the joints that both skeletons name."""
    if len(body) != len(pose2d) or body.fps != pose2d.fps:
        raise InputError(f"body has {len(body)} frames at {body.fps} fps, pose2d {len(pose2d)} at {pose2d.fps}")
    common = [name for name in pose2d.skeleton.joint_names if name in body.skeleton.joint_names]
    if not common:
        raise InputError(f"skeletons {body.skeleton.name!r} and {pose2d.skeleton.name!r} share no joint name")
    of_2d = [pose2d.skeleton.index(name) for name in common]
    of_body = [body.skeleton.index(name) for name in common]
    u = px_to_rays(camera, pose2d.xy_px[:, of_2d])[..., :2]
    weight = np.where(np.isfinite(u).all(axis=-1), pose2d.confidence[:, of_2d], 0.0)
    if not weight.any():
        raise InputError("no joint was seen in any frame: the body cannot be placed")
    return np.nan_to_num(u), body.xyz_m[:, of_body], weight


def _ray_equations(
    u: NDArray[np.float64], X: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[sp.csr_array, NDArray[np.float64]]:
    """Rows (X + Tx) - u (Z + Tz) = 0 and the same for y, weighted."""
    frames, joints = weight.shape
    root_weight = np.sqrt(weight)
    row = np.arange(frames * joints * 2).reshape(frames, joints, 2)
    own = np.broadcast_to(3 * np.arange(frames)[:, None, None] + [0, 1], row.shape)
    depth = np.broadcast_to(3 * np.arange(frames)[:, None, None] + 2, row.shape)
    w2 = np.broadcast_to(root_weight[..., None], row.shape)
    values = np.concatenate([w2.ravel(), (-u * w2).ravel()])
    indices = (np.concatenate([row.ravel(), row.ravel()]), np.concatenate([own.ravel(), depth.ravel()]))
    A = sp.csr_array((values, indices), shape=(row.size, 3 * frames))
    b = ((u * X[..., 2:] - X[..., :2]) * w2).ravel()
    return A, b


def _contact_equations(
    feet: NDArray[np.float64], planted: NDArray[np.float64], dt: float, settings: RootPathSettings
) -> tuple[sp.csr_array, NDArray[np.float64]]:
    """Rows (T + foot)[t + 1] - (T + foot)[t] = 0 while the foot is planted."""
    frames = len(feet)
    scale = 1 / (settings.slide_mps * dt)
    weight = np.repeat((np.sqrt(planted) * scale)[..., None], 3, axis=-1)  # (T - 1, 4, 3)
    difference = sp.diags_array([-1.0, 1.0], offsets=[0, 1], shape=(max(frames - 1, 0), frames))
    stacked = sp.kron(difference, sp.kron(np.ones((4, 1)), sp.eye_array(3)), format="csr")
    C = sp.diags_array(weight.ravel()) @ stacked if frames > 1 else sp.csr_array((0, 3 * frames))
    return sp.csr_array(C), (-np.diff(feet, axis=0) * weight).ravel()


def _smoothness(frames: int, dt: float, settings: RootPathSettings) -> sp.csc_array:
    """Normal equations of the second differences, with a trace of a pull that keeps unseen frames solvable."""
    tiny = 1e-9 * sp.eye_array(3 * frames)
    if frames < 3:
        # Too short for an acceleration: hold still instead.
        D = sp.diags_array([-1.0, 1.0], offsets=[0, 1], shape=(max(frames - 1, 0), frames)) if frames > 1 else None
        return sp.csc_array(tiny if D is None else sp.kron(D.T @ D, sp.eye_array(3)) / 0.1**2 + tiny)
    D = sp.diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(frames - 2, frames))
    weight = 1 / (settings.acceleration_mps2 * dt * dt) ** 2
    return sp.csc_array(sp.kron(D.T @ D * weight, sp.eye_array(3)) + tiny)
