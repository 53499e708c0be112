"""The people of a clip or of a motion file as they are looked at: one noun for everything that moves.

What the page and the report draw is made here of the SDK's own figures: places by `mocap3d.forward`, pictures by
`mocap3d.base.projection`, quality by `mocap3d.quality`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

import numpy as np
from mocap3d.viewers.bones import bones_of
from numpy.typing import NDArray

import mocap3d
from mocap3d.base.feet import sole_points
from mocap3d.base.motion_edits import split
from mocap3d.base.projection import project, px_to_rays
from mocap3d.base.roles import HUMANOID_ROLES, Roles, role_joints
from mocap3d.base.skeleton import ROOT
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.motion.bone_map import propose_bone_map
from mocap3d.motion.contacts import find_contacts, support_heights_m
from mocap3d.quality.animation import FIGURES, AnimationQuality, animation_quality, points_quality
from mocap3d.quality.bodies import has_limbs
from mocap3d.quality.series import animation_series, points_series, reprojection_series_px

__all__ = ["Person", "arrays_of", "facts_of", "people_of_clip", "people_of_file", "places_of", "series_of", "title_of"]

Floats = NDArray[np.float64]

_TRUNK: Final = (
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Person:
    """Somebody who moves.

    Attributes:
        label: what they are called.
        shot: in which shot of a clip.
        first: the frame, as the video counts, of their frame 0.
        fps: frames per second.
        motion: rotations on a rig; None of files that hold points.
        pose3d: joints that the motion was solved from, or the points; None of files that hold motion.
        seen: joints in the pictures, by the index of the camera.
        roles: which joints are which; empty where nothing is known.
        contacts: (T, 4) which heels and toes stand, or None.
        quality: figures of all frames.
        unobserved: parts of the body that no picture shows.
    """

    label: str
    shot: int = 0
    first: int = 0
    fps: Fraction
    motion: mocap3d.Motion | None = None
    pose3d: mocap3d.Pose3D | None = None
    seen: Mapping[int, mocap3d.Pose2D] = field(default_factory=dict)
    roles: Roles = field(default_factory=dict)
    contacts: Floats | None = None
    quality: AnimationQuality
    unobserved: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        """How many frames they are there."""
        return len(self.motion) if self.motion is not None else len(self.pose3d or ())

    @property
    def skeleton(self) -> mocap3d.Skeleton:
        """The joints of ``places_m``."""
        if self.motion is not None:
            return self.motion.rig.skeleton
        if self.pose3d is None:
            raise mocap3d.InputError(f"{self.label} has neither motion nor points")
        return self.pose3d.skeleton

    def places_m(self) -> Floats:
        """(T, J, 3) where the joints are, world."""
        if self.motion is not None:
            return mocap3d.forward(self.motion)[0]
        return np.empty((0, 0, 3)) if self.pose3d is None else self.pose3d.xyz_m


def title_of(clip: mocap3d.Clip) -> str:
    """What people call it: the name of the video, of several that of the first and how many more."""
    return clip.source.name + (f" and {len(clip.rig) - 1} more" if clip.rig else "")


def people_of_clip(clip: mocap3d.Clip) -> list[Person]:
    """Everybody in a clip; of several cameras with what each of them saw."""
    people = []
    several = len({one.shot for one in clip.performances}) > 1
    for one, quality in zip(clip.performances, clip.qualities(), strict=True):
        if clip.rig:
            seen = {c: view for c, view in enumerate(one.views) if view is not None}
        else:
            seen = {one.shot: one.pose2d}
        people.append(
            Person(
                label=f"shot {one.shot + 1}, person {one.person}" if several else f"person {one.person}",
                shot=one.shot,
                first=one.motion.start_frame,
                fps=one.motion.fps,
                motion=one.motion,
                pose3d=one.pose3d,
                seen=seen,
                roles=_own_roles(one.motion),
                contacts=one.motion.contacts,
                quality=quality,
                unobserved=one.unobserved,
            )
        )
    return people


def people_of_file(found: mocap3d.Motion | mocap3d.Pose3D, notes: list[str]) -> list[Person]:
    """Everybody in a motion file, judged by itself; what cannot be judged becomes a note."""
    if isinstance(found, mocap3d.Pose3D):
        return [Person(label="points", fps=found.fps, pose3d=found, quality=points_quality(found))]
    bodies = split(found)
    people = []
    for name, motion in bodies.items():
        label = name if len(bodies) > 1 else "person 1"
        try:
            roles = _own_roles(motion) or propose_bone_map(motion.rig).roles
            contacts = find_contacts(motion, roles=roles) if motion.contacts is None else motion.contacts
            stands = bool((contacts >= 0.5).any())
            support_m = support_heights_m(motion, contacts, roles) if stands else math.nan
            quality = animation_quality(motion, contacts=contacts, support_m=support_m, roles=roles)
        except mocap3d.InputError as error:
            notes.append(f"{label}: feet and joints are not judged: {error}")
            roles, contacts, quality = {}, None, animation_quality(motion, roles={})
        people.append(
            Person(label=label, fps=motion.fps, motion=motion, roles=roles, contacts=contacts, quality=quality)
        )
    return people


def places_of(person: Person) -> dict[str, Floats]:
    """Where a person is: ``world`` (T, J, 3) metres, and ``feet`` (T, 4, 4) heels and toes, place and contact."""
    found = {"world": person.places_m()}
    if person.motion is not None and person.contacts is not None and _has_feet(person):
        places = sole_points(person.motion, person.roles)
        found["feet"] = np.concatenate([places, person.contacts[..., None]], axis=-1)
    return found


def arrays_of(person: Person, cameras: Sequence[mocap3d.Camera]) -> dict[str, Floats]:
    """Everything about a person that changes with time, each (T, ...) and NaN where it is not known.

    Those of ``places_of``; ``lifted`` (T, K, 4) the joints that the motion was solved from, place and confidence; and
    for each camera C ``seen.C`` (T, P, 3) pixels and confidence, ``shown.C`` (T, J, 2) the body in its picture,
    ``lifted.C`` (T, K, 2) those joints in it, ``rays.C`` (T, P, 3) which way the seen joints lie, unit vectors in the
    world.
    """
    found = places_of(person)
    world_m = found["world"]
    if person.motion is not None and person.pose3d is not None:
        found["lifted"] = np.concatenate([person.pose3d.xyz_m, person.pose3d.confidence[..., None]], axis=-1)
    for c, pose in person.seen.items():
        camera = cameras[c]
        found[f"seen.{c}"] = np.concatenate([pose.xy_px, pose.confidence[..., None]], axis=-1)
        found[f"shown.{c}"] = project(camera, world_m)[0]
        if person.pose3d is not None:
            found[f"lifted.{c}"] = project(camera, person.pose3d.xyz_m)[0]
        if len(person.seen) > 1:
            rays = px_to_rays(camera, pose.xy_px) @ camera.cam_from_world[:3, :3]
            found[f"rays.{c}"] = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    return found


def series_of(person: Person, cameras: Sequence[mocap3d.Camera]) -> dict[tuple[str, str], Floats]:
    """What is plotted over time, (T,) each, by figure and line: the mean over joints, NaN where nothing is known."""
    found: dict[tuple[str, str], Floats] = {}
    if person.motion is not None:
        for c, pose in person.seen.items():
            off_px = reprojection_series_px(person.motion, pose, cameras[c], roles=person.roles or None)
            found["reprojection_px", cameras[c].name] = _mean(off_px)
        contacts = person.contacts if _has_feet(person) else None
        series = animation_series(person.motion, contacts=contacts, roles=person.roles)
    elif person.pose3d is not None:
        series = points_series(person.pose3d)
    if series.foot_skate_mm_per_s is not None:
        for side, columns in (("left foot", [0, 1]), ("right foot", [2, 3])):
            found["foot_skate_mm_per_s", side] = _mean(series.foot_skate_mm_per_s[:, columns])
    if series.jerk_m_per_s3 is not None:
        found["jerk_m_per_s3", "all joints"] = _mean(series.jerk_m_per_s3)
    for c, pose in person.seen.items():
        found["confidence", cameras[c].name] = pose.confidence.mean(axis=1)
    return found


def facts_of(person: Person) -> dict[str, Any]:
    """What does not change with time, as JSON."""
    skeleton = person.skeleton
    found: dict[str, Any] = {
        "label": person.label,
        "shot": person.shot,
        "first": person.first,
        "frames": person.frames,
        "joints": list(skeleton.joint_names),
        "parents": _drawn_parents(person),
        "sides": _sides(person),
        "figures": _figures(person.quality),
        "unobserved": list(person.unobserved),
        "is_motion": person.motion is not None,
    }
    if person.seen:
        found["seen"] = _points_facts(next(iter(person.seen.values())).skeleton)
    if person.motion is not None and person.pose3d is not None:
        found["lifted"] = _points_facts(person.pose3d.skeleton)
    return found


def _figures(quality: AnimationQuality) -> list[dict[str, str]]:
    texts = [(figure, figure.text(quality)) for figure in FIGURES]
    return [{"name": figure.name, "label": figure.label, "text": text} for figure, text in texts if text is not None]


def _points_facts(skeleton: mocap3d.Skeleton) -> dict[str, Any]:
    names = list(skeleton.joint_names)
    known = skeleton in mocap3d.SKELETONS.values()
    return {
        "joints": names,
        "edges": [list(edge) for edge in _edges_2d(skeleton)] if known else [],
        "sides": [_side_by_name(name) for name in names],
    }


def _edges_2d(skeleton: mocap3d.Skeleton) -> list[tuple[int, int]]:
    """The bones, without those that only hold the tree together: COCO's shoulders hang from the nose there."""
    if "nose" not in skeleton.joint_names or skeleton.joint_names[skeleton.root] != "nose":
        return list(skeleton.edges)
    index = {name: j for j, name in enumerate(skeleton.joint_names)}
    whole = [(index[a], index[b]) for a, b in _TRUNK if a in index and b in index]
    loose = {index[name] for pair in _TRUNK for name in pair if name in index}
    return [(parent, j) for parent, j in skeleton.edges if j not in loose] + whole


