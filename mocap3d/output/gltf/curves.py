"""The animation of a glTF: which node moves by which curve, and what a curve says at a time.

Reference:
    Khronos, "glTF 2.0 Specification", section 3.11 "Animations" and appendix C "Animation Sampler Interpolation Modes".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.rotations import wxyz_continuous, wxyz_slerp
from mocap3d.output.gltf.accessors import Accessors
from mocap3d.output.gltf.rate import frame_rate, lies_on
from mocap3d.output.gltf.record import Record

__all__ = ["Animation", "Curve", "read_animation"]

Floats = NDArray[np.float64]

_KINDS: Final = {"translation": "VEC3", "rotation": "VEC4", "scale": "VEC3"}
_FRACTION: Final = re.compile(r"[1-9][0-9]{0,99}/[1-9][0-9]{0,99}")
_ROUNDING: Final = 0.1  # of a frame
_MODES: Final = ("LINEAR", "STEP", "CUBICSPLINE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One property of one node over time.

    Attributes:
        times_s: (K,) increasing.
        values: (K, C); rotations are wxyz on one hemisphere.
        tangents: (K, 2, C) in and out, per second, for CUBICSPLINE; else None.
        mode: LINEAR, STEP or CUBICSPLINE.
        turns: whether the values are rotations.
    """

    times_s: Floats
    values: Floats
    tangents: Floats | None
    mode: str
    turns: bool

    def at(self, times_s: Floats) -> Floats:
        """Evaluate at (T,) times: (T, C). Before the first and behind the last key the curve stands still."""
        before = np.clip(np.searchsorted(self.times_s, times_s, "right") - 1, 0, len(self.times_s) - 1)
        result = self.values[before]
        between = np.flatnonzero((times_s > self.times_s[before]) & (before < len(self.times_s) - 1))
        if self.mode == "STEP" or len(between) == 0:
            return result
        a = before[between]
        span_s = self.times_s[a + 1] - self.times_s[a]
        u = (times_s[between] - self.times_s[a]) / span_s
        if self.tangents is not None:
            slopes = span_s[:, None] * self.tangents[a, 1], span_s[:, None] * self.tangents[a + 1, 0]
            result[between] = self._bent(self.values[a], self.values[a + 1], slopes, u[:, None])
        elif self.turns:
            result[between] = wxyz_slerp(self.values[a], self.values[a + 1], u)
        else:
            result[between] = self.values[a] * (1 - u[:, None]) + self.values[a + 1] * u[:, None]
        return result

    def _bent(self, start: Floats, end: Floats, slopes: tuple[Floats, Floats], u: Floats) -> Floats:
        """Follow a cubic Hermite spline from ``start`` (u = 0) to ``end`` (u = 1)."""
        leaving, arriving = slopes
        values = (2 * u**3 - 3 * u**2 + 1) * start + (u**3 - 2 * u**2 + u) * leaving
        values = values + (3 * u**2 - 2 * u**3) * end + (u**3 - u**2) * arriving
        if self.turns:
            lengths = np.linalg.norm(values, axis=-1, keepdims=True)
            values = np.where(lengths > 1e-6, values / np.maximum(lengths, 1e-6), start)
        return np.asarray(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Animation:
    """The curves of one animation.

    Attributes:
        record: its JSON.
        curves: by node and property (translation, rotation, scale).
    """

    record: Record
    curves: dict[tuple[int, str], Curve]

    @property
    def is_bent(self) -> bool:
        """Whether there are curves that say something between their keys that the keys do not."""
        return any(curve.mode == "CUBICSPLINE" for curve in self.curves.values())

    def key_times_s(self) -> Floats:
        """All times at which there is a key, those of one frame taken together."""
        different = {id(curve): curve.times_s for curve in self.curves.values()}  # nodes may share a curve
        times_s = np.unique(np.concatenate(list(different.values())))
        apart = np.diff(times_s) > 4 * np.spacing(times_s[1:].astype(np.float32))
        return np.asarray(times_s[np.concatenate([[True], apart])])

    def frames(self, fps: Fraction | float | str | None) -> tuple[Fraction, int, int]:
        """Find the frame rate, the number of frames, and the frame of the first key counted from time 0.

        Args:
            fps: use this rate instead of the one that the keys show.

        Raises:
            FileFormatError: the keys lie on no grid, and no ``fps`` was given.
        """
        times_s = self.key_times_s()
        rate = self._rate(times_s) if fps is None else as_fps(fps)
        # A clip that ends between two frames ends at the frame before; rounding must not cost the last one.
        frames = 1 + int((times_s[-1] - times_s[0]) * float(rate) + _ROUNDING)
        return rate, frames, round(float(times_s[0]) * float(rate))

    def frame_times_s(self, rate: Fraction, frames: int) -> Floats:
        """Say the (T,) times of frames; where a key is meant, exactly the key's."""
        keys_s = self.key_times_s()
        times_s = keys_s[0] + np.arange(frames) / float(rate)
        after = np.clip(np.searchsorted(keys_s, times_s), 1, max(len(keys_s) - 1, 1)) if len(keys_s) > 1 else 0
        for near in (keys_s[np.maximum(after, 1) - 1], keys_s[after]):
            times_s = np.where(np.abs(near - times_s) * float(rate) < 1e-2, near, times_s)
        return np.asarray(times_s)

    def _rate(self, times_s: Floats) -> Fraction:
        said = self._said()
        if said is not None and lies_on(times_s, said):
            return said
        if len(times_s) == 1:
            self.record.warn("one key has no frame rate; it is read as 1 frame per second, pass fps= to say another")
            return Fraction(1)
        rate = frame_rate(times_s)
        if rate is None:
            raise self.record.error("its keys lie on no grid of frames; pass fps= to sample it at a rate")
        if self.is_bent:
            self.record.warn(f"its curves are read where they have keys ({rate} per second); pass fps= for more")
        return rate

    def _said(self) -> Fraction | None:
        """Read the rate that our own files hold as a fraction."""
        extras = self.record.fields.get("extras")
        text = extras.get("fps") if isinstance(extras, dict) else None
        return Fraction(text) if isinstance(text, str) and _FRACTION.fullmatch(text) else None


def read_animation(record: Record, accessors: Accessors, nodes: int) -> Animation:
    """Read every curve that moves a node.

    Raises:
        FileFormatError: keys that do not increase, values that do not fit them, one property driven twice.
    """
    samplers = record.records("samplers")
    curves: dict[tuple[int, str], Curve] = {}
    read: dict[tuple[int, str], Curve] = {}
    for channel in record.records("channels"):
        target = channel.needed("target")
        node, path = target.index("node", nodes), target.text("path")
        if node is None or path not in _KINDS:
            continue  # weights of shapes, or what an extension moves
        number = channel.index("sampler", len(samplers))
        if number is None:
            raise channel.error("sampler is missing")
        if (node, path) in curves:
            raise channel.error(f"{path} of node {node} is driven twice")
        if (number, path) not in read:
            read[number, path] = _curve(samplers[number], path, accessors)
        curves[node, path] = read[number, path]
    return Animation(record=record, curves=curves)


def _curve(sampler: Record, path: str, accessors: Accessors) -> Curve:
    mode = sampler.text("interpolation", "LINEAR")
    if mode not in _MODES:
        raise sampler.error(f"interpolation must be one of {', '.join(_MODES)}, got {mode!r}")
    times, values = sampler.index("input", len(accessors)), sampler.index("output", len(accessors))
    if times is None or values is None:
        raise sampler.error("input and output must both be there")
    times_s = accessors.floats(times, ("SCALAR",))[:, 0]
    if (np.diff(times_s) <= 0).any() or times_s[0] < 0:
        raise sampler.error("the times of its keys must increase, from 0 or later")
    rows = accessors.floats(values, (_KINDS[path],))
    per_key = 3 if mode == "CUBICSPLINE" else 1
    if len(rows) != per_key * len(times_s):
        raise sampler.error(f"{len(times_s)} times need {per_key * len(times_s)} values, there are {len(rows)}")
    if path == "rotation":
        rows = np.roll(rows, 1, axis=-1)  # xyzw -> wxyz
    blocks = rows.reshape(len(times_s), per_key, -1)
    values_at = blocks[:, per_key // 2]
    tangents = blocks[:, ::2] if per_key == 3 else None
    if path == "rotation":
        lengths = np.linalg.norm(values_at, axis=-1, keepdims=True)
        if not ((lengths > 0.5) & (lengths < 2)).all():
            raise sampler.error("it turns by quaternions that are not of unit length")
        values_at = values_at / lengths
        if tangents is None:
            values_at = wxyz_continuous(values_at)
    return Curve(times_s=times_s, values=values_at, tangents=tangents, mode=mode, turns=path == "rotation")
