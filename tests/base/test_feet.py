"""Soles: by hand on the humanoid, and on rigs with other axes, rest poses and bones."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.base.feet import heel_offsets_m, legs, sole_points
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import HUMANOID_22, LIFTER_20

NAMES = HUMANOID_22.joint_names
STATURE_M = 1.7


def at_rest(rig: Rig) -> Motion:
    return Motion(rig=rig, fps=Fraction(30), local_wxyz=rig.rest_wxyz[None], root_m=rig.offsets_m[:1])


def with_other_axes(rig: Rig, world: Rotation, seed: int) -> Rig:
    """The same body, lying or standing as ``world`` says, every joint with axes of its own."""
    rng = np.random.default_rng(seed)
    new = [world * Rotation.from_rotvec(rng.normal(size=3)) for _ in NAMES]
    offsets_m, rest = np.empty((len(NAMES), 3)), np.empty((len(NAMES), 4))
    for j, parent in enumerate(HUMANOID_22.parents):
        above = Rotation.identity() if parent < 0 else new[parent]
        offsets_m[j] = above.inv().apply(world.apply(rig.offsets_m[j].copy()))
        rest[j] = (above.inv() * new[j]).as_quat()[[3, 0, 1, 2]]
    tips = tuple(
        replace(tip, offset_m=new[tip.parent].inv().apply(world.apply(tip.offset_m.copy()))) for tip in rig.tips
    )
    skeleton = Skeleton(
        name="other", joint_names=tuple(f"b_{n}" for n in NAMES), parents=HUMANOID_22.parents, mirror=HUMANOID_22.mirror
    )
    return Rig(skeleton=skeleton, offsets_m=offsets_m, rest_wxyz=rest, tips=tips)


ROLES = {name: f"b_{name}" for name in NAMES}
SOLES_AT_REST: NDArray[np.float64] = (
    np.array(
        [
            [0.052, 0, -0.038],
            [0.052, 0, 0.114],
            [-0.052, 0, -0.038],
            [-0.052, 0, 0.114],
        ]
    )
    * STATURE_M
)  # hip joints 0.052 from the middle, the foot 0.152 long, a quarter of it behind the ankle


def test_soles_of_the_average_adult() -> None:
    """Catches heels and toes swapped, and soles that are not on the ground, by the numbers of the book."""
    np.testing.assert_allclose(sole_points(at_rest(HUMANOID_RIG))[0], SOLES_AT_REST, atol=0.003)
    np.testing.assert_allclose(sole_points(at_rest(HUMANOID_RIG))[0, :, 1], 0, atol=1e-12)


def test_sole_points_follow_a_moving_foot() -> None:
    """Catches heels fixed to the shin or left behind by the root: the left ankle bent up by 90 degrees, by hand."""
    local = HUMANOID_RIG.rest_wxyz[None].copy()
    local[0, NAMES.index("leftFoot")] = [math.cos(math.pi / 4), -math.sin(math.pi / 4), 0, 0]  # about -X: toes up
    root = HUMANOID_RIG.offsets_m[:1] + np.array([5.0, 0.0, -2.0])
    points = sole_points(Motion(rig=HUMANOID_RIG, fps=Fraction(30), local_wxyz=local, root_m=root))[0]
    ankle = np.array([5.0 + 0.052 * STATURE_M, 0.039 * STATURE_M, -2.0])
    heel = heel_offsets_m(HUMANOID_RIG)[0]
    np.testing.assert_allclose(points[0], ankle + np.array([0, heel[2], -heel[1]]), atol=1e-12)
    assert points[1][1] > ankle[1] + 0.15  # the toes point at the sky
    np.testing.assert_allclose(points[2:, 1], 0, atol=1e-12)


@pytest.mark.parametrize("world", [[0, 0, 0], [0, 2.0, 0], [-math.pi / 2, 0, 0], [0, 0, math.pi / 2]])
@pytest.mark.parametrize("seed", [0, 1])
def test_axes_and_names_do_not_matter(world: list[float], seed: int) -> None:
    """Catches soles found along the axes of a joint or of the file: turned, Z up, lying."""
    turn = Rotation.from_rotvec(world)
    rig = with_other_axes(HUMANOID_RIG, turn, seed)
    found = sole_points(at_rest(rig), ROLES)[0]
    np.testing.assert_allclose(found, turn.apply(sole_points(at_rest(HUMANOID_RIG))[0]), atol=1e-9)


def test_knees_bend_about_the_line_from_right_to_left() -> None:
    """Catches a hinge in the wrong frame or with the wrong sign: a shin that turns about it goes backwards."""
    for leg in legs(HUMANOID_RIG):
        np.testing.assert_allclose(leg.hinge, [1, 0, 0], atol=1e-12)
        shin = np.array([0.0, -1.0, 0.0])
        assert np.cross(leg.hinge, shin)[2] < 0
    rig = with_other_axes(HUMANOID_RIG, Rotation.from_rotvec([0, 1.0, 0]), 3)
    for leg, humanoid in zip(legs(rig, ROLES), legs(HUMANOID_RIG), strict=True):
        assert (leg.upper, leg.toes) == (humanoid.upper, humanoid.toes)
        wxyz = rig.rest_wxyz
        chain = [leg.upper]
        while rig.skeleton.parents[chain[0]] >= 0:
            chain.insert(0, rig.skeleton.parents[chain[0]])
        world = Rotation.identity()
        for j in chain:
            world = world * Rotation.from_quat(wxyz[j][[1, 2, 3, 0]])
        np.testing.assert_allclose(
            world.apply(leg.hinge.copy()), Rotation.from_rotvec([0, 1.0, 0]).apply([1, 0, 0]), atol=1e-9
        )


def test_toes_without_a_tip_are_as_long_as_an_adults_and_stand_on_the_rest_poses_floor() -> None:
    """Catches feet that sink by the height of the ball, as Unreal's mannequins do, whose last bone is the ball."""
    rig = replace(HUMANOID_RIG, tips=tuple(tip for tip in HUMANOID_RIG.tips if "Toes" not in tip.name))
    np.testing.assert_allclose(sole_points(at_rest(rig))[0], SOLES_AT_REST, atol=0.004)
    np.testing.assert_allclose(sole_points(at_rest(rig))[0, :, 1], 0, atol=1e-12)
    offsets_m = rig.offsets_m.copy()
    offsets_m[0] = 0  # a BVH whose root says nothing of the floor
    hung = replace(rig, offsets_m=offsets_m)
    np.testing.assert_allclose(sole_points(at_rest(hung))[0, :, 1], -HUMANOID_RIG.offsets_m[0, 1], atol=1e-9)