def _drawn_parents(person: Person) -> list[int]:
    """The parents, -1 for joints to which no bone leads: roots, and points of files, which are no tree."""
    above = {joint: parent for parent, joint in bones_of(person.skeleton)}
    return [above.get(joint, ROOT) for joint in range(len(person.skeleton))]


def _sides(person: Person) -> list[str]:
    """Left, right or middle of each joint: by what it is, else by the joint above it, else by its name."""
    skeleton = person.skeleton
    known = {j: role for role, j in _joints(person).items()}
    sides: list[str] = []
    for j, (name, parent) in enumerate(zip(skeleton.joint_names, skeleton.parents, strict=True)):
        if j in known:
            sides.append(_side_by_name(known[j]))
        elif known and skeleton.is_parents_first and parent != ROOT:
            sides.append(sides[parent])
        else:
            sides.append(_side_by_name(name))
    return sides


def _side_by_name(name: str) -> str:
    plain = name.lower()
    return "left" if plain.startswith("left") else "right" if plain.startswith("right") else "middle"


def _joints(person: Person) -> dict[str, int]:
    return {} if person.motion is None else role_joints(person.motion.rig, person.roles)


def _has_feet(person: Person) -> bool:
    return has_limbs(_joints(person))


def _own_roles(motion: mocap3d.Motion) -> Roles:
    return HUMANOID_ROLES if motion.rig.skeleton == HUMANOID_22 else {}


def _mean(values: Floats) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing known in a frame is NaN
        return np.asarray(np.nanmean(values, axis=1))
