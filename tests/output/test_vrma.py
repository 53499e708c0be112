"""VRM animations: the rules of the specification, and others that play them as plain glTF."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import any_motions
import numpy as np
import pytest
from foreign_readers import READERS, assert_same_joints
from gltf_by_hand import glb, taken_apart
from hypothesis import given, settings
from hypothesis import strategies as st

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import rotvec_to_wxyz, wxyz_angle, wxyz_multiply
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.output.gltf import read_glb, read_vrma, write_glb, write_vrma

# humanoid.md of VRMC_vrm-1.0, "Required" in the tables.
REQUIRED = {"hips", "spine", "head"} | {
    side + bone
    for side in ("left", "right")
    for bone in ("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand")
}


@pytest.fixture
def dance() -> Motion:
    """Half a second of our humanoid."""
    rng = np.random.default_rng(5)
    swing = rng.normal(size=(1, len(HUMANOID_22), 3)) * np.sin(np.linspace(0, 3, 12))[:, None, None]
    root_m = HUMANOID_RIG.offsets_m[0] + rng.normal(size=(12, 3)) * 0.1
    return Motion(rig=HUMANOID_RIG, fps=Fraction(24000, 1001), local_wxyz=rotvec_to_wxyz(swing), root_m=root_m)


def changed(path: Path, change) -> Path:
    """Rewrite the JSON of a file."""
    root, data = taken_apart(path)
    change(root)
    path.write_bytes(glb(root, data))
    return path


@st.composite
def humanoids(draw):
    """Bodies of any proportions, some bones missing, others of any name between them at rest, that turn in any way."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    lost = {name for name in ("leftToes", "rightToes", "neck", "leftShoulder") if draw(st.booleans())}
    names, parents, offsets_m, number, others = [], [], [], {}, draw(any_motions.NAMES)
    rest_m, _ = rest_pose(HUMANOID_RIG)
    for j, name in enumerate(HUMANOID_22.joint_names):
        above = HUMANOID_22.parents[j]
        while above >= 0 and HUMANOID_22.joint_names[above] in lost:
            above = HUMANOID_22.parents[above]
        if name not in lost:
            if others and above >= 0 and rng.random() < 0.3:
                parents.append(number[above])
                names.append(others.pop())
                offsets_m.append(np.zeros(3))
                above_it = len(names) - 1
            else:
                above_it = -1 if above < 0 else number[above]
            number[j] = len(names)
            names.append(name)
            parents.append(above_it)
            offset_m = HUMANOID_RIG.offsets_m[j] if above < 0 else rest_m[j] - rest_m[above]
            offsets_m.append(offset_m * rng.uniform(0.8, 1.2))
    skeleton = Skeleton(name="any", joint_names=tuple(names), parents=tuple(parents), mirror=tuple(range(len(names))))
    rest_wxyz = np.tile([1.0, 0, 0, 0], (len(names), 1))
    frames = draw(st.integers(1, 4))
    axes = rng.normal(size=(frames, len(names), 3))
    angles = np.array([draw(any_motions.ANGLES) if name in HUMANOID_22.joint_names else 0.0 for name in names])
    return Motion(
        rig=Rig(skeleton=skeleton, offsets_m=np.array(offsets_m), rest_wxyz=rest_wxyz),
        fps=draw(any_motions.RATES),
        local_wxyz=rotvec_to_wxyz(axes / np.linalg.norm(axes, axis=-1, keepdims=True) * angles[:, None]),
        root_m=rng.normal(size=(frames, 3)),
    )


@settings(max_examples=30)
@given(humanoids())
def test_what_is_written_is_read(tmp_path_factory, motion):
    """Catches any body, name, rotation, rate or number of frames that does not come back."""
    path = tmp_path_factory.mktemp("vrma") / "any.vrma"
    write_vrma(motion, path)
    back = read_vrma(path)
    assert back.rig.skeleton.joint_names == motion.rig.skeleton.joint_names
    assert back.rig.skeleton.parents == motion.rig.skeleton.parents
    assert (back.fps, len(back), back.local_m) == (motion.fps, len(motion), None)
    assert wxyz_angle(back.local_wxyz, motion.local_wxyz).max() < 1e-6
    np.testing.assert_allclose(forward(back)[0], forward(motion)[0], atol=1e-5)


