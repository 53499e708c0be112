"""VRM avatars: what the file says of its bones counts, not what they are called."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from characters import walking
from gltf_by_hand import glb, taken_apart
from videos import run

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.roles import HUMANOID_ROLES
from mocap3d.onto import load_target, retarget
from mocap3d.output.gltf import read_vrm_roles, write_glb

NAMES = tuple(f"骨{j}" for j in range(len(HUMANOID_RIG.skeleton)))
ROLES = dict(zip(HUMANOID_RIG.skeleton.joint_names, NAMES, strict=True))


def humanoid(version: int, bones: dict[str, int]) -> dict[str, object]:
    """The extension of one version."""
    if version == 0:
        return {"VRM": {"humanoid": {"humanBones": [{"bone": bone, "node": node} for bone, node in bones.items()]}}}
    return {"VRMC_vrm": {"humanoid": {"humanBones": {bone: {"node": node} for bone, node in bones.items()}}}}


@pytest.fixture
def avatar(tmp_path):
    """Make an avatar whose bones have names that say nothing; ``edit`` changes what it says of them."""

    def make(version, *, skin=True, edit=lambda bones: bones):
        rig = replace(HUMANOID_RIG, skeleton=replace(HUMANOID_RIG.skeleton, name="avatar", joint_names=NAMES))
        still = Motion(rig=rig, fps=Fraction(30), local_wxyz=rig.rest_wxyz[None], root_m=rig.offsets_m[:1])
        write_glb(still, tmp_path / "plain.glb")
        root, data = taken_apart(tmp_path / "plain.glb")
        nodes = {node.get("name"): n for n, node in enumerate(root["nodes"])}
        root["extensions"] = humanoid(version, edit({role: nodes[name] for role, name in ROLES.items()}))
        root.pop("animations", None)
        if not skin:
            root.pop("skins", None)
            for node in root["nodes"]:
                node.pop("skin", None)
        path = tmp_path / "avatar.vrm"
        path.write_bytes(glb(root, data))
        return path

    return make


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("skin", [True, False])
def test_bones_whose_names_say_nothing(version, skin, avatar, capsys):
    """Catches an avatar that is refused, or guessed at by shape, though it says what its bones are.

    One of rigid parts has no skin at all.
    """
    path = avatar(version, skin=skin)
    assert read_vrm_roles(path) == ROLES
    target = load_target(path)
    assert target.roles == ROLES
    motion = walking(seconds=0.5)
    made = retarget(motion, target, foot_lock="off").motion
    hand = made.rig.skeleton.index(ROLES["leftHand"])
    elbow = made.rig.skeleton.index(ROLES["leftLowerArm"])
    want, have = forward(motion)[0], forward(made)[0]
    index = motion.rig.skeleton.index
    np.testing.assert_allclose(
        have[:, hand] - have[:, elbow], want[:, index("leftHand")] - want[:, index("leftLowerArm")], atol=1e-5
    )
    code, printed, _ = run(capsys, "bones", path)
    assert code == 0
    assert printed.count("the file says so") == len(HUMANOID_ROLES)


def swapped(bones):
    """An arm for a leg."""
    return bones | {"leftUpperLeg": bones["leftUpperArm"], "leftUpperArm": bones["leftUpperLeg"]}


@pytest.mark.parametrize(
    "edit", [swapped, lambda bones: {"hips": bones["hips"]}, lambda bones: bones | {"hips": 10**6}, lambda bones: {}]
)
def test_what_cannot_be_meant_is_not_believed(edit, avatar):
    """Catches limbs that hang upside down because a file says nonsense: then the shape of the rig counts."""
    assert load_target(avatar(1, edit=edit)).roles["leftLowerArm"] == ROLES["leftLowerArm"]


def test_no_table_of_bones(avatar, tmp_path):
    """Catches a TypeError where somebody's file has text in place of the table."""
    path = avatar(1)
    root, data = taken_apart(path)
    root["extensions"]["VRMC_vrm"]["humanoid"]["humanBones"] = "all"
    path.write_bytes(glb(root, data))
    with pytest.raises(FileFormatError, match="humanBones must be an object"):
        read_vrm_roles(path)
    path.write_bytes(glb({key: value for key, value in root.items() if key != "extensions"}, data))
    assert read_vrm_roles(path) == {}
    with pytest.raises(InputError):
        read_vrm_roles(tmp_path / "none.vrm")
