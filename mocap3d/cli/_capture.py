"""The sub-commands that turn videos into animation files."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mocap3d.base.errors import InputError, Mocap3dError, Mocap3dWarning
from mocap3d.cli._inputs import HeightOption, about, check_choice, check_positive, find_videos, frame_range
from mocap3d.cli._onto import BoneMapOption, OntoOption, RootOption
from mocap3d.cli._outputs import (
    FootLockOption,
    Job,
    MeshOption,
    PresetOption,
    look_of,
    make_folder,
    plan,
    prove_formats,
    prove_writable,
    save_clip,
)
from mocap3d.cli._progress import progress
from mocap3d.cli._sync import starts_of_option
from mocap3d.cli._take import check_take

__all__ = ["capture", "demo"]

_DETECTORS = ("movenet_thunder", "movenet_lightning")


def capture(
    inputs: Annotated[
        list[Path], typer.Argument(help="Videos, folders of images (one video each), folders of videos (a batch).")
    ],
    output: Annotated[list[Path], typer.Option("-o", "--output", help="A file (.bvh), several of them, or a folder.")],
    camera: Annotated[
        Path | None,
        typer.Option(help="Camera file (TOML) that describes the lens: one for all videos of a batch."),
    ] = None,
    cameras: Annotated[
        Path | None,
        typer.Option(help="Calibrated cameras (a camera file): all videos are one take, seen by as many cameras."),
    ] = None,
    sync: Annotated[
        str,
        typer.Option(help="When each camera began: motion, audio, none, seconds (0,0.12,-1.5), or a file of sync."),
    ] = "motion",
    fov: Annotated[
        float | None,
        typer.Option(min=1, max=170, help="Degrees that the longer side of the picture shows; else metadata, else 60."),
    ] = None,
    height: HeightOption = None,
    camera_tilt: Annotated[
        float | None, typer.Option(min=-89, max=89, help="Degrees that the camera looks down, if measured.")
    ] = None,
    person: Annotated[
        str | None, typer.Option(help="1 is the one seen longest and largest (default), 2 the next, or: all.")
    ] = None,
    frames: Annotated[
        str | None, typer.Option(help="What to use of it, START:STOP in frames (30:120) or seconds (1.5s:4s).")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frame rate of a folder of images, or to resample a video to.")
    ] = None,
    detector: Annotated[
        str, typer.Option(help="movenet_thunder, or movenet_lightning: faster and less exact.")
    ] = "movenet_thunder",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    foot_lock: FootLockOption = "auto",
    asymmetric: Annotated[
        bool, typer.Option("--asymmetric", help="Left and right bones may differ in length; else both have the mean.")
    ] = False,
    preset: PresetOption = None,
    mesh: MeshOption = False,
    onto: OntoOption = None,
    bone_map: BoneMapOption = None,
    root: RootOption = None,
    together: Annotated[bool, typer.Option("--together", help="All people of a shot in one file.")] = False,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML page; of a batch: a folder of them.")] = None,
    keep_stages: Annotated[
        Path | None,
        typer.Option(help="Also keep 2D, 3D and contacts here as files to edit, for mocap3d solve; a new folder."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a machine-readable summary.")] = False,
) -> None:
    """Turn videos into animation files."""
    start, stop = frame_range(frames, "--frames")
    check_positive("--fps", fps)
    check_choice("--detector", detector, _DETECTORS)
    check_choice("--foot-lock", foot_lock, ("off", "auto", "strong"))
    options: dict[str, Any] = {
        "cameras": camera,
        "fov_deg": fov,
        "height_m": height,
        "camera_tilt_deg": camera_tilt,
        "person": _person(person),
        "start": start,
        "stop": stop,
        "fps": fps,
        "detector": detector,
        "device": device,
        "foot_lock": foot_lock,
        "symmetric": not asymmetric,
    }
    look = look_of(
        preset=preset, mesh=mesh, together=together, onto=onto, bone_map=bone_map, root=root, foot_lock=foot_lock
    )
    videos, batch = find_videos(inputs)
    take: tuple[Path, ...] = ()
    if cameras is not None:
        check_take(videos, camera=camera, fov=fov, camera_tilt=camera_tilt)
        take, videos, batch = tuple(videos), videos[:1], False
        options |= {"cameras": cameras, "sync": starts_of_option(sync, take)}
    elif sync != "motion":
        raise typer.BadParameter("--sync belongs to several videos of one take: give --cameras, too")
    jobs = plan(videos, output, report, keep_stages, batch=batch)
    prove_formats({target for job in jobs for target in job.targets}, look)
    if batch:
        _capture_batch(jobs, options, look, as_json=as_json)
    else:
        _capture_one(replace(jobs[0], take=take), options, look, as_json=as_json)


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path("out/demo"),
    as_json: Annotated[bool, typer.Option("--json", help="Print a machine-readable summary.")] = False,
) -> None:
    """Capture the clip that comes with mocap3d: a woman who walks."""
    from mocap3d import examples

    targets = tuple(output / f"walk{extension}" for extension in (".bvh", ".fbx", ".glb"))
    job = Job(video=examples.path("walk.mp4"), targets=targets, report=output / "walk.html")
    make_folder(output)
    for target in targets:
        prove_writable(target)
    options = {"cameras": examples.path("walk.toml"), "height_m": 1.65}
    _capture_one(job, options, look_of(preset=None, mesh=True, together=False), as_json=as_json)
    if not as_json:
        print(f"open {job.report} in a browser, or: mocap3d view {targets[0]}")


def _capture_one(job: Job, options: dict[str, Any], look: dict[str, Any], *, as_json: bool) -> None:
    summary = _capture_and_save(job, options, look, set(), quiet=as_json)
    if as_json:
        print(json.dumps(summary, indent=2))


def _capture_batch(jobs: Sequence[Job], options: dict[str, Any], look: dict[str, Any], *, as_json: bool) -> None:
    """Capture every video; one that fails does not stop the others."""
    summaries: list[dict[str, object]] = []
    written: set[Path] = set()
    failed = 0
    for job in jobs:
        try:
            summaries.append(_capture_and_save(job, options, look, written, quiet=as_json))
        except Mocap3dError as error:
            failed += 1
            print(f"error: {about(job.video, error)}", file=sys.stderr)
            summaries.append({"source": str(job.video), "error": str(error)})
    if as_json:
        print(json.dumps(summaries, indent=2))
    if failed:
        raise InputError(f"{failed} of {len(jobs)} videos failed")


def _capture_and_save(
    job: Job, options: dict[str, Any], look: dict[str, Any], written: set[Path], *, quiet: bool
) -> dict[str, object]:
    """Capture one video, save it, print where it is; return the summary.

    Files in ``written`` are those of other videos and are not overwritten; the files of this one are added.
    """
    from mocap3d.pipeline import capture as run

    with progress() as tell, warnings.catch_warnings():
        warnings.simplefilter("ignore", Mocap3dWarning)  # the notes say the same, below
        clip = run(job.take or job.video, progress=tell, **options)
    if job.stages is not None:
        clip.save_stages(job.stages)
    return save_clip(clip, job, look, written, quiet=quiet)


def _person(text: str | None) -> int | str | None:
    if text is None or text == "all":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(f"--person takes a number from 1 on, or all; got {text!r}")
    return int(text)
