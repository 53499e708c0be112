"""Weights that are not part of the package: what was learned from Human3.6M."""

from __future__ import annotations

import hashlib
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import walker
from walker_views import walk_seen_from

from mocap3d.base.camera import Camera
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import HUMAN36M_17
from mocap3d.lift.lifter_weights import load_weights
from mocap3d.lift.monocular import lift_everything

RESEARCH = Path(__file__).resolve().parents[1] / "research"


@pytest.mark.parametrize("weights", sorted(RESEARCH.glob("*.npz")), ids=lambda path: path.stem)
def test_cards_tell_checksum_size_and_licence(weights):
    """Catches a card of another file, and weights that do not say that they are for research."""
    card = weights.with_suffix(".md").read_text(encoding="utf-8")
    content = weights.read_bytes()
    assert f"`{hashlib.sha256(content).hexdigest()}`" in card
    assert f"{len(content):,} bytes" in card
    assert re.search(r"Licence: \*\*research only\*\*", card)
    assert load_weights(weights).meta.licence.startswith("research only")


@pytest.mark.parametrize("azimuth_deg", [0, 60, 90, 200])
def test_the_human36m_lifter_lifts_a_walker(azimuth_deg):
    """Catches weights that fit another encoding, mirrored axes, and a root in another place.

    The walker's bones are not those that it learned; a constant mean pose would be off by 0.2 m.
    """
    weights = load_weights(RESEARCH / "human36m_lifter.npz")
    world_m = walker.walk(seconds=3.0, fps=50)[0][:, : len(HUMAN36M_17)]
    azimuth = np.radians(azimuth_deg)
    backward = np.array([np.sin(azimuth), 0, np.cos(azimuth)])
    cam_from_world = np.stack([np.cross([0, 1, 0], backward), [0, -1, 0], -backward])
    middle = world_m[:, 0].mean(axis=0) * [1, 0, 1] + [0, 1.4, 0]
    cam_m = (world_m - middle - 5 * backward) @ cam_from_world.T
    camera = Camera.from_fov("side", (1000, 1000), 47)
    pose = Pose2D(
        xy_px=cam_m[..., :2] / cam_m[..., 2:] * camera.K[0, 0] + camera.K[:2, 2],
        confidence=np.ones(cam_m.shape[:2]),
        fps=Fraction(50),
        skeleton=HUMAN36M_17,
    )
    lifted = lift_everything(pose, camera, weights=weights, height_m=1.70)
    truth = cam_m - cam_m[:, :1]
    assert np.linalg.norm(lifted.body.xyz_m - truth, axis=-1).mean() < 0.12
    assert np.abs(np.median(lifted.root_m[:, 2] / cam_m[:, 0, 2]) - 1) < 0.1


@pytest.mark.parametrize("azimuth_deg", [0, 40, 90, 250])
def test_the_human36m_lifter_lifts_a_walker_from_coco_points(azimuth_deg):
    """Catches weights of other points or joints, and axes that are mirrored; a mean pose is 94 mm off in shape."""
    truth, pose, camera = walk_seen_from(azimuth_deg, fps=50)
    lifted = lift_everything(pose, camera, weights=load_weights(RESEARCH / "human36m_coco_lifter.npz"), height_m=1.70)
    assert np.linalg.norm(lifted.body.xyz_m - truth, axis=-1).mean() < 0.12
