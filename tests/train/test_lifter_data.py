from __future__ import annotations

import numpy as np
import pytest
from bodies import motion_file, walking
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17, LIFTER_20
from mocap3d.lift.encoding import cam_from_virtual, encode
from mocap3d.train import lifter_data
from mocap3d.train.body import coco_points
from mocap3d.train.dropping import drop_points
from mocap3d.train.lifter_data import Bodies, ClipBatches, ExampleSettings, MotionBank, make_clips, observe
from mocap3d.train.virtual_cameras import into_camera, look_at

PLAIN = {"mixed_upper": 0.0, "mixed_arms": 0.0, "swung": 0.0, "bone_spread": 0.0, "dropped": 0.0, "noise": None}
JOINT = {name: j for j, name in enumerate(LIFTER_20.joint_names)}


@pytest.fixture
def bank(tmp_path):
    return MotionBank.read(motion_file(tmp_path / "m.h5"), frozenset({"01", "02"}))


def joints_of(truth):
    """(..., 20, 3) joints around the root, out of the numbers that are learned."""
    relative = truth[..., :57].reshape(*truth.shape[:-1], 19, 3)
    return np.concatenate([np.zeros_like(relative[..., :1, :]), relative], axis=-2)


def test_pieces_are_the_motion_at_the_lifter_s_rate(bank):
    """Catches a piece that runs at the recording's rate, jumps into the next sequence, or skips frames."""
    settings = ExampleSettings(speed=(1.0, 1.0))
    pieces, contacts = bank.pieces(np.random.default_rng(0), 50, 35, settings)
    assert pieces.shape == (50, 35, 20, 3)
    assert contacts.shape == (50, 35, 4)
    speed = np.linalg.norm(np.diff(pieces[:, :, 0], axis=1), axis=-1) * 30
    assert 0.9 < speed.min() < speed.max() < 1.35  # they walk at 1.0 and 1.2 m/s
    faster, _ = bank.pieces(np.random.default_rng(0), 50, 35, ExampleSettings(speed=(1.25, 1.25)))
    assert np.linalg.norm(np.diff(faster[:, :, 0], axis=1), axis=-1).mean() * 30 == pytest.approx(1.25 * 1.1, rel=0.1)


def test_a_sequence_shorter_than_a_piece_stands_still_at_its_end(tmp_path):
    """Catches frames of the next person in a piece of this one."""
    bank = MotionBank.read(motion_file(tmp_path / "m.h5", fps=10), frozenset({"01", "02"}))  # 30 frames, 3 s
    pieces, _ = bank.pieces(np.random.default_rng(0), 20, 200, ExampleSettings())
    np.testing.assert_array_equal(pieces[:, -1], pieces[:, -50])
    assert np.linalg.norm(np.diff(pieces[:, :, 0], axis=1), axis=-1).max() < 0.06


def test_contacts_belong_to_the_feet_of_their_frame(bank):
    """Catches contacts of another frame or foot: a foot that stands does not move, one that swings does."""
    pieces, contacts = bank.pieces(np.random.default_rng(0), 40, 60, ExampleSettings(speed=(1.0, 1.0)))
    for column, name in ((1, "left_toe"), (3, "right_toe")):
        speed = np.linalg.norm(np.diff(pieces[:, :, JOINT[name]], axis=1), axis=-1) * 30
        before, after = contacts[:, :-1, column], contacts[:, 1:, column]
        stands, swings = (before > 0.5) & (after > 0.5), (before < 0.5) & (after < 0.5)
        assert stands.mean() > 0.2 < swings.mean()
        assert np.median(speed[stands]) < 0.2 * np.median(speed[swings])


def test_mirrored_clips_have_mirrored_contacts(bank, monkeypatch):
    """Catches a flip that exchanges the joints of left and right and leaves the contacts where they were."""
    stands = np.tile(np.float32([0, 1, 0, 0]), (40, 60, 1))  # in every recording only the left toe stands
    recorded = walking(60)[None].repeat(40, axis=0)
    monkeypatch.setattr(MotionBank, "pieces", lambda *_: Bodies(recorded.copy(), stands.copy()))
    joints_m, contacts = lifter_data._bodies(bank, np.random.default_rng(1), 40, 60, ExampleSettings(**PLAIN))
    original = walking(60)
    flipped = np.abs(joints_m - original).max(axis=(1, 2, 3)) > 1e-6
    assert 8 < flipped.sum() < 32  # about half
    for clip in range(40):
        np.testing.assert_array_equal(contacts[clip, 0], [0, 0, 0, 1] if flipped[clip] else [0, 1, 0, 0])
    image = original[:, list(LIFTER_20.mirror)] * np.float32([-1, 1, 1])
    np.testing.assert_array_equal(joints_m[flipped], np.broadcast_to(image, joints_m[flipped].shape))


