"""The demo clip's whole video: a man waves on a roof and somersaults off it, a woman walks past."""

from __future__ import annotations

import os
import runpy
import subprocess
from pathlib import Path

import numpy as np
import pytest

import mocap3d
from mocap3d.base.skeletons import HUMANOID_22

pytestmark = pytest.mark.slow

FOCAL_PX = 2520.09  # as in examples/walk.toml, for the full frame


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> mocap3d.Clip:
    made = runpy.run_path(str(Path(__file__).resolve().parents[1] / "scripts" / "make_demo_clip"))
    folder = tmp_path_factory.mktemp("sports2d")
    try:
        wheel = made["download_wheel"](folder)
    except subprocess.CalledProcessError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("the video's wheel could not be downloaded")
    video = folder / "demo.mp4"
    video.write_bytes(made["read_member"](wheel))
    K = np.array([[FOCAL_PX, 0, 883.5], [0, FOCAL_PX, 496.5], [0, 0, 1]])
    camera = mocap3d.Camera(name="full", size_wh_px=(1768, 994), K=K)
    with pytest.warns(mocap3d.Mocap3dWarning, match="bridged"):  # nobody finds him in the air
        return mocap3d.capture(video, cameras=camera, person="all")


@pytest.fixture(scope="module")
def people(clip) -> dict[str, mocap3d.Motion]:
    """He is seen from the first frame on, she comes in later."""
    assert len(clip.performances) == 2
    first, second = sorted(clip.motions, key=lambda motion: motion.start_frame)
    return {"man": first, "woman": second}


def test_one_still_shot(clip):
    """Catches a somersault close to the lens, or the sun that it covers, taken for a cut or a moving camera."""
    assert [(shot.start, shot.stop, shot.camera_moves) for shot in clip.shots] == [(0, 230, False)]


def test_she_walks_on_the_meadow_though_he_stands_on_a_roof(people):
    """Catches a floor laid through roof and meadow, and a walker who sinks into it or climbs."""
    hips = people["woman"].root_m
    assert (np.abs(hips[5:, 1] - 0.87) < 0.15).all()
    path = hips[-1, [0, 2]] - hips[0, [0, 2]]
    assert 0.9 < np.linalg.norm(path) / (len(hips) - 1) * 30 < 1.8


def test_he_jumps_off_the_roof(people):
    """Catches the two swapped, or his track ended in the air."""
    hips = people["man"].root_m
    assert people["man"].start_frame == 0
    assert len(hips) > 200
    assert 2.0 < np.median(hips[:100, 1]) < 4.0  # the roof of the shed
    assert 0.4 < hips[-15:, 1].min() < 1.2  # landed


def test_nobody_is_torn_apart(people):
    """Catches limbs that jump in the somersault."""
    for motion in people.values():
        world_m, _ = mocap3d.forward(motion)
        speed = np.linalg.norm(np.diff(world_m, axis=0), axis=-1) * 30
        assert speed.max() < 25.0, HUMANOID_22.joint_names[int(speed.max(axis=0).argmax())]
