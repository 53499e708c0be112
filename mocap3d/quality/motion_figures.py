"""What the figures of animation are: plain functions on joints over time, each with its definition and its source.

Times are in seconds: speeds and jerks are taken over steps of 1/30 s (or one frame, where frames are longer), so that a
clip at 120 frames per second has the figures of the same clip at 30, and noise is not multiplied by the rate.
NaN is missing and stays out of everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.checks import as_floats, as_fps
from mocap3d.base.contacts import CONTACT_POINTS
from mocap3d.base.errors import InputError
from mocap3d.base.projection import project
from mocap3d.base.skeleton import ROOT

__all__ = [
    "STEP_S",
    "above_support_m",
    "bone_lengths_m",
    "deepest_m",
    "jerks_m_per_s3",
    "log_dimensionless_jerks",
    "reprojection_errors",
    "skate_speeds_m_per_s",
    "skate_steps_m_per_s",
]

Floats = NDArray[np.float64]

STEP_S: Final = Fraction(1, 30)
"""The time over which speeds and jerks are differences."""

_PLANTED: Final = 0.5
_AT_REST_MPS: Final = 1e-3  # whoever is never faster makes no movement that could be smooth


def skate_speeds_m_per_s(points_m: ArrayLike, contacts: ArrayLike, fps: Fraction | float) -> Floats:
    """Measure how fast points slide over the ground while they should stand.

    Only the horizontal part counts, and only steps of 1/30 s during all of which the point stands.

    Args:
        points_m: (T, 4, 3) left heel, left toe, right heel, right toe in the world, +Y up.
        contacts: (T, 4) in 0..1; 0.5 and more stands.
        fps: frames per second.

    Returns:
        (N,) m/s, one for each step of each standing point.

    Raises:
        InputError: other shapes.

    Reference:
        Kovar, Schreiner, Gleicher, "Footskate Cleanup for Motion Capture Editing", SCA 2002, for the artefact; the
        mean speed of standing points is how the literature measures it since.
    """
    speed = skate_steps_m_per_s(points_m, contacts, fps)
    return np.asarray(speed[np.isfinite(speed)])


def skate_steps_m_per_s(points_m: ArrayLike, contacts: ArrayLike, fps: Fraction | float) -> Floats:
    """The speeds of ``skate_speeds_m_per_s`` step by step: (S, 4) m/s, NaN where a point does not stand.

    Step t leads from frame t to frame t + T - S.
    """
    points = as_floats("points_m", points_m, (None, len(CONTACT_POINTS), 3))
    stands = as_floats("contacts", contacts, (len(points), len(CONTACT_POINTS))) >= _PLANTED
    step = _step(fps)
    if len(points) <= step:
        return np.empty((0, len(CONTACT_POINTS)))
    whole = np.lib.stride_tricks.sliding_window_view(stands, step + 1, axis=0).all(axis=-1)
    way = (points[step:] - points[:-step])[..., [0, 2]]
    speed = np.linalg.norm(way, axis=-1) * float(as_fps(fps)) / step
    return np.where(whole, speed, np.nan)


def deepest_m(points_m: ArrayLike, support_m: ArrayLike) -> Floats:
    """Measure how deep the lowest of the points is below its support: (T,) metres, 0 where none is below.

    Args:
        points_m: (T, N, 3) in the world, +Y up.
        support_m: height of what is under each of them, anything that broadcasts to (T, N).
    """
    below = np.asarray(support_m, np.float64) - np.asarray(points_m, np.float64)[..., 1]
    return np.asarray(np.nan_to_num(below, nan=0.0).max(axis=-1, initial=0.0))


def above_support_m(points_m: ArrayLike, support_m: ArrayLike, contacts: ArrayLike) -> Floats:
    """Measure how far standing points hover above what they stand on: (N,) metres; those below count as 0.

    Args:
        points_m: (T, 4, 3) in the world, +Y up.
        support_m: height of what is under each of them, anything that broadcasts to (T, 4).
        contacts: (T, 4) in 0..1; 0.5 and more stands.
    """
    above = np.asarray(points_m, np.float64)[..., 1] - np.asarray(support_m, np.float64)
    stands = (np.asarray(contacts, np.float64) >= _PLANTED) & np.isfinite(above)
    return np.maximum(above[stands], 0.0)


def bone_lengths_m(xyz_m: ArrayLike, parents: Sequence[int], joints: Sequence[int] | None = None) -> Floats:
    """Measure the distance of joints from their parents: (T, B), in the order of ``joints``.

    Args:
        xyz_m: (T, J, 3).
        parents: of every joint; the root's is -1.
        joints: which bones, by the joint at their end; None: all that have a parent.
    """
    places = np.asarray(xyz_m, np.float64)
    ends = [j for j in (range(len(parents)) if joints is None else joints) if parents[j] != ROOT]
    return np.asarray(np.linalg.norm(places[:, ends] - places[:, [parents[j] for j in ends]], axis=-1))


def jerks_m_per_s3(xyz_m: ArrayLike, fps: Fraction | float) -> Floats:
    """Measure the jerk of joints, the third derivative of their place: (S, J) m/s³; for short clips S is 0.

    It is the third difference over steps of 1/30 s, exact for cubics. Trembling of a millimetre up and down, from one
    step to the next, has a jerk of 216 m/s³; walking, recorded with markers, has 140 to 200 (CMU, limbs and trunk).

    Args:
        xyz_m: (T, J, 3).
        fps: frames per second.

    Reference:
        Flash, Hogan, "The coordination of arm movements", J. Neuroscience 1985, for jerk as the measure of smoothness;
        Yi, Zhou, Xu, "TransPose", SIGGRAPH 2021, for its mean over the joints as the jitter of motion capture.
    """
    places, step = np.asarray(xyz_m, np.float64), _step(fps)
    if len(places) <= 3 * step:
        return np.empty((0, places.shape[1]))
    steps_per_s = float(as_fps(fps)) / step
    n = len(places) - 3 * step
    third = places[3 * step :] - 3 * places[2 * step :][:n] + 3 * places[step:][:n] - places[:n]
    return np.asarray(np.linalg.norm(third, axis=-1) * steps_per_s**3)


def log_dimensionless_jerks(xyz_m: ArrayLike, fps: Fraction | float) -> Floats:
    """Measure smoothness without units, -ln(D³/v² · ∫|jerk|² dt), for each joint: (J,), NaN for one that rests.

    D is the duration and v the highest speed. Larger (less negative) is smoother; it does not change when the movement
    is made larger or faster. A reach from rest to rest, as smooth as can be, has -5.3. Longer clips with more movements
    have less: compare versions of one clip only.

    Args:
        xyz_m: (T, J, 3).
        fps: frames per second.

    Reference:
        Hogan, Sternad, "Sensitivity of smoothness measures to movement duration, amplitude, and arrests", J. Motor
        Behavior 2009; Balasubramanian, Melendez-Calderon, Roby-Brami, Burdet, "On the analysis of movement smoothness",
        J. NeuroEngineering and Rehabilitation 2015 (LDLJ).
    """
    places, step = np.asarray(xyz_m, np.float64), _step(fps)
    found = np.full(places.shape[1], np.nan)
    jerks = jerks_m_per_s3(places, fps)
    if not len(jerks):
        return found
    rate = float(as_fps(fps))
    speeds = np.linalg.norm(places[step:] - places[:-step], axis=-1) * rate / step
    for j in range(len(found)):
        known, fastest = np.isfinite(jerks[:, j]), np.nanmax(speeds[:, j], initial=0.0)
        squares = float((jerks[known, j] ** 2).sum()) / rate
        if fastest > _AT_REST_MPS and squares > 0:
            duration_s = (len(places) - 1) / rate * known.mean()
            found[j] = -np.log(duration_s**3 / fastest**2 * squares)
    return found


def reprojection_errors(
    camera: Camera, xyz_m: ArrayLike, xy_px: ArrayLike, confidence: ArrayLike
) -> tuple[Floats, Floats]:
    """Measure how far joints, seen through a camera, lie from where they were seen.

    Args:
        camera: with its place in the world.
        xyz_m: (T, J, 3) in the world.
        xy_px: (T, J, 2) where they were seen.
        confidence: (T, J); 0 is not seen.

    Returns:
        Pixels (N,) of every joint that was seen and lies in front of the camera; and metres (N,): the same, at the
        depth of the joint.

    Reference:
        Hartley, Zisserman, "Multiple View Geometry", 2nd ed. 2004, section 4.2, for the reprojection error.
    """
    world, seen_px = np.asarray(xyz_m, np.float64), np.asarray(xy_px, np.float64)
    if world.shape[:-1] != seen_px.shape[:-1]:
        raise InputError(f"joints and pixels must be of the same frames, got {world.shape} and {seen_px.shape}")
    shown_px, in_front = project(camera, world)
    error_px = np.linalg.norm(shown_px - seen_px, axis=-1)
    depth_m = world @ camera.cam_from_world[2, :3] + camera.cam_from_world[2, 3]
    focal_px = float(np.sqrt(camera.K[0, 0] * camera.K[1, 1]))
    judged = (np.asarray(confidence, np.float64) > 0) & in_front & np.isfinite(error_px)
    return error_px[judged], (error_px * depth_m / focal_px)[judged]


def _step(fps: Fraction | float) -> int:
    """Frames in a step."""
    return max(1, round(as_fps(fps) * STEP_S))
