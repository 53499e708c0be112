"""The animation objects of an FBX: a stack, a layer, and three curves for each rotation and each moving place.

Keys are float32. That is 2e-7 m at the end of a 1 m bone while angles stay below half a turn; a dancer who winds up
hundreds of turns would lose it, so a curve is taken back by whole turns when it passes ``_MOST_DEG``, and the key
before holds its value until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.output.euler import wxyz_to_continuous_euler
from mocap3d.output.fbx.bones import Bones
from mocap3d.output.fbx.document import TAKE, Objects, properties
from mocap3d.output.fbx.records import Record
from mocap3d.output.fbx.times import frame_ticks

__all__ = ["add_animation", "pre_rotation_deg"]

Floats = NDArray[np.float64]
_Keys = tuple[Floats, NDArray[np.bool_]]  # (T, 3) values, (T, 3) whether a key holds its value until the next

_MOST_DEG: Final = 3600.0
_HOLD: Final = 2  # flags of a key: what is between it and the next
_LINEAR: Final = 4
_ROTATION: Final = "Lcl Rotation"
_TRANSLATION: Final = "Lcl Translation"


def add_animation(objects: Objects, bones: Bones, models: list[np.int64]) -> np.int64:
    """Add the curves of all joints; their numbers are computed while they are written, joint after joint.

    Args:
        objects: where they go.
        bones: of the motion.
        models: ids of the bones' nodes.

    Returns:
        Ticks of the last frame.
    """
    ticks = frame_ticks(len(bones.motion), bones.motion.fps)
    stop = np.int64(ticks[-1])
    times = (("LocalStart", np.int64(0)), ("LocalStop", stop), ("ReferenceStart", np.int64(0)), ("ReferenceStop", stop))
    rows = properties(*[(name, "KTime", "Time", "", value) for name, value in times])
    stack = objects.add("AnimationStack", TAKE, "", (rows,), of="AnimStack")
    layer = objects.add("AnimationLayer", "BaseLayer", "", (), of="AnimLayer")
    objects.connect(layer, stack)

    @lru_cache(maxsize=1)  # X, Y and Z are written one after the other
    def keys(bone: int, channel: str) -> _Keys:
        return _rotation_keys(bones, bone) if channel == _ROTATION else _translation_keys(bones, bone)

    for bone in range(len(bones.joint_of)):
        for channel, short in ((_TRANSLATION, "T"), (_ROTATION, "R")):
            if channel == _ROTATION or bone in bones.moving:
                node = objects.add("AnimationCurveNode", short, "", _defaults(keys, bone, channel), of="AnimCurveNode")
                objects.connect(node, layer)
                objects.connect(node, models[bone], channel)
                for axis, letter in enumerate("XYZ"):
                    children = _curve(keys, bone, channel, axis, ticks)
                    curve = objects.add("AnimationCurve", "", "", children, of="AnimCurve")
                    objects.connect(curve, node, f"d|{letter}")
    return stop


def pre_rotation_deg(wxyz: Floats) -> Floats:
    """Euler angles (B, 3) of constant rotations (B, 4): R_z(c) R_y(b) R_x(a), which FBX calls XYZ."""
    return np.rad2deg(wxyz_to_continuous_euler(wxyz[None], "ZYX")[0, :, ::-1])


def _rotation_keys(bones: Bones, bone: int) -> _Keys:
    """Euler angles in degrees without jumps, but for whole turns that are taken back."""
    wxyz = bones.turns(bone)[:, None]
    angles_deg = np.rad2deg(wxyz_to_continuous_euler(wxyz, "ZYX")[:, 0, ::-1])
    holds = np.zeros(angles_deg.shape, dtype=np.bool_)
    for axis in range(3):
        series = angles_deg[:, axis]
        while (far := np.flatnonzero(np.abs(series) > _MOST_DEG)).size:
            first = far[0]
            series[first:] -= 360.0 * np.rint(series[first] / 360.0)
            holds[first - 1, axis] = first > 0
    return angles_deg, holds


def _translation_keys(bones: Bones, bone: int) -> _Keys:
    places = bones.places(bone)
    return places, np.zeros(places.shape, dtype=np.bool_)


def _defaults(keys: Callable[[int, str], _Keys], bone: int, channel: str) -> Iterator[Record]:
    values, _ = keys(bone, channel)
    yield properties(*[(f"d|{axis}", "Number", "", "A", float(values[0, n])) for n, axis in enumerate("XYZ")])


def _curve(
    keys: Callable[[int, str], _Keys], bone: int, channel: str, axis: int, ticks: NDArray[np.int64]
) -> Iterator[Record]:
    values, holds = keys(bone, channel)
    starts = np.flatnonzero(np.diff(holds[:, axis], prepend=~holds[:1, axis]))  # keys of one kind follow one another
    kinds = np.where(holds[starts, axis], _HOLD, _LINEAR)
    yield Record("Default", (float(values[0, axis]),))
    yield Record("KeyVer", (4008,))
    yield Record("KeyTime", (ticks,))
    yield Record("KeyValueFloat", (values[:, axis].astype(np.float32),))
    yield Record("KeyAttrFlags", (kinds.astype(np.int32),))
    yield Record("KeyAttrDataFloat", (np.zeros(4 * len(starts), dtype=np.float32),))
    yield Record("KeyAttrRefCount", (np.diff(starts, append=len(values)).astype(np.int32),))
