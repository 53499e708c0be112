from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest
from lifters import random_lifter

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError, MissingExtraError
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import COCO_17, LIFTER_20, MPII_16
from mocap3d.lift.monocular import evidence, lift_everything, lift_pose2d

CAMERA = Camera.from_fov("front", (1280, 720), 60)


def pose2d(frames=40, fps=Fraction(30), skeleton=COCO_17, **changes):
    """Points that wander smoothly through the picture."""
    rng = np.random.default_rng(0)
    t = np.arange(frames)[:, None, None] / float(fps)
    middle = rng.uniform([400, 100], [800, 600], (len(skeleton), 2))
    xy_px = middle + 20 * np.sin(2 * t + np.arange(len(skeleton))[:, None])
    fields = {"xy_px": xy_px, "confidence": np.full((frames, len(skeleton)), 0.8), "fps": fps, "skeleton": skeleton}
    return Pose2D(**fields | changes)


def lifted(pose, **options):
    return lift_pose2d(pose, CAMERA, **{"weights": random_lifter()} | options)


def test_gives_joints_around_the_pelvis():
    """Catches another skeleton or frame than promised, and a root that is not the origin."""
    pose3d = lifted(pose2d())
    assert pose3d.skeleton is LIFTER_20
    assert (pose3d.frame, pose3d.fps, len(pose3d)) == ("camera", 30, 40)
    assert (pose3d.xyz_m[:, 0] == 0).all()
    assert np.isfinite(pose3d.xyz_m).all()
    assert (pose3d.views == 1).all()


def test_the_height_scales_everything():
    """Catches a height that scales joints and not their expected error, or is taken relative to one metre."""
    one, other = lifted(pose2d()), lifted(pose2d(), height_m=0.85)
    np.testing.assert_allclose(other.xyz_m, one.xyz_m / 2, atol=1e-12)
    np.testing.assert_allclose(other.std_m, one.std_m / 2)


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize("fps", [Fraction(24), Fraction(30), Fraction(60)])
def test_short_clips_work(frames, fps):
    """Catches a window, a spline or a difference that needs more frames than there are."""
    pose3d = lifted(pose2d(frames, fps))
    assert pose3d.xyz_m.shape == (frames, 20, 3)
    assert np.isfinite(pose3d.xyz_m).all()


def test_the_frame_rate_of_the_clip_does_not_matter():
    """Catches windows of 27 frames at whatever rate the camera had: a dance at 60 fps would look half as fast."""
    slow, fast = lifted(pose2d(41, Fraction(30))), lifted(pose2d(81, Fraction(60)))
    np.testing.assert_allclose(fast.xyz_m[::2], slow.xyz_m, atol=1e-6)
    ntsc = lifted(pose2d(41, Fraction(30000, 1001)))
    np.testing.assert_allclose(ntsc.xyz_m, slow.xyz_m, atol=0.02)


@pytest.mark.parametrize("fps", [Fraction(15), Fraction(50), Fraction(60000, 1001), Fraction(120)])
def test_the_expected_error_of_the_root_stays_above_zero(fps):
    """Catches a spline that dips below zero where it changes suddenly."""
    weights = random_lifter(trajectory=True)
    weights.arrays["shrink.weight"][:, 60] *= 8
    xy_px = np.random.default_rng(0).uniform(200, 600, (200, 17, 2))  # as unsteady as can be
    found = lift_everything(pose2d(200, fps, xy_px=xy_px), CAMERA, weights=weights)
    assert found.root_std_m.min() > 0
    assert np.log(found.root_std_m).std() > 0.5  # and it does change


