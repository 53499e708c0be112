"""How Human3.6M's files spell their takes, and how we do.

Every subject did each of 15 actions twice. The official files call the takes "Walking 1" and "Walking", but not always:
a take that failed left a hole in the numbers ("Phoning 3" and "Phoning 2"), the one without a number may be either, and
two actions have two spellings. We say ``walking_1`` and ``walking_2``, as the exponential-map files do; 1 and 2 are
the subactions of the official metadata.

The table repeats facts of the data set as found in github.com/karfly/learnable-triangulation-pytorch
(``action_to_una_dinosauria.py``, MIT); Vegetebird/MHFormer issue 92 and the frame counts of the text files agree.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ACTIONS", "DISCARDED", "action_of", "official_name", "takes"]

# Ours -> the official spelling that most files use.
ACTIONS: Final = {
    "directions": "Directions", "discussion": "Discussion", "eating": "Eating", "greeting": "Greeting",
    "phoning": "Phoning", "posing": "Posing", "purchases": "Purchases", "sitting": "Sitting",
    "sittingdown": "SittingDown", "smoking": "Smoking", "takingphoto": "Photo", "waiting": "Waiting",
    "walking": "Walking", "walkingdog": "WalkDog", "walkingtogether": "WalkTogether",
}  # fmt: skip
_OTHER_SPELLINGS: Final = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog", "WalkingTogether": "WalkTogether"}

# Numbers of the first and second take where they are not "1" and none ("-").
_NUMBERS: Final = {
    "S1": "eating 2 -, sitting 1 2, sittingdown 2 -",
    "S5": "directions 1 2, discussion 2 3, greeting 1 2, sittingdown - 1, takingphoto - 2, waiting 1 2",
    "S6": "eating 1 2, posing 2 -, sitting 1 2, takingphoto - 1, waiting 3 -",
    "S7": "phoning 2 -, sittingdown - 1, takingphoto - 1, waiting 1 2",
    "S8": "sittingdown - 1, walkingtogether 1 2",
    "S9": "discussion 1 2, sittingdown - 1",
    "S11": "discussion 1 2, greeting 2 -, phoning 3 2, sittingdown - 1, smoking 2 -",
}

# The video S11/Directions.54138969.mp4 was corrupt for years (mended in 2020, says CHUNYUWANG/H36M-Toolbox issue 2);
# everybody, VideoPose3D among them, evaluates without this take, so tables are only comparable without it.
DISCARDED: Final = frozenset({("S11", "directions_2")})


def takes() -> tuple[str, ...]:
    """The 30 takes of a subject, ours: "directions_1", "directions_2", ..."""
    return tuple(f"{action}_{take}" for action in ACTIONS for take in (1, 2))


def official_name(subject: str, take: str) -> str:
    """Our take to the official name: ("S11", "phoning_1") is "Phoning 3"."""
    action, _, number = take.rpartition("_")
    said = _numbers(subject, action)[int(number) - 1]
    return f"{ACTIONS[action]} {said}".strip()


def action_of(subject: str, name: str) -> str | None:
    """The official name, in any spelling, to our take; None for what is no take ("_ALL 1")."""
    match = re.fullmatch(r"([A-Za-z]+)(?:[ _](\d))?", name)
    if match is None:
        return None
    spelled, said = _OTHER_SPELLINGS.get(match[1], match[1]), match[2] or ""
    action = next((ours for ours, theirs in ACTIONS.items() if theirs == spelled), None)
    if action is None:
        return None
    numbers = _numbers(subject, action)
    if said not in numbers and said and "" in numbers:
        said = numbers[1 - numbers.index("")]  # another number than in the table: still the take that has one
    return f"{action}_{numbers.index(said) + 1}" if said in numbers else None


def _numbers(subject: str, action: str) -> tuple[str, str]:
    for row in _NUMBERS.get(subject, "").split(", "):
        name, _, numbers = row.partition(" ")
        if name == action:
            first, second = (number.replace("-", "") for number in numbers.split())
            return first, second
    return "1", ""
