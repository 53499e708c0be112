"""Which feet stand in recorded motion: what the lifter learns as contacts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.contacts import CONTACT_POINTS, foot_contacts
from mocap3d.data_prep.motion_file import MotionSequence

__all__ = ["contact_labels"]

_POINTS = ("left_ankle", "left_toe", "right_ankle", "right_toe")


def contact_labels(sequence: MotionSequence) -> NDArray[np.float32]:
    """Left heel, left toe, right heel, right toe, (T, 4) in 0..1; NaN for a skeleton without toes.

    Judged by `base.contacts.foot_contacts` in the world, Y up; ankles stand in for heels.
    """
    names = sequence.skeleton.joint_names
    if not set(_POINTS) <= set(names):
        return np.full((len(sequence.xyz_m), len(CONTACT_POINTS)), np.nan, dtype=np.float32)
    feet_m = sequence.xyz_m[:, [names.index(name) for name in _POINTS]]
    return foot_contacts(feet_m, sequence.fps, up=(0.0, 1.0, 0.0)).astype(np.float32)
