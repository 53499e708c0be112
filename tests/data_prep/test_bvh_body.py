from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from bvh_people import STYLES, bvh_text, name, place
from mocap3d.data_prep.bvh_body import body_joints, drop_t_pose, unit_of
from mocap3d.data_prep.bvh_names import CONVENTIONS, find_parts, plain

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17, LIFTER_20
from mocap3d.output import read_bvh

SCALE = 0.491 * 1.70 / (math.dist(place("hip"), place("knee")) + math.dist(place("knee"), place("ankle")))
PART_OF_JOINT = {"pelvis": "pelvis", "thorax": "neck", "neck": "head", "head": "top"}


def body_of(tmp_path, text, joints=LIFTER_20):
    (tmp_path / "a.bvh").write_text(text)
    return body_joints(read_bvh(tmp_path / "a.bvh"), joints)


@pytest.mark.parametrize("style", STYLES)
def test_every_convention_gives_the_same_body(style, tmp_path):
    """Catches a shoulder read where the collar bone begins, left for right, and a name under the wrong part."""
    body = body_of(tmp_path, bvh_text(style))
    for j, joint in enumerate(LIFTER_20.joint_names):
        if joint in ("spine", "face"):
            continue
        side = "right" if joint.startswith("right") else "left"
        part = PART_OF_JOINT.get(joint, joint.split("_")[-1]).replace("toe", "tip")
        np.testing.assert_allclose(body.xyz_m[0, j], np.array(place(part, side)) * SCALE, atol=1e-6, err_msg=joint)
    assert body.seen.all()
    assert body.unit == "cm"


def test_the_spine_is_half_way_along_the_bones(tmp_path):
    """Catches the joint that happens to be called spine, and a point that is not fixed to a bone when it bends."""
    bent = [{}, {"mixamorig:Spine1 x": 40.0}]
    body = body_of(tmp_path, bvh_text(rows=bent))
    spine = body.xyz_m[:, LIFTER_20.index("spine")]
    chain = [place(part) for part in ("pelvis", "spine", "chest", "neck")]
    lengths = [math.dist(a, b) for a, b in itertools.pairwise(chain)]
    along = 0.52 * sum(lengths) - lengths[0]  # it lies between "spine" and "chest", which the bend of the chest leaves
    assert 0 < along < lengths[1]
    expected = np.array(chain[1]) + (np.array(chain[2]) - chain[1]) * along / lengths[1]
    np.testing.assert_allclose(spine, [expected * SCALE] * 2, atol=1e-6)


def test_the_face_turns_with_the_head(tmp_path):
    """Catches a face that stays with the body, or turns the other way."""
    body = body_of(tmp_path, bvh_text(rows=[{}, {"mixamorig:Head y": 90.0}, {"mixamorig:Hips y": -90.0}]))
    face, neck, head = (body.xyz_m[:, LIFTER_20.index(joint)] for joint in ("face", "neck", "head"))
    ahead = face - (neck + head) / 2
    np.testing.assert_allclose(ahead, [[0, 0, 0.2], [0.2, 0, 0], [-0.2, 0, 0]], atol=1e-6)


def test_z_up_files_are_turned(tmp_path):
    """Catches people who lie on their backs, or face the floor."""
    text = bvh_text().splitlines()
    turned = []
    for line in text:
        words = line.split()
        if words[:1] == ["OFFSET"]:
            x, y, z = map(float, words[1:])
            line = f"OFFSET {x} {-z} {y}"
        turned.append(line)
    x, y, z, *rest = map(float, text[-1].split())
    turned[-1] = " ".join(map(str, [x, -z, y, *rest]))
    straight, body = body_of(tmp_path, "\n".join(text)), body_of(tmp_path, "\n".join(turned))
    np.testing.assert_allclose(body.xyz_m, straight.xyz_m, atol=1e-6)


@pytest.mark.parametrize(("unit_cm", "unit"), [(1.0, "cm"), (100.0, "m"), (0.1, "mm"), (2.54, "inch"), (5.6444, "CMU")])
def test_units_do_not_matter(unit_cm, unit, tmp_path):
    """Catches a body scaled twice, and inches taken for centimetres of a child."""
    body = body_of(tmp_path, bvh_text(unit_cm=unit_cm))
    assert body.unit == unit
    leg = body.xyz_m[0, LIFTER_20.index("left_hip")] - body.xyz_m[0, LIFTER_20.index("left_ankle")]
    assert np.linalg.norm(leg) == pytest.approx(0.491 * 1.70, rel=1e-3)


