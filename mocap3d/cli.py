"""The command line: one sub-command per step.

Results go to files, the summary to standard output, all else to standard error.

Exit codes: 0 fine, 1 bad input, 2 bad usage, 130 interrupted.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

import mocap3d
from mocap3d.base.errors import InputError, MissingExtraError, Mocap3dError, Mocap3dWarning

__all__ = ["app", "main"]

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Video in, animation out.",
)
data_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Prepare motion data for training.")
train_app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Train the networks (needs the extra mocap3d[train])."
)
app.add_typer(data_app, name="data")
app.add_typer(train_app, name="train")

VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts", ".3gp"}


def main() -> None:
    """Run the command line; the process ends with the exit code that the module's text lists."""
    try:
        app(prog_name="mocap3d")
    except Mocap3dError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    if version:
        print(mocap3d.__version__)
        raise typer.Exit


@app.command()
def capture(
    inputs: Annotated[
        list[Path], typer.Argument(help="Videos, folders of images (one video each), folders of videos (a batch).")
    ],
    output: Annotated[list[Path], typer.Option("-o", "--output", help="A file (.bvh), several of them, or a folder.")],
    camera: Annotated[
        Path | None, typer.Option("--camera", "--cameras", help="Camera file (TOML) that describes the lens.")
    ] = None,
    fov: Annotated[
        float | None, typer.Option(help="Degrees that the longer side of the picture shows; else metadata, else 60.")
    ] = None,
    height: Annotated[float | None, typer.Option(help="Height of the person in metres; else 1.70.")] = None,
    camera_tilt: Annotated[float | None, typer.Option(help="Degrees that the camera looks down, if measured.")] = None,
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
    report: Annotated[Path | None, typer.Option(help="Also write an HTML page with pictures of the result.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a machine-readable summary.")] = False,
) -> None:
    """Turn videos into animation files."""
    videos = _expand(inputs)
    start, stop = _frame_range(frames)
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
    }
    targets = {video: _targets(video, output, batch=len(videos) > 1) for video in videos}
    summaries, failed = [], 0
    for video in videos:
        try:
            summaries.append(_capture_one(video, targets[video], report, options, as_json))
        except Mocap3dError as error:
            if len(videos) == 1:
                raise
            failed += 1
            print(f"error: {video}: {error}", file=sys.stderr)
            summaries.append({"source": str(video), "error": str(error)})
    if as_json:
        print(json.dumps(summaries[0] if len(videos) == 1 else summaries, indent=2))
    if failed:
        raise InputError(f"{failed} of {len(videos)} videos failed")


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path("out/demo"),
    as_json: Annotated[bool, typer.Option("--json", help="Print a machine-readable summary.")] = False,
) -> None:
    """Capture the clip that comes with mocap3d: a woman who walks."""
    from mocap3d import examples

    output.mkdir(parents=True, exist_ok=True)
    options = {"cameras": examples.path("walk.toml"), "height_m": 1.65}
    summary = _capture_one(examples.path("walk.mp4"), [output / "walk.bvh"], output / "walk.html", options, as_json)
    if as_json:
        print(json.dumps(summary, indent=2))


