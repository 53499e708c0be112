"""Four-byte numbers, which FBX, glTF, VRMA, USD and C3D store: how far from the origin they place things well."""

from __future__ import annotations

import os
import warnings
from typing import Final

from mocap3d.base.errors import Mocap3dWarning
from mocap3d.base.motion import Motion

__all__ = ["farthest_m", "warn_if_far"]

_FARTHEST_M: Final = 160.0  # float32 has 24 bits: here it is rounded by 1e-5 m


def farthest_m(motion: Motion) -> float:
    """The largest coordinate of the root, and of joints in their parents, without its sign."""
    arrays = [motion.root_m] if motion.local_m is None else [motion.root_m, motion.local_m]
    return float(max(max(array.max(), -array.min()) for array in arrays))


def warn_if_far(path: str | os.PathLike[str], far_m: float) -> None:
    """Warn where a place so far from the origin cannot be written to 1e-5 m, in whatever unit."""
    if far_m > _FARTHEST_M:
        warnings.warn(
            f"{path}: something moves {far_m:.0f} m away, where the numbers of this format are rounded by "
            f"{far_m * 2**-24 * 1000:.2g} mm; move the motion nearer to the origin",
            Mocap3dWarning,
            stacklevel=3,
        )
