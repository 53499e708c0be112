"""Damaged BVH files: only our own errors come out."""

from __future__ import annotations

from fuzzing import FORMATS, assert_survives, seed_files

from mocap3d.output.bvh import read_bvh


def test_two_thousand_damaged_files_are_read_or_refused(shared_data, tmp_path):
    """Catches an IndexError, an overflow warning or an endless loop in a file that a disk or a person has damaged."""
    made = tmp_path / "made"
    made.mkdir()
    assert_survives(read_bvh, seed_files(FORMATS["bvh"], made, shared_data), tmp_path)