def test_feet_without_toes_end_in_their_tip() -> None:
    """Catches an index of a joint that is not there."""
    kept = [j for j, name in enumerate(NAMES) if "Toes" not in name]
    parents = tuple(-1 if p < 0 else kept.index(p) for p in (HUMANOID_22.parents[j] for j in kept))
    names = tuple(NAMES[j] for j in kept)
    skeleton = Skeleton(name="toeless", joint_names=names, parents=parents, mirror=tuple(range(len(kept))))
    tips = []
    for tip in HUMANOID_RIG.tips:
        parent, offset = tip.parent, tip.offset_m
        if "Toes" in tip.name:
            parent, offset = HUMANOID_22.parents[parent], offset + HUMANOID_RIG.offsets_m[parent]
        tips.append(replace(tip, parent=names.index(NAMES[parent]), offset_m=offset))
    rig = Rig(
        skeleton=skeleton,
        offsets_m=HUMANOID_RIG.offsets_m[kept],
        rest_wxyz=HUMANOID_RIG.rest_wxyz[kept],
        tips=tuple(tips),
    )
    np.testing.assert_allclose(sole_points(at_rest(rig))[0], sole_points(at_rest(HUMANOID_RIG))[0], atol=1e-9)
    left = legs(rig)[0]
    assert left.toes == left.foot
    np.testing.assert_allclose(left.ball_m, left.toe_m + 0.0, atol=1e-12)


def test_rigs_without_feet_are_refused() -> None:
    """Catches joints of another skeleton taken for feet by index."""
    rig = Rig(skeleton=LIFTER_20, offsets_m=np.zeros((20, 3)), rest_wxyz=np.tile([1.0, 0, 0, 0], (20, 1)))
    with pytest.raises(InputError, match="lack"):
        sole_points(at_rest(rig))
    with pytest.raises(InputError, match="lack leftFoot"):
        legs(HUMANOID_RIG, {"hips": "hips"})
