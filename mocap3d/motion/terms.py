"""What the solver weighs against each other, linearised: the gradient and the blocks of the normal equations.

The unknowns of a frame are a shift of the root and, for each joint that anything observes, a small turn ``d`` in the
joint's own frame: local * exp(d). All times are in seconds and all weights per second (``Problem.per_frame``), so that
the frame rate does not change the balance:

* **Positions**: every marker pulls at its place on the rig, ``(place - target) / std``, through all joints it hangs
  on. Robust (Geman and McClure): a marker further off than about its ``scale_m`` counts less and less.
* **Smoothness**: the angular acceleration of every joint, as the change of its angular velocity ``log(R_t^T R_t+1)``
  from one pair of frames to the next, and the acceleration of the root.
* **Reference**: a weak pull towards a rotation, for what is hardly observed: rest for trunk, neck, head and feet, the
  hinge for elbows and knees, the start for upper arms and thighs.
* **Limits**: the part of a joint's angles beyond its anatomical range (``base.joint_limits``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.joint_limits import excess_rad, limit_angle_jacobians
from mocap3d.base.rotations import matrix_to_wxyz
from mocap3d.base.skeleton import ROOT
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.motion.tangent import inverse_right_jacobian, log_so3

__all__ = ["Blocks", "Placed", "Problem", "linearised", "placed"]

Floats = NDArray[np.float64]
_PARENTS = HUMANOID_22.parents


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """One clip, as the solver sees it. T frames, M markers, A joints that turn.

    Attributes:
        offsets_m: (22, 3) of the rig.
        joints: (A,) joints that turn; the others keep the rotations that they start with.
        bones: (M,) joint in whose frame a marker is fixed.
        marker_m: (M, 3) where, in that frame.
        target_m: (T, M, 3) observed; anything finite where the weight is 0.
        weight: (T, M) 1 / std^2, in 1 / m^2; 0 is not observed.
        scale_m: (M,) distance at which an observation begins to be doubted.
        reference: (T, A, 3, 3) rotations that joints are weakly pulled to.
        reference_weight: (A, 3) 1 / std^2 for each component of log(reference^T local), 1 / rad^2.
        turn_weight: (T, A) 1 / std^2 of angular accelerations, 1 / (rad/s^2)^2.
        root_weight: (T,) the same of the root's acceleration, 1 / (m/s^2)^2.
        limit_weight: 1 / std^2 of what is beyond the limits, 1 / rad^2.
        frame_s: seconds per frame.
        per_frame: what a frame counts: its length over a thirtieth of a second.
    """

    offsets_m: Floats
    joints: NDArray[np.intp]
    bones: NDArray[np.intp]
    marker_m: Floats
    target_m: Floats
    weight: Floats
    scale_m: Floats
    reference: Floats
    reference_weight: Floats
    turn_weight: Floats
    root_weight: Floats
    limit_weight: float
    frame_s: float

    @property
    def per_frame(self) -> float:
        """A frame's share of the weights, which are stated for 30 frames per second."""
        return self.frame_s * 30

    @property
    def unknowns(self) -> int:
        """D, per frame: the root, then three for each joint that turns."""
        return 3 + 3 * len(self.joints)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """Where everything is: world_from_joint (22, T, 3, 3), joints (22, T, 3), markers (T, M, 3)."""

    turn: Floats
    joint_m: Floats
    marker_m: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blocks:
    """The normal equations of n frames, H d = -gradient, as blocks; slot 0 is the root, slot 1 + a is joint a.

    Attributes:
        same: (n, D, D) a frame with itself.
        next: (n - 1, 1 + A, 3, 3) a frame with the one before, joint by joint.
        after: (n - 2, 1 + A, 3, 3) a frame with the second before.
        gradient: (n, D).
        cost: (n,) of the frames as they are.
    """

    same: Floats
    next: Floats
    after: Floats
    gradient: Floats
    cost: Floats


def placed(problem: Problem, local: Floats, root_m: Floats) -> Placed:
    """Forward kinematics: local (T, 22, 3, 3) and root_m (T, 3) -> places of joints and markers."""
    frames = len(root_m)
    turn, joint_m = np.empty((len(_PARENTS), frames, 3, 3)), np.empty((len(_PARENTS), frames, 3))
    for j, parent in enumerate(_PARENTS):
        if parent == ROOT:
            turn[j], joint_m[j] = local[:, j], root_m
            continue
        np.matmul(turn[parent], local[:, j], out=turn[j])
        joint_m[j] = joint_m[parent] + turn[parent] @ problem.offsets_m[j]
    marker_m = joint_m[problem.bones] + (turn[problem.bones] @ problem.marker_m[:, None, :, None])[..., 0]
    return Placed(turn=turn, joint_m=joint_m, marker_m=marker_m.swapaxes(0, 1))