def test_features_and_truth_belong_together():
    """Catches a truth of another frame, of the mirrored body, or in other axes than the features."""
    body = walking(35)[None]
    poses = look_at(np.array([[3.0, 1.5, 2.0]]), np.array([[0.0, 1.0, 1.0]]), np.array([0.2]))
    settings = ExampleSettings(**PLAIN, encoding="hip-rays-1")
    contacts = np.random.default_rng(0).random((1, 35, 4)).astype(np.float32)
    features, truth = observe(np.random.default_rng(0), Bodies(body, contacts), poses, settings)
    seen, seen_points = into_camera(poses, body, coco_points(body).xyz_m)
    rays = seen_points / seen_points[..., 2:]
    encoded = encode(rays, np.full(rays.shape[:-1], 0.9))
    np.testing.assert_allclose(features, encoded.features, atol=1e-5)
    back = cam_from_virtual(joints_of(truth), encoded.virtual_from_cam)
    np.testing.assert_allclose(back, seen - seen[:, :, :1], atol=1e-5)
    np.testing.assert_array_equal(truth[..., 60:], contacts)
    # the picture of a limb points where the limb points
    joints = features[0, :, :51].reshape(35, 17, 3)
    leg_2d = joints[:, COCO_17.index("left_ankle"), :2] - joints[:, COCO_17.index("left_knee"), :2]
    leg_3d = (joints_of(truth)[0, :, JOINT["left_ankle"]] - joints_of(truth)[0, :, JOINT["left_knee"]])[:, :2]
    cosine = (leg_2d * leg_3d).sum(-1) / np.linalg.norm(leg_2d, axis=-1) / np.linalg.norm(leg_3d, axis=-1)
    assert cosine.min() > 0.9


def test_the_trajectory_leads_back_to_the_camera():
    """Catches a root in other axes, or a distance that is not what the scale is divided into."""
    body = walking(35)[None]
    poses = look_at(np.array([[3.0, 1.5, 2.0]]), np.array([[0.0, 1.0, 1.0]]), np.array([0.2]))
    settings = ExampleSettings(**PLAIN)
    features, truth = observe(np.random.default_rng(0), Bodies(body, np.zeros((1, 35, 4))), poses, settings)
    seen, seen_points = into_camera(poses, body, coco_points(body).xyz_m)
    rays = seen_points / seen_points[..., 2:]
    encoded = encode(rays, np.full(rays.shape[:-1], 0.9))
    beside, log_depth = truth[..., 57:59], truth[..., 59]
    virtual_m = np.concatenate([beside, (np.exp(log_depth) / encoded.scale)[..., None]], axis=-1)
    root_m = Rotation.from_matrix(encoded.virtual_from_cam[0]).inv().apply(virtual_m[0])
    np.testing.assert_allclose(root_m, seen[0, :, 0], atol=1e-4)
    assert features.shape[-1] == 69


def test_true_points_are_the_joints_themselves(tmp_path):
    """Catches Human3.6M points of another order, or noise on what should be exact."""
    settings = ExampleSettings(points="human36m-17", joints="human36m-17", encoding="hip-rays-1", **PLAIN)
    bank = MotionBank.read(motion_file(tmp_path / "m.h5"), frozenset({"01"}), HUMAN36M_17)
    assert bank.xyz_m.shape[1] == 17  # the first joints of lifter-20
    body = walking(20)[None, :, :17]
    poses = look_at(np.array([[3.0, 1.5, 2.0]]), np.array([[0.0, 1.0, 1.0]]), np.array([0.0]))
    features, truth = observe(np.random.default_rng(0), Bodies(body, np.full((1, 20, 4), np.nan)), poses, settings)
    (seen,) = into_camera(poses, body)
    encoded = encode(seen / seen[..., 2:], np.ones(seen.shape[:-1]), HUMAN36M_17)
    np.testing.assert_allclose(features, encoded.features, atol=1e-5)
    assert np.isnan(truth[..., -4:]).all()  # no toes, no contacts
    assert truth.shape[-1] == 3 * 16 + 3 + 4


