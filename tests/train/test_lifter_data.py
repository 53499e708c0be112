from __future__ import annotations

import numpy as np
import pytest
from bodies import motion_file, walking

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import COCO_17, LIFTER_20
from mocap3d.lift.encoding import cam_from_virtual, encode
from mocap3d.train.body import coco_points
from mocap3d.train.lifter_data import ExampleBatches, ExampleSettings, MotionBank, make_examples, observe
from mocap3d.train.virtual_cameras import into_camera, look_at


@pytest.fixture
def bank(tmp_path):
    return MotionBank.read(motion_file(tmp_path / "m.h5"), frozenset({"01", "02"}))


def test_pieces_are_the_motion_at_the_lifter_s_rate(bank):
    """Catches a piece that runs at the recording's rate, jumps into the next sequence, or skips frames."""
    settings = ExampleSettings(speed=(1.0, 1.0))
    pieces = bank.pieces(np.random.default_rng(0), 50, 35, settings)
    assert pieces.shape == (50, 35, 20, 3)
    speed = np.linalg.norm(np.diff(pieces[:, :, 0], axis=1), axis=-1) * 30
    assert 0.9 < speed.min() < speed.max() < 1.35  # they walk at 1.0 and 1.2 m/s
    faster = bank.pieces(np.random.default_rng(0), 50, 35, ExampleSettings(speed=(1.25, 1.25)))
    assert np.linalg.norm(np.diff(faster[:, :, 0], axis=1), axis=-1).mean() * 30 == pytest.approx(1.25 * 1.1, rel=0.1)


def test_a_sequence_shorter_than_a_piece_stands_still_at_its_end(tmp_path):
    """Catches frames of the next person in a piece of this one."""
    bank = MotionBank.read(motion_file(tmp_path / "m.h5", fps=10), frozenset({"01", "02"}))  # 30 frames, 3 s
    pieces = bank.pieces(np.random.default_rng(0), 20, 200, ExampleSettings())
    np.testing.assert_array_equal(pieces[:, -1], pieces[:, -50])
    assert np.linalg.norm(np.diff(pieces[:, :, 0], axis=1), axis=-1).max() < 0.06


def test_features_and_truth_belong_together(bank):
    """Catches a truth of another frame, of the mirrored body, or in other axes than the features."""
    body = walking(35)[None]
    points = coco_points(body)
    poses = look_at(np.array([[3.0, 1.5, 2.0]]), np.array([[0.0, 1.0, 1.0]]), np.array([0.2]))
    features, truth = observe(
        np.random.default_rng(0), (body, points.xyz_m, points.head_axes), poses, None, target=13, outputs=9
    )
    seen, seen_points = into_camera(poses, body, points.xyz_m)
    rays = seen_points / seen_points[..., 2:]
    encoded = encode(rays, np.full(rays.shape[:-1], 0.9))
    np.testing.assert_allclose(features, encoded.features, atol=1e-5)
    back = cam_from_virtual(truth, encoded.virtual_from_cam[:, 13:22])
    np.testing.assert_allclose(back, seen[:, 13:22] - seen[:, 13:22, :1], atol=1e-5)
    # the picture of a limb points where the limb points
    joints = features[0, 13:22, :-1].reshape(9, 17, 3)
    leg_2d = joints[:, COCO_17.index("left_ankle"), :2] - joints[:, COCO_17.index("left_knee"), :2]
    leg_3d = truth[0, :, LIFTER_20.index("left_ankle"), :2] - truth[0, :, LIFTER_20.index("left_knee"), :2]
    cosine = (leg_2d * leg_3d).sum(-1) / np.linalg.norm(leg_2d, axis=-1) / np.linalg.norm(leg_3d, axis=-1)
    assert cosine.min() > 0.9


def test_a_batch_depends_on_its_number_only(bank):
    """Catches workers that repeat each other, and a resumed training that sees other examples."""
    settings = ExampleSettings(clips=6)
    batches = ExampleBatches(bank, 27, 13, settings, seed=3)
    features, truth = batches[5]
    assert (tuple(features.shape), tuple(truth.shape)) == ((6, 35, 52), (6, 9, 20, 3))
    again = ExampleBatches(bank, 27, 13, settings, seed=3)
    again[4]
    np.testing.assert_array_equal(again[5][0], features)
    np.testing.assert_array_equal(again[5][1], truth)
    assert not np.array_equal(batches[6][0], features)


def test_examples_are_finite_and_of_human_size(bank):
    """Catches NaN that reaches the loss, after every kind of noise and mixing."""
    for seed in range(5):
        features, truth = make_examples(bank, np.random.default_rng(seed), 27, 13, ExampleSettings(clips=64))
        assert np.isfinite(features).all()
        assert np.isfinite(truth).all()
        assert (truth[:, :, 0] == 0).all()
        assert 0.5 < np.abs(truth).max() < 1.3
        assert np.abs(features).max() < 50


def test_what_cannot_be_learned_from_is_refused(tmp_path):
    """Catches a subject that is not there, or joints of another skeleton, noticed after an hour."""
    with pytest.raises(InputError, match="07"):
        MotionBank.read(motion_file(tmp_path / "m.h5"), frozenset({"01", "07"}))
