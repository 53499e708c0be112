"""The numbers that come out of a lifter, by name: joints, the root's place in the camera's frame, foot contacts.

Order of the O numbers of a frame: (x, y, z) of each joint (without the root if it is the origin), then, if the weights
say so, four for the trajectory, then one for each foot contact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.lift.lifter_weights import TRAJECTORY_OUTPUTS, LifterMeta

__all__ = [
    "LOG_STD_LIMITS",
    "LifterOutputs",
    "read_outputs",
]

LOG_STD_LIMITS = (-6.0, 2.0)
"""Between these lies the logarithm of the error of the distance's logarithm: training counts what is beyond as these,
so beyond them the number means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LifterOutputs:
    """What a lifter says about T frames, in the axes of the virtual camera.

    Attributes:
        xyz_m: (T, J, 3) joints around the root.
        root_m: (T, 3) the root itself, as seen from the camera; None if the network does not say.
        root_std_m: (T,) expected error of the root's distance; None as above. The error beside the ray is far smaller.
        contacts: (T, 4) probability that left heel, left toe, right heel, right toe stand; None as above.
    """

    xyz_m: NDArray[np.floating]
    root_m: NDArray[np.floating] | None
    root_std_m: NDArray[np.floating] | None
    contacts: NDArray[np.floating] | None


def read_outputs(meta: LifterMeta, outputs: NDArray[np.floating], scale: NDArray[np.floating]) -> LifterOutputs:
    """Name a lifter's numbers.

    Args:
        meta: of the lifter.
        outputs: (T, O).
        scale: (T,) of the encoding.
    """
    joints = 3 * (len(meta.skeletons[1]) - (meta.root == "origin"))
    xyz_m = outputs[:, :joints].reshape(len(outputs), -1, 3)
    if meta.root == "origin":
        xyz_m = np.concatenate([np.zeros_like(xyz_m[:, :1]), xyz_m], axis=1)
    root_m = root_std_m = contacts = None
    rest = outputs[:, joints:]
    if meta.trajectory:
        distance_m = np.exp(rest[:, 2]) / scale
        root_m = np.concatenate([rest[:, :2], distance_m[:, None]], axis=1)
        root_std_m = np.exp(rest[:, 3].clip(*LOG_STD_LIMITS)) * distance_m
        rest = rest[:, TRAJECTORY_OUTPUTS:]
    if meta.contacts:
        contacts = 1 / (1 + np.exp(-rest))
    return LifterOutputs(xyz_m=xyz_m, root_m=root_m, root_std_m=root_std_m, contacts=contacts)
