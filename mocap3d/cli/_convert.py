"""The sub-command that turns motion files into motion files of other formats."""

from __future__ import annotations

import json
import sys
import warnings
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from mocap3d.base import motion_edits, pose_edits
from mocap3d.base.checks import as_fps
from mocap3d.base.errors import InputError, Mocap3dError, Mocap3dWarning
from mocap3d.base.mesh import SkinnedMesh
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import split
from mocap3d.base.pose import Pose3D
from mocap3d.cli._inputs import (
    LenientOption,
    UnitOption,
    UpOption,
    about,
    as_usage,
    check_positive,
    frame_range,
    reading_options,
)
from mocap3d.cli._onto import (
    BoneMapOption,
    FootLockOption,
    Onto,
    OntoOption,
    RootOption,
    SmoothOption,
    SourceMapOption,
    smoothed,
    smoothing,
)
from mocap3d.cli._outputs import MeshOption, PresetOption, make_folder, prove_writable
from mocap3d.cli._progress import progress
from mocap3d.cli._smpl import AsOption, Body, BodyModelOption, GenderOption, is_amass
from mocap3d.output import carries_mesh, extensions, has_option, read, write

__all__ = ["convert"]


def convert(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="IN... OUT", help="A motion file and the file to make; or several, and a folder."),
    ],
    to: Annotated[str | None, typer.Option(help="Format of the files in a folder, such as .glb.")] = None,
    preset: PresetOption = None,
    mesh: MeshOption = False,
    fps: Annotated[str | None, typer.Option(help="Resample to this rate: 30, 23.976, 30000/1001 ...")] = None,
    trim: Annotated[
        str | None, typer.Option(help="What to keep, START:STOP in frames (30:120) or seconds (1.5s:4s).")
    ] = None,
    on_the_spot: Annotated[bool, typer.Option("--in-place", help="Take the path over the floor away.")] = False,
    together: Annotated[
        bool, typer.Option("--together", help="Several people stay in one file; else each gets a file of its own.")
    ] = False,
    unit: UnitOption = None,
    up: UpOption = None,
    lenient: LenientOption = False,
    output_unit: Annotated[float | None, typer.Option(help="Metres per unit of the file written.")] = None,
    as_smpl: AsOption = None,
    body_model: BodyModelOption = None,
    gender: GenderOption = None,
    smooth: SmoothOption = "off",
    onto: OntoOption = None,
    bone_map: BoneMapOption = None,
    source_map: SourceMapOption = None,
    foot_lock: FootLockOption = None,
    root: RootOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a machine-readable summary.")] = False,
) -> None:
    """Turn motion files into files of other formats."""
    body = Body(path=body_model, gender=gender, wanted=as_smpl)
    other = Onto(onto=onto, bone_map=bone_map, source_map=source_map, foot_lock=foot_lock, root=root)
    other.check(preset=preset, as_smpl=as_smpl)
    edits: dict[str, Any] = {"fps": fps, "trim": trim, "in_place": on_the_spot, "together": together}
    edits["smooth"] = smoothing(smooth)
    if fps is not None:
        with as_usage("--fps"):
            as_fps(fps)
    check_positive("--output-unit", output_unit)
    reading = reading_options(unit, up, lenient=lenient)
    jobs = _jobs(files, to)
    other.load()
    options: dict[str, Any] = {"preset": preset, "mesh": mesh}
    options |= {"unit_m": output_unit} if output_unit is not None else {}
    summaries: list[dict[str, object]] = []
    written: set[Path] = set()
    failed = 0
    with progress() as tell:
        for n, (source, target) in enumerate(jobs):
            tell("converting", n, len(jobs))
            try:
                made = _convert_one(source, target, reading, edits, options, (body, other), written)
                summaries.append({"source": str(source), "files": [str(path) for path in made]})
            except Mocap3dError as error:
                if len(jobs) == 1:
                    raise
                failed += 1
                print(f"error: {about(source, error)}", file=sys.stderr)
                summaries.append({"source": str(source), "error": str(error)})
        tell("converting", len(jobs), len(jobs))
    _report(summaries, as_json=as_json)
    if failed:
        raise InputError(f"{failed} of {len(jobs)} files failed")


def _jobs(files: list[Path], to: str | None) -> list[tuple[Path, Path]]:
    """Which file is written where; the folder is made."""
    if len(files) < 2:
        raise typer.BadParameter("what to read, and what to write: mocap3d convert walk.bvh walk.glb")
    *sources, target = files
    if to is None and len(sources) == 1 and not target.is_dir():
        _refuse_to_overwrite(sources, [target])
        prove_writable(target)
        return [(sources[0], target)]
    if to is None:
        raise typer.BadParameter(f"{target} stands for a folder: --to says the format, such as --to .glb")
    extension = to.lower() if to.startswith(".") else f".{to.lower()}"
    if extension not in extensions():
        raise typer.BadParameter(f"--to takes one of {' '.join(extensions())}; got {to!r}")
    jobs = [(source, target / f"{source.stem}{extension}") for source in sources]
    seen: dict[Path, Path] = {}
    for source, path in jobs:
        if path in seen:
            raise InputError(f"{seen[path]} and {source} would both be written as {path}: rename one of them")
        seen[path] = source
    _refuse_to_overwrite(sources, list(seen))
    make_folder(target)
    return jobs


