"""Light on surfaces, computed for their vertices: three lamps that go along with the eye, and the sky.

In software a renderer's own light, computed for every pixel, takes longer than all the rest; our triangles are small
enough for light at their corners.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from mocap3d.viewers.render.surfaces import Surface
from numpy.typing import NDArray

from mocap3d.base.camera import Camera

__all__ = ["lit"]

# Where lamps are, in the eye's axes (right, up, towards it), and how bright: from above, from aside, from behind.
_LAMPS: Final = (((-0.55, 0.85, 0.75), 0.80), ((0.9, 0.25, 0.6), 0.28), ((0.3, 0.6, -1.0), 0.50))
_SKY, _GROUND = 0.42, 0.24
_SHINE: Final = 0.07
_SHARPNESS: Final = 24.0
_GAMMA: Final = 2.2


def lit(surface: Surface, eye: Camera) -> Surface:
    """The surface with the colours that an eye sees: sRGB, light included unless it is drawn plainly."""
    rgb = surface.rgba[:, :3]
    if surface.lit:
        bright, shine = _light(surface.normals, eye)
        rgb = rgb * bright[:, None] + shine[:, None]
    srgb = np.clip(rgb, 0.0, 1.0) ** (1 / _GAMMA)
    return replace(surface, rgba=np.concatenate([srgb, surface.rgba[:, 3:]], axis=1))


def _light(normals: NDArray[np.float64], eye: Camera) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(V,) what a white surface throws back of all lamps, and the highlight of the first one."""
    axes = eye.cam_from_world[:3, :3] * [[1.0], [-1.0], [-1.0]]  # right, up, towards the eye
    bright = _GROUND + (_SKY - _GROUND) * (0.5 + 0.5 * normals[:, 1])
    for direction, power in _LAMPS:
        bright = bright + power * np.maximum(normals @ (axes.T @ _unit(direction)), 0.0)
    half = axes.T @ _unit(_unit(_LAMPS[0][0]) + [0.0, 0.0, 1.0])
    return bright, _SHINE * np.maximum(normals @ half, 0.0) ** _SHARPNESS


def _unit(vector: object) -> NDArray[np.float64]:
    array = np.asarray(vector, dtype=np.float64)
    return np.asarray(array / np.linalg.norm(array))
