"""The sub-command that finds where cameras stand, and what lenses they have."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mocap3d.base.errors import CalibrationError, InputError, Mocap3dWarning
from mocap3d.cli._inputs import check_choice, check_positive, metres
from mocap3d.cli._outputs import prove_writable
from mocap3d.cli._progress import progress
from mocap3d.cli._sync import starts_of_option

if TYPE_CHECKING:
    from mocap3d.calibration import Calibration

__all__ = ["calibrate"]

_FREE = ("pose", "zoom", "focal", "principal", "k1", "k2", "distortion")


def calibrate(
    videos: Annotated[list[Path], typer.Argument(help="Videos, or folders of photos of a board; one per camera.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Camera file to write (.toml).")],
    lenses: Annotated[
        Path | None, typer.Option(help="Camera file with the lenses, by the names of the videos or in their order.")
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="Board in the pictures, such as charuco:4x5:54mm:40.5mm:4X4_50, or a TOML file.")
    ] = None,
    lens_video: Annotated[
        list[Path] | None, typer.Option(help="Pictures of the board for the lens: one per camera, or one for all.")
    ] = None,
    how: Annotated[
        str | None,
        typer.Option(
            help="What tells where cameras stand, if not what is given; lens: only the lenses are wanted.",
            metavar="lens|board|points|people",
        ),
    ] = None,
    points: Annotated[
        Path | None, typer.Option(help="TOML file of measured points and where they are in the pictures.")
    ] = None,
    refine: Annotated[
        str | None, typer.Option(help="Refine the rig of --lenses by people: pose, principal, focal ..., by commas.")
    ] = None,
    people: Annotated[
        list[Path] | None, typer.Option(help="Videos of people before the same cameras; else the videos themselves.")
    ] = None,
    no_people: Annotated[
        bool, typer.Option("--no-people", help="Do not look for people, who judge the cameras.")
    ] = False,
    height: Annotated[float | None, typer.Option(parser=metres, metavar="METRES", help="Height of the people.")] = None,
    distance: Annotated[
        str | None, typer.Option(help="How far two cameras are apart, such as left,right,3.25 (metres).")
    ] = None,
    sync: Annotated[
        str, typer.Option(help="When each video began: motion, audio, none, seconds by commas, or a file of sync.")
    ] = "motion",
    crop: Annotated[
        list[str] | None,
        typer.Option(
            help="What a video shows of its lens's picture: left=centre, left=4,0, left=scaled, left=bars, left=find."
        ),
    ] = None,
    fov: Annotated[
        float | None, typer.Option(min=1, max=170, help="Degrees that the longer side of the pictures shows.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Of lenses from a board.", metavar="brown-conrady|fisheye")
    ] = "brown-conrady",
    floor: Annotated[
        str | None,
        typer.Option(help="Where it is: when the board lay on it, or where people stand.", metavar="first|last|people"),
    ] = None,
    gates: Annotated[str, typer.Option(help="What to do when a gate fails.", metavar="refuse|report")] = "refuse",
    detector: Annotated[
        str, typer.Option(help="movenet_thunder, or movenet_lightning: faster and less exact.")
    ] = "movenet_thunder",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    format: Annotated[
        str | None, typer.Option(help="Format of the camera file, where its extension does not say it.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a machine-readable summary.")] = False,
) -> None:
    """Find where the cameras of several videos stand, or what lens one camera has."""
    import mocap3d
    from mocap3d.cameras.files import FORMATS

    check_choice("--model", model, ("brown-conrady", "fisheye"))
    check_choice("--how", how, ("lens", "board", "points", "people"))
    check_choice("--floor", floor, ("first", "last", "people"))
    check_choice("--gates", gates, ("refuse", "report"))
    check_choice("--detector", detector, ("movenet_thunder", "movenet_lightning"))
    check_choice("--format", format, FORMATS)
    check_positive("--height", height)
    if no_people and people:
        raise typer.BadParameter("give either --people or --no-people")
    options: dict[str, Any] = {
        "lenses": lenses,
        "board": board,
        "lens_videos": lens_video or None,
        "how": how,
        "points": points,
        "refine": _names(refine),
        "people": "none" if no_people else people or "same",
        "height_m": height,
        "distance_m": _distance(distance),
        "sync": starts_of_option(sync, videos),
        "crop": _crops(crop),
        "fov_deg": fov,
        "model": model,
        "floor": floor,
        "detector": detector,
        "device": device,
    }
    for path in (output, *([report] if report else [])):
        prove_writable(path)
    if report is not None and report == output:
        raise InputError(f"the report would overwrite {output}")
    with progress() as tell, warnings.catch_warnings():
        warnings.simplefilter("ignore", Mocap3dWarning)  # the notes say the same
        found = mocap3d.calibrate(videos, gates="report", progress=tell, **options)
    _save(found, output, format, report, refuse=gates == "refuse", as_json=as_json)


def _save(
    found: Calibration, output: Path, format: str | None, report: Path | None, *, refuse: bool, as_json: bool
) -> None:
    """Write what is wanted; of a calibration that is refused the report alone, so that one can see why."""
    from mocap3d.cameras.gate import refuse_failed

    files = []
    if found.passed or not refuse:
        found.save(output, format)
        files.append(output)
    if report is not None:
        from mocap3d.viewers.calibration import write_calibration_report

        files.append(write_calibration_report(found, report))
    if as_json:
        print(json.dumps({**found.summary(), "files": [str(path) for path in files]}, indent=2))
    else:
        print(*files, sep="\n", flush=True)
        _tell(found)
    if refuse:
        try:
            refuse_failed(found.gates)
        except CalibrationError as error:
            raise CalibrationError(f"no cameras are written: {error}") from error


def _tell(found: Calibration) -> None:
    """What a user should know, a line for each camera."""
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    for view in found.views if found.how != "lens" else ():
        before = "" if view.before_px is None else f", before {view.before_px:.2f} px"
        crop = "" if view.crop == "as calibrated" else f", crop: {view.crop}"
        began = "" if found.sync == "photos" else f", began at {view.began_s:+.3f} s"
        print(
            f"{view.camera}: residual {view.residual_px:.2f} px{before}, {view.sights} sights on {view.coverage:.0%} "
            f"of the picture{crop}{began}",
            file=sys.stderr,
        )
    passed = sum(gate.passed for gate in found.gates)
    where = "" if found.how == "lens" else f"size from {found.scale}, up and floor from {found.world}; "
    print(f"{where}{passed} of {len(found.gates)} gates passed", file=sys.stderr)


def _names(text: str | None) -> bool | tuple[str, ...]:
    if text is None:
        return False
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        check_choice("--refine", name, _FREE)
    return names


def _distance(text: str | None) -> tuple[str | int, str | int, float] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    try:
        metres = float(parts[2])
    except (IndexError, ValueError):
        metres = float("nan")
    if len(parts) != 3 or not 0 < metres < 1e4:
        raise typer.BadParameter(f"--distance takes two cameras and metres, such as left,right,3.25; got {text!r}")
    return parts[0], parts[1], metres


def _crops(texts: list[str] | None) -> str | dict[str, str] | None:
    """One word for all cameras, or name=word for some."""
    if not texts:
        return None
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    crops = {}
    for text in texts:
        name, equals, word = text.rpartition("=")
        if not equals or not name:
            raise typer.BadParameter(
                f"--crop takes camera=centre, camera=4,0, camera=scaled, camera=bars or camera=find; got {text!r}"
            )
        crops[name] = word
    return crops
