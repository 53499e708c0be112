"""What another program wants of a body, read from a small TOML file.

```
title = "Unity Humanoid"
sources = ["https://..."]     # where names and axes are published
notes = "..."                 # optional
unit_m = 1.0                  # metres per unit, for formats whose unit is free
rest_pose = "T"               # or "A"; then arms_down_deg = 42.0 says how far the arms hang below the horizontal
frame_rates = "keep"          # or a list such as ["24", "30000/1001", "30"]: the nearest of them

bones = [                     # parents first; the first one is the root
  { name = "root", floor = true, axes = "world" },
  { name = "Hips", parent = "root", joint = "hips", axes = "world" },
  { name = "Neck1", parent = "Neck", between = ["neck", "head"], at = 0.5, axes = "world" },
  { name = "Head", parent = "Neck1", joint = "head", axes = "world", tip = "HeadEnd" },
]

[body]                        # optional: a body for motions of other people to be moved onto
source = "measured on ..."    # where its lengths come from
stature_m = 1.80              # the average adult of base/humanoid.BodyLengths, this tall,
upper_leg = 0.42              # but for the lengths that are given

[axes.world]                  # two axes of a bone in the T-pose that faces +Z; the third completes a right hand
x = "left"                    # this one is exact,
y = "up"                      # this one as near as the first allows
```

A bone takes a joint of the mocap3d humanoid (``joint``); or it lies ``between`` a joint and one of its children, at a
fraction of the way, and turns with the first; or it stays on the ``floor`` under the hips and carries their way over
the floor and their heading. Directions are left right up down front back, ``bone`` (along the bone) and ``-bone``.
``tip`` names the end of a last bone. A key that is not in this list is refused.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import read_toml
from mocap3d.base.humanoid import BodyLengths, humanoid_rig
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import ROOT, Skeleton
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.output.presets.parsing import preset_fields

__all__ = ["Bone", "Preset", "load_preset", "preset_named", "preset_names"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bone:
    """One bone of a preset.

    Attributes:
        name: how the target calls it.
        parent: the name of the bone it hangs on, None for the root.
        joint: the humanoid joint whose place and rotation it takes; for a bone between two joints the first of them;
            None for the root bone on the floor.
        towards: for a bone between two joints the second one, else None.
        at: how far on the way to ``towards`` it lies, 0..1.
        axes: two axes of the bone and where they point in the T-pose, such as ``(("x", "bone"), ("y", "back"))``.
        tip: what the end of a last bone is called; None means the bone's name with ``_end``.
    """

    name: str
    parent: str | None
    joint: str | None
    towards: str | None = None
    at: float = 0.0
    axes: tuple[tuple[str, str], tuple[str, str]]
    tip: str | None = None

    @property
    def takes_joint(self) -> bool:
        """Whether it stands for a joint, and is no helper in between or on the floor."""
        return self.joint is not None and self.towards is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What a program wants of a body: names, axes, unit, rest pose, root bone, frame rates.

    Attributes:
        name: as in ``--preset``.
        title: for people.
        sources: where names and axes are published.
        notes: what was decided and why.
        unit_m: metres per unit, for formats whose unit is free (BVH, FBX).
        arms_down_deg: how far the arms hang below the horizontal at rest; 0 is a T-pose.
        frame_rates: the rates that the program takes; empty means any.
        lengths: of the body that motions are moved onto (``convert --onto``).
        bones: parents first, the root first of all.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    notes: str = ""
    unit_m: float
    arms_down_deg: float = 0.0
    frame_rates: tuple[Fraction, ...] = ()
    lengths: BodyLengths = field(default_factory=BodyLengths)
    bones: tuple[Bone, ...]

    def __post_init__(self) -> None:
        """Check the tree of the bones and what they take."""
        for bone in self.bones:
            _check_joints(bone)
        taken = [bone.joint for bone in self.bones if bone.takes_joint]
        twice = sorted({joint for joint in taken if joint is not None and taken.count(joint) > 1})
        if twice:
            raise InputError(f"bones: two bones take the joint {twice[0]!r}")
        if "hips" not in taken:
            raise InputError("bones: one bone must take the joint 'hips'")
        _ = self.skeleton  # checks names and tree

    @property
    def rest_pose(self) -> str:
        """``T`` or ``A``."""
        return "A" if self.arms_down_deg else "T"

    @property
    def skeleton(self) -> Skeleton:
        """The bones as a skeleton; mirror partners are those that take mirrored joints."""
        names = [bone.name for bone in self.bones]
        parents = [ROOT if bone.parent is None else names.index(bone.parent) for bone in self.bones]
        places = {(bone.joint, bone.towards, bone.at): b for b, bone in reversed(list(enumerate(self.bones)))}
        mirror = [
            places.get((_mirrored(bone.joint), _mirrored(bone.towards), bone.at), b) if bone.joint else b
            for b, bone in enumerate(self.bones)
        ]
        mutual = tuple(m if mirror[m] == b else b for b, m in enumerate(mirror))
        return Skeleton(name=self.name, joint_names=tuple(names), parents=tuple(parents), mirror=mutual)

    @property
    def body(self) -> Rig:
        """The humanoid rig with the lengths of this preset; `dress` gives it the preset's names and axes."""
        return humanoid_rig(self.lengths)

    @property
    def roles(self) -> dict[str, str]:
        """Humanoid joint -> name of the bone that takes it."""
        return {bone.joint: bone.name for bone in self.bones if bone.joint is not None and bone.takes_joint}

    def fps_for(self, fps: Fraction | float | str) -> Fraction:
        """Choose the frame rate to write: that of the clip, or the nearest of those that the program takes."""
        rate = as_fps(fps)
        if not self.frame_rates:
            return rate
        return min(self.frame_rates, key=lambda known: (max(known / rate, rate / known), -known))


