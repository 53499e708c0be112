"""Made-up characters for retargeting: other lengths, axes, rest poses, names and bones; and people who move a lot."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import walker
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap3d.base.humanoid import HUMANOID_RIG, BodyLengths, humanoid_rig
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import HUMANOID_22

NAMES = HUMANOID_22.joint_names


def rotation(wxyz: NDArray[np.float64]) -> Rotation:
    """SciPy's rotation of a quaternion with the scalar first."""
    return Rotation.from_quat(np.roll(np.array(wxyz), -1, axis=-1))


def wxyz(turn: Rotation) -> NDArray[np.float64]:
    """The quaternion, scalar first, of SciPy's rotation."""
    return np.roll(turn.as_quat(), 1, axis=-1)


def long_legged() -> Rig:
    """The humanoid twice as tall."""
    return humanoid_rig(BodyLengths().scaled(3.4))


def short_legged() -> Rig:
    """A usual trunk on legs of 60 %."""
    average = BodyLengths()
    return humanoid_rig(
        replace(average, upper_leg=0.6 * average.upper_leg, lower_leg=0.6 * average.lower_leg)  # type: ignore[type-var]
    )


def restless(rig: Rig = HUMANOID_RIG, frames: int = 40, seed: int = 0, most_deg: float = 70.0) -> Motion:
    """Somebody all of whose joints turn smoothly by up to ``most_deg``, on a way over the floor."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 2 * np.pi, frames)[:, None, None]
    phases, axes = rng.uniform(0, 2 * np.pi, (22, 3)), rng.normal(size=(22, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    vectors = np.deg2rad(most_deg) * np.sin(t * rng.integers(1, 4, (22, 1)) + phases) * axes
    local = wxyz(Rotation.from_rotvec(vectors.reshape(-1, 3))).reshape(frames, 22, 4)
    root_m = np.column_stack([np.linspace(0, 2, frames), 0.9 + 0.05 * np.sin(t[:, 0, 0]), np.cos(t[:, 0, 0])])
    contacts = rng.uniform(0, 1, (frames, 4))
    return Motion(rig=rig, fps=Fraction(30), local_wxyz=local, root_m=root_m, contacts=contacts, start_frame=7)


def with_other_axes(rig: Rig, world: Rotation, seed: int = 0, prefix: str = "b_") -> Rig:
    """The same body, lying or standing as ``world`` says, every joint with axes and a name of its own."""
    rng = np.random.default_rng(seed)
    count = len(rig.skeleton)
    new = [world * Rotation.from_rotvec(rng.normal(size=3)) for _ in range(count)]
    offsets_m, rest = np.empty((count, 3)), np.empty((count, 4))
    old: list[Rotation] = []
    for j, parent in enumerate(rig.skeleton.parents):
        above, turned = (Rotation.identity(), world) if parent < 0 else (new[parent], world * old[parent])
        old.append((Rotation.identity() if parent < 0 else old[parent]) * rotation(rig.rest_wxyz[j]))
        offsets_m[j] = above.inv().as_matrix() @ turned.as_matrix() @ rig.offsets_m[j]
        rest[j] = wxyz(above.inv() * new[j])
    tips = tuple(
        replace(tip, offset_m=(new[tip.parent].inv() * world * old[tip.parent]).as_matrix() @ tip.offset_m)
        for tip in rig.tips
    )
    names = tuple(prefix + name for name in rig.skeleton.joint_names)
    return Rig(
        skeleton=replace(rig.skeleton, name="other", joint_names=names), offsets_m=offsets_m, rest_wxyz=rest, tips=tips
    )


def resting_otherwise(rig: Rig, turns: dict[str, Rotation]) -> Rig:
    """The rig with some of its joints turned at rest."""
    rest = rig.rest_wxyz.copy()
    for name, turn in turns.items():
        j = rig.skeleton.index(name)
        rest[j] = wxyz(rotation(rest[j]) * turn)
    return replace(rig, rest_wxyz=rest)


def in_a_pose(rig: Rig, arms_deg: float = 45, legs_deg: float = 12) -> Rig:
    """The humanoid with hanging arms and straddled legs; its soles stay level."""

    def roll(degrees: float) -> Rotation:
        return Rotation.from_euler("z", degrees, degrees=True)

    turns = {"leftUpperArm": roll(-arms_deg), "rightUpperArm": roll(arms_deg)}
    turns |= {"leftUpperLeg": roll(legs_deg), "rightUpperLeg": roll(-legs_deg)}
    turns |= {"leftFoot": roll(-legs_deg), "rightFoot": roll(legs_deg)}
    return resting_otherwise(rig, turns)


def below_bones(
    rig: Rig, names: tuple[str, ...] = ("root", "armature"), place: tuple[float, ...] = (0.1, 0.2, 0)
) -> Rig:
    """The rig hanging on more bones, each turned and moved, so that it rests where it was."""
    count = len(names)
    offsets_m, rest = [np.array(place)], [wxyz(Rotation.from_euler("y", 30, degrees=True))]
    for _ in names[1:]:
        offsets_m.append(np.array(place))
        rest.append(wxyz(Rotation.from_euler("x", -20, degrees=True)))
    above, at = Rotation.identity(), np.zeros(3)
    for offset, turn in zip(offsets_m, rest, strict=True):
        at = at + above.as_matrix() @ offset
        above = above * rotation(turn)
    inner, first = rig.offsets_m.copy(), rig.rest_wxyz.copy()
    inner[0] = above.inv().as_matrix() @ (rig.offsets_m[0] - at)
    first[0] = wxyz(above.inv() * rotation(rig.rest_wxyz[0]))
    skeleton = rig.skeleton
    return Rig(
        skeleton=Skeleton(
            name="below bones",
            joint_names=(*names, *skeleton.joint_names),
            parents=(-1, *range(count - 1), count - 1, *(parent + count for parent in skeleton.parents[1:])),
            mirror=(*range(count), *(partner + count for partner in skeleton.mirror)),
        ),
        offsets_m=np.concatenate([offsets_m, inner]),
        rest_wxyz=np.concatenate([rest, first]),
        tips=tuple(replace(tip, parent=tip.parent + count) for tip in rig.tips),
    )


def without(rig: Rig, *left_out: str) -> Rig:
    """The rig without some joints (whose rest rotations are the identity); what hung on them hangs on their parents."""
    skeleton = rig.skeleton
    kept = [j for j, name in enumerate(skeleton.joint_names) if name not in left_out]
    offsets_m, parents = rig.offsets_m.copy(), list(skeleton.parents)
    for j in range(len(skeleton)):
        while parents[j] >= 0 and parents[j] not in kept:
            offsets_m[j] = offsets_m[j] + rig.offsets_m[parents[j]]
            parents[j] = skeleton.parents[parents[j]]
    new = {j: n for n, j in enumerate(kept)}
    return Rig(
        skeleton=Skeleton(
            name="fewer",
            joint_names=tuple(skeleton.joint_names[j] for j in kept),
            parents=tuple(new.get(parents[j], -1) for j in kept),
            mirror=tuple(new[skeleton.mirror[j]] for j in kept),
        ),
        offsets_m=offsets_m[kept],
        rest_wxyz=rig.rest_wxyz[kept],
        tips=tuple(replace(tip, parent=new[tip.parent]) for tip in rig.tips if tip.parent in new),
    )


def walking(seconds: float = 3.0, fps: int = 30) -> Motion:
    """The trigonometric walker with rotations: feet stand flat and still while planted, knees bend forwards."""
    at, planted = walker.walk(seconds, fps, speed_mps=0.8)  # legs that reach
    lengths = replace(
        BodyLengths(),  # type: ignore[type-var]
        pelvis_half_width=0.09,
        upper_leg=walker.THIGH_M,
        lower_leg=walker.SHIN_M,
        ankle_height=walker.ANKLE_M,
    )
    world = np.zeros((len(at), 22, 3))  # turns about X since the T-pose; arms hang
    local = np.tile([1.0, 0, 0, 0], (len(at), 22, 1))
    for side, down in (("left", -80), ("right", 80)):
        hip, knee, ankle = (at[:, walker.JOINTS.index(f"{side}_{joint}")] for joint in ("hip", "knee", "ankle"))
        for bone, along in (("UpperLeg", knee - hip), ("LowerLeg", ankle - knee)):
            world[:, NAMES.index(side + bone), 0] = np.arctan2(-along[:, 2], -along[:, 1])
        local[:, NAMES.index(f"{side}UpperArm")] = wxyz(Rotation.from_euler("z", down, degrees=True))
        for bone, parent in (("UpperLeg", "hips"), ("LowerLeg", f"{side}UpperLeg"), ("Foot", f"{side}LowerLeg")):
            j = NAMES.index(side + bone)
            local[:, j] = wxyz(Rotation.from_rotvec(world[:, j] - world[:, NAMES.index(parent)]))
    contacts = np.repeat(planted, 2, axis=1).astype(float)
    pelvis = at[:, walker.JOINTS.index("pelvis")]
    return Motion(rig=humanoid_rig(lengths), fps=Fraction(fps), local_wxyz=local, root_m=pelvis, contacts=contacts)
