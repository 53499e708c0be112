"""The sub-command that makes pictures and movies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from mocap3d.base.checks import as_fps
from mocap3d.cli._inputs import (
    LenientOption,
    UnitOption,
    UpOption,
    as_usage,
    check_choice,
    frame_range,
    reading_options,
)
from mocap3d.cli._outputs import prove_writable
from mocap3d.cli._progress import progress

__all__ = ["render"]

_ENDINGS = (".mp4", ".png")


def render(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CLIP", help="A folder of stages, a motion file (.bvh .fbx .glb .npz ...), or results (.h5)."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="A movie (.mp4) or a picture (.png).")],
    turntable: Annotated[bool, typer.Option("--turntable", help="The camera goes around once.")] = False,
    overlay: Annotated[bool, typer.Option("--overlay", help="Over the video, through its camera.")] = False,
    beside: Annotated[bool, typer.Option("--beside", help="The video, and the motion beside it.")] = False,
    sheet: Annotated[
        str | None, typer.Option(help="A contact sheet for a paper: COLUMNSxROWS, such as 6x1.", metavar="CxR")
    ] = None,
    style: Annotated[str, typer.Option(metavar="mannequin|skeleton|joints")] = "mannequin",
    sides: Annotated[bool, typer.Option("--sides", help="Left limbs orange, right ones blue.")] = False,
    background: Annotated[
        str, typer.Option(metavar="light|dark|white|transparent", help="transparent is for pictures.")
    ] = "light",
    floor: Annotated[
        bool | None, typer.Option("--floor/--no-floor", help="Lines and shadows on the floor; not over a video.")
    ] = None,
    opacity: Annotated[float, typer.Option(help="Of people over the video, up to 1.")] = 1.0,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Pixels; else 1280x720, or the video's.")] = None,
    fps: Annotated[str | None, typer.Option(help="Frames per second of the movie; else those of the motion.")] = None,
    frames: Annotated[
        str | None, typer.Option(help="What to show, START:STOP in frames (30:120) or seconds (1.5s:4s).")
    ] = None,
    frame: Annotated[
        str | None, typer.Option(help="Which frame (75, or 2.5s) a picture shows; else the middle.")
    ] = None,
    person: Annotated[int | None, typer.Option(min=1, help="Only this person; else everybody.")] = None,
    shot: Annotated[int | None, typer.Option(min=1, help="Which shot of a capture; else the first.")] = None,
    sequence: Annotated[str | None, typer.Option(help="SUBJECT/ACTION of results; else the first.")] = None,
    camera: Annotated[str | None, typer.Option(help="Name of the camera; else the one that saw most.")] = None,
    cameras: Annotated[Path | None, typer.Option(help="Camera file, for motion files, which know no cameras.")] = None,
    video: Annotated[Path | None, typer.Option(help="The video, where it is not where it was captured from.")] = None,
    azimuth: Annotated[
        float | None, typer.Option(help="Degrees: 0 sees the face of who looks along +Z, 90 their left side.")
    ] = None,
    elevation: Annotated[float, typer.Option(min=-89, max=89, help="Degrees above the horizon.")] = 12.0,
    follow: Annotated[
        bool | None, typer.Option("--follow/--still", help="Go along with people; else when they would be small.")
    ] = None,
    unit: UnitOption = None,
    up: UpOption = None,
    lenient: LenientOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a machine-readable summary.")] = False,
) -> None:
    """Make a movie or a picture of a motion (needs the extra mocap3d[render])."""
    check_choice("--style", style, ("mannequin", "skeleton", "joints"))
    check_choice("--background", background, ("light", "dark", "white", "transparent"))
    movie = output.suffix.lower() == ".mp4"
    if output.suffix.lower() not in _ENDINGS:
        raise typer.BadParameter(f"--output takes a name that ends in {' or '.join(_ENDINGS)}; got {output}")
    _check_together(movie, {"--sheet": sheet, "--frame": frame, "--fps": fps, "--frames": frames})
    kind = _kind({"turntable": turntable, "overlay": overlay, "beside": beside})
    tiles, pixels = _pair("--sheet", sheet), _pair("--size", size)
    chosen = frame_range(frames, "--frames")
    reading = reading_options(unit, up, lenient=lenient)
    if fps is not None:
        with as_usage("--fps"):
            as_fps(fps)
    prove_writable(output)

    from mocap3d.viewers import render as pictures

    with as_usage("--opacity"):
        look = pictures.Look(
            style=cast("pictures.Style", style),
            colours="sides" if sides else "plain",
            background=cast("pictures.Background", background),
            floor=floor,
            opacity=opacity,
        )
    view = pictures.View(
        kind=cast("pictures.Kind", kind),
        azimuth_deg=azimuth,
        elevation_deg=elevation,
        follow=follow,
        camera=camera,
    )
    scene = pictures.read_scene(
        source,
        shot=shot,
        person=person,
        sequence=sequence,
        camera=camera,
        cameras=cameras,
        video=video,
        **reading,
    )
    options: dict[str, Any] = {"view": view, "look": look, "size": pixels}
    during = pictures.frames_between(scene, *chosen)
    if movie:
        with progress() as tell:
            pictures.render_movie(scene, output, frames=during, fps=fps, progress=tell, **options)
    elif tiles is not None:
        columns, rows = tiles
        drawn = pictures.render_sheet(scene, columns=columns, rows=rows, frames=during, **options)
        pictures.write_png(drawn, output)
    else:
        one = None if frame is None else _frame(frame)
        one = pictures.frames_between(scene, one).start if isinstance(one, str) else one
        pictures.write_png(pictures.render_picture(scene, one, **options), output)
    people = [figure.name for figure in scene.figures]
    summary = {"source": str(source), "people": people, "frames": [during.start, during.stop], "file": str(output)}
    print(json.dumps(summary, indent=2) if as_json else output)


def _check_together(movie: bool, given: Mapping[str, object]) -> None:
    """Refuse options that would have no effect."""
    without = {"--sheet", "--frame"} if movie else {"--fps"} if given["--sheet"] else {"--fps", "--frames"}
    for option in without:
        if given[option] is not None:
            what = "a movie (.mp4)" if movie else "one picture" if option == "--frames" else "a picture (.png)"
            raise typer.BadParameter(f"{option} does not belong to {what}")
    if given["--sheet"] is not None and given["--frame"] is not None:
        raise typer.BadParameter("--frame shows one frame and --sheet several: give one of them")


def _kind(wanted: Mapping[str, bool]) -> str:
    """Which view was asked for; one at most."""
    names = [name for name, asked in wanted.items() if asked]
    if len(names) > 1:
        raise typer.BadParameter(f"give one of {' and '.join(f'--{name}' for name in names)}")
    return names[0] if names else "orbit"


def _pair(option: str, text: str | None) -> tuple[int, int] | None:
    """Two whole numbers with an x between them."""
    if text is None:
        return None
    parts = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", text.strip())
    if parts is None:
        raise typer.BadParameter(f"{option} takes two numbers such as 6x1; got {text!r}")
    return int(parts[1]), int(parts[2])


def _frame(text: str) -> int | str:
    """A frame number, or a time that ends in s."""
    if re.fullmatch(r"\d+(\.\d+)?s|\d+", text) is None:
        raise typer.BadParameter(f"--frame takes a number or a time such as 2.5s; got {text!r}")
    return int(text) if text.isdigit() else text
