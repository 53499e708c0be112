"""Where results go, decided and proven writable before any work begins."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.motion import Motion
from mocap3d.cli._inputs import name_of
from mocap3d.cli._onto import Onto
from mocap3d.clip import Clip
from mocap3d.output import carries_mesh, extensions, write
from mocap3d.stages import check_new

__all__ = [
    "FootLockOption",
    "Job",
    "MeshOption",
    "PresetOption",
    "look_of",
    "make_folder",
    "plan",
    "prove_formats",
    "prove_writable",
    "save_clip",
]

PresetOption = Annotated[
    str | None,
    typer.Option(help="Names, axes, unit and rest pose of blender cmu hik mixamo ue5 unity vrm, or of a TOML file."),
]
MeshOption = Annotated[bool, typer.Option("--mesh", help="Put a mannequin on the bones (.fbx .glb .usda ...).")]

FootLockOption = Annotated[
    str, typer.Option(help="How firmly feet that stand are held: off, auto, strong.", metavar="off|auto|strong")
]

_SHOWN = {
    "foot_skate_mm_per_s",
    "penetration_mm",
    "jerk_m_per_s3",
    "joint_limit_percent",
    "reprojection_px",
    "fk_error_mm",
}
"""What is told of a capture; ``--json`` and ``mocap3d info`` have all figures."""
_PAGES = (".html", ".htm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One video and the files to make of it.

    Attributes:
        video: what to read.
        targets: motion files to write.
        report: HTML page to write, or None.
        stages: folder for the stages, or None.
        take: the videos of all cameras, of which ``video`` is the first; empty with one camera.
    """

    video: Path
    targets: tuple[Path, ...]
    report: Path | None
    stages: Path | None = None
    take: tuple[Path, ...] = ()


def plan(
    videos: Sequence[Path], outputs: Sequence[Path], report: Path | None, stages: Path | None = None, *, batch: bool
) -> list[Job]:
    """Decide which files each video is written to, and make the folders for them.

    Raises:
        typer.BadParameter: a batch that shall be written to one file.
        InputError: two videos that would be written to the same file, or a file that cannot be written.
    """
    folders = {path for path in outputs if _means_folder(path, extensions(), batch=batch)}
    _refuse(videos, [path for path in outputs if path not in folders], report, batch=batch)
    for folder in folders:
        make_folder(folder)
    if batch and report is not None:
        make_folder(report)
    jobs = []
    for video in videos:
        name = name_of(video)
        targets = tuple(path / f"{name}.bvh" if path in folders else path for path in outputs)
        page = report / f"{name}.html" if batch and report is not None else report
        kept = stages / name if batch and stages is not None else stages
        jobs.append(Job(video=video, targets=targets, report=page, stages=kept))
    for job in jobs:
        for path in (*job.targets, *([job.report] if job.report else [])):
            prove_writable(path)
        if job.stages is not None:
            check_new(job.stages)
            make_folder(job.stages)
    return jobs


def save_clip(clip: Clip, job: Job, look: Mapping[str, Any], written: set[Path], *, quiet: bool) -> dict[str, object]:
    """Write the files of a job, print where they are, and return the summary.

    Files in ``written`` are those of other videos and are not overwritten; the files of this one are added.
    """
    files = [path for target in job.targets for path in clip.paths(target, together=look["together"])]
    if taken := written.intersection(files):
        raise InputError(f"{min(taken)} is already the result of another video: rename one of them")
    written.update(files)
    for target in job.targets:
        options = {"preset": look["preset"], "mesh": look["mesh"] and carries_mesh(target)}
        for path, thing in clip.by_file(target, together=look["together"]):
            if look["onto"] is None:
                write(thing, path, **options)
            else:
                look["onto"].write(thing, path, options)
    if job.report is not None:
        from mocap3d.viewers.report import write_report

        files.append(write_report(clip, job.report))
    if not quiet:
        if files:
            print(*files, sep="\n", flush=True)
        for line in (*_without_mesh(job.targets, look), *_told(clip)):
            print(line, file=sys.stderr)
    return {**clip.summary(), "files": [str(path) for path in files]}


def _without_mesh(targets: Sequence[Path], look: Mapping[str, Any]) -> Iterator[str]:
    """A note where --mesh has no effect; of several formats it is for those that can."""
    if look["mesh"] and not any(map(carries_mesh, targets)):
        names = [extension for extension in extensions() if carries_mesh(f"a{extension}")]
        yield f"note: {targets[0].suffix} holds no mannequin (--mesh); {', '.join(names)} do"


