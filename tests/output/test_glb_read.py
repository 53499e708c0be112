"""Reading glTF files of other programs: put together by hand, so that every number is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gltf_by_hand import TIMES, Hand, arm, glb, rags, taken_apart
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.mesh import deform
from mocap3d.output.gltf import read_glb, read_glb_character, write_glb

HALF = float(np.sqrt(0.5))


def places(motion, joint: str) -> np.ndarray:
    """(T, 3) of a joint."""
    return forward(motion)[0][:, motion.rig.skeleton.index(joint)]


def test_an_arm_turns_as_it_was_told(tmp_path):
    """Catches xyzw taken for wxyz, an offset in the wrong frame, a rate of keys instead of frames."""
    motion = read_glb(arm().save(tmp_path / "a.glb"))
    assert motion.fps == 30
    assert len(motion) == 5
    assert motion.local_m is None
    assert motion.rig.skeleton.joint_names == ("shoulder", "elbow", "hand")
    np.testing.assert_allclose(places(motion, "hand")[[0, -1]], [[1.75, 2, 3], [1, 2.75, 3]], atol=1e-6)


@pytest.mark.parametrize("name", ["a.gltf", "b.glb"])
def test_bytes_may_come_from_a_data_uri_a_side_file_or_the_same_file(name, tmp_path):
    """Catches buffers taken from the wrong place."""
    folder = tmp_path / "sub"
    folder.mkdir()
    wanted = forward(read_glb(arm().save(tmp_path / "c.glb")))[0]
    np.testing.assert_array_equal(forward(read_glb(arm().save(tmp_path / name)))[0], wanted)
    side = arm().save(tmp_path / "d.gltf", side="my bytes.bin")
    side.write_text(side.read_text().replace("my bytes", "my%20bytes"))
    np.testing.assert_array_equal(forward(read_glb(side))[0], wanted)


@pytest.mark.parametrize(
    "uri",
    [
        "../secret.bin", "%2e%2e/secret.bin", "sub/../../secret.bin", "/etc/passwd", "file:///etc/passwd", "link.bin",
        "http://example.org/a.bin", "https://example.org/a.bin", "//example.org/a.bin", "..\\secret.bin", "C:\\a.bin",
        "data:,abc", "data:text/plain;base64,§", "", "missing.bin", ".", "a\0b",
    ],
)  # fmt: skip
def test_no_file_outside_the_folder_and_no_network(uri, tmp_path):
    """Catches a character that reads the private files of whoever opens it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(1000))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "sub").mkdir()
    path = arm().save(folder / "a.gltf", side="real.bin")
    root = json.loads(path.read_text())
    root["buffers"][0]["uri"] = uri
    path.write_text(json.dumps(root))
    with pytest.raises(FileFormatError, match=r"buffers\[0\]"):
        read_glb(path)


def test_what_stands_above_the_skeleton_goes_into_it(tmp_path):
    """Catches an armature in centimetres, lying on its back, that is read a hundred times too large."""
    hand = arm()
    turn = Rotation.from_euler("x", -90, degrees=True)
    above = {"name": "Armature", "children": [0], "scale": [0.01] * 3, "translation": [0, 0, 7]}
    hand.root["nodes"].append(above | {"rotation": turn.as_quat().tolist()})
    hand.root["scenes"] = [{"nodes": [3]}]
    for node in hand.root["nodes"][:3]:
        node["translation"] = [100 * x for x in node["translation"]]
    motion = read_glb(hand.save(tmp_path / "a.glb"))
    assert motion.rig.skeleton.joint_names[0] == "shoulder"
    np.testing.assert_allclose(motion.rig.bone_lengths_m, [0, 0.5, 0.25], atol=1e-12)
    np.testing.assert_allclose(places(motion, "hand")[-1], turn.apply([1, 2.75, 3]) + [0, 0, 7], atol=1e-6)


def test_scales_inside_the_skeleton_go_into_lengths(tmp_path):
    """Catches a child of a scaled joint that keeps its unscaled offset."""
    hand = arm(scale=[2, 2, 2])
    hand.root["nodes"][1]["scale"] = [3, 3, 3]
    motion = read_glb(hand.save(tmp_path / "a.glb"))
    np.testing.assert_allclose(motion.rig.bone_lengths_m, [0, 1.0, 1.5], atol=1e-12)


