"""A shot: a stretch of video between two cuts."""

from __future__ import annotations

from dataclasses import dataclass

from mocap3d.base.errors import InputError

__all__ = ["Shot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """Frames that one camera took without interruption.

    Attributes:
        start: its first frame.
        stop: the first frame after it.
        moves_from: the first frame in which the camera no longer stands where it stood at ``start``; None if it stays.
        moved_px: how far the background has moved at most since ``start``, pixels of the full picture.
    """

    start: int
    stop: int
    moves_from: int | None = None
    moved_px: float = 0.0

    def __post_init__(self) -> None:
        """Check that it holds frames, among them the one where the camera starts to move."""
        if not 0 <= self.start < self.stop:
            raise InputError(f"a shot needs 0 <= start < stop, got {self.start} and {self.stop}")
        if self.moves_from is not None and not self.start <= self.moves_from < self.stop:
            raise InputError(f"moves_from must lie in the shot {self.start} .. {self.stop - 1}, got {self.moves_from}")

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.stop - self.start

    @property
    def camera_moves(self) -> bool:
        """Whether the camera pans, tilts, zooms, travels or shakes."""
        return self.moves_from is not None
