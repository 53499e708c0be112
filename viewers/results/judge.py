"""The errors behind the viewer's numbers: the same functions as `mocap3d evaluate`, a few thousand frames at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import reduce
from operator import add
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError, Mocap3dError
from mocap3d.quality.action_table import ActionTable
from mocap3d.quality.pose3d import joint_errors_m, procrustes_aligned_m, velocity_errors_m
from mocap3d.quality.tally import PoseTally

__all__ = ["Bodies", "Judge", "Key", "TakeScores", "action_table", "frame_errors_mm", "score_take"]

Floats = NDArray[np.float64]
Key = tuple[int, int, int]
"""Numbers of a take, a model and a camera."""

Bodies = Callable[[int, int], tuple[Floats, Floats]]
"""Frames from .. to -> found and true joints (n, J, 3) around their roots, NaN where not known."""

_CHUNK: Final = 1000  # frames at a time: bounds the memory
_WORST: Final = 5  # frames kept of each take
_APART_S: Final = 0.5  # so that they are not neighbours


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TakeScores:
    """One take, seen by one camera, judged by one model's predictions.

    Attributes:
        tally: sums of all errors.
        joint_mm: (J,) mean error of each joint, millimetres; NaN for one that is never known.
        worst: (frame, MPJPE in millimetres) of the worst frames, half a second apart, the worst first.
    """

    tally: PoseTally
    joint_mm: Floats
    worst: tuple[tuple[int, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON; an error without anything to measure is missing."""
        scores = asdict(self.tally.scores) if self.tally.counts.all() else {}
        joints = [None if np.isnan(mean) else float(mean) for mean in self.joint_mm]
        return {"frames": self.tally.frames, **scores, "joint_mm": joints, "worst": self.worst}


def frame_errors_mm(found_m: Floats, true_m: Floats) -> Floats:
    """Errors frame by frame.

    Args:
        found_m: (T, J, 3) around the root.
        true_m: (T, J, 3) around the root.

    Returns:
        (T, 2 + J) millimetres: MPJPE, P-MPJPE, then each joint's; NaN where there is nothing to measure.
    """
    joints = joint_errors_m(found_m, true_m)
    aligned = joint_errors_m(procrustes_aligned_m(found_m, true_m), true_m)
    return np.column_stack([_row_means(joints), _row_means(aligned), joints]) * 1000


def score_take(bodies: Bodies, frames: int, fps: Fraction) -> TakeScores:
    """Judge one take, chunk by chunk.

    A chunk is a whole number of seconds, so that what is read every 20 ms for velocities falls on its first frame.
    """
    size = fps.numerator * max(1, _CHUNK // fps.numerator)
    tallies, per_frame = [], []
    sums, counts = 0.0, 0
    for start in range(0, frames, size):
        stop = min(start + size, frames)
        found, true = bodies(start, min(stop + 1, frames))  # one frame more, for the movement into the next chunk
        velocities = velocity_errors_m(found, true, fps)
        found, true = found[: stop - start], true[: stop - start]
        joints = joint_errors_m(found, true)
        tallies.append(_with_velocities(PoseTally.of(found, true, fps), velocities))
        per_frame.append(_row_means(joints) * 1000)
        sums, counts = sums + np.nansum(joints, axis=0) * 1000, counts + np.isfinite(joints).sum(axis=0)
    joint_mm = np.divide(sums, counts, out=np.full(np.shape(sums), np.nan), where=np.asarray(counts) > 0)
    return TakeScores(
        tally=reduce(add, tallies), joint_mm=joint_mm, worst=_worst(np.concatenate(per_frame), float(fps))
    )


def action_table(
    rows: Iterable[tuple[str, TakeScores]], order: Callable[[Collection[str]], list[str]]
) -> dict[str, Any]:
    """The table of `mocap3d evaluate`, of (action, scores); empty while there is nothing.

    An action without anything to measure (all of its takes are single frames, say) stays out.
    """
    tallies: dict[str, PoseTally] = {}
    for action, scores in rows:
        tallies[action] = tallies[action] + scores.tally if action in tallies else scores.tally
    measured = {action: tally for action, tally in tallies.items() if tally.counts.all()}
    if not measured:
        return {}
    return ActionTable(tallies={action: measured[action] for action in order(measured)}).to_dict()


class Judge:
    """Scores of many takes, found one after another in the background, or at once when they are asked for."""

    def __init__(self, keys: Iterable[Key], measure: Callable[[Key], TakeScores]) -> None:
        self.keys = tuple(keys)
        self.failed: dict[Key, str] = {}
        self.scores: dict[Key, TakeScores] = {}
        self._measure = measure
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def one(self, key: Key) -> TakeScores:
        """One take's scores.

        Raises:
            LookupError: there is no such take.
            InputError: it cannot be judged.
        """
        if key not in self.keys:
            raise KeyError(key)
        if key in self.failed:
            raise InputError(self.failed[key])
        found = self.scores.get(key)
        if found is None:
            try:
                found = self.scores.setdefault(key, self._measure(key))
            except Mocap3dError as error:
                self.failed[key] = str(error)
                raise
        return found

    def begin(self) -> None:
        """Go on in the background, if that was not begun before."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop after the take that is being judged."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        for key in self.keys:
            if self._stop.is_set():
                return
            if key not in self.failed:
                try:
                    self.one(key)
                except Mocap3dError:
                    continue  # said in `failed`


def _with_velocities(tally: PoseTally, errors: Floats) -> PoseTally:
    sums, counts = tally.sums.copy(), tally.counts.copy()
    sums[3], counts[3] = np.nansum(errors), np.count_nonzero(~np.isnan(errors))
    return replace(tally, sums=sums, counts=counts)


def _row_means(errors: Floats) -> Floats:
    """Means over the last axis of what is known; NaN where nothing is."""
    known = np.isfinite(errors)
    count = known.sum(axis=-1)
    total = np.where(known, errors, 0.0).sum(axis=-1)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def _worst(errors_mm: Floats, fps: float) -> tuple[tuple[int, float], ...]:
    left = np.where(np.isfinite(errors_mm), errors_mm, -1.0)
    apart = max(1, round(_APART_S * fps))
    found: list[tuple[int, float]] = []
    while len(found) < _WORST and left.max() >= 0:
        frame = int(left.argmax())
        found.append((frame, float(left[frame])))
        left[max(0, frame - apart) : frame + apart] = -1
    return tuple(found)
