"""Left and right bones: equally long unless told otherwise, from the pictures to the motion."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import walker
from videos import run

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.skeletons import COCO_17, HUMANOID_22, LIFTER_20
from mocap3d.lift.bones import with_constant_bones
from mocap3d.solving import Sight, Standing, Wanted, check_wanted, solve_person
from mocap3d.stages.texts import Settings, read_settings, settings_text

CAMERA = Camera.from_fov("lens", size_wh_px=(640, 480), fov_deg=60)
LONGER = 1.15


def limping() -> Pose3D:
    """A walker whose left shin is 15 % longer than the right one, in the world."""
    xyz_m, _ = walker.walk(1.0)
    knee, ankle, toe = (LIFTER_20.index(f"left_{name}") for name in ("knee", "ankle", "toe"))
    more = (LONGER - 1) * (xyz_m[:, ankle] - xyz_m[:, knee])
    xyz_m[:, ankle] += more
    xyz_m[:, toe] += more
    shape = xyz_m.shape[:2]
    return Pose3D(
        xyz_m=xyz_m,
        confidence=np.ones(shape),
        std_m=np.full(shape, 0.01),
        views=np.ones(shape),
        fps=Fraction(30),
        skeleton=LIFTER_20,
        frame="world",
    )


def shins_m(pose: Pose3D) -> tuple[float, float]:
    """Left and right."""
    ends = [
        [pose.xyz_m[0, LIFTER_20.index(f"{side}_{end}")] for end in ("knee", "ankle")] for side in ("left", "right")
    ]
    left, right = (float(np.linalg.norm(b - a)) for a, b in ends)
    return left, right


@pytest.mark.parametrize(("symmetric", "ratio"), [(True, 1.0), (False, LONGER)])
def test_from_joints_to_the_motion(symmetric, ratio):
    """Catches a difference that is averaged away on the way although it was asked for, or kept although it was not."""
    pose = limping()
    left, right = shins_m(with_constant_bones(replace(pose, frame="camera"), height_m=1.7, symmetric=symmetric))
    assert left / right == pytest.approx(ratio, rel=1e-3)
    sight = Sight(person=1, first=0, pose2d=unseen(len(pose)))
    wanted = Wanted(camera=CAMERA, symmetric=symmetric)
    lengths = solve_person(Standing(sight=sight, pose3d=pose, hint=None), wanted).rig.bone_lengths_m
    left, right = (lengths[HUMANOID_22.index(f"{side}Foot")] for side in ("left", "right"))
    assert left / right == pytest.approx(ratio, rel=1e-3)


def unseen(frames: int) -> Pose2D:
    """Nobody in the picture, where it does not matter."""
    shape = (frames, len(COCO_17))
    return Pose2D(
        xy_px=np.full((*shape, 2), np.nan),
        confidence=np.zeros(shape),
        fps=Fraction(30),
        skeleton=COCO_17,
    )


@pytest.mark.parametrize(("options", "expected"), [([], True), (["--asymmetric"], False)])
def test_on_the_command_line(options, expected, tmp_path, capsys, monkeypatch):
    """Catches an option that does nothing."""
    asked = {}

    def instead(video, **wanted):
        asked.update(wanted)
        raise InputError("far enough")

    monkeypatch.setattr("mocap3d.pipeline.capture", instead)
    run(capsys, "capture", "walk.mp4", "-o", tmp_path / "walk.bvh", *options)
    assert asked["symmetric"] is expected


def test_kept_with_the_stages(tmp_path):
    """Catches a clip that is solved again with legs of one length, and folders of before that cannot be read."""
    path = tmp_path / "settings.toml"
    for symmetric in (True, False):
        settings = Settings(height_m=1.7, camera_tilt_deg=None, foot_lock="auto", symmetric=symmetric)
        path.write_text(settings_text(settings, []))
        assert read_settings(path) == settings
    path.write_text('height_m = 1.7\nfoot_lock = "auto"\n')
    assert read_settings(path).symmetric
    path.write_text('height_m = 1.7\nfoot_lock = "auto"\nsymmetric = "no"\n')
    with pytest.raises(FileFormatError, match="symmetric must be true or false"):
        read_settings(path)


def test_no_truth_value():
    """Catches the word "false", which counts as true."""
    with pytest.raises(InputError, match="symmetric"):
        check_wanted(fov_deg=None, height_m=None, camera_tilt_deg=None, foot_lock="auto", symmetric="false")