@pytest.mark.parametrize("scale", [[1, 2, 1], [-1, 1, 1], [0, 0, 0], [-1, -1, -1], [1e300, 1, 1]])
def test_scales_that_no_rigid_bone_can_have_are_refused(scale, tmp_path):
    """Catches a body that is silently stretched or mirrored."""
    with pytest.raises(FileFormatError):
        read_glb(arm(scale=scale).save(tmp_path / "a.glb"))


def test_a_joint_that_grows_is_refused_and_one_that_is_told_to_stay_is_not(tmp_path):
    """Catches refusing the scale channels full of ones that every exporter writes, or ignoring real ones."""
    hand = arm()
    hand.move(1, "scale", TIMES, np.full((5, 3), 1.0000001))
    assert read_glb(hand.save(tmp_path / "a.glb")).fps == 30
    hand.move(2, "scale", TIMES, np.linspace([1, 1, 1], [2, 2, 2], 5))
    with pytest.raises(FileFormatError, match="grows"):
        read_glb(hand.save(tmp_path / "a.glb"))
    assert read_glb_character(tmp_path / "a.glb", animation=None)[2] is None  # still good enough to be a target


def test_a_matrix_is_taken_apart(tmp_path):
    """Catches rows taken for columns."""
    turn = Rotation.from_rotvec([0.3, -1.2, 2.0])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn.as_matrix() * 2.5, [1, 2, 3]
    hand = arm()
    hand.root["nodes"][1] = {"name": "elbow", "children": [2], "matrix": matrix.T.reshape(-1).tolist()}
    rig = read_glb(hand.save(tmp_path / "a.glb")).rig
    np.testing.assert_allclose(rig.offsets_m[1], [1, 2, 3])
    np.testing.assert_allclose(np.roll(rig.rest_wxyz[1], -1), turn.as_quat(canonical=True), atol=1e-12)
    assert rig.bone_lengths_m[2] == pytest.approx(0.25 * 2.5)


def test_steps_and_cubic_splines(tmp_path):
    """Catches tangents that are not scaled by time, or in and out exchanged; a step that slides."""
    hand = arm()
    hand.root["animations"] = []
    del hand.root["animations"]
    times = [0.0, 0.5, 2.0]
    values = np.array([[0, 0, 0], [1, 2, 3], [-1, 0, 5]], float)
    slopes = np.array([[[1, 0, 0], [0, 4, 0]], [[2, 0, 1], [0, 1, 0]], [[0, 0, 3], [1, 1, 1]]], float)  # in, out
    hand.move(
        0, "translation", times, np.stack([slopes[:, 0], values, slopes[:, 1]], axis=1).reshape(-1, 3), "CUBICSPLINE"
    )
    hand.move(1, "translation", times, values + [9, 0, 0], "STEP")
    motion = read_glb(hand.save(tmp_path / "a.glb"), fps=10)
    assert len(motion) == 21
    at = np.arange(21) / 10
    for t, root_m, inner_m in zip(at, motion.root_m, motion.local_m[:, 1], strict=True):
        k = 0 if t < 0.5 else 1
        span = times[k + 1] - times[k]
        # Solve for the cubic of each axis: two values and two slopes.
        powers = np.array([[1, 0, 0, 0], [1, span, span**2, span**3], [0, 1, 0, 0], [0, 1, 2 * span, 3 * span**2]])
        cubic = np.linalg.solve(powers, np.stack([values[k], values[k + 1], slopes[k, 1], slopes[k + 1, 0]]))
        np.testing.assert_allclose(root_m, (t - times[k]) ** np.arange(4) @ cubic, atol=1e-5)
        np.testing.assert_allclose(inner_m, values[2 if t >= 2 else k] + [9, 0, 0], atol=1e-6)


