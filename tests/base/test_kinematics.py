"""Forward kinematics against a recursive twin with 4x4 matrices from SciPy."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward, tip_positions
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.skeleton import Skeleton

SKELETON = HUMANOID_RIG.skeleton


def random_motion(seed: int, frames: int = 2, rig: Rig = HUMANOID_RIG, moving_offsets: bool = False) -> Motion:
    rng = np.random.default_rng(seed)
    joints = len(rig.skeleton)
    wxyz = rng.normal(size=(frames, joints, 4))
    return Motion(
        rig=rig,
        fps=Fraction(30),
        local_wxyz=wxyz / np.linalg.norm(wxyz, axis=-1, keepdims=True),
        root_m=rng.normal(size=(frames, 3)),
        local_m=rng.normal(size=(frames, joints, 3)) if moving_offsets else None,
    )


def world_matrix(motion: Motion, t: int, j: int) -> np.ndarray:
    """(4, 4) world_from_joint by walking up to the root, one joint at a time."""
    w, x, y, z = motion.local_wxyz[t, j]
    local = np.eye(4)
    local[:3, :3] = Rotation.from_quat([x, y, z, w]).as_matrix()
    parent = motion.rig.skeleton.parents[j]
    if parent < 0:
        local[:3, 3] = motion.root_m[t]
        return local
    local[:3, 3] = motion.rig.offsets_m[j] if motion.local_m is None else motion.local_m[t, j]
    return world_matrix(motion, t, parent) @ local


@given(st.integers(0, 10**6), st.booleans())
def test_forward_equals_the_recursive_twin(seed: int, moving_offsets: bool) -> None:
    """Catches a product in the wrong order, an offset turned by its own joint, ``local_m`` ignored."""
    motion = random_motion(seed, moving_offsets=moving_offsets)
    world_m, world_wxyz = forward(motion)
    tips_m = tip_positions(motion)
    for t in range(2):
        for j in range(len(SKELETON)):
            twin = world_matrix(motion, t, j)
            np.testing.assert_allclose(world_m[t, j], twin[:3, 3], atol=1e-12)
            w, x, y, z = world_wxyz[t, j]
            np.testing.assert_allclose(Rotation.from_quat([x, y, z, w]).as_matrix(), twin[:3, :3], atol=1e-12)
        for k, tip in enumerate(motion.rig.tips):
            place = world_matrix(motion, t, tip.parent) @ [*tip.offset_m, 1]
            np.testing.assert_allclose(tips_m[t, k], place[:3], atol=1e-12)


def test_bone_lengths_never_change() -> None:
    """Catches drift from quaternions that lose their length along the chain."""
    motion = random_motion(1, frames=50)
    world_m, world_wxyz = forward(motion)
    for parent, j in SKELETON.edges:
        lengths = np.linalg.norm(world_m[:, j] - world_m[:, parent], axis=-1)
        np.testing.assert_allclose(lengths, HUMANOID_RIG.bone_lengths_m[j], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(world_wxyz, axis=-1), 1, atol=1e-12)


@given(st.integers(0, 10**6))
def test_moving_the_root_moves_everything(seed: int) -> None:
    """Catches joints that do not follow a rigid motion of the whole body."""
    motion = random_motion(seed)
    rng = np.random.default_rng(seed + 1)
    turn, shift = Rotation.from_quat(rng.normal(size=4)), rng.normal(size=3)
    local = motion.local_wxyz.copy()
    for t in range(2):
        w, x, y, z = local[t, 0]
        local[t, 0] = np.roll((turn * Rotation.from_quat([x, y, z, w])).as_quat(), 1)
    moved = Motion(rig=motion.rig, fps=motion.fps, local_wxyz=local, root_m=turn.apply(motion.root_m.copy()) + shift)
    expected = turn.apply(forward(motion)[0].reshape(-1, 3)).reshape(2, -1, 3) + shift
    np.testing.assert_allclose(forward(moved)[0], expected, atol=1e-12)


@given(st.integers(0, 10**6))
def test_the_mirrored_motion_is_the_mirror_image(seed: int) -> None:
    """Catches mirror pairs and rest poses that are not symmetrical; mirrored twice it is the motion again."""
    motion = random_motion(seed)
    mirror = list(SKELETON.mirror)

    def mirrored(wxyz: np.ndarray) -> np.ndarray:
        return wxyz[:, mirror] * [1, 1, -1, -1]  # x -> -x turns the sense of rotation about y and z

    image = Motion(
        rig=motion.rig,
        fps=motion.fps,
        local_wxyz=mirrored(motion.local_wxyz),
        root_m=motion.root_m * np.array([-1, 1, 1]),
    )
    expected = forward(motion)[0][:, mirror] * np.array([-1, 1, 1])
    np.testing.assert_allclose(forward(image)[0], expected, atol=1e-12)
    np.testing.assert_array_equal(mirrored(mirrored(motion.local_wxyz)), motion.local_wxyz)


def test_a_hand_made_elbow() -> None:
    """Catches everything at once, by hand: shoulder turned by 90 degrees about Z, elbow by another 90."""
    skeleton = Skeleton(name="arm", joint_names=("shoulder", "elbow"), parents=(-1, 0), mirror=(0, 1))
    rig = Rig(
        skeleton=skeleton,
        offsets_m=np.array([[0, 0, 0], [2.0, 0, 0]]),
        rest_wxyz=np.array([[1.0, 0, 0, 0]] * 2),
        tips=(Tip(name="hand", parent=1, offset_m=np.array([1.0, 0, 0])),),
    )
    quarter = np.array([np.sqrt(0.5), 0, 0, np.sqrt(0.5)])
    motion = Motion(rig=rig, fps=Fraction(1), local_wxyz=[[quarter, quarter]], root_m=[[5.0, 0, 0]])  # type: ignore[arg-type]
    np.testing.assert_allclose(forward(motion)[0][0], [[5, 0, 0], [5, 2, 0]], atol=1e-15)
    np.testing.assert_allclose(tip_positions(motion)[0], [[4, 2, 0]], atol=1e-15)


def test_a_rig_without_tips_has_none() -> None:
    """Catches an empty list that becomes an array of the wrong shape."""
    bare = Rig(skeleton=SKELETON, offsets_m=HUMANOID_RIG.offsets_m, rest_wxyz=HUMANOID_RIG.rest_wxyz)
    assert tip_positions(random_motion(0, rig=bare)).shape == (2, 0, 3)
