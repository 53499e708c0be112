from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifters import random_lifter

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.lift.lifter_weights import LifterMeta, LifterWeights, load_weights, save_weights
from mocap3d.lift.temporal import run_lifter


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


def with_meta(**changes):
    """A change of some fields of ``meta``, for `rewritten`."""

    def change(contents):
        contents["meta"] = np.array(json.dumps(json.loads(str(contents["meta"])) | changes))

    return change


WRONG = {
    "architecture": [None, "transformer", ["temporal-residual"]],
    "channels": [-24, 0, 24.0, "24", True, None],
    "dilations": [[1.5, 3, 9], [], None, "139", [True, 3, 9], [-1], [10**9], {"1": 1}],
    "causal": ["no", 0, None],
    "direct": ["yes", 1],
    "trajectory": [[]],
    "contacts": [None],
    "encoding": [None, 1, ["hip-rays-1"], "hip-rays-9"],
    "fps": ["1/0", "0", "-30", "nan", "1e999999999", "", None, 0, [30], {}, "1/99999999999", "30 Hz"],
    "input_skeleton": [None, ["coco-17"], "coco-18"],
    "output_skeleton": [{}, "lifter-21"],
    "stature_m": [0, -1.7, "x", None, math.nan, math.inf, True, 1e9, [1.7]],
    "std_m": [["x"] * 20, None, 0.1, [0.1], [-0.1] * 20, [0] * 20, [math.nan] * 20, [None] * 20],
    "std_unseen_m": [["0.1"] * 20, "0.1", [math.inf] * 20],
    "licence": [None, 1],
    "root": [None, "pelvis"],
    "trained": [None, "yes", []],
}


def test_every_field_is_tried():
    """Catches a field that the next test forgets."""
    assert {"architecture", *LifterMeta.__dataclass_fields__} == WRONG.keys()


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_a_meta_that_makes_no_sense_is_refused(saved, field, value):
    """Catches a capture that stops in the middle, a rate of 0, "no" that counts as yes; the message must help."""
    says = {"input_skeleton": "skeleton", "output_skeleton": "skeleton", "encoding": "encod|hip-rays-9"}.get(
        field, field
    )
    with pytest.raises(FileFormatError, match=rf"l\.npz.*({says})"):
        load_weights(rewritten(saved, with_meta(**{field: value})))


@pytest.mark.parametrize("meta", ["null", '"hello"', "[1]", "3", "{", "{}", "[" * 5000])
def test_a_meta_that_is_no_object_is_refused(saved, meta):
    """Catches AttributeError and RecursionError."""
    with pytest.raises(FileFormatError, match=r"l\.npz.*meta"):
        load_weights(rewritten(saved, lambda contents: contents.update(meta=np.array(meta))))


def test_a_meta_with_fields_too_few_or_too_many_is_refused(saved):
    """Catches Python's words for it, and a field that is ignored."""
    with pytest.raises(FileFormatError, match="colour"):
        load_weights(rewritten(saved, with_meta(colour="red")))

    def without_licence(contents):
        fields = json.loads(str(contents["meta"]))
        del fields["licence"], fields["colour"]
        contents["meta"] = np.array(json.dumps(fields))

    with pytest.raises(FileFormatError, match="licence"):
        load_weights(rewritten(saved, without_licence))


@pytest.mark.parametrize("fps", ["30000/1001", "50", 50, "29.97"])
def test_rates_that_make_sense_are_read(saved, fps):
    """Catches a check that refuses the rates there are."""
    assert load_weights(rewritten(saved, with_meta(fps=fps))).meta.fps == Fraction(str(fps))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e300])
def test_weights_that_are_no_numbers_are_refused(saved, wrong):
    """Catches a network that lifts everybody to NaN."""

    def one_wrong(contents):
        contents["block1.point.weight"] = contents["block1.point.weight"].astype(np.float64)
        contents["block1.point.weight"][2, 3] = wrong

    with pytest.raises(FileFormatError, match=r"block1\.point\.weight"):
        load_weights(rewritten(saved, one_wrong))
    weights = random_lifter()
    weights.arrays["expand.bias"][0] = np.nan
    with pytest.raises(InputError, match=r"expand\.bias"):
        LifterWeights(meta=weights.meta, arrays=weights.arrays)