def test_cubic_rotations_stay_rotations(tmp_path):
    """Catches splines of quaternions that are not brought back to unit length."""
    hand = arm()
    del hand.root["animations"]
    quats = Rotation.from_rotvec([[0, 0, 0], [1, 0, 0], [1, 2, 0]]).as_quat()
    rows = np.stack([np.full_like(quats, 0.3), quats, np.full_like(quats, -0.7)], axis=1).reshape(-1, 4)
    hand.move(0, "rotation", [0, 1, 2], rows, "CUBICSPLINE")
    with pytest.warns(Mocap3dWarning, match="curves"):
        motion = read_glb(hand.save(tmp_path / "a.glb"))
    np.testing.assert_allclose(np.abs(np.sum(np.roll(motion.local_wxyz[:, 0], -1, -1) * quats, -1)), 1, atol=1e-6)


def test_keys_between_frames_are_interpolated_the_short_way_round(tmp_path):
    """Catches linear interpolation of quaternions, or half a turn too many when the sign flips between keys."""
    hand = arm()
    del hand.root["animations"]
    keys = Rotation.from_rotvec([[0, 0, 0], [0, 0, 2.0]]).as_quat() * [[1], [-1]]
    hand.move(0, "rotation", [0, 1], keys)
    motion = read_glb(hand.save(tmp_path / "a.glb"), fps=4)
    np.testing.assert_allclose(
        Rotation.from_quat(np.roll(motion.local_wxyz[:, 0], -1, -1)).as_rotvec()[:, 2], [0, 0.5, 1, 1.5, 2], atol=1e-6
    )


@pytest.mark.parametrize(("component", "scale"), [("i1", 127), ("i2", 32767), ("u1", 255), ("u2", 65535)])
def test_normalised_rotations(component, scale, tmp_path):
    """Catches integers read as whole numbers."""
    hand = arm()
    del hand.root["animations"]
    quats = np.rint(np.array([[0, 0, 0, 1], [HALF, 0, 0, HALF]]) * scale)
    hand.move(0, "rotation", [0, 1], hand.add(quats, component, normalized=True))
    motion = read_glb(hand.save(tmp_path / "a.glb"))
    np.testing.assert_allclose(motion.local_wxyz[:, 0], [[1, 0, 0, 0], [HALF, HALF, 0, 0]], atol=0.01)


def test_interleaved_and_sparse_accessors(tmp_path):
    """Catches a stride that is ignored, and replacements put into the wrong rows."""
    hand = arm()
    del hand.root["animations"]
    rows = np.arange(40, dtype="<f4").reshape(5, 8)
    view = hand.view(rows.tobytes(), byteStride=32)
    base = {"componentType": 5126, "count": 5, "type": "VEC3"}
    sparse = {
        "count": 2,
        "indices": {"bufferView": hand.view(b"\1\3"), "componentType": 5121},
        "values": {"bufferView": hand.view(np.array([[1, 2, 3], [7, 8, 9]], "<f4").tobytes())},
    }
    first = len(hand.root["accessors"])
    hand.root["accessors"] += [
        base | {"bufferView": view, "byteOffset": 8},
        base | {"bufferView": view, "byteOffset": 8, "sparse": sparse},
        base | {"sparse": sparse},
    ]
    for node in range(3):
        hand.move(node, "translation", TIMES, first + node)
    motion = read_glb(hand.save(tmp_path / "a.glb"))
    expected = rows[:, 2:5].copy()
    np.testing.assert_allclose(motion.root_m, expected)
    expected[[1, 3]] = [[1, 2, 3], [7, 8, 9]]
    np.testing.assert_allclose(motion.local_m[:, 1], expected)
    np.testing.assert_allclose(motion.local_m[:, 2], [[0, 0, 0], [1, 2, 3], [0, 0, 0], [7, 8, 9], [0, 0, 0]])


def test_the_named_scene_counts_and_several_roots_hang_under_one(tmp_path):
    """Catches joints of a scene that is not shown, and a second root that is lost."""
    hand = Hand(*({"name": name, "translation": [n, 0, 0]} for n, name in enumerate("abc")))
    hand.root |= {"scene": 1, "scenes": [{"nodes": [0]}, {"nodes": [1, 2]}]}
    for node in range(3):
        hand.move(node, "translation", TIMES, np.full((5, 3), node + 10.0))
    motion = read_glb(hand.save(tmp_path / "a.glb"))
    assert motion.rig.skeleton.joint_names == ("(several roots)", "b", "c")
    np.testing.assert_allclose(forward(motion)[0][0, 1:], [[11] * 3, [12] * 3])


