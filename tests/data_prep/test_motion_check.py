"""What `mocap3d data check` says, against files whose numbers are known."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from mocap3d.data_prep.motion_check import check_motion
from mocap3d.data_prep.motion_file import MotionSequence, MotionWriter

from mocap3d.base.camera import Camera
from mocap3d.base.skeletons import HUMAN36M_17


def stick(scale: float, frames: int) -> np.ndarray:
    """Every bone has the length ``scale``: each joint lies that far beside its parent."""
    xyz_m = np.zeros((frames, 17, 3), np.float32)
    for j, parent in enumerate(HUMAN36M_17.parents[1:], start=1):
        xyz_m[:, j] = xyz_m[:, parent] + np.float32([scale, 0, 0])
    return xyz_m


@pytest.fixture
def file(tmp_path):
    """Two subjects, bones of 0.1 and 0.12 m; one head is missing for half of the time, one knee wobbles by 10 mm."""
    path = tmp_path / "m.h5"
    with MotionWriter(path) as writer:
        for subject, scale, actions in (("S1", 0.1, ("walking_1", "walking_2")), ("S9", 0.12, ("hop",))):
            writer.add_camera(subject, Camera.from_fov("c1", (640, 480), 60))
            for action in actions:
                xyz_m, confidence = stick(scale, 100), np.ones((100, 17), np.float32)
                if action == "hop":
                    xyz_m[:50, HUMAN36M_17.index("head")], confidence[:50, HUMAN36M_17.index("head")] = np.nan, 0
                    xyz_m[::2, HUMAN36M_17.index("left_ankle"), 0] += 0.02
                sequence = MotionSequence(
                    subject=subject, action=action, xyz_m=xyz_m, confidence=confidence, fps=Fraction(50),
                    skeleton=HUMAN36M_17, licence="CC0-1.0",
                )  # fmt: skip
                writer.add(sequence)
        xy_px = np.full((100, 17, 2), 200.0)
        xy_px[:25, 0, 0] = 700  # a quarter of the frames has a joint beside the picture
        writer.add_view("S9", "hop", "c1", "true", xy_px, np.ones((100, 17)), HUMAN36M_17)
        writer.add_prediction(
            "S9",
            "hop",
            "net",
            "c1",
            stick(0.1, 100),
            np.ones((100, 17)),
            skeleton=HUMAN36M_17,
            weights_sha256="f0" * 32,
        )
    return path


def test_the_numbers(file):
    """Catches means over frames for means over subjects, gaps counted as bones, takes counted as actions."""
    facts = check_motion(file)
    assert facts["subjects"]["S1"] == {"sequences": 2, "frames": 200, "seconds": 4.0, "cameras": ["c1"]}
    assert facts["actions"] == {"walking": 2, "hop": 1}
    assert (facts["fps"], facts["skeletons"], facts["licences"]) == ({"50": 3}, {"human36m-17": 3}, {"CC0-1.0": 3})
    assert facts["missing"]["share"] == pytest.approx(50 / (300 * 17))
    assert facts["missing"]["joints"] == {"head": pytest.approx(50 / 300)}
    steady, wobbling = facts["bones"]["right_knee < right_hip"], facts["bones"]["left_ankle < left_knee"]
    assert steady == {"mean_mm": pytest.approx(110, abs=0.01), "spread_mm": pytest.approx(0, abs=0.01),
                      "between_subjects_mm": pytest.approx(20, abs=0.01)}  # fmt: skip
    assert wobbling["spread_mm"] == pytest.approx(10, abs=0.01)
    assert wobbling["mean_mm"] == pytest.approx((100 + 130) / 2, abs=0.01)
    assert facts["bones"]["head < neck"]["mean_mm"] == pytest.approx(110, abs=0.01)
    view = facts["views"]["true"]
    assert (view["sequences"], view["cameras"], view["seen"], view["inside"]) == (1, ["c1"], 1.0, 0.75)
    assert facts["predictions"]["net"] == {"sequences": 1, "cameras": ["c1"], "weights_sha256": ["f0" * 32]}


def test_the_command_prints_them(file, tmp_path):
    """Catches a table that lacks something, JSON that is none, and a crash for an error."""
    command = [sys.executable, "-m", "mocap3d", "data", "check", str(file)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for said in ("S9", "walking (2)", "50 (3)", "head 16.7%", "left_ankle < left_knee", "75.0%", "f0f0f0f0f0f0"):
        assert said in text
    printed = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == check_motion(file)
    other = tmp_path / "other.h5"
    other.write_text("no HDF5")
    done = subprocess.run([*command[:-1], str(other)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "not an HDF5 file" in done.stderr
