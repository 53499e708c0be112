from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from lifters import random_lifter

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.lift.lifter_weights import LifterWeights, load_weights, save_weights


def rewritten(path, change):
    """The same file with other contents."""
    with np.load(path) as file:
        contents = {name: file[name] for name in file.files}
    change(contents)
    np.savez(path, **contents)
    return path


@pytest.fixture
def saved(tmp_path):
    save_weights(random_lifter(), tmp_path / "l.npz")
    return tmp_path / "l.npz"


def test_reads_what_was_saved(saved):
    """Catches a rate that became a decimal, tuples that came back as lists, arrays that lost more than fp16 does."""
    before, after = random_lifter(), load_weights(saved)
    assert after.meta == before.meta
    assert len(after.sha256) == 64
    assert after.meta.window == 27
    for name, array in before.arrays.items():
        assert after.arrays[name].dtype == np.float32
        np.testing.assert_array_equal(after.arrays[name], array.astype(np.float16))


def test_the_file_holds_fp16_and_no_pickle(saved):
    """Catches a file of twice the size, or one that runs code when it is read."""
    with np.load(saved, allow_pickle=False) as file:
        assert {file[name].dtype for name in file.files if name != "meta"} == {np.dtype(np.float16)}
        assert json.loads(str(file["meta"]))["format"] == "mocap3d-lifter"


def test_a_meta_of_another_version_is_refused(saved):
    """Catches a later file that is half understood."""

    def newer(contents):
        contents["meta"] = np.array(str(contents["meta"]).replace('"version": 1', '"version": 2'))

    with pytest.raises(FileFormatError, match="version 1"):
        load_weights(rewritten(saved, newer))


def test_missing_or_other_arrays_are_refused(saved):
    """Catches a network that fails in the middle of a capture."""
    with pytest.raises(FileFormatError, match=r"expand\.bias"):
        load_weights(rewritten(saved, lambda contents: contents.pop("expand.bias")))
    weights = random_lifter()
    with pytest.raises(InputError, match=r"shrink\.bias"):
        LifterWeights(meta=weights.meta, arrays=weights.arrays | {"shrink.bias": np.zeros(3, np.float32)})
    with pytest.raises(InputError, match="20 joints"):
        LifterWeights(meta=replace(weights.meta, std_m=(0.1,)), arrays=weights.arrays)


def test_other_files_are_refused(tmp_path):
    """Catches an exception of NumPy's or zipfile's reaching the user."""
    with pytest.raises(InputError, match="no such"):
        load_weights(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(FileFormatError, match="not the weights"):
        load_weights(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(FileFormatError, match="meta"):
        load_weights(tmp_path / "other.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:100])
    with pytest.raises(FileFormatError, match="not the weights"):
        load_weights(tmp_path / "cut.npz")
