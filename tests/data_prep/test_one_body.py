from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mocap3d.data_prep.motion_file import MotionWriter
from mocap3d.data_prep.motion_read import read_sequences
from mocap3d.data_prep.motion_sequence import MotionSequence
from mocap3d.data_prep.one_body import REFERENCE_BODY, measure_person, on_one_body, onto_body
from mocap3d.data_prep.takes import Group, one_body_file, write_groups
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17, LIFTER_20

INDEX = {name: j for j, name in enumerate(LIFTER_20.joint_names)}
FPS = Fraction(60)


def walker(
    frames: int = 240, *, size: float = 1.0, hips: float = 0.09, shoulders: float = 0.18, forearm: float = 0.25,
    pelvis_up: float = 0.1, thigh: float = 0.42, shank: float = 0.42, step: float = 0.6, seed: int | None = None,
) -> np.ndarray:  # fmt: skip
    """(T, 20, 3) metres: a person who walks along +Z on planted feet, turning the hips; bent knees; scalar geometry."""
    rng = np.random.default_rng(seed)
    xyz = np.zeros((frames, 20, 3))
    for t in range(frames):
        phase = t / 60  # a step takes a second: half of it in the air
        feet = {}
        for side, sign, begins in (("left", 1.0, 0.0), ("right", -1.0, 0.5)):
            count, part = divmod(phase + begins, 1.0)
            ahead = step * (count - begins + max(0.0, (part - 0.5) * 2))
            lift = 0.1 * np.sin(np.pi * max(0.0, (part - 0.5) * 2))
            feet[side] = np.array([sign * 0.1, 0.08 + lift, ahead])
        turn = Rotation.from_euler("y", 0.15 * np.sin(2 * np.pi * phase)).as_matrix()
        middle = np.array([0.02 * np.sin(2 * np.pi * phase), 0.86, step * (phase - 0.25)])
        body = {"pelvis": middle + turn @ [0, pelvis_up, 0]}
        body["spine"] = middle + turn @ [0, pelvis_up + 0.22, 0.01]
        body["thorax"] = body["spine"] + turn @ [0, 0.23, 0.02]
        body["neck"] = body["thorax"] + [0, 0.1, 0.01]
        body["head"] = body["neck"] + [0, 0.1, 0.02]
        body["face"] = (body["neck"] + body["head"]) / 2 + [0, -0.02, 0.199]
        for side, sign in (("left", 1.0), ("right", -1.0)):
            hip = middle + turn @ [sign * hips, 0, 0]
            to_foot = feet[side] - hip
            reach = np.linalg.norm(to_foot)
            along = (thigh**2 - shank**2 + reach**2) / (2 * reach)
            bend = np.cross([1.0, 0, 0], to_foot)
            bend *= -np.sign(bend[2]) * -1 / np.linalg.norm(bend)
            knee = hip + to_foot / reach * along + bend * np.sqrt(max(thigh**2 - along**2, 0))
            body |= {f"{side}_hip": hip, f"{side}_knee": knee, f"{side}_ankle": feet[side]}
            body[f"{side}_toe"] = feet[side] + [0.01 * sign, -0.06, 0.16]
            body[f"{side}_shoulder"] = body["thorax"] + turn @ [sign * shoulders, -0.04, 0]
            body[f"{side}_elbow"] = body[f"{side}_shoulder"] + turn @ [sign * 0.05, -0.28, -0.02]
            body[f"{side}_wrist"] = body[f"{side}_elbow"] + turn @ [0, -forearm, 0.03]
        xyz[t] = [body[name] for name in LIFTER_20.joint_names]
    return (xyz + rng.normal(0, 0.002, xyz.shape) * (seed is not None)) * size


def moved(xyz_m: np.ndarray, skeleton=LIFTER_20) -> np.ndarray:
    return onto_body(xyz_m, skeleton, FPS, measure_person([xyz_m], skeleton))