def linearised(problem: Problem, local: Floats, root_m: Floats, during: slice) -> Blocks:
    """Linearise all terms of some frames; the frames around them are held as they are.

    Args:
        problem: the whole clip.
        local: (T, 22, 3, 3) parent_from_joint.
        root_m: (T, 3).
        during: the frames that may move.
    """
    same, gradient, cost = _positions(problem, local[during], root_m[during], during)
    _add_reference(problem, local[during], during, same, gradient, cost)
    if problem.limit_weight > 0:
        _add_limits(problem, local[during], same, gradient, cost)
    next_, after = _add_smoothness(problem, local, root_m, during, same, gradient, cost)
    return Blocks(same=same, next=next_, after=after, gradient=gradient, cost=cost)


def _positions(problem: Problem, local: Floats, root_m: Floats, during: slice) -> tuple[Floats, Floats, Floats]:
    frames, markers = len(root_m), len(problem.bones)
    at = placed(problem, local, root_m)
    error = at.marker_m - problem.target_m[during]  # (n, M, 3)
    weight = problem.weight[during] * problem.per_frame
    squared = (error * error).sum(axis=-1)
    trust = 1 / (1 + squared / problem.scale_m**2)  # Geman and McClure: cost e^2 * trust, weight trust^2
    root_weight = np.sqrt(weight) * trust
    jacobian = _marker_jacobian(problem, at) * root_weight[..., None, None]
    jacobian = jacobian.reshape(frames, 3 * markers, problem.unknowns)
    transposed = jacobian.swapaxes(1, 2)
    pull = (root_weight[..., None] * error).reshape(frames, -1, 1)
    return transposed @ jacobian, (transposed @ pull)[..., 0], (weight * squared * trust).sum(axis=-1)


def _marker_jacobian(problem: Problem, at: Placed) -> Floats:
    """(n, M, 3, D): how each marker moves. A turn d of joint a moves p by R_a (d x R_a^T (p - p_a))."""
    frames, markers = at.marker_m.shape[:2]
    pairs = _chains(problem)
    arm = at.marker_m[:, pairs[0]] - at.joint_m[problem.joints[pairs[1]]].swapaxes(0, 1)  # (n, P, 3)
    axes = at.turn[problem.joints[pairs[1]]].swapaxes(0, 1)  # (n, P, 3, 3) columns: the joint's axes in the world
    x, y, z = (arm[..., i, None] for i in range(3))
    block = np.empty((*arm.shape, 3))  # column k: axes[:, k] x arm
    block[..., 0, :] = axes[..., 1, :] * z - axes[..., 2, :] * y
    block[..., 1, :] = axes[..., 2, :] * x - axes[..., 0, :] * z
    block[..., 2, :] = axes[..., 0, :] * y - axes[..., 1, :] * x
    jacobian = np.zeros((frames, markers, 1 + len(problem.joints), 3, 3))
    jacobian[:, :, 0] = np.eye(3)
    jacobian[:, pairs[0], 1 + pairs[1]] = block
    return jacobian.swapaxes(2, 3).reshape(frames, markers, 3, problem.unknowns)