def _refuse_to_overwrite(sources: list[Path], targets: list[Path]) -> None:
    """A file that is read is not written: what the new one does not hold would be lost."""
    read_from = {source.resolve() for source in sources}
    for target in targets:
        if target.resolve() in read_from:
            raise InputError(f"{target} would overwrite the file that is read: give it another name")


def _convert_one(
    source: Path,
    target: Path,
    reading: dict[str, Any],
    edits: dict[str, Any],
    options: dict[str, Any],
    bodies: tuple[Body, Onto],
    written: set[Path],
) -> list[Path]:
    """Convert one file; ``written`` are results that must not be overwritten, and get those of this file."""
    body, onto = bodies
    parameters = is_amass(source)
    body.check(source, target, options)
    reading = {n: value for n, value in reading.items() if n != "lenient" or has_option("read", source, n)}
    for name, option in (("unit_m", "--unit"), ("up", "--up")):
        if name in reading and not parameters and not has_option("read", source, name):
            raise InputError(f"{option} is for files that do not say it; {source.suffix} files do")
    if "unit_m" in options and not has_option("write", target, "unit_m"):
        raise InputError(f"--output-unit is for formats that leave the unit free; {target.suffix} does not")
    found: Motion | Pose3D
    if parameters:
        found, options = body.read(source, target, reading, options)
    elif isinstance(found := read(source, **reading), Motion) and onto.onto is None:
        found, options = _with_body(source, found, target, options)
    if isinstance(found, Pose3D) and body.wanted is None and not has_option("write", target, "source"):
        found = _solved(found, source)
    things = _things(found, target, edits, onto)
    paths = [path for path, _ in things]
    if taken := [path for n, path in enumerate(paths) if path in written or path in paths[:n]]:
        raise InputError(f"{taken[0]} would be written twice: rename a file or a person")
    for path, thing in things:
        if body.wanted:
            body.write(thing, path)
        elif onto.onto is not None:
            onto.write(thing, path, options)
        else:
            write(thing, path, **options)
        written.add(path)
    return paths


def _solved(pose: Pose3D, source: Path) -> Motion:
    """Rotations for points that are called like joints, on a body that is measured on them."""
    from mocap3d.motion.solve import solve

    try:
        motion = solve(pose)
    except InputError as error:
        raise InputError(f"{source} holds points that do not make a body: {error}") from error
    print(f"note: {source} holds points: a body was measured on them, its rotations are solved", file=sys.stderr)
    return motion


def _things(
    found: Motion | Pose3D, target: Path, edits: dict[str, Any], onto: Onto
) -> list[tuple[Path, Motion | Pose3D | dict[str, Motion]]]:
    """What goes into which file."""
    if isinstance(found, Pose3D):
        return [(target, _edited(found, edits, pose_edits))]
    people = {name: _edited(motion, edits, motion_edits) for name, motion in onto.bodies(split(found)).items()}
    if len(people) == 1:
        return [(target, next(iter(people.values())))]
    if edits["together"]:
        return [(target, people)]
    return [(_named(target, name), motion) for name, motion in people.items()]


def _with_body(source: Path, motion: Motion, target: Path, options: dict[str, Any]) -> tuple[Motion, dict[str, Any]]:
    """The mesh of the source goes along where it can; otherwise a note says that it does not."""
    body = None if options["mesh"] else _body_of(source)
    if body is None:
        return motion, options
    if options["preset"] is None and carries_mesh(target) and len(split(body[1])) == 1:
        return body[1], {**options, "mesh": body[0]}
    print(f"note: the mesh of {source} is left out", file=sys.stderr)
    return motion, options


def _body_of(source: Path) -> tuple[SkinnedMesh, Motion] | None:
    """The mesh of a character's file and its motion, on one rig; None where there is no such thing."""
    suffix = source.suffix.lower()
    if suffix == ".fbx":
        from mocap3d.output.fbx import read_fbx_character as read_character
    elif suffix in (".glb", ".gltf", ".vrm"):
        from mocap3d.output.gltf import read_glb_character as read_character
    else:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Mocap3dWarning)  # reading the motion has told them
        _, mesh, motion = read_character(source)
    return None if mesh is None or motion is None else (mesh, motion)


def _named(target: Path, person: str) -> Path:
    """The file of one of several people; what a name may not hold becomes an underscore."""
    safe = "".join(letter if letter.isalnum() or letter in "-_ " else "_" for letter in person)
    return target.with_name(f"{target.stem}-{safe}{target.suffix}")


def _edited(thing: Any, edits: dict[str, Any], kind: ModuleType) -> Any:
    """Cut, resample and stop a motion or points, by the functions of ``motion_edits`` or ``pose_edits``."""
    if edits["trim"] is not None:
        start, stop = (_frame(thing.fps, at) for at in frame_range(edits["trim"], "--trim"))
        thing = kind.trimmed(thing, start or 0, len(thing) if stop is None else stop)
    if edits["smooth"] is not None:
        thing = smoothed(thing, edits["smooth"])
    if edits["fps"] is not None:
        thing = kind.resampled(thing, edits["fps"])
    return kind.in_place(thing) if edits["in_place"] else thing


def _frame(fps: Fraction, at: int | str | None) -> int | None:
    """A frame number, from one or from a time such as 1.5s."""
    return round(Fraction(at.removesuffix("s")) * fps) if isinstance(at, str) else at


def _report(summaries: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(summaries[0] if len(summaries) == 1 else summaries, indent=2))
        return
    for summary in summaries:
        files = summary.get("files", [])
        print(*(files if isinstance(files, list) else []), sep="\n", flush=True)
