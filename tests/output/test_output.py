"""The extension chooses the format."""

from __future__ import annotations

import pytest

from mocap3d import output
from mocap3d.base.errors import InputError


def test_read_and_write_choose_by_extension(wild_motion, tmp_path):
    """Catches options that get lost on the way, and an extension that must be lower case."""
    output.write(wild_motion, tmp_path / "A.BVH", unit_m=0.01)
    again = output.read(tmp_path / "A.BVH", unit_m=0.01)
    assert again.root_m == pytest.approx(wild_motion.root_m, abs=1e-7)
    assert output.extensions() == (".bvh",)


@pytest.mark.parametrize("name", ["dance.xyz", "dance", ".bvh"])
def test_an_unknown_extension_lists_the_known_ones(wild_motion, name, tmp_path):
    """Catches a KeyError, and a message that does not help."""
    for call in (lambda: output.read(tmp_path / name), lambda: output.write(wild_motion, tmp_path / name)):
        with pytest.raises(InputError, match=r"unknown extension .*known are \.bvh"):
            call()


def test_an_unknown_option_is_named(wild_motion, tmp_path):
    """Catches a TypeError, or an option that is silently ignored."""
    with pytest.raises(InputError, match="no option ordre; it has order"):
        output.write(wild_motion, tmp_path / "a.bvh", ordre="XYZ")
