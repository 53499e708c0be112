"""What a capture's summary says about the quality of its animation."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocap3d.base.camera import Camera
from mocap3d.base.ground import Ground
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.shot import Shot
from mocap3d.base.skeletons import COCO_17, HUMANOID_22
from mocap3d.clip import Clip, Performance

FRAMES, FOCAL_PX, AWAY_M = 30, 900.0, 6.0
SEEN = {"left_knee": "leftLowerLeg", "right_wrist": "rightHand"}


@pytest.fixture
def clip() -> Clip:
    """Somebody who stands on a roof, 3 m high, solved from joints 30 mm beside, seen 5 px off by a level camera."""
    shape = (FRAMES, 22)
    motion = Motion(
        rig=HUMANOID_RIG,
        fps=Fraction(30),
        local_wxyz=np.tile([1.0, 0.0, 0.0, 0.0], (*shape, 1)),
        root_m=np.tile(HUMANOID_RIG.offsets_m[0] + [0.0, 3.0, 0.0], (FRAMES, 1)),
        contacts=np.ones((FRAMES, 4)),
    )
    world_m, _ = forward(motion)
    pose3d = Pose3D(
        xyz_m=world_m + [0.03, 0.0, 0.0], confidence=np.ones(shape), std_m=np.zeros(shape), views=np.ones(shape),
        fps=30, skeleton=HUMANOID_22, frame="world",
    )  # fmt: skip
    world_from_cam = np.diag([1.0, -1.0, -1.0, 1.0])
    world_from_cam[:3, 3] = 0.0, 4.0, AWAY_M
    xy_px, confidence = np.full((FRAMES, 17, 2), np.nan), np.zeros((FRAMES, 17))
    for joint, bone in SEEN.items():
        x, y, z = world_m[:, HUMANOID_22.index(bone)].T
        place_px = 500 + FOCAL_PX * np.stack([x, 4.0 - y], axis=-1) / (AWAY_M - z)[:, None]
        xy_px[:, COCO_17.index(joint)], confidence[:, COCO_17.index(joint)] = place_px + [3.0, -4.0], 0.9
    camera = Camera(
        name="a",
        size_wh_px=(1000, 1000),
        K=np.array([[FOCAL_PX, 0, 500], [0, FOCAL_PX, 500], [0, 0, 1]]),
        cam_from_world=np.linalg.inv(world_from_cam),
    )
    person = Performance(
        person=1,
        shot=0,
        motion=motion,
        pose2d=Pose2D(xy_px=xy_px, confidence=confidence, fps=30, skeleton=COCO_17),
        pose3d=pose3d,
    )
    ground = Ground(world_from_cam=world_from_cam, up_std_deg=(1.0, 1.0), floor_std_m=0.01, footfalls=4)
    shot = Shot(start=0, stop=FRAMES)
    return Clip(source=Path("a.mp4"), performances=(person,), shots=(shot,), cameras=(camera,), grounds=(ground,))


def test_the_summary_tells_every_figure(clip: Clip) -> None:
    """Catches joints, pictures or supports that the summary does not look at: a roof is no hovering."""
    (person,) = json.loads(json.dumps(clip.summary()))["people"]
    quality = person["quality"]
    assert quality["fk_error_mm"] == pytest.approx(30.0, abs=0.01)
    assert quality["reprojection_px"] == pytest.approx(5.0, abs=0.01)
    assert (quality["foot_skate_mm_per_s"], quality["penetration_mm"]) == (0.0, 0.0)
    assert quality["hover_mm"] == pytest.approx(0.0, abs=0.01)
    assert quality["bone_length_range_mm"] == pytest.approx(0.0, abs=1e-6)
    assert (quality["planted_percent"], quality["joint_limit_percent"]) == (100.0, 0.0)
    assert quality["jerk_m_per_s3"] == pytest.approx(0.0, abs=1e-3)
