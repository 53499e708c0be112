"""Which rows a table has: takes of one action, Human3.6M's actions in the order of published tables."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

__all__ = ["HUMAN36M_ACTIONS", "absent_takes", "in_order", "without_take"]

HUMAN36M_ACTIONS: Final = (
    "directions", "discussion", "eating", "greeting", "phoning", "takingphoto", "posing", "purchases", "sitting",
    "sittingdown", "smoking", "waiting", "walkingdog", "walking", "walkingtogether",
)  # fmt: skip
"""Human3.6M's actions in the order of published tables; each was recorded twice (``walking_1``, ``walking_2``)."""

_TAKES: Final = (1, 2)


def without_take(action: str) -> str:
    """``walking_1`` -> ``walking``: the takes of an action are one row."""
    return re.sub(r"_\d+$", "", action)


def in_order(actions: Collection[str]) -> list[str]:
    """Human3.6M's actions as papers print them, then others by name."""
    known = [action for action in HUMAN36M_ACTIONS if action in actions]
    return known + sorted(set(actions) - set(known))


def absent_takes(takes: Collection[str]) -> tuple[str, ...]:
    """What a subject of Human3.6M lacks; nothing for other data sets."""
    if not any(without_take(take) in HUMAN36M_ACTIONS for take in takes):
        return ()
    whole = [f"{action}_{take}" for action in HUMAN36M_ACTIONS for take in _TAKES]
    return tuple(take for take in whole if take not in takes)
