"""Which networks a clip was made with, and under which licences they come: told by their cards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import mocap3d
from mocap3d import weights

__all__ = ["NetworkFacts", "networks_of"]

_FINDS_PEOPLE: Final = "movenet_multipose"
_LICENCE: Final = re.compile(r"^\* Licence: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """A network in words.

    Attributes:
        name: of its file.
        title: of its card.
        use: what it did for the clip.
        licence: under which it comes, as its card says.
        sha256: of its file.
    """

    name: str
    title: str
    use: str
    licence: str
    sha256: str


def networks_of(clip: mocap3d.Clip) -> list[NetworkFacts]:
    """Find the networks of a clip; one that is no longer shipped is told by what the clip says of it."""
    detector = clip.settings.get("detector")
    found = (
        [] if detector is None else [_told(_FINDS_PEOPLE, "finds people"), _told(str(detector), "finds their joints")]
    )
    lifter = clip.settings.get("lifter_sha256")
    if lifter is not None:
        name = next((name for name in weights.names() if weights.sha256(name) == lifter), None)
        use = "lifts joints to metres"
        unknown = NetworkFacts(name="lifter", title="a lifter", use=use, licence="not known here", sha256=str(lifter))
        found.append(unknown if name is None else _told(name, use))
    return found


def _told(name: str, use: str) -> NetworkFacts:
    if name not in weights.names():
        return NetworkFacts(name=name, title=name, use=use, licence="not known here", sha256="")
    card = weights.card(name)
    licence = _LICENCE.search(card)
    return NetworkFacts(
        name=name,
        title=card.splitlines()[0].removeprefix("# "),
        use=use,
        licence="not stated" if licence is None else licence[1],
        sha256=weights.sha256(name),
    )