def test_one_of_several_animations_by_name_or_number(tmp_path):
    """Catches the first one being read whatever is asked."""
    hand = arm()
    first = hand.root["animations"][0]
    hand.root["animations"] = [first | {"name": "turn"}]
    other = {"channels": [{"sampler": 0, "target": {"node": 0, "path": "translation"}}], "name": "go"}
    other["samplers"] = [{"input": first["samplers"][0]["input"], "output": hand.add(np.full((5, 3), 4.0))}]
    hand.root["animations"].append(other)
    path = hand.save(tmp_path / "a.glb")
    for which in (1, "go"):
        np.testing.assert_allclose(read_glb(path, animation=which).root_m, 4.0)
    for which in (2, -1, "jump"):
        with pytest.raises(InputError, match="no animation"):
            read_glb(path, animation=which)


def test_a_file_without_animation_is_one_frame(tmp_path):
    """Catches a refusal of the T-pose that somebody wants to look at."""
    hand = arm()
    del hand.root["animations"]
    with pytest.warns(Mocap3dWarning, match="no animation"):
        motion = read_glb(hand.save(tmp_path / "a.glb"))
    assert len(motion) == 1
    np.testing.assert_allclose(places(motion, "hand"), [[1.75, 2, 3]])


def test_a_character_saved_in_the_middle_of_a_dance_rests_as_it_was_bound(rested_motion, tmp_path):
    """Catches a retargeting target whose rest pose is whatever its nodes happened to show."""
    body = rags(rested_motion.rig)
    write_glb(rested_motion, tmp_path / "a.glb", mesh=body)
    root, data = taken_apart(tmp_path / "a.glb")
    for j, node in enumerate(root["nodes"][: len(rested_motion.rig.skeleton)]):
        node["rotation"] = np.roll(rested_motion.local_wxyz[20, j], -1).tolist()
    (tmp_path / "b.glb").write_bytes(glb(root, data))
    with pytest.warns(Mocap3dWarning, match="bound in another pose"):
        rig, surface, motion = read_glb_character(tmp_path / "b.glb")
    places_m = [rest_pose(r)[0] - rest_pose(r)[0][0] for r in (rig, rested_motion.rig)]
    turn, distance = Rotation.align_vectors(*places_m)  # where a whole body stands at rest is not known any more
    assert distance < 1e-4
    assert turn is not None
    np.testing.assert_allclose(forward(motion)[0], forward(rested_motion)[0], atol=1e-5)
    np.testing.assert_allclose(deform(surface, motion), deform(body, rested_motion), atol=2e-5)


def test_parts_that_hang_on_a_joint_follow_it(tmp_path):
    """Catches a hat that stays behind."""
    hand = arm()
    hand.root["nodes"][2]["children"] = [3]
    hand.root["nodes"].append({"mesh": 0, "translation": [0, 0.1, 0]})
    corners = hand.add([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0.1, 0.1, 0]])
    hand.root["meshes"] = [{"primitives": [{"attributes": {"POSITION": corners}, "mode": 5}]}]
    rig, surface, motion = read_glb_character(hand.save(tmp_path / "a.glb"))
    np.testing.assert_allclose(surface.vertices_m[0], [1.75, 2.1, 3], atol=1e-7)
    np.testing.assert_allclose(surface.normals, [[0, 0, 1]] * 4, atol=1e-7)
    np.testing.assert_array_equal(surface.triangles, [[0, 1, 2], [1, 3, 2]])
    assert (surface.joints[:, 0] == rig.skeleton.index("hand")).all()
    np.testing.assert_allclose(deform(surface, motion)[-1, 0], [0.9, 2.75, 3], atol=1e-6)


def test_a_character_without_a_body_or_a_movement(tmp_path):
    """Catches a skeleton alone that is refused."""
    hand = arm()
    del hand.root["animations"]
    rig, surface, motion = read_glb_character(hand.save(tmp_path / "a.glb"))
    assert (len(rig.skeleton), surface, motion) == (3, None, None)