def test_the_file_keeps_the_rules_of_the_format(dance, tmp_path):
    """Catches a missing bone, one that travels, a body that does not stand on the ground facing +Z."""
    path = tmp_path / "a.vrma"
    write_vrma(dance, path)
    root, _ = taken_apart(path)
    extension = root["extensions"]["VRMC_vrm_animation"]
    assert root["extensionsUsed"] == ["VRMC_vrm_animation"]
    assert "extensionsRequired" not in root  # it is a plain animation to everybody else
    assert extension["specVersion"] == "1.0"
    bones = {name: bone["node"] for name, bone in extension["humanoid"]["humanBones"].items()}
    assert set(bones) >= REQUIRED
    assert not {"leftEye", "rightEye"} & set(bones)
    assert all(root["nodes"][node]["name"] == name for name, node in bones.items())
    targets = [channel["target"] for channel in root["animations"][0]["channels"]]
    assert [t["node"] for t in targets if t["path"] == "translation"] == [bones["hips"]]
    assert {t["path"] for t in targets} == {"translation", "rotation"}
    assert len(root["animations"]) == 1
    at = _rest_places(root)
    assert min(place[1] for place in at.values()) == pytest.approx(0, abs=1e-6)  # the tips of the toes
    assert at["leftHand"][0] > at["leftUpperArm"][0] > 0 > at["rightUpperArm"][0] > at["rightHand"][0]
    assert at["leftHand"][1] == pytest.approx(at["leftUpperArm"][1])
    assert at["leftToes"][2] > at["leftFoot"][2]


def _rest_places(root: dict) -> dict[str, np.ndarray]:
    """Add up translations from the top; our humanoid has no rest rotations."""
    places: dict[str, np.ndarray] = {}
    waiting = [(0, np.zeros(3))]
    while waiting:
        n, above = waiting.pop()
        node = root["nodes"][n]
        assert "rotation" not in node
        places[node["name"]] = above + node["translation"]
        waiting += [(child, places[node["name"]]) for child in node.get("children", [])]
    return places


@pytest.mark.parametrize("reader", [read_vrma, read_glb])
def test_what_is_read_back_moves_as_what_was_written(reader, dance, tmp_path):
    """Catches joints that lose their names, or the rate."""
    write_vrma(dance, tmp_path / "a.vrma")
    again = reader(tmp_path / "a.vrma")
    assert again.rig.skeleton.joint_names == HUMANOID_22.joint_names
    assert (again.fps, len(again), again.local_m) == (dance.fps, len(dance), None)
    assert [tip.name for tip in again.rig.tips] == [tip.name for tip in HUMANOID_RIG.tips]
    np.testing.assert_allclose(forward(again)[0], forward(dance)[0], atol=1e-6)


def test_three_js_plays_it_and_the_validator_accepts_it(dance, tmp_path):
    """Catches an animation that only a VRM program can read."""
    path, out = tmp_path / "a.vrma", tmp_path / "out.json"
    write_vrma(dance, path)
    subprocess.run(["node", READERS / "read_gltf.mjs", path, str(dance.fps), out], check=True)
    assert_same_joints(dance, json.loads(out.read_text()), 1, 1e-5)
    subprocess.run(["node", READERS / "validate_gltf.mjs", path, out], check=True)
    issues = json.loads(out.read_text())["issues"]
    assert {message["code"] for message in issues["messages"]} <= {"UNSUPPORTED_EXTENSION"}
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0)


def test_an_avatar_of_other_rest_rotations_dances_alike(dance, tmp_path):
    """Catches rest rotations that do not cancel: the formula of the specification's page on transforming poses."""
    rng = np.random.default_rng(6)
    rest = rotvec_to_wxyz(rng.normal(size=(len(HUMANOID_22), 3)))
    turned = _with_rest(dance, rest)
    np.testing.assert_allclose(forward(turned)[0], forward(dance)[0], atol=1e-9)
    write_vrma(turned, tmp_path / "a.vrma")
    again = read_vrma(tmp_path / "a.vrma")
    _, world_rest = rest_pose(again.rig)
    for j in range(len(HUMANOID_22)):
        # NormalizedLocalRotation = W L^-1 local W^-1
        conjugates = again.rig.rest_wxyz[j] * [1, -1, -1, -1], world_rest[j] * [1, -1, -1, -1]
        normalized = wxyz_multiply(
            wxyz_multiply(wxyz_multiply(world_rest[j], conjugates[0]), again.local_wxyz[:, j]), conjugates[1]
        )
        np.testing.assert_allclose(np.abs(np.sum(normalized * dance.local_wxyz[:, j], axis=-1)), 1, atol=1e-6)


def _with_rest(motion: Motion, world: np.ndarray) -> Motion:
    """The same bodies in space, with joint frames that are turned by ``world`` (J, 4) at rest."""
    rig, parents = motion.rig, motion.rig.skeleton.parents
    above = np.array([[1.0, 0, 0, 0] if p < 0 else world[p] * [1, -1, -1, -1] for p in parents])
    above[0] = [1.0, 0, 0, 0]
    turn = lambda q, v: wxyz_multiply(wxyz_multiply(q, np.concatenate([[0], v])), q * [1, -1, -1, -1])[1:]  # noqa: E731
    offsets_m = np.array([turn(above[j], rig.offsets_m[j]) for j in range(len(parents))])
    local = wxyz_multiply(wxyz_multiply(above, motion.local_wxyz), world)
    tips = tuple(replace(tip, offset_m=turn(world[tip.parent] * [1, -1, -1, -1], tip.offset_m)) for tip in rig.tips)
    rested = replace(rig, offsets_m=offsets_m, rest_wxyz=wxyz_multiply(above, world), tips=tips)
    return replace(motion, rig=rested, local_wxyz=local)


