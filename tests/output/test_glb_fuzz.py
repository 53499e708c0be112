"""Damaged glTF and VRM animations: only our own errors come out."""

from __future__ import annotations

import numpy as np
from fuzzing import assert_survives, example
from gltf_by_hand import write_dressed

from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.skeleton import Skeleton
from mocap3d.output.gltf import read_glb_character, read_vrma, write_vrma


def small_motion() -> Motion:
    """Three joints and a tip: damage meets every part of the file."""
    skeleton = Skeleton(name="s", joint_names=("a", "b", "c"), parents=(-1, 0, 0), mirror=(0, 1, 2))
    tip = Tip(name="t", parent=1, offset_m=np.ones(3))
    rig = Rig(skeleton=skeleton, offsets_m=np.eye(3), rest_wxyz=np.tile([0.6, 0, 0.8, 0], (3, 1)), tips=(tip,))
    turns = np.tile([[0.6, 0, 0.8, 0], [0, 0.6, 0.8, 0]], (3, 1)).reshape(3, 2, 4)
    local_wxyz = np.concatenate([turns, turns[:, :1]], axis=1)
    return Motion(rig=rig, fps=24, local_wxyz=local_wxyz, root_m=np.eye(3))


def test_two_thousand_damaged_files_are_read_or_refused(tmp_path):
    """Catches an IndexError, an overflow warning or an endless loop in a file that a disk or a person has damaged."""
    made = tmp_path / "made"
    made.mkdir()
    write_dressed(small_motion(), made / "a.glb")
    write_dressed(small_motion(), made / "b.gltf")
    assert_survives(read_glb_character, sorted(made.iterdir()), tmp_path, 1700)


def test_damaged_vrm_animations_are_read_or_refused(tmp_path):
    """Catches the same in the table of bones."""
    made = tmp_path / "made.vrma"
    write_vrma(example(2), made)
    assert_survives(read_vrma, [made], tmp_path, 300)
