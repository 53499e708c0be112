"""Where the world is, seen from a still camera: which way is up, and where the floor is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_floats
from mocap3d.base.errors import InputError

__all__ = ["Ground"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """One floor plane and the direction of gravity for one shot.

    The world's origin lies on the floor; +Y is up; the camera looks along -Z, so that who faces the camera faces +Z.

    Attributes:
        world_from_cam: (4, 4) rigid motion, metres.
        up_std_deg: (2,) expected error of the up direction (one standard deviation): camera tilt, camera roll.
        floor_std_m: expected error of the floor's height under the feet.
        footfalls: how many plants of an ankle or a toe were used; a whole step is two.
    """

    world_from_cam: NDArray[np.float64]
    up_std_deg: tuple[float, float]
    floor_std_m: float
    footfalls: int

    def __post_init__(self) -> None:
        """Check the matrix."""
        matrix = as_floats("world_from_cam", self.world_from_cam, (4, 4))
        rotation = matrix[:3, :3]
        rigid = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6) and np.linalg.det(rotation) > 0
        if not rigid or np.isnan(matrix).any() or not np.array_equal(matrix[3], [0, 0, 0, 1]):
            raise InputError("world_from_cam of a ground must be a rotation and a translation")
        object.__setattr__(self, "world_from_cam", matrix)
