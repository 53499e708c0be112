"""Rigs and motions: what they take, what they refuse."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import MPII_16

ARM = Skeleton(name="arm", joint_names=("upper", "lower"), parents=(-1, 0), mirror=(0, 1))
REST = np.array([[1.0, 0, 0, 0]] * 2)


def arm(**changes: object) -> Rig:
    fields: dict[str, object] = {"skeleton": ARM, "offsets_m": [[0, 1, 0], [0.3, 0, 0]], "rest_wxyz": REST}
    return Rig(**(fields | changes))  # type: ignore[arg-type]


def motion(frames: int = 3, **changes: object) -> Motion:
    fields: dict[str, object] = {
        "rig": arm(),
        "fps": 30,
        "local_wxyz": np.tile(REST, (frames, 1, 1)),
        "root_m": np.zeros((frames, 3)),
    }
    return Motion(**(fields | changes))  # type: ignore[arg-type]


def test_arrays_belong_to_the_noun() -> None:
    """Catches a rig or motion that changes when the caller's array does."""
    offsets, local = np.array([[0, 1.0, 0], [0.3, 0, 0]]), np.tile(REST, (3, 1, 1))
    rig, moving = arm(offsets_m=offsets), motion(local_wxyz=local)
    offsets[:], local[:] = 7, 7
    assert rig.offsets_m[1, 0] == 0.3
    assert moving.local_wxyz[0, 0, 0] == 1
    for array in (rig.offsets_m, moving.local_wxyz, moving.root_m, HUMANOID_RIG.tips[0].offset_m):
        assert not array.flags.writeable
    with pytest.raises(dataclasses.FrozenInstanceError):
        rig.offsets_m = offsets  # type: ignore[misc]


def test_bone_lengths() -> None:
    """Catches the root's place counted as a bone."""
    np.testing.assert_allclose(arm().bone_lengths_m, [0, 0.3])
    assert np.isfinite(HUMANOID_RIG.bone_lengths_m).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"skeleton": MPII_16, "offsets_m": np.zeros((16, 3)), "rest_wxyz": np.zeros((16, 4))}, "parents before"),
        ({"offsets_m": np.zeros((3, 3))}, r"offsets_m must have shape \(2, 3\), got \(3, 3\)"),
        ({"offsets_m": np.full((2, 3), np.nan)}, "offsets_m holds NaN"),
        ({"rest_wxyz": 2 * REST}, "unit quaternions"),
        ({"tips": (Tip(name="finger", parent=2, offset_m=np.zeros(3)),)}, "'finger' hangs on joint 2"),
    ],
)
def test_impossible_rigs_are_refused(changes: dict[str, object], words: str) -> None:
    """Catches errors that would show only in the exported file."""
    with pytest.raises(InputError, match=words):
        arm(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"local_wxyz": np.zeros((3, 2, 4))}, "unit quaternions"),
        ({"local_wxyz": np.full((3, 2, 4), np.nan)}, "local_wxyz holds NaN"),
        ({"root_m": np.zeros((4, 3))}, r"root_m must have shape \(3, 3\), got \(4, 3\)"),
        ({"local_m": np.zeros((3, 3, 3))}, "local_m must have shape"),
        ({"contacts": np.zeros((3, 2))}, "contacts must have shape"),
        ({"local_wxyz": np.zeros((0, 2, 4)), "root_m": np.zeros((0, 3))}, "at least one frame"),
        ({"fps": 0}, "above 0"),
    ],
)
def test_impossible_motions_are_refused(changes: dict[str, object], words: str) -> None:
    """Catches NaN, wrong lengths and missing rates before they reach a file."""
    with pytest.raises(InputError, match=words):
        motion(**changes)


def test_contacts_lie_between_none_and_all() -> None:
    """Catches contacts in percent."""
    with pytest.raises(InputError, match="contacts"):
        motion(contacts=np.full((3, 4), 50.0))


def test_time() -> None:
    """Catches a duration that leaves out the last frame, and a rate turned into a float."""
    moving = motion(frames=30, fps="29.97")
    assert moving.fps == Fraction(30000, 1001)
    assert len(moving) == 30
    assert moving.duration_s == pytest.approx(1.001)
