"""A camera: lens, picture size and pose."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_floats
from mocap3d.base.errors import InputError

__all__ = ["Camera"]

_DISTORTION_SIZES = {"brown-conrady": (0, 4, 5, 8, 12, 14), "fisheye": (0, 4)}


def _identity4() -> NDArray[np.float64]:
    return np.eye(4)


def _no_distortion() -> NDArray[np.float64]:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Camera:
    """A calibrated camera, OpenCV axes: +x right, +y down, +z forward.

    Attributes:
        name: how files and messages call it.
        size_wh_px: width and height of its pictures.
        K: (3, 3) intrinsic matrix [[fx, s, cx], [0, fy, cy], [0, 0, 1]], pixels; (0, 0) is the centre of a pixel.
        model: "brown-conrady" (OpenCV's default, 0, 4, 5, 8, 12 or 14 coefficients) or "fisheye" (4 coefficients).
        distortion: its coefficients in OpenCV's order; empty means none.
        cam_from_world: (4, 4) rigid motion, metres.
    """

    name: str
    size_wh_px: tuple[int, int]
    K: NDArray[np.float64]
    model: Literal["brown-conrady", "fisheye"] = "brown-conrady"
    distortion: NDArray[np.float64] = field(default_factory=_no_distortion)
    cam_from_world: NDArray[np.float64] = field(default_factory=_identity4)

    def __post_init__(self) -> None:
        """Check size, intrinsics, distortion and pose."""
        width, height = (int(n) for n in self.size_wh_px)
        if width < 1 or height < 1:
            raise InputError(f"size_wh_px of camera {self.name!r} must be positive, got {self.size_wh_px}")
        object.__setattr__(self, "size_wh_px", (width, height))
        object.__setattr__(self, "K", self._finite("K", self.K, (3, 3)))
        if self.K[0, 0] <= 0 or self.K[1, 1] <= 0 or not np.array_equal(self.K[2], [0, 0, 1]) or self.K[1, 0] != 0:
            raise InputError(f"K of camera {self.name!r} must be [[fx, s, cx], [0, fy, cy], [0, 0, 1]] with fx, fy > 0")
        if self.model not in _DISTORTION_SIZES:
            raise InputError(f"model of camera {self.name!r} must be one of {', '.join(_DISTORTION_SIZES)}")
        distortion = self._finite("distortion", np.ravel(self.distortion), (None,))
        if len(distortion) not in _DISTORTION_SIZES[self.model]:
            sizes = ", ".join(map(str, _DISTORTION_SIZES[self.model]))
            raise InputError(f"a {self.model} camera has {sizes} distortion coefficients, got {len(distortion)}")
        object.__setattr__(self, "distortion", distortion)
        object.__setattr__(self, "cam_from_world", self._finite("cam_from_world", self.cam_from_world, (4, 4)))
        R = self.cam_from_world[:3, :3]
        rigid = np.abs(R).max() < 2 and np.allclose(R @ R.T, np.eye(3), atol=1e-6) and np.linalg.det(R) > 0
        if not rigid or not np.array_equal(self.cam_from_world[3], [0, 0, 0, 1]):
            raise InputError(f"cam_from_world of camera {self.name!r} must be a rotation and a translation")

    @classmethod
    def from_fov(
        cls,
        name: str,
        size_wh_px: tuple[int, int],
        fov_deg: float,
        *,
        principal_px: tuple[float, float] | None = None,
    ) -> Camera:
        """Build a camera without distortion from the field of view along the longer side of its pictures.

        Args:
            name: how files and messages call it.
            size_wh_px: width and height.
            fov_deg: degrees seen along the longer side.
            principal_px: where the optical axis meets the picture; the centre when None.

        Raises:
            InputError: ``fov_deg`` is not between 1 and 170.
        """
        if not 1 <= fov_deg <= 170:
            raise InputError(f"fov_deg must lie between 1 and 170 degrees, got {fov_deg}")
        width, height = size_wh_px
        focal_px = max(width, height) / 2 / math.tan(math.radians(fov_deg) / 2)
        cx, cy = principal_px if principal_px is not None else ((width - 1) / 2, (height - 1) / 2)
        K = np.array([[focal_px, 0, cx], [0, focal_px, cy], [0, 0, 1.0]])
        return cls(name=name, size_wh_px=size_wh_px, K=K)

    @property
    def world_from_cam(self) -> NDArray[np.float64]:
        """(4, 4) inverse of ``cam_from_world``."""
        R, t = self.cam_from_world[:3, :3], self.cam_from_world[:3, 3]
        inverse = np.eye(4)
        inverse[:3, :3], inverse[:3, 3] = R.T, -R.T @ t
        return inverse

    @property
    def px_from_world(self) -> NDArray[np.float64]:
        """(3, 4) projection matrix for undistorted pixels."""
        return self.K @ self.cam_from_world[:3]

    @property
    def fov_deg(self) -> float:
        """Degrees seen along the longer side, without distortion."""
        width, height = self.size_wh_px
        longer, focal_px = (width, self.K[0, 0]) if width >= height else (height, self.K[1, 1])
        return math.degrees(2 * math.atan(longer / 2 / focal_px))

    def _finite(self, name: str, value: NDArray[np.float64], shape: tuple[int | None, ...]) -> NDArray[np.float64]:
        array = as_floats(f"{name} of camera {self.name!r}", value, shape)
        if np.isnan(array).any():
            raise InputError(f"{name} of camera {self.name!r} holds NaN")
        return array
