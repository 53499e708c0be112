"""Damaged camera files of every format: only our own errors come out."""

from __future__ import annotations

import warnings

import fuzzing
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import Mocap3dError, Mocap3dWarning
from mocap3d.cameras.files import read_cameras

PIECES = [
    "%YAML:1.0\n",
    "---\n",
    "names:\n",
    ' - "a"\n',
    "K_a: ",
    "!!opencv-matrix\n",
    "  rows: 3\n",
    "  data: [",
    "]",
    "[",
]
PIECES += [
    "{",
    "}",
    '"',
    ":",
    ",",
    "\n",
    "  ",
    "- ",
    "1e999",
    "3",
    "[cam_0]\n",
    "matrix = ",
    "version = 1\n",
    "[[camera]]\n",
]
PIECES += [
    "<calibration>",
    "<cameras>",
    "<camera serial='a'>",
    "<intrinsic ",
    "/>",
    "</",
    "&amp;",
    "'",
    "null",
    "#",
    "\t",
]


def test_damaged_files_raise_our_errors_only(tmp_path, request):
    """Catches any other exception, and NumPy's warnings, for numbers that are damaged and structures that are cut."""
    form, seeds = fuzzing.FORMATS["cameras"], tmp_path / "seeds"
    seeds.mkdir()
    files = fuzzing.seed_files(form, seeds, fuzzing.data_folder())
    assert len(files) >= 9
    fuzzing.assert_survives(fuzzing.named(form.reader), files, tmp_path, 2000)


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=40))
def test_any_text_is_read_or_refused(tmp_path_factory, pieces):
    """Catches texts that no damaged file comes to: keys without values, brackets without ends."""
    path = tmp_path_factory.getbasetemp() / "any.cameras"
    path.write_bytes("".join(pieces).encode("utf-8", "replace"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", Mocap3dWarning)
        try:
            cameras = read_cameras(path)
        except Mocap3dError:
            return
    assert cameras