def lengths(xyz_m: np.ndarray, skeleton=LIFTER_20) -> np.ndarray:
    """(bones, T), without the face."""
    return np.array(
        [
            np.linalg.norm(xyz_m[:, j] - xyz_m[:, parent], axis=-1)
            for parent, j in skeleton.edges
            if skeleton.joint_names[j] != "face"
        ]
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    hips=st.floats(0.06, 0.14), shoulders=st.floats(0.1, 0.25), forearm=st.floats(0.15, 0.3),
    pelvis_up=st.sampled_from([0.0, 0.1]), size=st.floats(0.7, 1.2),
)  # fmt: skip
def test_every_body_becomes_the_one_body(hips, shoulders, forearm, pelvis_up, size):
    """Catches a length that depends on the recorded body, or on the pose."""
    marker_set = walker(60, hips=hips, shoulders=shoulders, forearm=forearm, pelvis_up=pelvis_up, size=size, seed=3)
    found = lengths(moved(marker_set))
    np.testing.assert_allclose(found - found[:, :1], 0, atol=1e-9)
    at = dict(zip([n for _, n in LIFTER_20.edges], found[:, 0], strict=False))
    assert at[INDEX["left_elbow"]] == pytest.approx(0.293)
    assert at[INDEX["right_wrist"]] == pytest.approx(0.295)
    assert at[INDEX["left_knee"]] == pytest.approx(0.399)
    assert at[INDEX["left_ankle"]] == pytest.approx(0.4357)
    assert at[INDEX["left_hip"]] == pytest.approx(np.sqrt(0.0863**2 + 0.1**2 + 0.039**2), abs=1e-9)
    assert at[INDEX["left_shoulder"]] == pytest.approx(np.sqrt(0.185**2 + 0.037**2 + 0.012**2))


def test_two_marker_sets_of_one_motion_agree():
    """Catches what only looks like one body: joints of two sets in different places after it."""
    wide = moved(walker(hips=0.13, shoulders=0.13, forearm=0.23, pelvis_up=0.1))
    narrow = moved(walker(hips=0.09, shoulders=0.2, forearm=0.18, pelvis_up=0.1))
    off_mm = 1000 * np.linalg.norm(wide - narrow, axis=-1).mean(axis=0)
    assert off_mm.max() < 25
    raw = walker(hips=0.13, shoulders=0.13, forearm=0.23) - walker(hips=0.09, shoulders=0.2, forearm=0.18)
    assert 1000 * np.linalg.norm(raw, axis=-1).mean(axis=0).max() > 60


def test_standing_feet_stay_where_they_are():
    """Catches feet that slide or leave the floor because hips are narrower now, or the path longer than the steps."""
    recorded = walker(hips=0.14, size=0.9)
    body = moved(recorded)
    scale = REFERENCE_BODY.leg / (0.84 * 0.9)
    for side in ("left", "right"):
        before, after = recorded[:, INDEX[f"{side}_ankle"]] * scale, body[:, INDEX[f"{side}_ankle"]]
        speed = np.linalg.norm(np.diff(before, axis=0), axis=-1) * 60
        stands = np.flatnonzero(speed < 1e-9)
        assert len(stands) > 60
        slide = np.linalg.norm(np.diff(after, axis=0), axis=-1)[stands] * 60
        assert np.percentile(slide, 90) < 0.02
        assert abs(after[stands, 1] - before[stands, 1]).max() < 0.01


def test_directions_stay():
    """Catches arms, spine or head that take another pose with the new lengths."""
    recorded = walker(hips=0.13, shoulders=0.12, forearm=0.2, seed=1)
    body = moved(recorded)
    for before, joint in [("spine", "thorax"), ("thorax", "neck"), ("neck", "head"), ("left_shoulder", "left_elbow"),
                          ("right_elbow", "right_wrist"), ("left_ankle", "left_toe")]:  # fmt: skip
        old, new = (xyz[:, INDEX[joint]] - xyz[:, INDEX[before]] for xyz in (recorded, body))
        unit = [bone / np.linalg.norm(bone, axis=-1, keepdims=True) for bone in (old, new)]
        np.testing.assert_allclose(unit[1], unit[0], atol=1e-9)


