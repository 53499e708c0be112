"""A body: a skeleton with bone lengths and a rest pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_floats
from mocap3d.base.errors import InputError
from mocap3d.base.skeleton import Skeleton

__all__ = ["Rig", "Tip"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tip:
    """The end of a bone that has no child joint (BVH calls it End Site).

    Attributes:
        name: how files may call it.
        parent: index of the joint it is fixed to.
        offset_m: (3,) from that joint, in the joint's frame.
    """

    name: str
    parent: int
    offset_m: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check the offset."""
        object.__setattr__(self, "offset_m", _finite(f"offset_m of tip {self.name!r}", self.offset_m, (3,)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rig:
    """Bone lengths and rest pose of a skeleton.

    Attributes:
        skeleton: J joints, parents first.
        offsets_m: (J, 3) of each joint from its parent, in the parent's frame; the root's is its place at rest.
        rest_wxyz: (J, 4) unit quaternions parent_from_joint at rest.
        tips: the End Sites.
    """

    skeleton: Skeleton
    offsets_m: NDArray[np.float64]
    rest_wxyz: NDArray[np.float64]
    tips: tuple[Tip, ...] = ()

    def __post_init__(self) -> None:
        """Check order, shapes, quaternions and tips."""
        count = len(self.skeleton)
        if not self.skeleton.is_parents_first:
            raise InputError(f"a rig needs parents before children; skeleton {self.skeleton.name!r} has another order")
        object.__setattr__(self, "offsets_m", _finite("offsets_m", self.offsets_m, (count, 3)))
        object.__setattr__(self, "rest_wxyz", _finite("rest_wxyz", self.rest_wxyz, (count, 4)))
        if not np.allclose(np.linalg.norm(self.rest_wxyz, axis=-1), 1.0, atol=1e-6):
            raise InputError("rest_wxyz must be unit quaternions")
        object.__setattr__(self, "tips", tuple(self.tips))
        for tip in self.tips:
            if not 0 <= tip.parent < count:
                raise InputError(f"tip {tip.name!r} hangs on joint {tip.parent}, outside 0..{count - 1}")

    @property
    def bone_lengths_m(self) -> NDArray[np.float64]:
        """(J,) distance of each joint from its parent; 0 for the root."""
        lengths = np.sqrt((self.offsets_m**2).sum(axis=-1))
        lengths[self.skeleton.root] = 0.0
        return np.asarray(lengths)


def _finite(name: str, value: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = as_floats(name, value, shape)
    if np.isnan(array).any():
        raise InputError(f"{name} holds NaN")
    return array
