"""Joints in the world -> rotations on a rig, over the whole clip at once.

1. **Start**: closed-form, frame by frame (``start.py``), from landmarks out of which wild frames have been taken.
2. **Gauss-Newton** over all frames (``terms.py``, ``gauss_newton.py``): the places of all observed points, weighted by
   their confidence and expected error, robustly; smooth motion; anatomical limits; a weak pull to rest.
3. **Offsets** that anatomy does not fix (where on the head the face point lies) are estimated as constants of the clip.
4. **Contacts**: heels and toe tips that stand are held where they stand, and everything is solved once more.
5. What is left beyond the limits (hundredths of a degree) is cut off.

How much is smoothed follows from how much the positions are believed. A point with an error of ``s`` at distance ``r``
from a joint whose angular acceleration is usually below ``a`` passes motion up to about ``sqrt(r a / s) / 2 pi`` hertz:
with the numbers below, the forearm passes 7 Hz where joints are good to 5 mm and 3.5 Hz where they are good to 2 cm; of
somebody calm a little less, of somebody fast more (``weighing.enlivened``): who stands does not tremble.
Errors (``Pose3D.std_m``) and accelerations are physical quantities; the frame rate does not enter.

Frames in which nobody was seen hold or bridge the poses around them (``blind_frames.py``).

Wrists and toes are not observed: hands and toes stay at rest on forearm and foot.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.joint_limits import clamped
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose3D
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import matrix_to_wxyz, wxyz_continuous
from mocap3d.motion.blind_frames import blind_frames, drawn, lifted
from mocap3d.motion.body import rig_from
from mocap3d.motion.contacts import find_contacts, support_heights_m
from mocap3d.motion.gauss_newton import minimised
from mocap3d.motion.landmarks import landmarks
from mocap3d.motion.observations import Markers, markers_of, refined, sole_markers
from mocap3d.motion.solve_input import checked_frame, checked_shares, of_table, refuse_unsolvable
from mocap3d.motion.start import analytic_start
from mocap3d.motion.terms import Problem, placed
from mocap3d.motion.weighing import SolveSettings, enlivened, problem_of

__all__ = ["SolveSettings", "solve", "unobserved"]

Floats = NDArray[np.float64]
_SIDES: Final = ("left", "right")
_CHOICES: Final = {  # the points that show a part of the body: the first that a skeleton has
    "lower body": ("*_knee *_ankle *_toe", "*_knee *_ankle", "*LowerLeg *Foot"),
    "upper body": ("*_shoulder *_elbow *_wrist face", "*_shoulder *_elbow *_wrist", "*UpperArm *LowerArm *Hand"),
    "left arm": ("left_elbow left_wrist", "leftLowerArm leftHand"),
    "right arm": ("right_elbow right_wrist", "rightLowerArm rightHand"),
    "head": ("face", "nose *_eye *_ear", "nose *_ear", "head_top", "head"),
}
_WITHIN: Final = {"left arm": "upper body", "right arm": "upper body", "head": "upper body"}
_WILD_M, _WILD_S = 0.12, 0.12  # further than this from most frames within so many seconds
_STANDS: Final = 0.5
_CONTACT_ROUNDS: Final = 2  # the places where heel and toe of a foot stand depend on each other
_DOUBT_FOUND_M, _DOUBT_GIVEN_M = 0.03, 0.1  # contacts are doubted where positions say that a foot is elsewhere
_SINKS_M: Final = 0.02  # soles of a rig are not those of the shoes: this far they are moved onto what they stand on
# Doubt comes gradually, or a bad start would make good observations look like outliers: (factor on the distance from
# which positions are doubted, steps).
_GRADUALLY: Final = ((8.0, 2), (2.5, 1), (1.0, 1))


def unobserved(pose: Pose3D, settings: SolveSettings | None = None) -> tuple[str, ...]:
    """Name what too few frames of those with somebody show: "lower body", "upper body", "left arm", "head" ..."""
    settings = settings or SolveSettings()
    somebody = (pose.confidence > 0).any(axis=1)
    confidence = pose.confidence[somebody] if somebody.any() else pose.confidence
    unseen = []
    for part, choices in _CHOICES.items():
        columns = next((found for choice in choices if (found := _columns(pose, choice))), [])
        if not columns or np.mean(confidence[:, columns] == 0) > settings.unseen_share:
            unseen.append(part)
    return tuple(part for part in unseen if _WITHIN.get(part) not in unseen)


def solve(
    pose: Pose3D,
    *,
    rig: Rig | None = None,
    height_m: float = 1.70,
    contacts: NDArray[np.float64] | None = None,
    hint: NDArray[np.float64] | None = None,
    start_frame: int = 0,
    settings: SolveSettings | None = None,
) -> Motion:
    """Find the rotations of a humanoid rig that bring its joints to the given ones.

    Args:
        pose: joints in the world, +Y up, of any skeleton of ``base.skeletons`` with hips or shoulders. NaN is not
            observed; finite with confidence 0 is filled in and counts little.
        rig: a humanoid rig with any offsets; measured on the clip when None.
        height_m: stature, 0.3 to 3 metres, for what the clip does not show of the body.
        contacts: (T, 4) in 0..1, left heel, left toe, right heel, right toe: held still from 0.5 on, and kept on the
            motion. None finds them on a first solution.
        hint: (T, 4) what a network thinks of the contacts, where they are to be found.
        start_frame: frame of the source that frame 0 stands for.
        settings: weights and thresholds.

    Returns:
        A motion on ``rig`` with foot contacts; bone lengths are constant and no joint is beyond its limits.

    Raises:
        InputError: joints in a camera's frame, in another unit, or none that was seen; another rig, no stature;
            contacts or a hint of another shape or outside 0..1; no number of a frame. All before any work is done.
    """
    settings = settings or SolveSettings()
    refuse_unsolvable(pose, rig, height_m)
    contacts = None if contacts is None else checked_shares("contacts", contacts, len(pose))
    hint = None if hint is None else checked_shares("hint", hint, len(pose))
    start_frame = checked_frame(start_frame)
    pose = of_table(pose)
    rig = rig_from(pose, height_m, symmetric=settings.symmetric) if rig is None else rig
    unseen = unobserved(pose, settings)
    points = landmarks(_without_wild_frames(pose), height_m)
    start = analytic_start(points, rig, float(pose.fps), unseen, settings.start)
    problem, local, root_m = _without_contacts(pose, rig, start, unseen, settings)
    motion = _motion(rig, pose, local, root_m, start_frame, settings)
    if "lower body" in unseen:
        return replace(motion, contacts=np.zeros((len(pose), 4)) if contacts is None else contacts)
    given = contacts is not None
    contacts = find_contacts(motion, hint=hint) if contacts is None else contacts
    if settings.contact_std_m > 0 and (contacts >= _STANDS).any():
        support_m = support_heights_m(motion, contacts)
        local, root_m = _standing(problem, (local, root_m), contacts, support_m, settings, given=given)
        motion = _motion(rig, pose, local, root_m, start_frame, settings)
    return replace(motion, contacts=contacts)


def _without_contacts(
    pose: Pose3D, rig: Rig, start: tuple[Floats, Floats], unseen: Collection[str], settings: SolveSettings
) -> tuple[Problem, Floats, Floats]:
    """Solve by what was observed alone; the last four markers, the soles, are free."""
    local, root_m = start
    markers = markers_of(pose.skeleton, rig) + sole_markers(rig)
    observed = problem_of(pose, rig, markers, local, unseen, settings)
    blind = blind_frames(observed)
    observed = _with_offsets(observed, markers.only_rough(), local, root_m)
    start = local, lifted(observed, local, root_m, blind)
    problem, (local, root_m) = drawn(observed, *start, blind), start
    for doubt, iterations in _GRADUALLY:
        gentle = replace(problem, scale_m=doubt * problem.scale_m)
        local, root_m = minimised(gentle, local, root_m, replace(settings.steps, iterations=iterations))
    problem = drawn(_with_offsets(observed, markers, local, root_m), *start, blind)
    problem = enlivened(problem, local, root_m, settings)
    return problem, *minimised(problem, local, root_m, settings.steps)


def _standing(
    problem: Problem,
    solved: tuple[Floats, Floats],
    contacts: Floats,
    support_m: Floats,
    settings: SolveSettings,
    *,
    given: bool,
) -> tuple[Floats, Floats]:
    """Solve on with the soles held where they stand; contacts that were only found are doubted sooner."""
    local, root_m = solved
    std_m, doubt_m = settings.contact_std_m * (1 if given else 2), _DOUBT_GIVEN_M if given else _DOUBT_FOUND_M
    height_m = _soles_m(problem, local, root_m)[..., 1]
    height_m = height_m + np.clip(support_m - height_m, -_SINKS_M, _SINKS_M)
    for _ in range(_CONTACT_ROUNDS):
        stand_m = _soles_m(problem, local, root_m)
        stand_m[..., 1] = height_m
        problem = _with_contacts(problem, stand_m, contacts, std_m, doubt_m)
        local, root_m = minimised(problem, local, root_m, replace(settings.steps, iterations=2))
    return local, root_m


def _columns(pose: Pose3D, names: str) -> list[int]:
    """Indices of joints, "*" being both sides; none if the skeleton lacks one of them."""
    joints = pose.skeleton.joint_names
    wanted = [name.replace("*", side) for name in names.split() for side in (_SIDES if "*" in name else ("",))]
    return [joints.index(name) for name in wanted] if set(wanted) <= set(joints) else []


def _without_wild_frames(pose: Pose3D) -> Pose3D:
    """Take joints out of the start where they leave their own path for a few frames, as a swapped leg does."""
    away = _apart_m(pose.xyz_m, _WILD_S * float(pose.fps), pose.xyz_m)
    # A fast hand is far from where it was, but so it is in the frames around.
    usual = _apart_m(away[..., None], _WILD_S * float(pose.fps))
    wild = np.isfinite(away) & (away > _WILD_M) & (away > 3 * usual)
    xyz_m = np.where(wild[..., None], np.nan, pose.xyz_m)
    return replace(pose, xyz_m=xyz_m, confidence=np.where(wild, 0.0, pose.confidence))


def _apart_m(values: Floats, reach_frames: float, origin: Floats | float = 0.0) -> Floats:
    """(T, J) the median, over nine frames around each, of how far ``values`` (T, J, k) are from ``origin`` there."""
    frames = len(values)
    steps = np.unique(np.round(np.linspace(-reach_frames, reach_frames, 9)).astype(int))
    around = np.clip(np.arange(frames) + steps[:, None], 0, frames - 1)
    apart = np.linalg.norm(values[around] - origin, axis=-1)  # (9, T, J)
    known = np.isfinite(apart)
    ordered = np.sort(np.where(known, apart, np.inf), axis=0)
    return np.asarray(np.take_along_axis(ordered, known.sum(axis=0)[None] // 2, axis=0)[0])


def _with_offsets(problem: Problem, markers: Markers, local: Floats, root_m: Floats) -> Problem:
    """Estimate the offsets of markers that anatomy does not fix, from a first solution."""
    if not (markers.offset_std_m > 0).any():
        return problem
    at = placed(problem, local, root_m)
    turn, origin_m = (part[problem.bones].swapaxes(0, 1) for part in (at.turn, at.joint_m))
    seen_in_bone_m = ((problem.target_m - origin_m)[..., None, :] @ turn)[..., 0, :]
    error = np.linalg.norm(problem.target_m - at.marker_m, axis=-1)
    trust = (1 + (error / problem.scale_m) ** 2) ** -2 * (problem.weight > 0)
    found = refined(markers, seen_in_bone_m, trust, 0.02)
    return replace(problem, marker_m=found.offsets_m)


def _soles_m(problem: Problem, local: Floats, root_m: Floats) -> Floats:
    """(T, 4, 3) left heel, left toe tip, right heel, right toe tip: the last markers."""
    return placed(problem, local, root_m).marker_m[:, -4:].copy()


def _with_contacts(problem: Problem, stand_m: Floats, contacts: Floats, std_m: float, doubt_m: float) -> Problem:
    """Hold each sole point, through each contact, where ``stand_m`` (T, 4, 3) is on average."""
    target_m, weight, scale_m = problem.target_m.copy(), problem.weight.copy(), problem.scale_m.copy()
    for k in range(4):
        m = len(problem.bones) - 4 + k
        standing = contacts[:, k] >= _STANDS
        edges = np.flatnonzero(np.diff(standing, prepend=False, append=False))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            during = slice(start, stop)
            target_m[during, m] = np.average(stand_m[during, k], axis=0, weights=contacts[during, k])
        weight[:, m] = np.where(standing, contacts[:, k], 0.0) / std_m**2
        scale_m[m] = doubt_m
    return replace(problem, target_m=target_m, weight=weight, scale_m=scale_m)


def _motion(rig: Rig, pose: Pose3D, local: Floats, root_m: Floats, start_frame: int, settings: SolveSettings) -> Motion:
    wxyz = wxyz_continuous(matrix_to_wxyz(local))
    if settings.limit_std_rad > 0:
        wxyz = clamped(wxyz)
    return Motion(rig=rig, fps=pose.fps, local_wxyz=wxyz_continuous(wxyz), root_m=root_m, start_frame=start_frame)