def preset_names() -> tuple[str, ...]:
    """List the presets that mocap3d brings."""
    files = resources.files(__package__).iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def preset_named(name: str) -> Preset:
    """Find a preset that mocap3d brings.

    Raises:
        InputError: there is no such preset; the message lists those there are.
    """
    if name not in preset_names():
        raise InputError(f"no preset is called {name!r}; there are: {', '.join(preset_names())} (or give a TOML file)")
    text = resources.files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return _preset(name, tomllib.loads(text))


def load_preset(path: str | os.PathLike[str]) -> Preset:
    """Read a preset of one's own; its name is that of the file.

    Raises:
        InputError: no such file.
        FileFormatError: not TOML, or a key is missing, unknown or wrong; the message names file and key.
    """
    source = Path(path)
    table = read_toml(source, "preset")
    try:
        return _preset(source.stem, table)
    except InputError as error:
        raise FileFormatError(str(error), path=source) from error


def _preset(name: str, table: dict[str, Any]) -> Preset:
    fields, bones = preset_fields(table)
    return Preset(name=name, bones=tuple(Bone(**bone) for bone in bones), **fields)


def _check_joints(bone: Bone) -> None:
    """Refuse joints that the humanoid has not, and a bone between two that are no neighbours."""
    for joint in (bone.joint, bone.towards):
        if joint is not None and joint not in HUMANOID_22.joint_names:
            known = ", ".join(HUMANOID_22.joint_names)
            raise InputError(f"bone {bone.name!r}: the humanoid has no joint {joint!r}; it has: {known}")
    if bone.joint is not None and bone.towards is not None:
        parent = HUMANOID_22.parents[HUMANOID_22.index(bone.towards)]
        if parent != HUMANOID_22.index(bone.joint):
            raise InputError(f"bone {bone.name!r}: between: {bone.towards!r} is no child of {bone.joint!r}")


def _mirrored(joint: str | None) -> str | None:
    if joint is None:
        return None
    return HUMANOID_22.joint_names[HUMANOID_22.mirror[HUMANOID_22.index(joint)]]
