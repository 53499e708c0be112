"""The head of the mannequin: skull, hair, ears, nose, eyes, brows and mouth, all fixed to one joint."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.output.mannequin_landmarks import TRUNK_HEIGHTS, Landmarks
from mocap3d.output.mannequin_shapes import Part, ellipsoid, loft

__all__ = ["head_parts"]

Floats = NDArray[np.float64]

_BODY, _HAIR, _FEATURES = 0, 2, 4  # in the list of materials

# height | centre ahead | half width | front | back, in statures      from the chin to the top
_SKULL: Final = np.array([
    (0.8690, 0.0400, 0.0080, 0.0080, 0.0080),
    (0.8720, 0.0360, 0.0190, 0.0170, 0.0200),
    (0.8800, 0.0260, 0.0290, 0.0285, 0.0340),
    (0.8920, 0.0160, 0.0360, 0.0405, 0.0440),
    (0.9050, 0.0100, 0.0405, 0.0480, 0.0500),
    (0.9200, 0.0080, 0.0435, 0.0510, 0.0540),
    (0.9380, 0.0060, 0.0455, 0.0520, 0.0560),
    (0.9560, 0.0040, 0.0455, 0.0525, 0.0560),
    (0.9720, 0.0020, 0.0425, 0.0480, 0.0525),
    (0.9860, 0.0000, 0.0345, 0.0390, 0.0430),
    (0.9950, 0.0000, 0.0215, 0.0240, 0.0270),
])  # fmt: skip
_SKULL_ENDS: Final = ((0.8680, 0.0400), (0.9985, 0.0))

# degrees from the pole | times the distance of the skull           the hair, from inside its rim to its pole
_HAIR_RINGS: Final = np.array([
    (84.0, 0.930),
    (85.0, 1.030),
    (80.0, 1.065),
    (66.0, 1.070),
    (52.0, 1.065),
    (38.0, 1.060),
    (24.0, 1.055),
    (11.0, 1.050),
])  # fmt: skip
_HAIR_LEAN_DEG: Final = 33.0
_HAIR_CENTER: Final = np.array([0.0, 0.9450, 0.0])

# centre x y z | radii x y z | turned about x (degrees, the back down) | material; x other than 0 makes a pair
_PIECES: Final = (
    (0.0450, 0.9200, 0.0020, 0.0060, 0.0150, 0.0095, 12.0, _BODY),  # ears
    (0.0, 0.9110, 0.0600, 0.0070, 0.0085, 0.0110, 0.0, _BODY),  # nose: its tip
    (0.0, 0.9220, 0.0575, 0.0048, 0.0170, 0.0062, -14.0, _BODY),  # and its back
    (0.0175, 0.9330, 0.0515, 0.0066, 0.0068, 0.0060, 0.0, _FEATURES),  # eyes
    (0.0180, 0.9455, 0.0522, 0.0105, 0.0027, 0.0058, 0.0, _FEATURES),  # brows
    (0.0, 0.8880, 0.0535, 0.0125, 0.0018, 0.0045, 0.0, _FEATURES),  # mouth
)


def head_parts(body: Landmarks) -> list[Part]:
    """Build the head in the body's frame, as high as the rig's own."""
    size = float(np.linalg.norm(body.at["headTop"] - body.at["head"])) / (1.0 - TRUNK_HEIGHTS["head"])
    size = min(max(size, 0.8 * body.stature), 1.3 * body.stature)
    base = body.at["head"] - [0.0, TRUNK_HEIGHTS["head"] * size, 0.0]
    parts = [_fixed(_skull(base, size), _BODY), _fixed(_hair(base, size), _HAIR)]
    for x, y, z, rx, ry, rz, tilt, material in _PIECES:
        angle = np.deg2rad(tilt)
        up = np.array([0.0, np.cos(angle), np.sin(angle)])
        ahead = np.array([0.0, -np.sin(angle), np.cos(angle)])
        across = np.array([1.0, 0.0, 0.0])
        for sign in (1.0, -1.0) if x else (1.0,):
            center = base + size * np.array([sign * x, y, z])
            # the poles of a piece lie above and below, so that it has rings like the skull
            axes = np.stack([ahead, across, up])
            radii = (rz * size, rx * size, ry * size)
            piece = ellipsoid(center, axes, radii, rings=4, sides=8)
            parts.append(_fixed(piece, material))
    return parts


def _skull(base: Floats, size: float) -> Part:
    centers = base + size * np.stack([0 * _SKULL[:, 0], _SKULL[:, 0], _SKULL[:, 1]], axis=-1)
    frames = np.broadcast_to(np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), (len(_SKULL), 2, 3))
    ends = base + size * np.array([(0.0, height, ahead) for height, ahead in _SKULL_ENDS])
    return loft(centers, frames, _SKULL[:, [2, 2, 3, 4]] * size, ends, sides=20)


def _hair(base: Floats, size: float) -> Part:
    """Lay a shell around the skull: rings about an axis that leans back, so that the brow is free and the neck not."""
    lean, sides = np.deg2rad(_HAIR_LEAN_DEG), 24
    across = np.array([1.0, 0.0, 0.0])
    pole = np.array([0.0, np.cos(lean), -np.sin(lean)])
    ahead = np.cross(across, pole)
    turn = 2 * np.pi * np.arange(sides) / sides
    around = np.outer(np.cos(turn), -across) + np.outer(np.sin(turn), ahead)
    polar = np.deg2rad(_HAIR_RINGS[:, 0])[:, None, None]
    rays = np.cos(polar) * pole + np.sin(polar) * around  # (N, sides, 3)
    places = _HAIR_CENTER + rays * (_reach(rays) * _HAIR_RINGS[:, 1, None])[..., None]
    ends = _HAIR_CENTER + np.stack([-0.01 * pole, pole * float(_reach(pole)) * _HAIR_RINGS[-1, 1]])
    count = len(places)
    frames = np.broadcast_to(np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), (count, 2, 3))
    shell = loft(np.zeros((count, 3)), frames, np.ones((count, 4)), ends, sides=sides)
    return replace(shell, vertices=base + size * np.concatenate([places.reshape(-1, 3), ends]))


def _reach(rays: Floats) -> Floats:
    """Measure how far the surface of the skull lies from the middle of the hair along rays (..., 3), in statures."""
    table = np.concatenate([_SKULL, [(1.0, 0.0, 1e-3, 1e-3, 1e-3)]])
    low, high = np.zeros(rays.shape[:-1]), np.full(rays.shape[:-1], 0.15)
    for _ in range(30):
        middle = (low + high) / 2
        place = _HAIR_CENTER + rays * middle[..., None]
        ahead, width, front, back = (np.interp(place[..., 1], table[:, 0], column) for column in table[:, 1:].T)
        depth = place[..., 2] - ahead
        inside = (place[..., 0] / width) ** 2 + (depth / np.where(depth > 0, front, back)) ** 2 < 1
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.asarray(low)


def _fixed(part: Part, material: int) -> Part:
    weights = np.zeros((len(part.vertices), len(HUMANOID_22)))
    weights[:, HUMANOID_22.index("head")] = 1.0
    painted = np.full(len(part.triangles), material)
    return Part(vertices=part.vertices, triangles=part.triangles, weights=weights, material=painted)
