"""A body that moves: what every animation file is written from."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_floats, as_fps
from mocap3d.base.errors import InputError
from mocap3d.base.rig import Rig

__all__ = ["Motion"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """Rotations of a rig over time, in the world (+Y up, metres).

    Attributes:
        rig: J joints.
        fps: frames per second, exact.
        local_wxyz: (T, J, 4) unit quaternions parent_from_joint, absolute: the rest rotation is included.
        root_m: (T, 3) joint 0 in the world.
        local_m: (T, J, 3) offsets over time, for files whose inner joints move; None means ``rig.offsets_m``.
        contacts: (T, 4) in 0..1: left heel, left toe, right heel, right toe on the ground; None means not known.
        start_frame: the frame of the source that frame 0 stands for.
    """

    rig: Rig
    fps: Fraction
    local_wxyz: NDArray[np.float64]
    root_m: NDArray[np.float64]
    local_m: NDArray[np.float64] | None = None
    contacts: NDArray[np.float64] | None = None
    start_frame: int = 0

    def __post_init__(self) -> None:
        """Check shapes, unit quaternions and that nothing is missing."""
        joints = len(self.rig.skeleton)
        object.__setattr__(self, "fps", as_fps(self.fps))
        wxyz = as_floats("local_wxyz", self.local_wxyz, (None, joints, 4))
        frames = len(wxyz)
        checked = {"local_wxyz": wxyz, "root_m": as_floats("root_m", self.root_m, (frames, 3))}
        if self.local_m is not None:
            checked["local_m"] = as_floats("local_m", self.local_m, (frames, joints, 3))
        if self.contacts is not None:
            checked["contacts"] = as_floats("contacts", self.contacts, (frames, 4))
        for name, array in checked.items():
            if np.isnan(array.max(initial=0.0)):
                raise InputError(f"{name} holds NaN: a motion has a value for every joint in every frame")
            object.__setattr__(self, name, array)
        contacts = checked.get("contacts")
        if contacts is not None and ((contacts < 0) | (contacts > 1)).any():
            raise InputError("contacts must lie in 0..1")
        if frames == 0:
            raise InputError("a motion needs at least one frame")
        squared = np.einsum("tjk,tjk->tj", wxyz, wxyz)  # five times as fast as linalg.norm
        if max(squared.max() - 1.0, 1.0 - squared.min()) > 2.2e-5:
            raise InputError("local_wxyz must be unit quaternions")

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.root_m)

    @property
    def duration_s(self) -> float:
        """Seconds from the first frame to the end of the last."""
        return float(len(self) / self.fps)