def look_of(
    *,
    preset: str | None,
    mesh: bool,
    together: bool,
    onto: str | None = None,
    bone_map: Path | None = None,
    root: str | None = None,
    foot_lock: str = "auto",
) -> dict[str, Any]:
    """Gather the options that say what files shall look like.

    Raises:
        typer.BadParameter: options that exclude each other, or that have no effect alone.
    """
    given = Onto(onto=onto, bone_map=bone_map, root=root, foot_lock=None if onto is None else foot_lock)
    given.check(preset=preset, as_smpl=None)
    return {"preset": preset, "mesh": mesh, "together": together, "onto": None if onto is None else given}


def make_folder(path: Path) -> None:
    """Make a folder and those above it; one that exists stays as it is.

    Raises:
        InputError: it cannot be made.
    """
    with _explained(f"cannot make the folder {path}"):
        path.mkdir(parents=True, exist_ok=True)


def prove_writable(path: Path) -> None:
    """Try a temporary file beside ``path``, so that minutes of work are not thrown away in the end.

    Raises:
        InputError: a file cannot be written there.
    """
    if os.path.isdir(path):
        raise InputError(f"cannot write {path}: it is a folder")
    if not os.path.isdir(path.parent):
        raise InputError(f"cannot write {path}: there is no folder {path.parent}")
    with (
        _explained(f"cannot write {path}"),
        tempfile.NamedTemporaryFile(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent),
    ):
        pass


def prove_formats(targets: Iterable[Path], look: Mapping[str, Any]) -> None:
    """Write a body at rest in each format, with the preset and the company that it shall have, before minutes of work.

    Raises:
        InputError: there is no such preset, or a format cannot carry what is wanted.
        MissingExtraError: an optional package is needed for a format.
    """
    at_rest = np.tile([1.0, 0.0, 0.0, 0.0], (1, len(HUMANOID_RIG.skeleton), 1))
    if look["onto"] is not None:
        look["onto"].load()
    one = Motion(rig=HUMANOID_RIG, fps=Fraction(30), local_wxyz=at_rest, root_m=HUMANOID_RIG.offsets_m[:1])
    people: Motion | dict[str, Motion] = {"person1": one, "person2": one} if look["together"] else one
    with tempfile.TemporaryDirectory() as folder:
        for extension in sorted({target.suffix for target in targets}):
            path = Path(folder) / f"rest{extension}"
            if look["onto"] is None:
                write(people, path, preset=look["preset"])
            else:
                look["onto"].write(people, path, {"preset": None, "mesh": False})


def _told(clip: Clip) -> Iterator[str]:
    """What a user should know, and how good it is, a line for each person."""
    from mocap3d.quality.animation import FIGURES

    yield from (f"note: {note}" for note in clip.notes)
    chosen = [figure for figure in FIGURES if figure.name in _SHOWN]
    for one, quality in zip(clip.performances, clip.qualities(), strict=True):
        figures = [f"{figure.label} {text}" for figure in chosen if (text := figure.text(quality)) is not None]
        where = f"shot {one.shot + 1}, " if len(clip.shots) > 1 else ""
        yield f"{where}person {one.person}: {', '.join(figures)}"


def _means_folder(path: Path, file_suffixes: Collection[str], *, batch: bool) -> bool:
    """A batch needs folders, so that only a known extension speaks against one; else any extension does."""
    if os.path.isdir(path):
        return True
    return path.suffix.lower() not in file_suffixes if batch else not path.suffix


def _refuse(videos: Sequence[Path], files: Sequence[Path], report: Path | None, *, batch: bool) -> None:
    """Raise the error for what can be seen to go wrong before anything is touched."""
    if batch and files:
        raise typer.BadParameter(f"several videos need a folder for their results, not the file {files[0]}")
    if batch and report is not None and not _means_folder(report, _PAGES, batch=True):
        raise typer.BadParameter(f"several videos need a folder for their reports, not the file {report}")
    for path in files:
        if path.suffix.lower() not in extensions():
            raise InputError(f"cannot write {path}: the extension must be one of {', '.join(extensions())}")
    if report is not None and report in {*files, *videos}:
        raise InputError(f"the report would overwrite {report}")
    seen: dict[str, Path] = {}
    for video in videos:
        name = name_of(video)
        if name in seen:
            raise InputError(f"{seen[name]} and {video} would both be written as {name}.bvh: rename one of them")
        seen[name] = video


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn an error of the operating system into an ``InputError`` that begins with ``what``."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{what}: {error.strerror or error}") from error