def test_a_batch_depends_on_its_number_only(bank):
    """Catches workers that repeat each other, and a resumed training that sees other examples."""
    settings = ExampleSettings()
    batches = ClipBatches(bank, 6, 35, settings, (3,))
    features, truth = batches[5]
    assert (tuple(features.shape), tuple(truth.shape)) == ((6, 35, 69), (6, 35, 64))
    again = ClipBatches(bank, 6, 35, settings, (3,))
    again[4]
    np.testing.assert_array_equal(again[5][0], features)
    np.testing.assert_array_equal(again[5][1], truth)
    assert not np.array_equal(batches[6][0], features)
    assert not np.array_equal(ClipBatches(bank, 6, 35, settings, (3, 1))[5][0], features)


def test_examples_are_finite_and_of_human_size(bank):
    """Catches NaN that reaches the loss, after every kind of noise and mixing."""
    for seed in range(5):
        features, truth = make_clips(bank, np.random.default_rng(seed), 32, 50, ExampleSettings(dropped=0.5))
        assert np.isfinite(features).all()
        assert np.isfinite(truth).all()
        assert 0.5 < np.abs(truth[..., :57]).max() < 1.3
        assert np.abs(features).max() < 50
        assert set(np.unique(truth[..., 60:] > 0.5)) == {False, True}


@pytest.mark.parametrize("lasting", [0.0, 1.0])
def test_points_are_dropped_as_often_as_stated(monkeypatch, lasting):
    """Catches points that lose their place but keep their confidence, and clips that all lose the same share."""
    monkeypatch.setattr("mocap3d.train.dropping._LASTING", lasting)
    rays, confidence = np.zeros((2000, 90, 17, 3), np.float32), np.ones((2000, 90, 17), np.float32)
    drop_points(np.random.default_rng(0), rays, confidence, 0.4)
    lost = confidence == 0
    assert np.isfinite(rays[~lost]).all()
    middle = slice(40, 50)  # a gap at an end has nothing to be bridged to
    gone = np.isnan(rays[:, middle][lost[:, middle]]).all(axis=-1).mean()
    assert gone == pytest.approx(1.0 if lasting else 0.5, abs=0.05)  # what lasts is never bridged
    by_clip = lost.mean(axis=(1, 2))
    assert by_clip[by_clip > 0].mean() == pytest.approx(0.25, abs=0.02)
    assert lost.any(axis=1).mean() > 0.3 * (1 - lasting)  # not whole joints or whole frames
    runs = np.diff(np.pad(lost, ((0, 0), (1, 1), (0, 0))).astype(int), axis=1).transpose(0, 2, 1)
    lengths = np.nonzero(runs < 0)[2] - np.nonzero(runs > 0)[2]
    if lasting:
        assert (lengths > 8).mean() > 0.3  # longer than a lifter holds them
    else:
        assert (by_clip > 0).mean() == pytest.approx(0.4, abs=0.03)
        assert by_clip.max() == pytest.approx(0.5, abs=0.06)
        assert (lengths == 1).mean() > 0.6


def test_bridged_points_lie_on_the_line_between_those_around_them():
    """Catches neighbours that are lost themselves, other joints' places, and ends that are made up."""
    rng = np.random.default_rng(1)
    rays = rng.normal(size=(8, 40, 3, 3))
    before, confidence = rays.copy(), np.ones(rays.shape[:-1])
    drop_points(rng, rays, confidence, 1.0)
    lost = confidence == 0
    bridged = [clip for clip in range(8) if np.isfinite(rays[clip][lost[clip]]).any()]
    assert 0 < len(bridged) < 8
    for clip in bridged:
        for joint in range(3):
            known = np.flatnonzero(~lost[clip, :, joint])
            for axis in range(3):
                values = before[clip, known, joint, axis]
                expected = np.interp(np.arange(40), known, values, left=np.nan, right=np.nan)
                np.testing.assert_allclose(rays[clip, :, joint, axis], expected, atol=1e-12)
    np.testing.assert_array_equal(rays[~lost], before[~lost])


def test_what_cannot_be_learned_from_is_refused(tmp_path):
    """Catches a subject that is not there, or joints of another skeleton, noticed after an hour."""
    with pytest.raises(InputError, match="07"):
        MotionBank.read(motion_file(tmp_path / "m.h5"), frozenset({"01", "07"}))
    with pytest.raises(InputError, match="lifter-20 joints: the face is needed"):
        ExampleSettings(points="coco-17", joints="human36m-17")
    with pytest.raises(InputError, match="smpl"):
        ExampleSettings(points="smpl")
