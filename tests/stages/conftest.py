"""A short captured clip, and folders of its stages to change."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest
from videos import LENS, WALK

import mocap3d


@pytest.fixture(scope="session")
def captured():
    """24 frames of the demo clip, frames 40 to 63 of the video."""
    return mocap3d.capture(WALK, cameras=LENS, height_m=1.65, start=40, stop=64)


@pytest.fixture(scope="session")
def kept(captured, tmp_path_factory):
    """Its stages; to be copied, not to be changed."""
    folder = tmp_path_factory.mktemp("stages") / "kept"
    captured.save_stages(folder)
    return folder


@pytest.fixture
def folder(kept, tmp_path):
    """A copy of the stages for one test."""
    return shutil.copytree(kept, tmp_path / "walk")


@pytest.fixture(scope="session")
def two_people(captured):
    """The same with a second person, who walks beside the first: seen 200 px further to the right."""
    (one,) = captured.performances
    xy_px = one.pose2d.xy_px + [200.0, 0.0]
    other = replace(one, person=2, pose2d=replace(one.pose2d, xy_px=xy_px))
    return replace(captured, performances=(one, other))


@pytest.fixture
def cells():
    """Read a file with the csv module, change cells by row and title, and write it again as a spreadsheet would."""

    def change(path, changes):
        with open(path, newline="", encoding="utf-8-sig") as file:
            title, *rows = csv.reader(file)
        for (row, name), text in changes.items():
            rows[row][title.index(name)] = text
        with open(path, "w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file).writerows([title, *rows])

    return change


@pytest.fixture
def solved():
    """Solve a folder; return the clip and what was said."""

    def solve(folder):
        said = []
        return mocap3d.solve_stages(folder, say=said.append), said

    return solve


@pytest.fixture
def same_motion():
    """Compare two motions to the last bit."""

    def compare(a, b):
        arrays = ("local_wxyz", "root_m", "contacts")
        same = all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in arrays)
        same = same and (a.fps, a.start_frame, a.rig.skeleton) == (b.fps, b.start_frame, b.rig.skeleton)
        return same and np.array_equal(a.rig.offsets_m, b.rig.offsets_m)

    return compare
