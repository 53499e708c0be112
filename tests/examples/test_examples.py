"""The clip that ships with mocap3d is what its card says."""

from __future__ import annotations

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from mocap3d import examples
from mocap3d.base.errors import InputError
from mocap3d.cameras.files import read_cameras
from mocap3d.cameras.video import open_video

ROOT = Path(__file__).resolve().parents[2]


def test_camera_and_clip_belong_together():
    """Catches a principal point that was not shifted by the crop, or a camera of another picture size."""
    (camera,) = read_cameras(examples.path("walk.toml"))
    loader = SourceFileLoader("make_demo_clip", str(ROOT / "scripts" / "make_demo_clip"))
    spec = importlib.util.spec_from_loader("make_demo_clip", loader)
    script = importlib.util.module_from_spec(spec)
    loader.exec_module(script)
    assert camera.size_wh_px == open_video(examples.path()).size_wh_px == (script.WIDTH, script.HEIGHT)
    # The centre of 1768 x 994 pixels by pixel centres, in the rectangle.
    assert camera.K[0, 2] == (1768 - 1) / 2 - script.LEFT
    assert camera.K[1, 2] == (994 - 1) / 2 - script.TOP
    assert camera.K[0, 0] == camera.K[1, 1]
    assert open_video(examples.path()).frame_count == len(script.FRAMES)


def test_it_is_small():
    """Catches a clip that makes the wheel heavy."""
    assert examples.path().stat().st_size < 2_000_000


def test_names():
    """Catches a path to a file that does not exist."""
    assert examples.path("walk.md").read_text().startswith("# walk.mp4")
    with pytest.raises(InputError, match=r"walk\.md, walk\.mp4, walk\.toml"):
        examples.path("run.mp4")
