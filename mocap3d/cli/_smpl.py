"""Takes of AMASS, and bodies of SMPL, on the command line: what ``mocap3d convert`` does with ``--body-model``."""

from __future__ import annotations

import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import BodyLengths, humanoid_rig
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose3D
from mocap3d.base.roles import Roles, role_joints
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.base.smpl import SMPL_MODELS

__all__ = ["AsOption", "Body", "BodyModelOption", "GenderOption", "is_amass"]

AsOption = Annotated[
    str | None,
    typer.Option("--as", help="Write SMPL parameters in AMASS's form (.npz): smpl, smplh or smplx.", metavar="MODEL"),
]
BodyModelOption = Annotated[
    Path | None,
    typer.Option(help="SMPL's, SMPL-H's or SMPL-X's model file, or a folder of them; you bring it: docs/smpl.md."),
]
GenderOption = Annotated[str | None, typer.Option(help="Of the body model: neutral, female or male.")]

_GENDERS = ("neutral", "female", "male")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Which body model a conversion uses.

    Attributes:
        path: file or folder; None when none was given.
        gender: of the body to write, or else of the one to read; None takes that of the take, or the only one there.
        wanted: "smpl", "smplh" or "smplx" when parameters shall be written.
    """

    path: Path | None
    gender: Any
    wanted: str | None

    def __post_init__(self) -> None:
        """Check names before any work."""
        if self.gender not in (None, *_GENDERS):
            raise typer.BadParameter(f"--gender takes one of {' '.join(_GENDERS)}; got {self.gender!r}")
        if self.wanted not in (None, *SMPL_MODELS.values()):
            raise typer.BadParameter(f"--as takes one of {' '.join(SMPL_MODELS.values())}; got {self.wanted!r}")

    def read(
        self, source: Path, target: Path, reading: dict[str, Any], options: dict[str, Any]
    ) -> tuple[Motion, dict[str, Any]]:
        """Read a take of AMASS as a motion, and say how to write it.

        With a preset it comes on mocap3d's humanoid, which presets dress; else on the joints of its body model, whose
        skin goes along where a mesh is wanted.
        """
        from mocap3d.motion.smpl import SMPL_ROLES, smpl_mesh, smpl_to_motion
        from mocap3d.output import carries_mesh
        from mocap3d.output.amass import read_amass

        if "unit_m" in reading:
            raise InputError(f"--unit is for files that do not say it; {source} is in metres")
        parameters = read_amass(source, **reading)
        skin = bool(options["mesh"]) and options["preset"] is None and carries_mesh(target)
        gender = parameters.gender if self.wanted else self.gender or parameters.gender
        model = self._model(parameters.model, gender, f"{source} holds", surface=skin)
        motion = smpl_to_motion(parameters, model)
        if options["preset"] is not None:
            return _on_humanoid(motion, SMPL_ROLES), options
        if not skin:
            return motion, options
        print("note: the skin is that of the body model and under its licence (docs/smpl.md)", file=sys.stderr)
        return motion, {**options, "mesh": smpl_mesh(model, parameters.betas)}

    def check(self, source: Path, target: Path, options: dict[str, Any]) -> None:
        """Refuse what parameters of a body cannot be written with, and options that nothing would use."""
        if self.wanted is None:
            if not is_amass(source) and (self.path or self.gender):
                option = "--body-model" if self.path else "--gender"
                raise InputError(f"{option} is for takes of AMASS and with --as; {source} has bones of its own")
            return
        if target.suffix.lower() != ".npz":
            raise InputError(f"--as {self.wanted} writes AMASS's .npz, not {target.suffix}")
        if options["preset"] is not None or options["mesh"]:
            raise InputError(f"--as {self.wanted} writes parameters: leave --preset and --mesh out")

    def write(self, thing: Motion | Pose3D | dict[str, Motion], target: Path) -> None:
        """Fit the wanted body to a motion and write its parameters."""
        from mocap3d.motion.smpl import fit_smpl
        from mocap3d.output.amass import write_amass

        if isinstance(thing, dict):
            raise InputError("SMPL parameters are those of one person: leave --together out")
        model = self._model(str(self.wanted), self.gender, f"--as {self.wanted} needs", surface=False)
        parameters = fit_smpl(_on_known_joints(thing) if isinstance(thing, Motion) else thing, model)
        write_amass(parameters.turned("Z", model.rest_joints_m(parameters.betas)[0]), target)

    def _model(self, kind: str, gender: Any, why: str, *, surface: bool) -> Any:
        from mocap3d.motion.smpl import WHERE_TO_GET, read_smpl_model

        if self.path is None:
            raise InputError(f"{why} parameters of {kind}, a body model: --body-model FILE_OR_FOLDER. {WHERE_TO_GET}")
        return read_smpl_model(self.path, kind=kind, gender=gender, surface=surface)


def is_amass(path: Path) -> bool:
    """Whether a file is an NPZ of SMPL parameters, and not one of mocap3d's own."""
    if path.suffix.lower() != ".npz" or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {"poses.npy", "trans.npy"} <= set(archive.namelist())


def _on_humanoid(motion: Motion, roles: Roles) -> Motion:
    """A motion of any body, on mocap3d's humanoid with legs of that length, so that the way stays what it is."""
    from mocap3d.motion.retarget import retarget

    joints = role_joints(motion.rig, roles)
    leg = [joints[f"{side}{bone}"] for side in ("left", "right") for bone in ("LowerLeg", "Foot")]
    average = BodyLengths()
    scale = motion.rig.bone_lengths_m[leg].sum() / 2 / (average.upper_leg + average.lower_leg)
    body = humanoid_rig(average.scaled(average.stature_m * scale))
    return retarget(motion, body, source_roles=roles, target_roles=None)


def _on_known_joints(motion: Motion) -> Motion:
    """A motion on joints that a body model can be fitted to; of other bodies the bones are found by their names."""
    from mocap3d.motion.bone_map import propose_bone_map
    from mocap3d.motion.smpl import is_smpl
    from mocap3d.output import as_humanoid

    if is_smpl(motion.rig.skeleton):
        return motion
    if set(HUMANOID_22.joint_names) <= set(motion.rig.skeleton.joint_names):
        return as_humanoid(motion)
    return _on_humanoid(motion, propose_bone_map(motion.rig).roles)