def test_weights_too_large_for_the_file_are_not_written(tmp_path):
    """Catches a file that nobody can read again: fp16 ends at 65504."""
    weights = random_lifter()
    weights.arrays["expand.bias"][0] = 1e5
    with pytest.raises(InputError, match=r"expand\.bias"):
        save_weights(weights, tmp_path / "l.npz")
    assert not list(tmp_path.iterdir())


def test_a_meta_may_say_that_nothing_was_measured_and_weights_may_not():
    """Catches a network that cannot be built before it is measured, and a lifter that scales by NaN."""
    weights, unknown = random_lifter(), (math.nan,) * 20
    for changes in ({"stature_m": math.nan}, {"std_m": unknown}, {"std_unseen_m": unknown}):
        meta = replace(weights.meta, **changes)
        with pytest.raises(InputError, match=next(iter(changes))):
            LifterWeights(meta=meta, arrays=weights.arrays)


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["0", "1/0", "50", "60000/1001", "screen-normalised", "hip-rays-2", "human36m-17", "predicted", 10**30]
    ),
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
ARRAYS = ("expand.weight", "expand.bias", "shrink.weight", "shrink.bias", "meta", "more")
DTYPES = ("f2", "f4", "f8", "c8", "i4", "?", "U3", "S3", "M8[s]")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The contents of a small file, and where to write others."""
    path = tmp_path_factory.mktemp("small") / "l.npz"
    save_weights(random_lifter(channels=3, dilations=(1,)), path)
    with np.load(path) as file:
        return {name: file[name] for name in file.files}, path


def loads_or_says_why(path):
    """Only our errors, the file named; and what loads can lift."""
    try:
        weights = load_weights(path)
    except FileFormatError:
        return
    features = np.zeros((4, weights.meta.inputs), np.float32)
    assert np.isfinite(run_lifter(weights, features)).all()
    assert math.isfinite(1.7 / weights.meta.stature_m)
    assert math.isfinite(120 / weights.meta.fps)


@given(changes=st.dictionaries(st.sampled_from([*WRONG, "format", "version", "more"]), JSON, min_size=1, max_size=3))
def test_no_meta_lets_a_foreign_error_out(small, changes):
    """Catches every field at once: whatever JSON can say."""
    contents, path = dict(small[0]), small[1]
    with_meta(**changes)(contents)
    np.savez(path, **contents)
    loads_or_says_why(path)


@given(
    name=st.sampled_from(ARRAYS),
    dtype=st.sampled_from(DTYPES),
    shape=st.none() | st.lists(st.integers(0, 4), max_size=3),
    fill=st.floats() | st.none(),
)
def test_no_array_lets_a_foreign_error_out(small, name, dtype, shape, fill):
    """Catches text, dates and complex numbers as weights, other shapes, NaN and infinity."""
    contents, path = dict(small[0]), small[1]
    array = np.zeros(shape if shape is not None else contents.get(name, np.zeros(2)).shape)
    if fill is not None and array.size:
        array.flat[0] = fill
    with np.errstate(all="ignore"):
        contents[name] = (array if dtype[0] in "fc" else np.nan_to_num(array, posinf=9, neginf=-9).clip(-9, 9)).astype(
            dtype
        )
    np.savez(path, **contents)
    loads_or_says_why(path)


@pytest.mark.filterwarnings("ignore:Reading `.npy`")  # NumPy's, where bytes look like an old file
@given(data=st.data(), packed=st.booleans())
def test_no_damage_lets_a_foreign_error_out(small, data, packed):
    """Catches zlib's errors, unknown methods of compression and headers that are no Python."""
    contents, path = small
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, **contents)
    damaged = bytearray(file.getvalue())
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), max_size=8)):
        damaged[at] = byte
    path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)) | st.just(len(damaged)))])
    loads_or_says_why(path)
