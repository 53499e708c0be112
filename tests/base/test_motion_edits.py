from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import in_place, resampled, split, together, trimmed
from mocap3d.base.skeleton import SEVERAL_ROOTS


def moving(frames=40, fps=Fraction(30), seed=0, contacts=True):
    """A humanoid that turns all joints smoothly and walks off."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None, None] / float(fps)
    rotvec = 0.8 * rng.normal(size=(1, 22, 3)) * np.sin(2 * t + rng.random((1, 22, 3)))
    wxyz = np.roll(Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_quat(), 1, axis=-1).reshape(frames, 22, 4)
    root_m = np.column_stack([t[:, 0, 0], 0.9 + 0.1 * np.sin(t[:, 0, 0]), -2 * t[:, 0, 0]])
    return Motion(
        rig=HUMANOID_RIG,
        fps=fps,
        local_wxyz=wxyz,
        root_m=root_m,
        contacts=rng.random((frames, 4)) if contacts else None,
        start_frame=7,
    )


def test_trimming_keeps_the_frames_that_were_asked_for():
    """Catches a range that is one frame off, and a start frame that forgets where the clip was cut."""
    motion = moving()
    cut = trimmed(motion, 10, 25)
    assert (len(cut), cut.start_frame) == (15, 17)
    np.testing.assert_array_equal(cut.root_m, motion.root_m[10:25])
    np.testing.assert_array_equal(cut.local_wxyz, motion.local_wxyz[10:25])
    np.testing.assert_array_equal(cut.contacts, motion.contacts[10:25])
    for start, stop in ((-1, 3), (5, 5), (30, 41)):
        with pytest.raises(InputError, match="not within 0:40"):
            trimmed(motion, start, stop)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), 24, 60, 120, Fraction(60000, 1001)])
def test_resampling_agrees_with_scipy(rate):
    """Catches frames taken at the wrong times, long ways round, and a last frame beyond the end."""
    motion = moving()
    found = resampled(motion, rate)
    at_s = np.arange(len(found)) / float(found.fps)
    old_s = np.arange(40) / 30
    assert old_s[-1] - 1 / float(rate) < at_s[-1] <= old_s[-1] + 1e-12
    for j in (0, 5, 21):
        key = Rotation.from_quat(np.roll(motion.local_wxyz[:, j], -1, axis=-1))
        expected = Slerp(old_s, key)(np.minimum(at_s, old_s[-1]))
        theirs = Rotation.from_quat(np.roll(found.local_wxyz[:, j], -1, axis=-1))
        assert (theirs * expected.inv()).magnitude().max() < 1e-9
    for axis in range(3):
        np.testing.assert_allclose(found.root_m[:, axis], np.interp(at_s, old_s, motion.root_m[:, axis]), atol=1e-12)


def test_a_start_frame_is_counted_at_the_new_rate():
    """Catches two people of one shot who drift apart because only their frames were resampled."""
    assert resampled(moving(), 60).start_frame == 14


@pytest.mark.parametrize("rate", ["1e7", 1e300])
def test_a_rate_that_makes_millions_of_frames_is_refused(rate):
    """Catches a typing error that fills the memory."""
    with pytest.raises(InputError, match="frames of this recording"):
        resampled(moving(), rate)


def test_names_of_bones_may_have_colons():
    """Catches `mixamorig:Hips` that loses its first half when people are parted."""
    names = tuple(f"mixamorig:{name}" for name in HUMANOID_RIG.skeleton.joint_names)
    rig = replace(HUMANOID_RIG, skeleton=replace(HUMANOID_RIG.skeleton, joint_names=names))
    people = {name: replace(moving(contacts=False), rig=rig) for name in ("a", "b")}
    apart = split(together(people))
    assert list(apart) == ["a", "b"]
    assert apart["b"].rig.skeleton.joint_names == names


def test_one_frame_stays_one_frame():
    """Catches a division by the number of intervals."""
    motion = trimmed(moving(), 3, 4)
    assert len(resampled(motion, 120)) == 1
    assert resampled(motion, 30) is motion


def test_in_place_keeps_height_and_rotations():
    """Catches a root that sinks, or a heading that is lost."""
    motion = moving()
    still = in_place(motion)
    assert not still.root_m[:, [0, 2]].any()
    np.testing.assert_array_equal(still.root_m[:, 1], motion.root_m[:, 1])
    np.testing.assert_array_equal(still.local_wxyz, motion.local_wxyz)


def test_people_put_together_come_apart_again():
    """Catches a person who stands elsewhere after a file for several, and names that run into each other."""
    ann, bob = moving(contacts=False), moving(30, seed=1, contacts=False)
    both = together({"Ann": ann, "Bob, the second": bob})
    assert both.rig.skeleton.joint_names[0] == SEVERAL_ROOTS
    assert len(both.rig.skeleton) == 45
    assert both.rig.skeleton.joint_names[1] == "Ann:hips"
    world_m, _ = forward(both)
    np.testing.assert_allclose(world_m[:, 1:23], forward(ann)[0], atol=1e-12)
    np.testing.assert_allclose(world_m[:30, 23:], forward(bob)[0], atol=1e-12)
    np.testing.assert_allclose(world_m[30:, 23:], np.repeat(forward(bob)[0][-1:], 10, axis=0), atol=1e-12)
    later = together({"Ann": ann, "Bob": replace(bob, start_frame=12)})
    assert (len(later), later.start_frame) == (40, 7)
    np.testing.assert_allclose(forward(later)[0][5:35, 23:], forward(bob)[0], atol=1e-12)
    np.testing.assert_allclose(forward(later)[0][:5, 23:], np.repeat(forward(bob)[0][:1], 5, axis=0), atol=1e-12)
    apart = split(both)
    assert list(apart) == ["Ann", "Bob, the second"]
    for name, motion in (("Ann", ann), ("Bob, the second", bob)):
        found = apart[name]
        assert found.rig.skeleton.joint_names == HUMANOID_RIG.skeleton.joint_names
        assert found.rig.skeleton.parents == HUMANOID_RIG.skeleton.parents
        assert [tip.name for tip in found.rig.tips] == [tip.name for tip in HUMANOID_RIG.tips]
        assert found.local_m is None
        np.testing.assert_allclose(found.root_m[: len(motion)], motion.root_m, atol=1e-12)
        np.testing.assert_allclose(forward(found)[0][: len(motion)], forward(motion)[0], atol=1e-12)


def test_each_of_several_stays_on_the_spot():
    """Catches people who are put on top of each other's path, or only the first of whom stops."""
    people = {"a": moving(contacts=False), "b": moving(seed=1, contacts=False)}
    people["b"] = replace(people["b"], root_m=people["b"].root_m + [2.0, 0, 1])
    for name, one in split(in_place(together(people))).items():
        np.testing.assert_allclose(one.root_m[:, ::2], np.tile(people[name].root_m[0, ::2], (40, 1)), atol=1e-12)
        np.testing.assert_allclose(one.root_m[:, 1], people[name].root_m[:, 1], atol=1e-12)


def test_what_cannot_be_put_together_is_refused():
    """Catches frames of different rates that are taken for each other's."""
    with pytest.raises(InputError, match="nobody"):
        together({})
    with pytest.raises(InputError, match="without a colon"):
        together({"a:b": moving()})
    with pytest.raises(InputError, match="24, 30"):
        together({"a": moving(), "b": replace(moving(), fps=Fraction(24))})


def test_one_person_needs_no_parting():
    """Catches a name that is cut from a skeleton of one."""
    motion = moving()
    assert split(motion) == {"hips": motion}