def test_missing_bones_are_listed(dance, tmp_path):
    """Catches a file that avatars refuse, and an error that does not say what is missing."""
    renamed = replace(HUMANOID_22, joint_names=tuple(n.replace("Hand", "Wrist") for n in HUMANOID_22.joint_names))
    with pytest.raises(InputError, match=r"rightHand.*preset 'vrm'") as caught:
        write_vrma(replace(dance, rig=replace(HUMANOID_RIG, skeleton=renamed)), tmp_path / "a.vrma")
    assert "leftHand" in str(caught.value)
    assert "spine" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_what_vrm_forbids_is_refused(dance, tmp_path):
    """Catches an A-pose, a bone that stretches, a bone on the wrong parent, hips that are not the root."""
    rest = HUMANOID_RIG.rest_wxyz.copy()
    rest[HUMANOID_22.index("leftUpperArm")] = rotvec_to_wxyz([0, 0, -0.8])
    local_m = np.broadcast_to(HUMANOID_RIG.offsets_m, (12, 22, 3)).copy()
    local_m[3, 5] += 0.01
    parents = list(HUMANOID_22.parents)
    parents[HUMANOID_22.index("head")] = HUMANOID_22.index("upperChest")
    headless = replace(HUMANOID_22, parents=tuple(parents))
    swapped = ["spine", "hips", *HUMANOID_22.joint_names[2:]]
    cases = {
        "leans": replace(dance, rig=replace(HUMANOID_RIG, rest_wxyz=rest)),
        "only the hips travel": replace(dance, local_m=local_m),
        "hangs on": replace(dance, rig=replace(HUMANOID_RIG, skeleton=headless)),
        "root": replace(dance, rig=replace(HUMANOID_RIG, skeleton=replace(HUMANOID_22, joint_names=tuple(swapped)))),
    }
    for message, motion in cases.items():
        with pytest.raises(InputError, match=message):
            write_vrma(motion, tmp_path / "a.vrma")


def test_a_rig_that_rests_below_the_ground_is_lifted(dance, tmp_path):
    """Catches avatars that float or sink: players scale the travel of the hips by their height at rest."""
    offsets_m = HUMANOID_RIG.offsets_m.copy()
    offsets_m[0] = 0
    write_vrma(replace(dance, rig=replace(HUMANOID_RIG, offsets_m=offsets_m)), tmp_path / "a.vrma")
    again = read_vrma(tmp_path / "a.vrma")
    assert again.rig.offsets_m[0, 1] == pytest.approx(HUMANOID_RIG.offsets_m[0, 1], abs=1e-9)
    np.testing.assert_allclose(again.root_m, dance.root_m, atol=1e-6)


def test_bones_that_travel_are_ignored_as_avatars_do(dance, tmp_path):
    """Catches a head that leaves its neck."""
    path = tmp_path / "a.vrma"
    write_vrma(dance, path)

    def let_the_head_travel(root: dict) -> None:
        animation = root["animations"][0]
        head = root["extensions"]["VRMC_vrm_animation"]["humanoid"]["humanBones"]["head"]["node"]
        animation["channels"].append({"sampler": 0, "target": {"node": head, "path": "translation"}})

    with pytest.warns(Mocap3dWarning, match="head"):
        again = read_vrma(changed(path, let_the_head_travel))
    assert again.local_m is None


def test_nodes_of_any_name_are_bones_by_the_table(dance, tmp_path):
    """Catches joints found by the names of nodes instead of the extension."""
    path = tmp_path / "a.vrma"
    write_vrma(dance, path)

    def rename(root: dict) -> None:
        for n, node in enumerate(root["nodes"]):
            node["name"] = f"J_{n}"

    assert read_vrma(changed(path, rename)).rig.skeleton.joint_names == HUMANOID_22.joint_names


def test_other_files_are_refused(dance, tmp_path):
    """Catches a plain GLB read as a humanoid, versions to come, and a table without hips."""
    path = tmp_path / "a.vrma"
    write_glb(dance, path)
    with pytest.raises(FileFormatError, match="no VRM animation"):
        read_vrma(path)
    write_vrma(dance, path)
    with pytest.raises(FileFormatError, match="specVersion"):
        read_vrma(changed(path, lambda root: root["extensions"]["VRMC_vrm_animation"].update(specVersion="2.0")))
    write_vrma(dance, path)
    bones = ("extensions", "VRMC_vrm_animation", "humanoid", "humanBones")

    def drop_hips(root: dict) -> None:
        for key in bones:
            root = root[key]
        del root["hips"]

    with pytest.raises(FileFormatError, match="no hips"):
        read_vrma(changed(path, drop_hips))
