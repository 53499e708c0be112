"""Which joint of a BVH file is which part of the body: the naming conventions of the programs that write them.

Names are compared without namespaces (``mixamorig:``), capitals and the signs ``_ - .`` and blank. A convention fits
when all its parts are there; toes and the top of the head may be End Sites and are looked for in the tree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mocap3d.base.errors import InputError

__all__ = ["CONVENTIONS", "HEAD_TOPS", "Convention", "find_parts", "plain"]

_SIDES: Final = ({"side": "left", "s": "l"}, {"side": "right", "s": "r"})
_LIMBS: Final = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
HEAD_TOPS: Final = frozenset({"headtopend", "headtop", "headend", "headnub", "headsite", "headleaf"})
"""Plain names of joints that stand for the top of the head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """How one family of programs calls the joints; plain names, ``{side}`` is left or right, ``{s}`` l or r.

    Attributes:
        name: for messages.
        pelvis: the root of the body.
        limbs: hip, knee, ankle, shoulder, elbow, wrist: the joints where these limbs bend.
        neck: where the neck begins.
        head: where the skull begins.
        spine: the joint half-way up the trunk; empty: a point of the chain is taken.
        marks: joints that tell this convention from others.
    """

    name: str
    pelvis: str
    limbs: str
    neck: str
    head: str = "head"
    spine: str = ""
    marks: str = ""

    def wanted(self) -> dict[str, str]:
        """Part of the body -> plain name."""
        parts = {"pelvis": self.pelvis, "neck": self.neck, "head": self.head}
        parts |= {"spine": self.spine} if self.spine else {}
        for side in _SIDES:
            for limb, name in zip(_LIMBS, self.limbs.split(), strict=True):
                parts[f"{side['side']}_{limb}"] = name.format(**side)
        return parts


_HUMANIK: Final = "{side}upleg {side}leg {side}foot {side}arm {side}forearm {side}hand"
# The more a convention asks for, the earlier it stands: the first that fits is taken.
CONVENTIONS: Final = (
    Convention(
        name="CMU by B. Hahne (cgspeed)", pelvis="hips", limbs=_HUMANIK, neck="neck1", spine="spine1",
        marks="lhipjoint rhipjoint lowerback",
    ),
    Convention(name="HumanIK, Mixamo", pelvis="hips", limbs=_HUMANIK, neck="neck"),
    Convention(
        name="VRM, mocap3d", pelvis="hips", neck="neck",
        limbs="{side}upperleg {side}lowerleg {side}foot {side}upperarm {side}lowerarm {side}hand",
    ),
    Convention(
        name="Biovision", pelvis="hips", neck="neck",
        limbs="{side}hip {side}knee {side}ankle {side}shoulder {side}elbow {side}wrist",
    ),
    Convention(
        name="Poser, Daz, Second Life", pelvis="hip", neck="neck",
        limbs="{s}thigh {s}shin {s}foot {s}shldr {s}forearm {s}hand",
    ),
    Convention(
        name="Unreal", pelvis="pelvis", neck="neck",
        limbs="thigh{s} calf{s} foot{s} upperarm{s} lowerarm{s} hand{s}",
    ),
    Convention(
        name="Unreal", pelvis="pelvis", neck="neck01",
        limbs="thigh{s} calf{s} foot{s} upperarm{s} lowerarm{s} hand{s}",
    ),
    Convention(
        name="Blender", pelvis="hips", neck="neck", limbs="thigh{s} shin{s} foot{s} upperarm{s} forearm{s} hand{s}"
    ),
    Convention(
        name="MakeHuman", pelvis="hips", neck="neck", limbs="upleg{s} loleg{s} foot{s} uparm{s} loarm{s} hand{s}"
    ),
    Convention(
        name="MakeHuman", pelvis="root", neck="neck01",
        limbs="upperleg01{s} lowerleg01{s} foot{s} upperarm01{s} lowerarm01{s} wrist{s}",
    ),
    Convention(
        name="SMPL", pelvis="pelvis", neck="neck", limbs="{s}hip {s}knee {s}ankle {s}shoulder {s}elbow {s}wrist"
    ),
    Convention(
        name="ASF", pelvis="root", neck="upperneck", limbs="{s}femur {s}tibia {s}foot {s}humerus {s}radius {s}hand"
    ),
)  # fmt: skip


def plain(name: str) -> str:
    """A joint's name without namespace, capitals and signs."""
    return re.sub(r"^mixamorig\d*|[\s_.\-]", "", name.rsplit(":", 1)[-1].lower())


def find_parts(joint_names: Sequence[str]) -> tuple[Convention, dict[str, int]]:
    """Recognise the convention of a file.

    Args:
        joint_names: of all joints, in file order; the first of two that are called alike counts.

    Returns:
        the convention, and part of the body -> index of the joint: pelvis, neck, head, left_hip ... right_wrist, and
        spine where the convention names it.

    Raises:
        InputError: no convention fits; the message lists what the nearest one lacks.
    """
    index: dict[str, int] = {}
    for j, name in enumerate(joint_names):
        index.setdefault(plain(name), j)
    lacks: dict[Convention, list[str]] = {}
    for convention in CONVENTIONS:
        wanted = convention.wanted()
        missing = [part for part, name in wanted.items() if name not in index]
        missing += [mark for mark in convention.marks.split() if mark not in index]
        if not missing:
            return convention, {part: index[name] for part, name in wanted.items()}
        lacks[convention] = missing
    nearest = min(lacks, key=lambda convention: len(lacks[convention]))
    told = [f"{part} ({nearest.wanted()[part]})" if part in nearest.wanted() else part for part in lacks[nearest]]
    raise InputError(
        f"no joint for {', '.join(told)}: the names are nearest to those of {nearest.name}; "
        f"there are {', '.join(joint_names[:40])}"
    )
