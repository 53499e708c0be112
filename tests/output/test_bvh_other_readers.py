"""BVH against readers that we did not write: three.js, pybvh, bvhio, Blender."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from foreign_readers import assert_same_joints, read_with, y_up

from mocap3d.output import read_bvh, write_bvh

# Files that a reader cannot read, or reads by other rules than Blender and we do.
ADDS_OFFSET = "three.js adds the OFFSET to position channels; Blender, pybvh, bvhio and mocap3d let them replace it"
CANNOT = {
    ("three", "blender_cmu_30x6ch.bvh"): ADDS_OFFSET,
    ("three", "bvhtoolbox_walk01.bvh"): ADDS_OFFSET,
    ("three", "makehuman_tpose_144x6ch.bvh"): ADDS_OFFSET,
    ("three", "makehuman_walk1.bvh"): ADDS_OFFSET,
    ("three", "pymo_emotion_walk.bvh"): ADDS_OFFSET,
    ("three", "freebvh_mixamo_blender.bvh"): "three.js loses the animation of bones with a colon in the name",
    ("pybvh", "blender_cmu_30x6ch.bvh"): "pybvh refuses position channels on inner joints",
    ("pybvh", "makehuman_tpose_144x6ch.bvh"): "pybvh refuses position channels on inner joints",
    ("pybvh", "assimp_boxing_toes_bad.bvh"): "pybvh refuses a wrong frame count",
}
CORPUS = (
    "assimp_boxing_toes_bad.bvh",
    "blender_cmu_30x6ch.bvh",
    "bvhtoolbox_walk01.bvh",
    "fair1_wave_hello.bvh",
    "freebvh_mixamo_blender.bvh",
    "hahne_daz_martial.bvh",
    "hahne_mb_cmu_05_01.bvh",
    "makehuman_tpose_144x6ch.bvh",
    "makehuman_walk1.bvh",
    "pybvh_test1.bvh",
    "pybvh_test2_crlf.bvh",
    "pymo_emotion_walk.bvh",
    "secondlife_walk.bvh",
)


@pytest.mark.parametrize("reader", ["three", "pybvh", "bvhio"])
@pytest.mark.parametrize("order", ["ZXY", "XYZ"])
@pytest.mark.parametrize("which", ["wild_motion", "rested_motion"])
def test_others_put_the_joints_of_our_file_where_we_do(reader, order, which, request, tmp_path):
    """Catches a wrong Euler order or sign, a lost rest rotation, a doubled root offset, a frame time that drifts."""
    motion = request.getfixturevalue(which)
    path = tmp_path / "motion.bvh"
    write_bvh(motion, path, order=order)
    theirs = read_with(reader, path, tmp_path / "out.json", motion.fps)
    assert_same_joints(motion, theirs, 1, 1e-5)


@pytest.mark.parametrize("reader", ["three", "bvhio"])
def test_others_find_a_file_with_z_up_turned(reader, rested_motion, tmp_path):
    """Catches axes that only our own reader understands."""
    path = tmp_path / "motion.bvh"
    write_bvh(rested_motion, path, up="Z", unit_m=0.01)
    theirs = read_with(reader, path, tmp_path / "out.json", rested_motion.fps)
    theirs["xyz"] = y_up(np.array(theirs["xyz"])) * 0.01
    assert_same_joints(rested_motion, theirs, 1, 1e-5)


@pytest.mark.parametrize(
    ("reader", "name"), [(r, n) for r in ("three", "pybvh", "bvhio") for n in CORPUS if (r, n) not in CANNOT]
)
def test_we_put_the_joints_of_found_files_where_others_do(reader, name, shared_data, tmp_path):
    """Catches a column read into another joint, and position or rotation rules other than the usual ones."""
    compare_corpus(reader, shared_data / "bvh_files" / name, tmp_path)


def compare_corpus(reader: str, path: Path, tmp_path: Path) -> None:
    """Compare one found file as we and as another program read it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        motion = read_bvh(path, lenient=True)
    stride = 1 + len(motion) // 20
    theirs = read_with(reader, path, tmp_path / "out.json", motion.fps, stride)
    if reader == "blender":
        theirs["xyz"] = y_up(np.array(theirs["xyz"]))
    if reader == "three":
        theirs["names"] = list(motion.rig.skeleton.joint_names)  # it strips . and : from names
    if path.name == "assimp_boxing_toes_bad.bvh":
        theirs["frames"] = len(motion)  # they believe the header, which is one row short
    size = np.abs(np.array(theirs["xyz"])).max()
    # three.js interpolates at our exact time in keys at the file's rounded one: up to 1e-6 s x 840 frames off.
    assert_same_joints(motion, theirs, stride, size * (1e-3 if reader == "three" else 1e-5))


@pytest.mark.blender
@pytest.mark.parametrize("which", ["wild_motion", "rested_motion"])
def test_blender_puts_the_joints_of_our_file_where_we_do(which, request, blender_python, tmp_path):
    """Catches a file that Blender shows lying down, a hundred times too large, or at another rate."""
    motion = request.getfixturevalue(which)
    path = tmp_path / "motion.bvh"
    write_bvh(motion, path)
    theirs = read_with("blender", path, tmp_path / "out.json", motion.fps)
    theirs["xyz"] = y_up(np.array(theirs["xyz"]))
    assert_same_joints(motion, theirs, 1, 1e-5)
    assert theirs["fps"] == pytest.approx(float(motion.fps), rel=1e-6)


@pytest.mark.blender
def test_blender_shows_the_rest_pose_upright(wild_motion, blender_python, tmp_path):
    """Catches a T-pose that does not stand along Blender's Z axis, facing its front (-Y)."""
    path = tmp_path / "motion.bvh"
    write_bvh(wild_motion, path, rest_frame=True)
    theirs = read_with("blender", path, tmp_path / "out.json", wild_motion.fps)
    at = dict(zip(theirs["names"], np.array(theirs["xyz"])[0], strict=True))
    assert at["head"][2] > at["hips"][2] > at["leftFoot"][2]
    assert at["leftHand"][0] > 0.5 > -0.5 > at["rightHand"][0]
    assert at["hips"][2] == pytest.approx(0.95, abs=1e-5)


@pytest.mark.blender
@pytest.mark.parametrize("name", CORPUS)
def test_we_put_the_joints_of_found_files_where_blender_does(name, shared_data, blender_python, tmp_path):
    """Catches position channels of inner joints read by another rule than Blender's."""
    compare_corpus("blender", shared_data / "bvh_files" / name, tmp_path)
