"""What the name of a bone says: its side, and which parts of a limb it may be.

Every program names bones in its own way, yet all of them speak of the same few parts. So there is no table for each
program; a name is taken apart into words, its side is found among them (``Left``, ``l_``, ``.L``, ``lShldr``), and the
words that remain are looked up. Some mean two parts: ``LeftLeg`` is the shin where an ``UpLeg`` lies above it, a
``Shoulder`` is the upper arm in Biovision and SMPL, the collar bone in Mixamo. Which it is, the whole chain decides.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["ARM", "LEG", "BoneName", "bone_names"]

LEG: Final = ("UpperLeg", "LowerLeg", "Foot", "Toes")
"""The parts of a leg, from the hips on; roles are these with ``left`` or ``right`` in front."""

ARM: Final = ("Shoulder", "UpperArm", "LowerArm", "Hand")
"""The parts of an arm, from the chest on."""

# Part, how sure (1..3), and the words, joined, that mean it. Names of Mixamo, HumanIK, CMU, Unity, VRM, Unreal, Rigify,
# MakeHuman, Daz and Poser, 3ds Max Biped, Character Creator, Second Life, Biovision, SMPL, Acclaim, OptiTrack, Xsens.
_MEANINGS: Final = (
    ("UpperLeg", 3.0, "upperleg upleg thigh femur uleg"),
    ("UpperLeg", 2.5, "hip"),
    ("UpperLeg", 1.8, "leg"),
    ("LowerLeg", 3.0, "lowerleg loleg lowleg calf shin tibia knee shank lleg"),
    ("LowerLeg", 2.0, "leg"),
    ("Foot", 3.0, "ankle"),
    ("Foot", 2.5, "foot"),
    ("Toes", 3.0, "toe toes ball"),
    ("Toes", 1.0, "foot metatarsal"),
    ("Shoulder", 3.0, "clavicle collar collarbone clav"),
    ("Shoulder", 2.5, "shoulder"),
    ("Shoulder", 2.0, "scapula"),
    ("UpperArm", 3.0, "upperarm uparm humerus shldr uarm"),
    ("UpperArm", 2.5, "arm"),
    ("UpperArm", 2.0, "shoulder"),
    ("LowerArm", 3.0, "forearm lowerarm loarm lowarm elbow radius farm"),
    ("LowerArm", 2.0, "ulna"),
    ("Hand", 3.0, "wrist"),
    ("Hand", 2.5, "hand"),
    ("Hand", 1.0, "palm"),
)
_SIDES: Final = {
    **dict.fromkeys(("left", "l", "lf", "lft"), "left"),
    **dict.fromkeys(("right", "r", "rt", "rgt"), "right"),
}
_HELPERS: Final = frozenset(
    {"twist", "roll", "ik", "fk", "pole", "target", "ctrl", "control", "share", "corrective", "cor", "end", "nub",
     "tip", "site", "dummy", "effector", "eff", "weapon", "prop", "socket", "attach", "helper", "muscle", "breast",
     "pec", "virtual", "vb", "handle", "orient", "heel"}
)  # fmt: skip
"""Words that say that a bone only helps: it rests."""
_OFFSET: Final = "__"  # before the names of bones that Blender's BVH export puts between others
_FILLERS: Final = frozenset(
    {"bend", "jnt", "joint", "jt", "bone", "bn", "def", "org", "skin", "sk", "b", "c", "j", "bip", "biped", "base",
     "cc", "rig", "armature", "character", "mixamorig", "valvebiped"}
)  # fmt: skip
"""Words that say nothing."""
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_GLUED_SIDE: Final = re.compile(r"(?<![A-Za-z])([LR])(?=[UF]Arm)")  # OptiTrack's LUArm and LFArm
_SHARED: Final = 0.7  # a first word that so many bones have is a prefix (mixamorig, Bip01, CC_Base ...)


def _vocabulary() -> dict[str, dict[str, float]]:
    """Words, joined -> part -> how sure."""
    parts: dict[str, dict[str, float]] = {}
    for part, sure, words in _MEANINGS:
        for word in words.split():
            parts.setdefault(word, {})[part] = sure
    return parts


_PARTS: Final = _vocabulary()


@dataclass(frozen=True, slots=True, kw_only=True)
class BoneName:
    """What a name says.

    Attributes:
        side: ``left``, ``right`` or nothing.
        core: its words without side, prefix and numbers, joined, in lower case.
        helper: whether it only helps (twist, IK, end ...).
        parts: which parts of a limb it may be, and how sure that is, 1..3; empty for helpers and without a side.
    """

    side: str
    core: str
    helper: bool
    parts: dict[str, float]


def bone_names(names: Sequence[str]) -> tuple[BoneName, ...]:
    """Take the names of all bones of a rig apart; prefixes that most of them share are left out."""
    words = [_words(name) for name in names]
    for _ in range(3):
        first = Counter(each[0] for each in words if len(each) > 1)
        if not first:
            break
        word, times = first.most_common(1)[0]
        if times < _SHARED * len(words) or word in _SIDES:
            break
        words = [each[1:] if len(each) > 1 and each[0] == word else each for each in words]
        words = [_without_number(each) for each in words]
    return tuple(_name(each, offset=name.startswith(_OFFSET)) for each, name in zip(words, names, strict=True))


def _words(name: str) -> list[str]:
    """The words of a name behind its namespace, in lower case, numbers as words of their own."""
    apart = _GLUED_SIDE.sub(r"\1 ", re.split(r"[:|]", name)[-1])
    return [word.lower() for word in _WORDS.findall(apart)]


def _without_number(words: list[str]) -> list[str]:
    """A number that belonged to the prefix (Bip01 L Thigh) goes with it."""
    return words[1:] if len(words) > 1 and words[0].isdigit() else words


def _name(words: list[str], *, offset: bool) -> BoneName:
    side, kept = "", []
    for word in words:
        if word in _SIDES and not side:
            side = _SIDES[word]
        elif not word.isdigit() and word not in _FILLERS:
            kept.append(word)
    core = "".join(kept)
    if not side and core[:1] in ("l", "r") and core[1:] in _PARTS:  # lfemur, rhand
        side, core = _SIDES[core[0]], core[1:]
    helper = offset or any(word in _HELPERS for word in kept)
    parts = _PARTS.get(core, {}) if side and not helper else {}
    return BoneName(side=side, core=core, helper=helper, parts=parts)
