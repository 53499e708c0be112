"""The lifter that mocap3d ships, on a figure of plain trigonometry that has nothing to do with its training."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import procrustes
from walker_views import walk_seen_from

from mocap3d.base.skeletons import LIFTER_20
from mocap3d.lift.lifter_weights import load_weights
from mocap3d.lift.live import LiveLifter
from mocap3d.lift.monocular import lift_pose2d

LIMBS = [
    j for j, name in enumerate(LIFTER_20.joint_names) if name.split("_")[-1] in "shoulder elbow wrist hip knee ankle"
]


# From ahead and behind, strides along the line of sight are guessed; a constant mean pose scores 94 mm.
@pytest.mark.parametrize(("azimuth_deg", "limit_m"), [(0, 0.07), (40, 0.05), (90, 0.04), (180, 0.06), (250, 0.045)])
def test_lifts_a_walker_from_every_side(azimuth_deg, limit_m):
    """Catches weights that fit another encoding, axes that are mirrored, and a body of another size."""
    truth, pose, camera = walk_seen_from(azimuth_deg)
    xyz_m = lift_pose2d(pose, camera).xyz_m
    errors = []
    for frame in range(0, len(truth), 5):
        target = truth[frame, LIMBS]
        one, other, _ = procrustes(target, xyz_m[frame, LIMBS])  # both divided by the spread of the truth
        spread = np.sqrt(((target - target.mean(axis=0)) ** 2).sum())
        errors.append(np.linalg.norm(one - other, axis=1).mean() * spread)
    assert np.mean(errors) < limit_m
    leg_m = [np.linalg.norm(np.diff(body[:, [1, 2, 3]], axis=1), axis=-1).sum(axis=1).mean() for body in (truth, xyz_m)]
    assert leg_m[1] == pytest.approx(leg_m[0], rel=0.1)
    assert (xyz_m[:, LIFTER_20.index("head"), 1] < -0.3).all()  # the camera's y points down
    faces = [body[:, LIFTER_20.index("face")] - body[:, LIFTER_20.index("neck")] for body in (truth, xyz_m)]
    assert (faces[0] * faces[1]).sum(axis=1).min() > 0


def test_live_use_takes_the_causal_lifter():
    """Catches a live body that lags more than a second behind, because the twin for clips is loaded."""
    _, pose, camera = walk_seen_from(40)
    live = LiveLifter(camera)
    assert live.delay_s == 0
    frames = [frame for n in range(30) for frame in live.push(pose.xy_px[n], pose.confidence[n])]
    expected = lift_pose2d(pose, camera, weights=load_weights(causal=True)).xyz_m[:30]
    np.testing.assert_allclose(np.concatenate([frame.lifted.body.xyz_m for frame in frames]), expected, atol=2e-3)
    assert load_weights(causal=True).meta.causal


def test_the_weights_are_small_and_say_what_they_are():
    """Catches weights without a licence, without a measurement, or of a size that the repository cannot carry."""
    weights = load_weights()
    assert weights.meta.licence == "Apache-2.0"
    assert (weights.meta.fps, weights.meta.window, weights.meta.causal) == (30, 81, False)
    assert weights.meta.trained["held_out"]["p_mpjpe_m"] < 0.1
    assert sum(array.size for array in weights.arrays.values()) * 2 < 8e6
    assert 0.005 <= min(weights.meta.std_m) < max(weights.meta.std_unseen_m) < 0.3
