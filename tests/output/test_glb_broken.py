"""glTF files that contradict themselves or lie about their size."""

from __future__ import annotations

import struct
import warnings

import numpy as np
import pytest
from gltf_by_hand import Hand, arm, glb, taken_apart

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.output.gltf import read_glb


def broken(change) -> object:
    """A case: what to do to the JSON of an arm."""
    return pytest.param(change, id=change.__name__)


def _cycle(root: dict) -> None:
    root["nodes"][2]["children"] = [0]


def _self(root: dict) -> None:
    root["nodes"][2]["children"] = [2]


def _two_parents(root: dict) -> None:
    root["nodes"][0]["children"] = [1, 2]


def _lying_count(root: dict) -> None:
    root["accessors"][0]["count"] = 10**9


def _no_bytes(root: dict) -> None:
    root["accessors"][0] = {"componentType": 5126, "count": 10**12, "type": "SCALAR", "sparse": {"count": 1}}


def _lying_view(root: dict) -> None:
    root["bufferViews"][0]["byteLength"] = 10**6


def _lying_buffer(root: dict) -> None:
    root["buffers"][0]["byteLength"] = 10**15


def _unit_less(root: dict) -> None:
    root["nodes"][0]["rotation"] = [0, 0, 0, 0]


def _infinite(root: dict) -> None:
    root["nodes"][0]["translation"] = [1e400, 0, 0]


def _outside(root: dict) -> None:
    root["skins"][0]["joints"] = [0, 1, 99]


def _twice(root: dict) -> None:
    root["animations"][0]["channels"] *= 2


def _old(root: dict) -> None:
    root["asset"]["version"] = "1.0"


def _required(root: dict) -> None:
    root["extensionsRequired"] = ["ACME_upside_down"]


def _no_nodes(root: dict) -> None:
    root["nodes"] = []


def _not_a_list(root: dict) -> None:
    root["nodes"] = {"0": {}}


@pytest.mark.parametrize(
    "change",
    [
        broken(f)
        for f in (
            _cycle,
            _self,
            _two_parents,
            _lying_count,
            _no_bytes,
            _lying_view,
            _lying_buffer,
            _unit_less,
            _infinite,
        )
    ]
    + [broken(f) for f in (_outside, _twice, _old, _required, _no_nodes, _not_a_list)],
)
def test_files_that_contradict_themselves_are_refused(change, tmp_path):
    """Catches an endless loop, an index out of bounds, memory for numbers that are not there."""
    path = arm().save(tmp_path / "a.glb")
    root, data = taken_apart(path)
    change(root)
    path.write_bytes(glb(root, data))
    with pytest.raises(FileFormatError, match=r"a\.glb"):
        read_glb(path)


def test_a_short_file_cannot_ask_for_hours_of_frames(tmp_path):
    """Catches two keys, a year apart and on a grid of 120 frames per second, that fill the memory."""
    hand = arm()
    hand.move(1, "translation", [0.0, 1 / 120, 1e9 / 120], np.zeros((3, 3)))
    with pytest.raises(FileFormatError, match="far more than a file of this size"):
        read_glb(hand.save(tmp_path / "a.glb"))


def test_headers_that_lie(tmp_path):
    """Catches lengths that are believed."""
    good = arm().save(tmp_path / "a.glb").read_bytes()
    path = tmp_path / "b.glb"
    for at, value in ((4, 1), (8, 2**32 - 1), (12, 2**32 - 1), (12, 3), (16, 7)):
        path.write_bytes(good[:at] + struct.pack("<I", value) + good[at + 4 :])
        with pytest.raises(FileFormatError):
            read_glb(path)
    for data in (
        b"",
        b"glTF",
        good[:19],
        good[:100],
        b"{" * 100_000,
        b"[1]",
        b"\xff\xfe",
        b'{"asset": {"version": NaN}}',
    ):
        path.write_bytes(data)
        with pytest.raises(FileFormatError):
            read_glb(path)
    with pytest.raises(InputError, match="cannot read"):
        read_glb(tmp_path / "none.glb")


def test_a_hierarchy_ten_thousand_deep_is_read(tmp_path):
    """Catches recursion."""
    count = 10_000
    nodes = [{"name": f"n{n}", "translation": [0, 1e-3, 0], "children": [n + 1]} for n in range(count - 1)]
    hand = Hand(*nodes, {"name": "last"})
    hand.move(0, "translation", [0.0], [[0.0, 0, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Mocap3dWarning)
        motion = read_glb(hand.save(tmp_path / "a.glb"))
    assert len(motion.rig.skeleton) == count
