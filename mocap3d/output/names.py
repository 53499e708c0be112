"""Joint names in files: making them unique, and finding left/right partners in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["mirror_from_names", "unique_names"]

_SIDES: Final = {"left": "right", "Left": "Right", "LEFT": "RIGHT", "l": "r", "L": "R"}
_OTHER: Final = _SIDES | {right: left for left, right in _SIDES.items()}
# A whole word (LeftArm, arm_left), or one letter that stands apart (l_arm, arm.L, LArm, lShldr).
_SIDE: Final = re.compile(
    r"left|Left|LEFT|right|Right|RIGHT|(?<![A-Za-z])[lLrR](?=[_. :-])|(?<=[_. :-])[lLrR](?![A-Za-z])"
    r"|(?<![A-Za-z])[lr](?=[A-Z])|(?<![A-Za-z])[LR](?=[A-Z][a-z])"
)


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Number the repetitions: ``a a a_2`` becomes ``a a_3 a_2``; empty names become ``joint``."""
    taken = set(names)
    seen: set[str] = set()
    counters: dict[str, int] = {}
    result = []
    for name in names:
        unique = name
        if name in seen or not name:
            stem = name or "joint"
            number = counters.get(stem, 2 if name else 1)
            while (unique := f"{stem}_{number}") in taken:
                number += 1
            counters[stem] = number + 1
            taken.add(unique)
        seen.add(unique)
        result.append(unique)
    return tuple(result)


def mirror_from_names(names: Sequence[str]) -> tuple[int, ...]:
    """Find each joint's left/right partner by name (``LeftArm``, ``arm_l``, ``arm.L``, ``lShldr``), else itself."""
    index = {name: j for j, name in enumerate(names)}
    mirror = list(range(len(names)))
    for j, name in enumerate(names):
        partner = index.get(_SIDE.sub(lambda match: _OTHER[match.group()], name), j)
        if mirror[j] == j and mirror[partner] == partner:
            mirror[j], mirror[partner] = partner, j
    return tuple(mirror)
