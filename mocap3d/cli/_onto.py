"""What commands that move motions onto other bodies have in common: their options, and what becomes of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mocap3d.base.errors import InputError
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose3D
from mocap3d.cli._inputs import as_usage, check_choice
from mocap3d.output import has_option, write

if TYPE_CHECKING:
    from mocap3d.motion.filters import FilterSettings
    from mocap3d.onto import Retargeted, Target

__all__ = [
    "BoneMapOption",
    "FootLockOption",
    "Onto",
    "OntoOption",
    "RootOption",
    "SmoothOption",
    "SourceMapOption",
    "smoothed",
    "smoothing",
]

OntoOption = Annotated[
    str | None,
    typer.Option(help="Move it onto another body: a preset's (mixamo, ue5 ...), or a character (.fbx .glb .vrm .bvh)."),
]
BoneMapOption = Annotated[
    Path | None, typer.Option(help="Which bone of the character is what (TOML, see `mocap3d bones`).")
]
SourceMapOption = Annotated[Path | None, typer.Option(help="Which bone of the file read is what, likewise.")]
FootLockOption = Annotated[
    str | None, typer.Option(help="off, auto or strong: how standing feet are held. [default: auto with --onto]")
]
RootOption = Annotated[
    str | None, typer.Option(help="Who carries the way over the floor on the other body: hips, root or in-place.")
]
SmoothOption = Annotated[
    str, typer.Option(help="Smooth it: off, limbs (a cut-off for each), robust, 6hz (a cut-off) or 0.03s (a Gaussian).")
]


def smoothing(text: str) -> FilterSettings | None:
    """Understand ``--smooth``; what is none of the words, and neither a frequency nor a time, is bad usage."""
    from mocap3d.motion.filters import filter_settings_from_text

    with as_usage("--smooth"):
        return filter_settings_from_text(text)


def smoothed(thing: Motion | Pose3D, settings: FilterSettings) -> Motion | Pose3D:
    """Filter a motion, limb by limb where its bones are understood, or points."""
    from mocap3d.motion.filters import filter_motion, filter_pose
    from mocap3d.onto import find_roles

    if isinstance(thing, Pose3D):
        return filter_pose(thing, settings)
    try:
        roles = find_roles(thing.rig)
    except InputError:
        roles = None
    return filter_motion(thing, settings, roles=roles)


@dataclass(kw_only=True)
class Onto:
    """The options of a command, and the target once it is loaded.

    Attributes:
        onto: preset or file; None leaves motions on their own bodies.
        bone_map: of the target.
        source_map: of what is read.
        foot_lock: None means ``auto``.
        root: who carries the way.
    """

    onto: str | None
    bone_map: Path | None = None
    source_map: Path | None = None
    foot_lock: str | None = None
    root: str | None = None
    _target: Target | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Refuse options that would have no effect, and words that are none."""
        from mocap3d.motion.foot_lock import STRENGTHS
        from mocap3d.motion.root_motion import CARRIERS

        others = {"--bone-map": self.bone_map, "--source-map": self.source_map, "--foot-lock": self.foot_lock}
        others |= {"--root": self.root}
        alone = [name for name, value in others.items() if value is not None]
        if self.onto is None and alone:
            raise typer.BadParameter(f"{alone[0]} is for another body: say --onto as well")
        check_choice("--foot-lock", self.foot_lock, STRENGTHS)
        check_choice("--root", self.root, CARRIERS)

    def check(self, *, preset: str | None, as_smpl: str | None) -> None:
        """Refuse other options that want a body of their own."""
        for name, value in (("--preset", preset), ("--as", as_smpl)):
            if self.onto is not None and value is not None:
                raise typer.BadParameter(f"--onto and {name} each want another body: give one of them")

    def load(self) -> None:
        """Load the target, before any work begins; a map that was found out is told.

        Raises:
            InputError: it cannot be used.
        """
        from mocap3d.onto import load_target

        if self.onto is None:
            return
        self._target = load_target(self.onto, self.bone_map)
        missing = [
            role for role in ("hips", "spine", "neck", "head", "leftFoot", "leftHand") if role not in self._target.roles
        ]
        if missing and self._target.preset is None:
            print(f"note: {self.onto} has no {', '.join(missing)} (see `mocap3d bones`)", file=sys.stderr)

    def bodies(self, people: Mapping[str, Motion]) -> Mapping[str, Motion]:
        """Of the roots in a file those that are bodies: a prop or an IK bone beside somebody is nobody."""
        from mocap3d.onto import find_roles

        if self.onto is None or len(people) == 1:
            return people
        found = {}
        for name, motion in people.items():
            with contextlib.suppress(InputError):
                find_roles(motion.rig, self.source_map)
                found[name] = motion
        return found or people

    def moved(self, motion: Motion) -> Retargeted:
        """Move a motion onto the target.

        Raises:
            InputError: there is no target, or the bones of the motion are not understood.
        """
        from mocap3d.onto import retarget

        if self._target is None:
            raise InputError("no other body was given")
        return retarget(
            motion, self._target, source_map=self.source_map, foot_lock=self.foot_lock or "auto", root=self.root
        )

    def write(self, thing: Motion | Pose3D | Mapping[str, Motion], path: Path, options: Mapping[str, Any]) -> None:
        """Move one or several people onto the target and write them; ``options`` are those of ``output.write``.

        Raises:
            InputError: these are points, or the bones are not understood, or the file cannot be written.
        """
        if isinstance(thing, Pose3D):
            raise InputError("points have no rotations that another body could take over: --onto needs a motion")
        others = {name: value for name, value in options.items() if name not in ("preset", "mesh")}
        if isinstance(thing, Motion):
            self.moved(thing).save(path, mesh=True if options["mesh"] else None, **others)
            return
        people = {name: self.moved(motion) for name, motion in thing.items()}
        units = {made.unit_m for made in people.values() if made.unit_m is not None}
        if units and has_option("write", path, "unit_m"):
            others = {"unit_m": units.pop(), **others}
        if any(made.mesh is not None for made in people.values()):
            print(f"note: the mesh of {self.onto} is left out: several people are in one file", file=sys.stderr)
        write({name: made.motion for name, made in people.items()}, path, mesh=options["mesh"], **others)
