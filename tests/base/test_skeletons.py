"""The table of skeletons against orders written out by hand from the data sets' own documents."""

from __future__ import annotations

import re

import pytest

from mocap3d.base.errors import InputError
from mocap3d.base.skeleton import ROOT, Skeleton
from mocap3d.base.skeletons import (
    AI_CHALLENGER_14,
    BLAZEPOSE_33,
    BODY_25,
    COCO_17,
    FLIC_9,
    HUMAN36M_17,
    HUMAN36M_32,
    HUMANOID_22,
    LIFTER_20,
    LSP_14,
    MPII_16,
    POSETRACK18_17,
    POSETRACK_15,
    SKELETONS,
    skeleton_named,
)

# (skeleton, joint, its official index): picked so that a swapped side, a shifted block or a missing joint shows.
OFFICIAL = [
    (COCO_17, "nose 0 left_eye 1 right_ear 4 left_shoulder 5 right_wrist 10 left_hip 11 right_ankle 16"),
    (MPII_16, "right_ankle 0 right_hip 2 left_hip 3 left_ankle 5 pelvis 6 thorax 7 upper_neck 8 head_top 9"),
    (MPII_16, "right_wrist 10 right_shoulder 12 left_shoulder 13 left_wrist 15"),
    (LSP_14, "right_ankle 0 left_ankle 5 right_wrist 6 right_shoulder 8 left_wrist 11 neck 12 head_top 13"),
    (FLIC_9, "left_shoulder 0 left_wrist 2 right_shoulder 3 right_wrist 5 left_hip 6 right_hip 7 head 8"),
    (AI_CHALLENGER_14, "right_shoulder 0 left_shoulder 3 right_hip 6 left_hip 9 left_ankle 11 head_top 12 neck 13"),
    (POSETRACK_15, "right_ankle 0 left_ankle 5 right_wrist 6 left_wrist 11 head_bottom 12 nose 13 head_top 14"),
    (POSETRACK18_17, "nose 0 head_bottom 1 head_top 2 left_ear 3 left_shoulder 5 right_ankle 16"),
    (BODY_25, "nose 0 neck 1 right_shoulder 2 left_wrist 7 mid_hip 8 right_hip 9 left_ankle 14 right_eye 15"),
    (BODY_25, "left_ear 18 left_big_toe 19 left_small_toe 20 left_heel 21 right_big_toe 22 right_heel 24"),
    (BLAZEPOSE_33, "nose 0 left_eye 2 right_eye 5 left_ear 7 left_mouth 9 left_shoulder 11 right_wrist 16"),
    (BLAZEPOSE_33, "left_pinky 17 left_index 19 left_thumb 21 left_hip 23 left_heel 29 right_foot_index 32"),
    (HUMAN36M_17, "pelvis 0 right_hip 1 left_hip 4 spine 7 thorax 8 neck 9 head 10 left_shoulder 11 right_wrist 16"),
    (HUMAN36M_32, "pelvis 0 right_ankle 3 left_hip 6 left_toe 10 spine 12 thorax 13 neck 14 head 15"),
    (HUMAN36M_32, "left_shoulder 17 left_wrist 19 right_shoulder 25 right_elbow 26 right_wrist 27"),
    (LIFTER_20, "pelvis 0 right_wrist 16 left_toe 17 right_toe 18 face 19"),
    (HUMANOID_22, "hips 0 head 5 leftUpperArm 7 rightHand 13 leftUpperLeg 14 leftToes 17 rightToes 21"),
]


@pytest.mark.parametrize(("skeleton", "places"), OFFICIAL)
def test_joints_stand_in_the_official_order(skeleton: Skeleton, places: str) -> None:
    """Catches an order from memory: files would be read with knees for elbows."""
    words = places.split()
    for joint, index in zip(words[::2], words[1::2], strict=True):
        assert skeleton.index(joint) == int(index), joint


def test_human36m_32_has_the_tree_of_the_data_set() -> None:
    """Catches a wrong parent: the list is VideoPose3D's and Martinez', written as numbers."""
    official = [-1, 0, 1, 2, 3, 4, 0, 6, 7, 8, 9, 0, 11, 12, 13, 14, 12, 16, 17, 18, 19, 20, 19, 22]
    official += [12, 24, 25, 26, 27, 28, 27, 30]
    assert list(HUMAN36M_32.parents) == official


def test_human36m_17_is_the_usual_selection_of_32() -> None:
    """Catches a 17 that is not the one all papers evaluate."""
    chosen = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    assert [HUMAN36M_32.joint_names[j] for j in chosen] == list(HUMAN36M_17.joint_names)
    assert LIFTER_20.joint_names[:17] == HUMAN36M_17.joint_names


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_every_skeleton_is_whole(skeleton: Skeleton) -> None:
    """Catches a forgotten joint, an unpaired side, and a tree that the mirror does not respect."""
    assert len(skeleton) == int(re.findall(r"\d+", skeleton.name)[-1])
    assert skeleton_named(skeleton.name) is skeleton
    for j, name in enumerate(skeleton.joint_names):
        sided = name.startswith(("left", "right"))
        assert (skeleton.mirror[j] != j) == sided, name
        if sided:
            assert {name.removeprefix("left"), name} & {
                skeleton.joint_names[skeleton.mirror[j]].removeprefix("right"),
                name,
            }
        parent, mirrored_parent = skeleton.parents[j], skeleton.parents[skeleton.mirror[j]]
        assert mirrored_parent == (ROOT if parent == ROOT else skeleton.mirror[parent]), name


def test_unknown_names_list_the_known_ones() -> None:
    """Catches a KeyError that helps nobody."""
    with pytest.raises(InputError, match=r"coco.*coco-17, .*humanoid-22"):
        skeleton_named("coco")
    with pytest.raises(InputError, match=r"no joint 'left_tail'; it has: nose, left_eye"):
        COCO_17.index("left_tail")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"joint_names": ("a", "a"), "parents": (-1, 0), "mirror": (0, 1)}, "unique; twice: a"),
        ({"joint_names": ("a", "b"), "parents": (-1, -1), "mirror": (0, 1)}, "one root"),
        ({"joint_names": ("a", "b", "c"), "parents": (-1, 2, 1), "mirror": (0, 1, 2)}, "cycle"),
        ({"joint_names": ("a", "b"), "parents": (-1, 1), "mirror": (0, 1)}, "cycle"),
        ({"joint_names": ("a", "b"), "parents": (-1, 5), "mirror": (0, 1)}, "outside"),
        ({"joint_names": ("a", "b", "c"), "parents": (-1, 0, 0), "mirror": (0, 2, 2)}, "not mutual"),
        ({"joint_names": ("a", "b"), "parents": (-1,), "mirror": (0, 1)}, "as many"),
        ({"joint_names": (), "parents": (), "mirror": ()}, "at least one"),
    ],
)
def test_what_is_no_tree_is_refused(fields: dict[str, tuple[object, ...]], words: str) -> None:
    """Catches endless loops later on: cycles, forests, one-sided mirrors."""
    with pytest.raises(InputError, match=words):
        Skeleton(name="bad", **fields)  # type: ignore[arg-type]


def test_any_order_is_a_tree_and_says_whether_parents_come_first() -> None:
    """Catches a check that wants parents first, which MPII and LSP do not have."""
    assert not MPII_16.is_parents_first
    assert MPII_16.joint_names[MPII_16.root] == "pelvis"
    assert HUMANOID_22.is_parents_first
    assert len(MPII_16.edges) == len(MPII_16) - 1
