"""What a clip saves and streams, whoever it shows."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import mocap3d
from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import split
from mocap3d.clip import Clip, Performance


def person(number, shot, start, frames):
    """Somebody at rest who slides along, in some frames of a shot."""
    root_m = np.column_stack([np.full(frames, float(number)), np.full(frames, 0.9), np.arange(frames) / 30])
    wxyz = np.tile([1.0, 0, 0, 0], (frames, 22, 1))
    motion = Motion(rig=HUMANOID_RIG, fps=Fraction(30), local_wxyz=wxyz, root_m=root_m, start_frame=start)
    return Performance(person=number, shot=shot, motion=motion, pose2d=None, pose3d=None)


@pytest.fixture
def clip():
    """Two people in one shot, one in the next."""
    people = (person(1, 0, 0, 20), person(2, 0, 5, 10), person(1, 1, 20, 8))
    return Clip(source=Path("a.mp4"), performances=people, shots=(), cameras=(), grounds=())


def test_people_of_a_shot_in_one_file(clip, tmp_path):
    """Catches people of two shots in one world, and one who comes later but moves from the start."""
    paths = clip.save(tmp_path / "a.glb", together=True)
    assert [path.name for path in paths] == ["a-shot1.glb", "a-shot2.glb"]
    assert paths == clip.paths(tmp_path / "a.glb", together=True)
    people = split(mocap3d.read(paths[0]))
    assert list(people) == ["person1", "person2"]
    index = people["person2"].rig.skeleton.index("hips")
    hips_m = forward(people["person2"])[0][:, index]
    expected = np.interp(np.arange(20), np.arange(5, 15), np.arange(10) / 30)
    np.testing.assert_allclose(hips_m[:, 2], expected, atol=1e-6)
    assert len(mocap3d.read(paths[1])) == 8


def test_files_for_each(clip, tmp_path):
    """Catches a file that is overwritten by the next person."""
    names = [path.name for path in clip.save(tmp_path / "a.bvh")]
    assert names == ["a-shot1-person1.bvh", "a-shot1-person2.bvh", "a-shot2.bvh"]
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_somebody_who_is_not_there_cannot_be_streamed(clip):
    """Catches a KeyError, and another person in the place of the one asked for."""
    with pytest.raises(InputError, match="no person 3; there are 1, 2"):
        clip.stream(person=3)
    sent = replace(clip, performances=clip.performances[2:]).stream("127.0.0.1:9", person=1)
    assert 1 <= sent <= 8  # a machine that is late leaves frames out
