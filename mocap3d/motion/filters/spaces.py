"""What differs between filtering points and filtering rotations: distance, bridging, reflection in an end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.rotations import wxyz_conjugate, wxyz_continuous, wxyz_multiply, wxyz_normalized, wxyz_slerp

__all__ = ["POINTS", "ROTATIONS", "Points", "Rotations", "Space"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Points:
    """Vectors with straight lines between them."""

    shape_text: str = "(T, ..., D): frames first, coordinates last"

    def checked(self, values: Floats) -> Floats:
        """Any vector will do."""
        return values

    def continuous(self, values: Floats) -> Floats:
        """Vectors have one sign."""
        return values

    def finished(self, values: Floats) -> Floats:
        """A mean of vectors is a vector."""
        return values

    def reflected(self, values: Floats, end: Floats) -> Floats:
        """The point as far on the other side of ``end``."""
        return 2.0 * end - values

    def aligned(self, windows: Floats) -> Floats:
        """Vectors have one sign."""
        return windows

    def bridged(self, values: Floats, known: Flags) -> Floats:
        """Replace what is not ``known`` (T, N) or (T, 1) of (T, N, D) by straight lines in time; ends are held."""
        if known.all():
            return values
        before, after, part = _neighbours(np.broadcast_to(known, values.shape[:2]))
        a, b = _taken(values, before), _taken(values, after)
        return a + part[..., None] * (b - a)


@dataclass(frozen=True, slots=True)
class Rotations:
    """Unit quaternions with shortest turns between them; q and -q are one rotation."""

    shape_text: str = "(T, ..., 4): frames first, quaternions last"

    def checked(self, values: Floats) -> Floats:
        """At unit length; zero is refused."""
        return wxyz_normalized(values)

    def continuous(self, values: Floats) -> Floats:
        """Neighbours on one hemisphere."""
        return wxyz_continuous(values)

    def finished(self, values: Floats) -> Floats:
        """A mean of quaternions is brought back to unit length."""
        return wxyz_normalized(values)

    def reflected(self, values: Floats, end: Floats) -> Floats:
        """The rotation as far on the other side of ``end``, on the same arc."""
        return wxyz_multiply(end, wxyz_multiply(wxyz_conjugate(values), end))

    def aligned(self, windows: Floats) -> Floats:
        """All of a window (T, W, 4) on the hemisphere of their mean, whatever their signs; zeros stay.

        Reference:
            Markley et al., "Averaging Quaternions", J. Guidance, Control and Dynamics 2007.
        """
        _, axes = np.linalg.eigh(np.einsum("twi,twj->tij", windows, windows))
        along = np.einsum("twi,ti->tw", windows, axes[..., -1])
        return np.where(along[..., None] < 0, -windows, windows)

    def bridged(self, values: Floats, known: Flags) -> Floats:
        """Replace what is not ``known`` (T, N) or (T, 1) of (T, N, 4) by shortest turns in time; ends are held."""
        if known.all():
            return values
        flags = np.broadcast_to(known, values.shape[:2])
        before, after, part = _neighbours(flags)
        turned = wxyz_slerp(_taken(values, before), _taken(values, after), part)
        return np.where(flags[..., None], values, turned)


Space = Points | Rotations

POINTS: Final = Points()
"""Vectors."""

ROTATIONS: Final = Rotations()
"""Quaternions."""


def _neighbours(known: Flags) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """For every frame (T, N) the known ones before and after it, and how far it is between them, 0..1.

    Known frames are both of their own neighbours. Columns without a known frame keep what they have.
    """
    frames = np.broadcast_to(np.arange(len(known))[:, None], known.shape)
    before = np.maximum.accumulate(np.where(known, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(known, frames, len(known))[::-1], axis=0)[::-1]
    before, after = np.where(before < 0, after, before), np.where(after >= len(known), before, after)
    none = ~known.any(axis=0)
    before, after = np.where(none, frames, before), np.where(none, frames, after)
    part = (frames - before) / np.maximum(after - before, 1)
    return before, after, np.clip(part, 0.0, 1.0)


def _taken(values: Floats, index: NDArray[np.int64]) -> Floats:
    return np.take_along_axis(values, index[..., None], axis=0)
