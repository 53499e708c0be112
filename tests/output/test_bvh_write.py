"""Writing BVH: what comes back when it is read, and how the text looks."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import forward, tip_positions
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.rotations import rotvec_to_wxyz
from mocap3d.base.skeleton import SEVERAL_ROOTS, Skeleton
from mocap3d.output import read_bvh, write_bvh
from mocap3d.output.euler import TAIT_BRYAN_ORDERS

names = st.text(
    st.characters(categories=("L", "N", "P", "S"), exclude_characters="{}") | st.sampled_from(" :-._"), min_size=1
).filter(lambda name: name == name.strip() and name.isprintable())
rates = st.one_of(
    st.integers(1, 1000).map(Fraction),
    st.sampled_from([Fraction(n * 1000, 1001) for n in (24, 30, 60, 120)]),
    st.fractions(min_value=1, max_value=240, max_denominator=1000),
)


TURNS = {
    "wild": lambda rng, shape: rng.normal(size=shape) * 2,
    "next to none": lambda rng, shape: rng.normal(size=shape) * 10.0 ** rng.uniform(-17, -3, size=shape),
    "next to 180": lambda rng, shape: unit(rng.normal(size=shape)) * (np.pi + rng.choice([-1e-7, 0, 1e-7])),
    "quarter turns": lambda rng, shape: (
        rng.permuted(np.eye(3), axis=1)[rng.integers(0, 3, size=shape[:-1])]
        * (rng.integers(-4, 5, size=shape[:-1]) * np.pi / 2)[..., None]
    ),
}


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@st.composite
def motions(draw):
    """Random trees, rest rotations, tips, rates, movements; inner joints move in some, some have several roots.

    Also tells how near the joints must come back: quarter turns meet gimbal lock, where angles hold a rotation to 1e-7.
    """
    joint_names = draw(st.lists(names, min_size=1, max_size=7, unique=True))
    count = len(joint_names)
    parents = [-1] + [draw(st.integers(0, j - 1)) for j in range(1, count)]
    several = count > 2 and draw(st.booleans())
    if several:
        joint_names[0], parents[2] = SEVERAL_ROOTS, 0
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    skeleton = Skeleton(name="x", joint_names=joint_names, parents=parents, mirror=range(count))
    tips = [
        Tip(name="", parent=p, offset_m=rng.normal(size=3))
        for p in draw(st.lists(st.integers(int(several), count - 1), max_size=4))
    ]
    resting = draw(st.booleans())
    rig = Rig(
        skeleton=skeleton,
        offsets_m=rng.normal(size=(count, 3)),
        rest_wxyz=rotvec_to_wxyz(rng.normal(size=(count, 3)) * 2 * resting),
        tips=tips,
    )
    frames = draw(st.sampled_from([1, 2, 5, 128, 129]))
    turns = draw(st.sampled_from(list(TURNS)))
    local_m = np.broadcast_to(rig.offsets_m, (frames, count, 3)).copy()
    for j in draw(st.lists(st.integers(0, count - 1))):
        local_m[:, j] += rng.normal(size=(frames, 3))
    motion = Motion(
        rig=rig,
        fps=draw(rates),
        local_wxyz=rotvec_to_wxyz(TURNS[turns](rng, (frames, count, 3))),
        root_m=rng.normal(size=(frames, 3)),
        local_m=local_m if draw(st.booleans()) else None,
    )
    return motion, 1e-5 if turns == "quarter turns" else 1e-9


@given(motions(), st.sampled_from(TAIT_BRYAN_ORDERS), st.sampled_from([1.0, 0.01, 0.0564]), st.sampled_from("YZ"))
def test_what_is_read_back_moves_as_what_was_written(tmp_path_factory, drawn, order, unit_m, up):
    """Catches swapped columns, joints in another order, lost rest rotations, tips, units, axes, position channels."""
    motion, tolerance_m = drawn
    path = tmp_path_factory.mktemp("bvh") / "a.bvh"
    write_bvh(motion, path, order=order, unit_m=unit_m, up=up, decimals=12 if unit_m == 1.0 else 10)
    again = read_bvh(path, unit_m=unit_m, up=up)
    names = motion.rig.skeleton.joint_names
    assert set(again.rig.skeleton.joint_names) == set(names)
    assert again.fps == motion.fps
    index = [again.rig.skeleton.index(name) for name in names]
    written = [j for j, name in enumerate(names) if name != SEVERAL_ROOTS]  # that one stays at the origin
    difference = forward(again)[0][:, index] - forward(motion)[0]
    assert np.abs(difference[:, written]).max() <= tolerance_m
    for j in written:
        np.testing.assert_allclose(_tips_by_joint(again)[index[j]], _tips_by_joint(motion)[j], rtol=0, atol=tolerance_m)
    if np.all(motion.rig.rest_wxyz[:, 0] == 1) and len(written) == len(names):
        between = np.abs(np.sum(again.local_wxyz[:, index] * motion.local_wxyz, axis=-1))
        np.testing.assert_allclose(between, 1, atol=1e-12)


def _tips_by_joint(motion: Motion) -> list[np.ndarray]:
    places = tip_positions(motion)
    owners = [tip.parent for tip in motion.rig.tips]
    return [places[:, [k for k, p in enumerate(owners) if p == j]] for j in range(len(motion.rig.skeleton))]


@pytest.mark.parametrize("which", ["wild_motion", "rested_motion"])
def test_six_decimals_place_every_joint_to_a_hundredth_of_a_millimetre(which, request, tmp_path):
    """Catches a default precision that shows in a body."""
    motion = request.getfixturevalue(which)
    write_bvh(motion, tmp_path / "a.bvh")
    np.testing.assert_allclose(forward(read_bvh(tmp_path / "a.bvh"))[0], forward(motion)[0], rtol=0, atol=5e-6)


def test_the_text_is_what_other_programs_expect(wild_motion, tmp_path):
    """Catches CR line ends, surplus blanks, a missing End Site, a changed channel order or header."""
    path = tmp_path / "a.bvh"
    write_bvh(wild_motion, path)
    text = path.read_bytes().decode()
    assert "\r" not in text
    assert text.endswith("\n")
    lines = text.split("\n")
    assert lines[:4] == ["HIERARCHY", "ROOT hips", "{", "  OFFSET 0.000000000 0.000000000 0.000000000"]
    assert lines[4] == "  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
    assert lines[5] == "  JOINT spine"
    assert text.count("End Site") == len(wild_motion.rig.tips)
    motion_at = lines.index("MOTION")
    assert lines[motion_at + 1 : motion_at + 3] == ["Frames: 60", "Frame Time: 0.033366666667"]
    assert re.fullmatch(r"(-?\d+\.\d{6} ){56}-?\d+\.\d{6}", lines[motion_at + 3])


def test_the_same_motion_gives_the_same_bytes(wild_motion, tmp_path):
    """Catches a date, a random name or an unordered set in the file."""
    write_bvh(wild_motion, tmp_path / "a.bvh")
    write_bvh(wild_motion, tmp_path / "b.bvh")
    assert (tmp_path / "a.bvh").read_bytes() == (tmp_path / "b.bvh").read_bytes()


@pytest.mark.parametrize("fps", [Fraction(n * 1000, 1001) for n in (24, 30, 60, 120)] + [Fraction(50), Fraction(7, 3)])
def test_the_frame_time_does_not_drift(wild_motion, fps, tmp_path):
    """Catches a frame time of six digits: after an hour at 29.97 it is a tenth of a second off."""
    write_bvh(replace(wild_motion, fps=fps), tmp_path / "a.bvh")
    written = re.search(r"Frame Time: (\S+)", (tmp_path / "a.bvh").read_text())
    assert float(written[1]) == pytest.approx(1 / fps, rel=1e-9)
    assert read_bvh(tmp_path / "a.bvh").fps == fps


def test_the_rest_frame_is_the_rest_pose(rested_motion, tmp_path):
    """Catches a frame 0 that is zero in our frames instead of at rest, or that replaces the first frame."""
    write_bvh(rested_motion, tmp_path / "a.bvh", rest_frame=True, decimals=12)
    again = read_bvh(tmp_path / "a.bvh")
    rig = rested_motion.rig
    rest = Motion(rig=rig, fps=1, local_wxyz=rig.rest_wxyz[None], root_m=rig.offsets_m[:1])
    assert len(again) == len(rested_motion) + 1
    np.testing.assert_allclose(forward(again)[0][0], forward(rest)[0][0], atol=1e-9)
    np.testing.assert_allclose(forward(again)[0][1:], forward(rested_motion)[0], atol=1e-9)
    np.testing.assert_allclose(again.local_wxyz[0, :, 0], 1)


def test_a_chain_ten_thousand_deep_is_written_and_read(tmp_path):
    """Catches recursion that ends in a RecursionError, and indents that make the file huge."""
    count = 10_000
    skeleton = Skeleton(
        name="x",
        joint_names=[f"j{n}" for n in range(count)],
        parents=range(-1, count - 1),
        mirror=range(count),
    )
    wxyz = np.tile([1.0, 0, 0, 0], (count, 1))
    rig = Rig(skeleton=skeleton, offsets_m=np.ones((count, 3)) * 1e-3, rest_wxyz=wxyz)
    write_bvh(Motion(rig=rig, fps=30, local_wxyz=wxyz[None], root_m=np.zeros((1, 3))), tmp_path / "a.bvh")
    assert (tmp_path / "a.bvh").stat().st_size < 1000 * count
    assert len(read_bvh(tmp_path / "a.bvh").rig.skeleton) == count


def test_a_file_with_z_up_holds_turned_places(rested_motion, tmp_path):
    """Catches a mirrored body, one that lies on its back, or root and limbs in different axes."""
    write_bvh(rested_motion, tmp_path / "a.bvh", up="Z", decimals=12)
    world_m = forward(rested_motion)[0]
    as_it_stands = forward(read_bvh(tmp_path / "a.bvh"))[0]
    np.testing.assert_allclose(
        as_it_stands, np.stack([world_m[..., 0], -world_m[..., 2], world_m[..., 1]], -1), atol=1e-9
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"up": "X"}, "up must be"),
        ({"order": "zxy"}, "order must be one of"),
        ({"order": "XYX"}, "order must be one of"),
        ({"unit_m": 0.0}, "unit_m"),
        ({"unit_m": float("nan")}, "unit_m"),
        ({"decimals": 0}, "decimals"),
    ],
)
def test_an_option_that_cannot_be_is_refused_before_a_file_appears(wild_motion, options, message, tmp_path):
    """Catches a bad option found out half-way, with a broken file left behind."""
    with pytest.raises(InputError, match=message):
        write_bvh(wild_motion, tmp_path / "a.bvh", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", " a", "a\nb", "a{", "}", "a\tb"])
def test_a_name_that_breaks_the_format_is_refused(wild_motion, name, tmp_path):
    """Catches a file that nobody can read back."""
    skeleton = replace(wild_motion.rig.skeleton, joint_names=(*wild_motion.rig.skeleton.joint_names[:-1], name))
    motion = replace(wild_motion, rig=replace(wild_motion.rig, skeleton=skeleton))
    with pytest.raises(InputError, match="joint name"):
        write_bvh(motion, tmp_path / "a.bvh")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_an_input_error(wild_motion, tmp_path):
    """Catches a bare FileNotFoundError."""
    with pytest.raises(InputError, match="cannot write"):
        write_bvh(wild_motion, tmp_path / "nowhere" / "a.bvh")
