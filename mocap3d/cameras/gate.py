"""One question that was asked of a calibration, and the verdict on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mocap3d.base.errors import CalibrationError

__all__ = ["Gate", "make_gate", "refuse_failed", "telling"]

_CAUSES: Final = ("different cameras", "places", "mirrored", "synchronous")
_EFFECTS: Final = (
    *("directions", "in front", "held-out reprojection", "reprojection", "steady", "upright", "feet on the floor"),
    *("cameras above the floor", "bodies", "left and right", "refined nearby", "board", "corners that fit"),
)
"""What is wrong, where it is known, and what then fails as well and would send a reader the wrong way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One question that was asked of a calibration.

    Attributes:
        name: what was asked.
        passed: whether the answer was good; a gate that could not be asked is not made.
        value: what was measured.
        limit: what it must be, as words.
        advice: one or two sentences: what is wrong, and what to film again; empty when passed.
    """

    name: str
    passed: bool
    value: float
    limit: str
    advice: str = ""


def make_gate(name: str, passed: bool, value: float, limit: str, advice: str) -> Gate:
    """A gate; what to do is left out where it passed."""
    return Gate(name=name, passed=bool(passed), value=float(value), limit=limit, advice="" if passed else advice)


def telling(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    """The failed gates that say what is wrong, without those that must fail because of it."""
    failed = [gate for gate in gates if not gate.passed]
    causes = [gate for gate in failed if gate.name in _CAUSES]
    left = [gate for gate in failed if gate.name not in (*_CAUSES, *_EFFECTS)] if causes else failed
    return tuple({gate.advice: gate for gate in (*causes, *left)}.values())


def refuse_failed(gates: Sequence[Gate]) -> None:
    """Refuse a calibration with gates that failed.

    Raises:
        CalibrationError: the sentences of those that are `telling`.
    """
    failed = telling(gates)
    if failed:
        raise CalibrationError("; ".join(f"{gate.name}: {gate.advice}" for gate in failed))