@app.command()
def info(
    file: Annotated[Path, typer.Argument(help="A motion file or a video.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what a file holds."""
    facts = _facts(file)
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        for name, value in facts.items():
            print(f"{name:>12}  {value}")


@data_app.command("prepare")
def data_prepare(
    dataset: Annotated[str, typer.Argument(help="cmu")],
    source: Annotated[Path, typer.Option(help="Folder or archive of the original files.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="HDF5 file to write.")],
) -> None:
    """Bring a motion data set into the one HDF5 layout that training reads."""
    from mocap3d.data_prep.cmu import prepare_cmu

    if dataset != "cmu":
        raise InputError(f"unknown data set {dataset!r}; there is: cmu")
    with _progress() as tell:
        prepare_cmu(source, output, progress=lambda done, total: tell("prepare", done, total))
    print(output)


@train_app.command("lifter")
def train_lifter_command(
    data: Annotated[Path, typer.Argument(help="HDF5 file of `mocap3d data prepare`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for checkpoint, log and weights.")],
    minutes: Annotated[float, typer.Option(help="How long to train.")] = 45.0,
    channels: Annotated[int, typer.Option(help="Width of the network.")] = 512,
    causal: Annotated[bool, typer.Option(help="Lift the newest frame of the window, for live use.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint in the folder.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train the 2D-to-3D lifter on motion seen by virtual cameras."""
    try:
        from mocap3d.train.lifter import LifterSettings, train_lifter
    except ModuleNotFoundError:
        raise MissingExtraError("torch", "train") from None

    settings = LifterSettings(minutes=minutes, channels=channels, causal=causal)
    weights = train_lifter(
        data,
        settings,
        output,
        resume=resume,
        device=device,
        progress=lambda row: print(" ".join(f"{name}={value}" for name, value in row.items()), file=sys.stderr),
    )
    print(weights)


def _capture_one(
    video: Path, targets: list[Path], report: Path | None, options: dict[str, Any], quiet: bool
) -> dict[str, object]:
    """Capture one video, save it, print where it is; return the summary."""
    from mocap3d.output import extensions
    from mocap3d.pipeline import capture as run

    for target in targets:  # before the long work, not after it
        if target.suffix.lower() not in extensions():
            raise InputError(f"cannot write {target}: the extension must be one of {', '.join(extensions())}")
        if not target.parent.is_dir():
            raise InputError(f"cannot write {target}: there is no folder {target.parent}")
    with _progress() as tell, warnings.catch_warnings():
        warnings.simplefilter("ignore", Mocap3dWarning)  # the notes say the same, below
        clip = run(video, progress=tell, **options)
    files = [path for target in targets for path in clip.save(target)]
    if report is not None:
        from mocap3d.viewers.report import write_report

        files.append(write_report(clip, report))
    summary = {**clip.summary(), "files": [str(path) for path in files]}
    if not quiet:
        for path in files:
            print(path)
        for note in clip.notes:
            print(f"note: {note}", file=sys.stderr)
    return summary


def _expand(inputs: list[Path]) -> list[Path]:
    """Folders that hold videos become those videos, in name order; anything else stays."""
    videos: list[Path] = []
    for path in inputs:
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES) if path.is_dir() else []
        videos += inside or [path]
    return videos


def _targets(video: Path, output: list[Path], *, batch: bool) -> list[Path]:
    """The files to write for one video."""
    folders = [path for path in output if not path.suffix or path.is_dir()]
    if batch and len(folders) != len(output):
        raise InputError("several videos need a folder for their results: -o FOLDER")
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return [path / f"{video.stem}.bvh" if path in folders else path for path in output]


def _person(text: str | None) -> int | str | None:
    if text is None or text == "all":
        return text
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"--person takes a number from 1 on, or all; got {text!r}") from None


def _frame_range(text: str | None) -> tuple[int | str | None, int | str | None]:
    """Split START:STOP; each is a frame number, a time such as 2.5s, or nothing."""
    if text is None:
        return None, None
    parts = re.fullmatch(r"(\d+|\d+(?:\.\d+)?s)?:(\d+|\d+(?:\.\d+)?s)?", text)
    if parts is None:
        raise typer.BadParameter(f"--frames takes START:STOP, such as 30:120 or 1.5s:4s; got {text!r}")
    start, stop = (int(part) if part and part.isdigit() else part for part in parts.groups())
    return start, stop


def _facts(file: Path) -> dict[str, object]:
    if not file.exists():
        raise InputError(f"there is no file {file}")
    if file.is_dir() or file.suffix.lower() in VIDEO_SUFFIXES:
        from mocap3d.cameras.video import open_video

        with open_video(file) as video:
            return {
                "file": str(file),
                "kind": "video",
                "size": "{} x {} px".format(*video.size_wh_px),
                "fps": float(video.fps),
                "frames": video.frame_count,
            }
    from mocap3d.base.kinematics import forward
    from mocap3d.output import read

    motion = read(file)
    world_m, _ = forward(motion)
    low, high = world_m[..., 1].min(), world_m[..., 1].max()
    return {
        "file": str(file),
        "kind": "motion",
        "joints": len(motion.rig.skeleton),
        "frames": len(motion),
        "fps": float(motion.fps),
        "seconds": round(motion.duration_s, 3),
        "lowest_m": round(float(low), 3),
        "highest_m": round(float(high), 3),
        "names": " ".join(motion.rig.skeleton.joint_names),
    }


@contextmanager
def _progress() -> Iterator[Any]:
    """Yield a callable (step, done, total): a bar on a terminal, nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda step, done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def tell(step: str, done: int, total: int | None) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done, total=total)

        yield tell
