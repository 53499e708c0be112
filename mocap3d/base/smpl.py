"""The parameters of an SMPL body: pose, place and shape, as AMASS and most research on human bodies hold them.

Only numbers: the body model that turns them into joints and a surface is another's, with a licence of its own.

Source: Loper et al., "SMPL: A Skinned Multi-Person Linear Model", SIGGRAPH Asia 2015; Mahmood
et al., "AMASS", ICCV 2019.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.checks import as_floats, as_fps
from mocap3d.base.errors import InputError
from mocap3d.base.frames import BLENDER, WORLD, a_from_b
from mocap3d.base.rotations import matrix_to_wxyz, rotvec_to_wxyz, wxyz_multiply, wxyz_to_rotvec

__all__ = ["SMPL_MODELS", "SmplParameters"]

SMPL_MODELS: Final = {24: "smpl", 52: "smplh", 55: "smplx"}
"""The body model by its number of joints, the pelvis counted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SmplParameters:
    """Pose, place and shape of one body over time.

    Attributes:
        poses_rotvec: (T, K, 3) rotation vectors parent_from_joint; joint 0, the pelvis, turns in the world. K is 24
            (SMPL), 52 (SMPL-H, AMASS) or 55 (SMPL-X).
        trans_m: (T, 3) shift of the whole body. The pelvis is not here, but here plus its place in the unposed body.
        betas: (B,) coefficients of the shape.
        gender: of the body model.
        fps: frames per second, exact.
        up: the axis of the world that points up: AMASS has "Z", mocap3d "Y".
        dmpls: (T, D) coefficients of soft tissue, or None.
    """

    poses_rotvec: NDArray[np.float64]
    trans_m: NDArray[np.float64]
    betas: NDArray[np.float64]
    gender: Literal["neutral", "female", "male"]
    fps: Fraction
    up: Literal["Y", "Z"]
    dmpls: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Check shapes, and that nothing is missing."""
        poses = as_floats("poses_rotvec", self.poses_rotvec, (None, None, 3))
        frames, joints = poses.shape[:2]
        checked = {
            "poses_rotvec": poses,
            "trans_m": as_floats("trans_m", self.trans_m, (frames, 3)),
            "betas": as_floats("betas", self.betas, (None,)),
        }
        if self.dmpls is not None:
            checked["dmpls"] = as_floats("dmpls", self.dmpls, (frames, None))
        if frames == 0 or joints not in SMPL_MODELS:
            known = ", ".join(f"{count} ({name})" for count, name in SMPL_MODELS.items())
            raise InputError(f"SMPL parameters need a frame or more and {known} joints, got {frames} of {joints}")
        for name, array in checked.items():
            if np.isnan(array).any():
                raise InputError(f"{name} holds NaN")
            object.__setattr__(self, name, array)
        if self.gender not in ("neutral", "female", "male"):
            raise InputError(f"gender must be neutral, female or male, got {self.gender!r}")
        if self.up not in ("Y", "Z"):
            raise InputError(f'up must be "Y" or "Z", got {self.up!r}')
        object.__setattr__(self, "fps", as_fps(self.fps))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.trans_m)

    @property
    def model(self) -> str:
        """The body model that has so many joints: "smpl", "smplh" or "smplx"."""
        return SMPL_MODELS[self.poses_rotvec.shape[1]]

    def turned(self, up: Literal["Y", "Z"], pelvis_m: ArrayLike) -> SmplParameters:
        """Turn the world about its X axis so that another axis points up; the body's surface turns with it.

        The pelvis turns about its own place, not about the origin, so that place must be known:
        pelvis = pelvis_m + trans_m.

        Args:
            up: the axis that shall point up.
            pelvis_m: (3,) the pelvis of the unposed body of these ``betas`` and this gender: joint 0 of the model.
        """
        if up == self.up:
            return self
        pelvis = as_floats("pelvis_m", pelvis_m, (3,))
        y_from_z = a_from_b(WORLD, BLENDER)
        turn = {"Y": y_from_z, "Z": y_from_z.T}.get(up)
        if turn is None:
            raise InputError(f'up must be "Y" or "Z", got {up!r}')
        poses_rotvec = np.array(self.poses_rotvec)
        root = wxyz_multiply(matrix_to_wxyz(turn), rotvec_to_wxyz(poses_rotvec[:, 0]))
        poses_rotvec[:, 0] = wxyz_to_rotvec(root)
        trans_m = (self.trans_m + pelvis) @ turn.T - pelvis
        return replace(self, poses_rotvec=poses_rotvec, trans_m=trans_m, up=up)