def test_what_was_not_seen_is_less_certain():
    """Catches a guess that claims to be as good as a measurement."""
    pose = pose2d()
    confidence, xy_px = pose.confidence.copy(), pose.xy_px.copy()
    wrist = COCO_17.index("left_wrist")
    xy_px[10:20, wrist], confidence[10:20, wrist] = np.nan, 0
    pose3d = lifted(pose2d(xy_px=xy_px, confidence=confidence))
    j = LIFTER_20.index("left_wrist")
    assert np.isfinite(pose3d.xyz_m).all()
    assert (pose3d.confidence[10:20, j] == 0).all()
    assert (pose3d.views[10:20, j] == 0).all()
    np.testing.assert_allclose(pose3d.std_m[10:20, j], 0.15)
    np.testing.assert_allclose(pose3d.std_m[:10, j], 0.05)
    assert (np.delete(pose3d.confidence, j, axis=1) > 0).all()


def test_evidence_joint_by_joint():
    """Catches a joint whose certainty comes from another limb, or the other side."""
    confidence = np.zeros((1, 17))
    confidence[0, COCO_17.index("left_ankle")] = 0.6
    confidence[0, COCO_17.index("right_hip")] = 0.4
    seen = {name: value for name, value in zip(LIFTER_20.joint_names, evidence(confidence)[0], strict=True) if value}
    assert seen == pytest.approx({"left_ankle": 0.6, "left_toe": 0.6, "right_hip": 0.4, "pelvis": 0.4, "spine": 0.4})


def test_nobody_in_view_is_still_an_answer():
    """Catches NaN in, NaN out: what nobody saw is guessed, with confidence 0."""
    pose3d = lifted(pose2d(xy_px=np.full((40, 17, 2), np.nan), confidence=np.zeros((40, 17))))
    assert np.isfinite(pose3d.xyz_m).all()
    assert not pose3d.confidence.any()


def test_other_joints_than_trained_for_are_refused():
    """Catches a remap in silence; the message must name both."""
    with pytest.raises(InputError, match=r"coco-17.*mpii-16"):
        lifted(pose2d(skeleton=MPII_16))


def test_weights_this_version_does_not_understand_are_refused():
    """Catches features of one encoding fed to a network of another."""
    with pytest.raises(InputError, match=r"hip-rays-9.*hip-rays-1"):
        lifted(pose2d(), weights=random_lifter(encoding="hip-rays-9"))


@pytest.mark.parametrize("height_m", [0, -1.7, float("nan"), float("inf")])
def test_heights_that_make_no_sense_are_refused(height_m):
    """Catches a body of no size, or inside out."""
    with pytest.raises(InputError, match="height_m"):
        lifted(pose2d(), height_m=height_m)


def test_torch_gives_the_same():
    """Catches a second code path that forgets the encoding, the scale or the way back to the camera."""
    ours, theirs = lifted(pose2d()), lifted(pose2d(), device="cpu:0")
    np.testing.assert_allclose(ours.xyz_m, theirs.xyz_m, atol=1e-5)


def test_bf16_moves_joints_by_little():
    """Catches a precision that is accepted and not passed on, or that rounds what must not be rounded."""
    exact, rounded = lifted(pose2d()), lifted(pose2d(), precision="bf16")
    assert 1e-6 < np.abs(exact.xyz_m - rounded.xyz_m).mean() < 5e-3 * np.abs(exact.xyz_m).mean()
    with pytest.raises(InputError, match=r"float32, bf16.*fp8"):
        lifted(pose2d(), precision="fp8")


@pytest.mark.cuda
def test_cuda_gives_the_same():
    """Catches a device path that only works on the CPU."""
    np.testing.assert_allclose(lifted(pose2d()).xyz_m, lifted(pose2d(), device="cuda").xyz_m, atol=1e-3)


def test_without_torch_a_device_says_what_to_install(monkeypatch):
    """Catches a bare ModuleNotFoundError, and a CPU path that needs torch."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "mocap3d.nets.lifter_on_device", raising=False)
    assert len(lifted(pose2d())) == 40
    with pytest.raises(MissingExtraError, match=r"mocap3d\[torch\]"):
        lifted(pose2d(), device="cuda")