def _chains(problem: Problem) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(marker, slot of joint) of every joint that moves a marker."""
    slot = {int(joint): a for a, joint in enumerate(problem.joints)}
    pairs = []
    for m, bone in enumerate(problem.bones):
        joint = int(bone)
        while joint != ROOT:
            if joint in slot:
                pairs.append((m, slot[joint]))
            joint = _PARENTS[joint]
    found = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _diagonal(same: Floats) -> Floats:
    """A writable view (n, 1 + A, 3, 3) of the blocks on the diagonal."""
    frames, unknowns = same.shape[:2]
    s0, s1, s2 = same.strides
    slots = unknowns // 3
    return np.lib.stride_tricks.as_strided(same, (frames, slots, 3, 3), (s0, 3 * (s1 + s2), s1, s2))


def _add_reference(
    problem: Problem, local: Floats, during: slice, same: Floats, gradient: Floats, cost: Floats
) -> None:
    off = log_so3(problem.reference[during].swapaxes(-1, -2) @ local[:, problem.joints])  # (n, A, 3)
    jacobian = inverse_right_jacobian(off)
    weight = problem.reference_weight * problem.per_frame
    pulled = jacobian.swapaxes(-1, -2) * weight[:, None, :]
    _diagonal(same)[:, 1:] += pulled @ jacobian
    gradient[:, 3:] += (pulled @ off[..., None]).reshape(len(local), -1)
    cost += (weight * off * off).sum(axis=(1, 2))


def _add_limits(problem: Problem, local: Floats, same: Floats, gradient: Floats, cost: Floats) -> None:
    wxyz = matrix_to_wxyz(local)
    beyond = excess_rad(wxyz)[:, problem.joints]
    frames = np.flatnonzero(beyond.any(axis=(1, 2)))
    if not len(frames):
        return
    weight = problem.limit_weight * problem.per_frame
    jacobian = limit_angle_jacobians(wxyz[frames])[:, problem.joints]
    jacobian = jacobian * (beyond[frames] != 0)[..., None]
    transposed = weight * jacobian.swapaxes(-1, -2)
    _diagonal(same)[frames, 1:] += transposed @ jacobian
    gradient[frames, 3:] += (transposed @ beyond[frames][..., None]).reshape(len(frames), -1)
    cost += weight * (beyond * beyond).sum(axis=(1, 2))


def _add_smoothness(
    problem: Problem, local: Floats, root_m: Floats, window: slice, same: Floats, gradient: Floats, cost: Floats
) -> tuple[Floats, Floats]:
    """Add the accelerations of frames and of two around them; returns the blocks that couple frames."""
    around = slice(max(0, window.start - 2), min(len(root_m), window.stop + 2))
    inside = slice(window.start - around.start, window.stop - around.start)
    n, slots = around.stop - around.start, 1 + len(problem.joints)
    own, coupled, coupled2 = (np.zeros((max(n - k, 0), slots, 3, 3)) for k in range(3))
    slope, frame_cost = np.zeros((n, slots, 3)), np.zeros(n)
    if n > 2:
        residual, *parts = _accelerations(problem, local, root_m, around)
        frame_cost[1:-1] = (residual * residual).sum(axis=(1, 2))
        turned = [part.swapaxes(-1, -2) for part in parts]
        for k in range(3):
            own[k : n - 2 + k] += turned[k] @ parts[k]
            slope[k : n - 2 + k] += (turned[k] @ residual[..., None])[..., 0]
        first, middle, _ = parts
        coupled[: n - 2] += turned[1] @ first
        coupled[1:] += turned[2] @ middle
        coupled2 += turned[2] @ first
    kept = inside.stop - inside.start
    _diagonal(same)[:] += own[inside]
    gradient += slope[inside].reshape(kept, -1)
    cost += frame_cost[inside]
    return coupled[inside.start : inside.stop - 1], coupled2[inside.start : max(inside.stop - 2, inside.start)]


def _accelerations(
    problem: Problem, local: Floats, root_m: Floats, during: slice
) -> tuple[Floats, Floats, Floats, Floats]:
    """Weighted accelerations (n - 2, 1 + A, 3) and how three frames in a row move them, (n - 2, 1 + A, 3, 3) each."""
    scale = np.sqrt(problem.per_frame) / problem.frame_s**2
    middles = slice(during.start + 1, during.stop - 1)
    by_root = np.sqrt(problem.root_weight[middles]) * scale  # (n - 2,)
    by_turn = np.sqrt(problem.turn_weight[middles]) * scale  # (n - 2, A)
    turning = local[during][:, problem.joints]
    velocity = log_so3(turning[:-1].swapaxes(-1, -2) @ turning[1:])  # (n - 1, A, 3)
    forward = inverse_right_jacobian(velocity)
    shape = (len(by_root), 1 + len(problem.joints), 3)
    residual, first, middle, last = np.empty(shape), *(np.empty((*shape, 3)) for _ in range(3))
    residual[:, 0] = np.diff(root_m[during], n=2, axis=0) * by_root[:, None]
    residual[:, 1:] = np.diff(velocity, axis=0) * by_turn[..., None]
    last[:, 0] = np.eye(3) * by_root[:, None, None]
    first[:, 0], middle[:, 0] = last[:, 0], -2 * last[:, 0]
    np.multiply(forward[:-1].swapaxes(-1, -2), by_turn[..., None, None], out=first[:, 1:])
    np.multiply(forward[1:], by_turn[..., None, None], out=last[:, 1:])
    np.negative((first[:, 1:] + last[:, 1:]).swapaxes(-1, -2), out=middle[:, 1:])
    return residual, first, middle, last
