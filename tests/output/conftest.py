"""A made-up person who moves wildly, for every file format."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.rotations import rotvec_to_wxyz, wxyz_multiply
from mocap3d.base.skeleton import Skeleton

# joint, parent, offset in metres of a T-pose that faces +Z
BODY = (
    ("hips", None, (0.0, 0.95, 0.0)),
    ("spine", "hips", (0.0, 0.1, 0.01)),
    ("chest", "spine", (0.0, 0.2, -0.01)),
    ("neck", "chest", (0.0, 0.25, 0.0)),
    ("head", "neck", (0.0, 0.1, 0.02)),
    ("leftShoulder", "chest", (0.03, 0.2, 0.0)),
    ("leftUpperArm", "leftShoulder", (0.14, 0.0, 0.0)),
    ("leftLowerArm", "leftUpperArm", (0.28, 0.0, 0.0)),
    ("leftHand", "leftLowerArm", (0.25, 0.0, 0.0)),
    ("rightUpperArm", "chest", (-0.17, 0.2, 0.0)),
    ("rightLowerArm", "rightUpperArm", (-0.28, 0.0, 0.0)),
    ("rightHand", "rightLowerArm", (-0.25, 0.0, 0.0)),
    ("leftUpperLeg", "hips", (0.09, -0.05, 0.0)),
    ("leftLowerLeg", "leftUpperLeg", (0.0, -0.42, 0.0)),
    ("leftFoot", "leftLowerLeg", (0.0, -0.4, 0.0)),
    ("rightUpperLeg", "hips", (-0.09, -0.05, 0.0)),
    ("rightLowerLeg", "rightUpperLeg", (0.0, -0.42, 0.0)),
    ("rightFoot", "rightLowerLeg", (0.0, -0.4, 0.0)),
)
TIPS = (("head", (0.0, 0.2, 0.0)), ("leftHand", (0.1, 0.0, 0.0)), ("rightHand", (-0.1, 0.0, 0.0)))
TIPS += (("leftFoot", (0.0, -0.06, 0.15)), ("rightFoot", (0.0, -0.06, 0.15)))


@pytest.fixture(scope="session")
def person() -> Rig:
    """An 18-joint T-pose with five tips and no rest rotations."""
    names = [name for name, _, _ in BODY]
    skeleton = Skeleton(
        name="person",
        joint_names=tuple(names),
        parents=tuple(-1 if parent is None else names.index(parent) for _, parent, _ in BODY),
        mirror=tuple(range(len(names))),
    )
    tips = tuple(Tip(name=f"{name}_end", parent=names.index(name), offset_m=np.array(at)) for name, at in TIPS)
    rest_wxyz = np.tile([1.0, 0.0, 0.0, 0.0], (len(names), 1))
    offsets_m = np.array([offset for _, _, offset in BODY])
    return Rig(skeleton=skeleton, offsets_m=offsets_m, rest_wxyz=rest_wxyz, tips=tips)


@pytest.fixture(scope="session")
def wild_motion(person: Rig) -> Motion:
    """Two seconds in which every joint turns smoothly through large angles, some through more than a full turn."""
    rng = np.random.default_rng(7)
    frames, joints = 60, len(person.skeleton)
    t = np.linspace(0, 1, frames)[:, None, None]
    waves = sum(
        rng.normal(size=(1, joints, 3)) * np.sin(2 * np.pi * (n * t + rng.random((1, joints, 3)))) for n in (1, 2)
    )
    spin = np.zeros((frames, joints, 3))
    spin[:, :, 1] = 9 * t[..., 0]
    local_wxyz = wxyz_multiply(rotvec_to_wxyz(spin), rotvec_to_wxyz(waves))
    root_m = np.stack([t[:, 0, 0] * 2 - 1, 0.9 + 0.1 * np.sin(9 * t[:, 0, 0]), 3 * t[:, 0, 0] ** 2], axis=-1)
    return Motion(rig=person, fps=Fraction(30000, 1001), local_wxyz=local_wxyz, root_m=root_m)


@pytest.fixture(scope="session")
def rested_motion(wild_motion: Motion) -> Motion:
    """The same movement on a rig whose every joint, the root too, has a rest rotation."""
    rng = np.random.default_rng(8)
    rig = wild_motion.rig
    rested = replace(rig, rest_wxyz=rotvec_to_wxyz(rng.normal(size=(len(rig.skeleton), 3))))
    return replace(wild_motion, rig=rested)