def test_straight_legs_stay_straight():
    """Catches knees that bend because a leg is 1 % shorter than the other, or a thigh longer than it was."""
    recorded = walker(120, thigh=0.38, shank=0.46)
    for side in ("left", "right"):
        hip, ankle = recorded[:, INDEX[f"{side}_hip"]], recorded[:, INDEX[f"{side}_ankle"]]
        length = 0.84 if side == "left" else 0.83
        way = (ankle - hip) / np.linalg.norm(ankle - hip, axis=-1, keepdims=True)
        recorded[:, INDEX[f"{side}_knee"]] = hip + 0.38 * way
        recorded[:, INDEX[f"{side}_ankle"]] = hip + length * way
    body = moved(recorded)
    for side in ("left", "right"):
        leg = np.linalg.norm(body[:, INDEX[f"{side}_ankle"]] - body[:, INDEX[f"{side}_hip"]], axis=-1)
        assert leg.min() > REFERENCE_BODY.leg - 5e-4
        hip, knee, ankle = (body[:, INDEX[f"{side}_{joint}"]] for joint in ("hip", "knee", "ankle"))
        assert ((knee - (hip + (ankle - hip) * 0.478))[:, 2] > -1e-4).all()  # forward, if anywhere


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(yaw=st.floats(-3, 3), x=st.floats(-5, 5), z=st.floats(-5, 5))
def test_it_does_not_matter_where_somebody_walks(yaw, x, z):
    """Catches axes of the world in the place of the body's."""
    recorded = walker(60, hips=0.12, seed=2)
    turn = Rotation.from_euler("y", yaw).as_matrix()
    elsewhere = moved(recorded @ turn.T + [x, 0, z])
    scale = REFERENCE_BODY.leg / np.mean(measure_person([recorded], LIFTER_20).legs_m)
    np.testing.assert_allclose(elsewhere, moved(recorded) @ turn.T + scale * np.array([x, 0, z]), atol=1e-6)


def test_the_mirror_image_gives_the_mirror_image():
    """Catches left and right treated differently."""
    recorded = walker(60, hips=0.12, seed=4)
    mirror = list(LIFTER_20.mirror)
    image = recorded[:, mirror] * [-1, 1, 1]
    np.testing.assert_allclose(moved(image), moved(recorded)[:, mirror] * [-1, 1, 1], atol=1e-9)


def test_seventeen_joints_are_the_first_seventeen():
    """Catches a body that depends on toes and face being there."""
    recorded = walker(60, pelvis_up=0.0)
    off = np.linalg.norm(moved(recorded[:, :17], HUMAN36M_17) - moved(recorded)[:, :17], axis=-1)
    assert off.max() < 0.02  # contacts are judged by ankles and toes, or by ankles alone


def test_missing_joints_stay_missing():
    """Catches NaN that spreads to joints that do not hang from the missing one, or that becomes a place."""
    recorded = walker(60)
    recorded[10:20, INDEX["left_elbow"]] = np.nan
    body = moved(recorded)
    lost = {INDEX["left_elbow"], INDEX["left_wrist"]}
    assert set(np.flatnonzero(np.isnan(body).any(axis=(0, 2)))) == lost
    assert np.isfinite(body[:10]).all()
    assert np.isfinite(body[20:]).all()


def test_what_cannot_be_measured_is_told():
    """Catches a body of NaN, and another skeleton's columns taken for ours."""
    with pytest.raises(InputError, match="legs are seen"):
        measure_person([np.full((5, 20, 3), np.nan)], LIFTER_20)
    with pytest.raises(InputError, match="not of coco-17"):
        measure_person([np.zeros((5, 17, 3))], COCO_17)
    assert on_one_body([]) == []


def sequence(subject, action, **changes):
    return MotionSequence.seen(subject, action, walker(30, **changes).astype(np.float32), FPS, LIFTER_20, "CC0")


def test_a_whole_file(tmp_path):
    """Catches people measured together, or a file that replaces itself."""
    with MotionWriter(tmp_path / "own.h5") as writer:
        for subject, size in (("a", 1.0), ("b", 0.8)):
            writer.add(sequence(subject, "walk", size=size))
            writer.add(sequence(subject, "run", size=size))
    told = []
    out = one_body_file(tmp_path / "own.h5", tmp_path / "one.h5", progress=lambda *step: told.append(step))
    assert told == [(2, 4), (4, 4)]
    first, *others = read_sequences(out)
    for other in others:
        np.testing.assert_allclose(other.xyz_m, first.xyz_m, atol=1e-5)
    with pytest.raises(InputError, match="choose another name"):
        one_body_file(out, out)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one_body_file(tmp_path / "own.h5", tmp_path / "again.h5", progress=stop)
    with pytest.raises(InputError, match=r"source .*own\.h5, not .*one\.h5"):
        one_body_file(out, tmp_path / "again.h5")


def test_takes_of_one_name_are_refused(tmp_path):
    """Catches a take that silently replaces another."""
    group = Group(subject="a", actions=("walk", "walk"), convert=list)
    with pytest.raises(InputError, match="two takes of a are called walk"):
        write_groups(tmp_path / "o.h5", [group], {}, one_body=False, progress=None)