def test_no_unit_makes_a_person_of_everything():
    """Catches a prop, or a whole building, taken for somebody."""
    with pytest.raises(InputError, match="in none of"):
        unit_of(40_000.0)


def walk(frames, start=0):
    rows = []
    for i in range(start, start + frames):
        swing = 20 * math.sin(i / 5)
        rows.append(
            {"x": 100.0, "z": 4.0 * i, "mixamorig:LeftArm z": -80.0, "mixamorig:RightArm z": 80.0}
            | {"mixamorig:LeftUpLeg x": swing, "mixamorig:RightUpLeg x": -swing}
        )
    return rows


def test_a_t_pose_before_the_motion_is_dropped(tmp_path):
    """Catches a person who flies from the origin to the first step, and a first frame of motion that is lost."""
    body = body_of(tmp_path, bvh_text(rows=[{}, *walk(10)]))
    np.testing.assert_array_equal(drop_t_pose(body, 30.0).xyz_m, body.xyz_m[1:])
    for rows in (walk(11), [{"z": 4.0 * i} for i in range(11)], [{}, {}]):  # no T-pose, no jump, nothing to judge by
        body = body_of(tmp_path, bvh_text(rows=rows))
        assert drop_t_pose(body, 30.0) is body


def test_a_head_without_an_end_is_marked(tmp_path):
    """Catches a top of the head that is made up and passes for recorded."""
    text = bvh_text()
    end = text.index("End Site", text.index("mixamorig:Head"))
    text = text[:end] + text[text.index("}", end) + 1 :]
    body = body_of(tmp_path, text)
    assert [joint for joint, seen in zip(LIFTER_20.joint_names, body.seen, strict=True) if not seen] == ["head"]
    head, neck = (body.xyz_m[0, LIFTER_20.index(joint)] for joint in ("head", "neck"))
    np.testing.assert_allclose(head - neck, [0, 0.058 * 1.70, 0], atol=1e-6)


def without_joint(text: str, joint: str) -> str:
    """Leave out a joint with all that hangs from it; the numbers of the motion are cut to fit."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.endswith(f"JOINT {joint}"))
    last = next(i for i in range(first + 2, len(lines)) if lines[i] == lines[first + 1].replace("{", "}"))
    left = lines[:first] + lines[last + 1 :]
    channels = 3 * (1 + sum("CHANNELS" in line for line in left))
    return "\n".join([*left[:-1], " ".join(left[-1].split()[:channels])])


def test_what_is_missing_is_named(tmp_path):
    """Catches joints that are guessed, and a message that does not help."""
    with pytest.raises(InputError, match=r"right_elbow \(rightforearm\), right_wrist .* HumanIK, Mixamo"):
        body_of(tmp_path, without_joint(bvh_text(), "mixamorig:RightForeArm"))
    no_toes = without_joint(without_joint(bvh_text(), "mixamorig:LeftToeBase"), "mixamorig:RightToeBase")
    with pytest.raises(InputError, match="stand for left_toe, right_toe; human36m-17 needs no toes"):
        body_of(tmp_path, no_toes)
    assert body_of(tmp_path, no_toes, HUMAN36M_17).xyz_m.shape == (1, 17, 3)
    with pytest.raises(InputError, match="not to coco-17"):
        body_of(tmp_path, bvh_text(), COCO_17)


def test_rest_poses_that_say_nothing_are_refused(tmp_path):
    """Catches faces that look anywhere, because the body lies or is rolled up at rest."""
    with pytest.raises(InputError, match="rest pose stands"):
        body_of(tmp_path, bvh_text().replace("OFFSET 0.000000 ", "OFFSET 400.000000 "))


def test_names_are_compared_without_decoration():
    """Catches a namespace, a prefix or a capital letter that hides a joint."""
    assert plain("mixamorig7:Left_UpLeg ") == plain("leftupleg") == plain("Armature|x:LEFT-UpLeg") == "leftupleg"
    assert plain("thigh.L") == plain("thigh_l") == "thighl"


def test_conventions_differ():
    """Catches a convention that another one hides, so that it is never found."""
    wanted = [(tuple(sorted(convention.wanted().items())), convention.marks) for convention in CONVENTIONS]
    assert len(set(wanted)) == len(wanted)
    for convention in CONVENTIONS:
        found, parts = find_parts([*convention.wanted().values(), *convention.marks.split()])
        assert found is convention
        assert len(parts) == len(convention.wanted())
    assert name("unreal", "hip", "right") == "thigh_r"
