"""Damaged glTF and VRM animations: only our own errors come out."""

from __future__ import annotations

import contextlib
import copy
from collections import Counter
from functools import reduce
from operator import getitem
from random import Random

import numpy as np
import pytest
from fuzzing import assert_survives, example, is_read
from gltf_by_hand import glb, taken_apart, write_dressed

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


VALUES = (0, 1, 3, -1, 0.5, 1e30, -1e12, 2**31, 2**63, None, True, "", "VEC3", "MAT4", "STEP", "CUBICSPLINE", "scale")
VALUES += ([], {}, [0], [0, 0, 0, 1], [1] * 16, [[]], {"node": 0}, 5120, 5123, 5126)


def places(value: object, above: tuple = ()) -> list[tuple]:
    """Every way down into a JSON document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above] + [place for key, below in inside for place in places(below, (*above, key))]


@pytest.mark.parametrize("suffix", [".glb", ".vrma"])
def test_documents_that_say_something_else_are_read_or_refused(suffix, tmp_path):
    """Catches a type, an index or a length that is believed: damage that leaves the JSON whole."""
    path = tmp_path / f"a{suffix}"
    write_vrma(example(2), path) if suffix == ".vrma" else write_dressed(small_motion(), path)
    root, data = taken_apart(path)
    everywhere = places(root)[1:]
    read = read_vrma if suffix == ".vrma" else read_glb_character
    outcomes = Counter()
    for n in range(500):
        rng, changed = Random(n), copy.deepcopy(root)
        for *above, last in rng.sample(everywhere, rng.choice((1, 1, 2))):
            with contextlib.suppress(KeyError, IndexError, TypeError):  # the place went with an earlier change
                holder = reduce(getitem, above, changed)
                if rng.random() < 0.2:
                    del holder[last]
                else:
                    holder[last] = copy.deepcopy(rng.choice(VALUES))
        path.write_bytes(glb(changed, data))
        try:
            outcomes[is_read(read, path)] += 1
        except Exception as error:
            error.add_note(f"document {n}")
            raise
    assert min(outcomes.values()) > 20


def test_damaged_vrm_animations_are_read_or_refused(tmp_path):
    """Catches the same in the table of bones."""
    made = tmp_path / "made.vrma"
    write_vrma(example(2), made)
    assert_survives(read_vrma, [made], tmp_path, 300)
