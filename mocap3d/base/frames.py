"""The coordinate frames that people and programs use, by name, and the way between them.

A frame is described by where it puts the left, the up and the forward of a person at rest. Matrices ``a_from_b``
change the axes and nothing else: the origin stays, and lengths stay in metres (centimetres are up to ``output/``).
Between frames of different handedness a matrix has determinant -1; points and rotations go through it all the same.

===============  =====  =====  =======  ======  ===================================================
frame            left   up     forward  handed  who says so
===============  =====  =====  =======  ======  ===================================================
``WORLD``        +X     +Y     +Z       right   mocap3d; glTF 2.0, section 3.4: the front faces +Z
``Z_UP``         +Y     +Z     +X       right   ROS REP 103, "Axis Orientation": x forward, y left, z up
``BLENDER``      +X     +Z     -Y       right   Blender Manual, "Viewpoint": Front looks along +Y
``UNITY``        -X     +Y     +Z       left    Unity API: Vector3.forward is +Z, Vector3.right +X
``UNREAL``       -Y     +Z     +X       left    Unreal Engine docs: X forward, Y right, Z up
``OPENCV``       +X     -Y     -Z       right   OpenCV, calib3d: x right, y down; faces the camera
===============  =====  =====  =======  ======  ===================================================

Unreal's row is an actor in the world; the mesh of its mannequin faces +Y and stands in its actor turned by -90 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.rotations import wxyz_normalized

__all__ = [
    "BLENDER",
    "FRAMES",
    "OPENCV",
    "UNITY",
    "UNREAL",
    "WORLD",
    "Z_UP",
    "Frame",
    "a_from_b",
    "change_matrices",
    "change_points",
    "change_wxyz",
    "frame_named",
]

Floats = NDArray[np.float64]

_SIGNS: Final = {"+": 1.0, "-": -1.0}
_AXES: Final = {sign + axis: _SIGNS[sign] * np.eye(3)[n] for sign in _SIGNS for n, axis in enumerate("XYZ")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A coordinate frame, by the axes along which a person at rest has the left arm, the head and the face.

    Attributes:
        name: how settings and messages call it.
        left: "+X", "-X", "+Y", "-Y", "+Z" or "-Z".
        up: likewise.
        forward: likewise; the three lie along different axes.
    """

    name: str
    left: str
    up: str
    forward: str

    def __post_init__(self) -> None:
        """Check that the three directions are axes at right angles."""
        directions = (self.left, self.up, self.forward)
        if not set(directions) <= set(_AXES) or len({direction[1] for direction in directions}) != 3:
            raise InputError(f"frame {self.name!r} needs three different axes such as +X, +Y, -Z; got {directions}")

    @property
    def from_world(self) -> Floats:
        """(3, 3) ``frame_from_world``: the columns are this frame's left, up and forward: world x, y and z."""
        return np.stack([_AXES[self.left], _AXES[self.up], _AXES[self.forward]], axis=-1)

    @property
    def is_right_handed(self) -> bool:
        """Whether x turns into y counter-clockwise, seen from the tip of z."""
        return bool(np.linalg.det(self.from_world) > 0)


WORLD: Final = Frame(name="world", left="+X", up="+Y", forward="+Z")
Z_UP: Final = Frame(name="z-up", left="+Y", up="+Z", forward="+X")
BLENDER: Final = Frame(name="blender", left="+X", up="+Z", forward="-Y")
UNITY: Final = Frame(name="unity", left="-X", up="+Y", forward="+Z")
UNREAL: Final = Frame(name="unreal", left="-Y", up="+Z", forward="+X")
OPENCV: Final = Frame(name="opencv", left="+X", up="-Y", forward="-Z")

FRAMES: Final[dict[str, Frame]] = {frame.name: frame for frame in (WORLD, Z_UP, BLENDER, UNITY, UNREAL, OPENCV)}
"""Every named frame by its name."""


def frame_named(name: str) -> Frame:
    """Find a frame by name.

    Raises:
        InputError: there is no such frame; the message lists those there are.
    """
    try:
        return FRAMES[name]
    except KeyError:
        raise InputError(f"no frame is called {name!r}; there are: {', '.join(FRAMES)}") from None


def a_from_b(a: Frame, b: Frame) -> Floats:
    """Give the (3, 3) matrix that turns coordinates of frame b into coordinates of frame a (determinant 1 or -1)."""
    return a.from_world @ b.from_world.T


def change_points(matrix: ArrayLike, xyz_b: ArrayLike) -> Floats:
    """Write points or directions (..., 3) of frame b in frame a.

    Args:
        matrix: (3, 3) ``a_from_b``, orthogonal; its determinant may be -1.
        xyz_b: any unit; a point with a NaN coordinate becomes all NaN.
    """
    xyz = np.asarray(xyz_b, dtype=np.float64)
    if xyz.shape[-1:] != (3,):
        raise InputError(f"points must be (..., 3), got shape {xyz.shape}")
    return xyz @ _orthogonal(matrix).T


def change_matrices(matrix: ArrayLike, rotations_b: ArrayLike) -> Floats:
    """Write rotations (..., 3, 3) that act within frame b as the same turns of the body within frame a.

    Both the vector that goes in and the one that comes out change their axes, so the result is a rotation again
    (determinant 1), whatever the handedness.

    Args:
        matrix: (3, 3) ``a_from_b``, orthogonal.
        rotations_b: for example parent_from_joint, where both are written in axes of kind b.
    """
    m = _orthogonal(matrix)
    rotations = np.asarray(rotations_b, dtype=np.float64)
    if rotations.shape[-2:] != (3, 3):
        raise InputError(f"rotations must be (..., 3, 3), got shape {rotations.shape}")
    return np.asarray(m @ rotations @ m.T)


def change_wxyz(matrix: ArrayLike, wxyz_b: ArrayLike) -> Floats:
    """``change_matrices`` for quaternions (..., 4).

    The axis changes like a point and, under a mirror, its sense too: what turned clockwise turns counter-clockwise.
    """
    m = _orthogonal(matrix)
    q = wxyz_normalized(wxyz_b)
    axis = np.linalg.det(m).round() * (q[..., 1:] @ m.T)
    return np.concatenate([q[..., :1], axis], axis=-1)


def _orthogonal(matrix: ArrayLike) -> Floats:
    m = np.asarray(matrix, dtype=np.float64)
    if m.shape != (3, 3) or not np.allclose(m @ m.T, np.eye(3), atol=1e-9):
        raise InputError("a_from_b must be an orthogonal (3, 3) matrix")
    return m
