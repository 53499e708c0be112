"""The sub-command that takes up the stages that a capture kept."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mocap3d.base.errors import Mocap3dWarning
from mocap3d.cli._inputs import frame_range
from mocap3d.cli._onto import BoneMapOption, OntoOption, RootOption
from mocap3d.cli._outputs import MeshOption, PresetOption, look_of, plan, prove_formats, save_clip

if TYPE_CHECKING:
    from mocap3d.stages.repairs import Repair

__all__ = ["solve_command"]

_WHAT: dict[str, Any] = {
    "--swap-left-right": "swap left and right",
    "--not-seen": "not seen",
    "--planted": "planted",
    "--lifted": "lifted",
}
_POINTS = {
    "left": ("left_heel", "left_toe"),
    "left-heel": ("left_heel",),
    "left-toe": ("left_toe",),
    "right": ("right_heel", "right_toe"),
    "right-heel": ("right_heel",),
    "right-toe": ("right_toe",),
}


def solve_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What capture --keep-stages wrote.")],
    output: Annotated[
        list[Path] | None, typer.Option("-o", "--output", help="A file (.bvh), several of them, or a folder.")
    ] = None,
    swap_left_right: Annotated[
        list[str] | None, typer.Option(help="START:STOP, frames in which left and right are confused in 2D.")
    ] = None,
    not_seen: Annotated[list[str] | None, typer.Option(help="START:STOP, frames whose 2D is wrong altogether.")] = None,
    planted: Annotated[
        list[str] | None,
        typer.Option(help="left:START:STOP, frames in which a foot stands; also left-heel, left-toe, right ..."),
    ] = None,
    lifted: Annotated[list[str] | None, typer.Option(help="The same for frames in which it is in the air.")] = None,
    person: Annotated[int, typer.Option(min=1, help="Whom the four options above are about.")] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda, for lifting again.")] = "cpu",
    preset: PresetOption = None,
    mesh: MeshOption = False,
    onto: OntoOption = None,
    bone_map: BoneMapOption = None,
    root: RootOption = None,
    together: Annotated[bool, typer.Option("--together", help="All people of a shot in one file.")] = False,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a machine-readable summary.")] = False,
) -> None:
    """Solve again what capture --keep-stages kept, from the earliest file that was changed."""
    from mocap3d.stages.repairs import repaired_stages
    from mocap3d.stages.resume import solve_stages

    look = look_of(preset=preset, mesh=mesh, together=together, onto=onto, bone_map=bone_map, root=root)
    (job,) = plan([folder], output or [], report, batch=False)
    prove_formats(set(job.targets), look)
    repairs = [_repair("--swap-left-right", text, person) for text in swap_left_right or []]
    repairs += [_repair("--not-seen", text, person) for text in not_seen or []]
    repairs += [_repair("--planted", text, person) for text in planted or []]
    repairs += [_repair("--lifted", text, person) for text in lifted or []]
    with repaired_stages(folder, repairs, say=_say), warnings.catch_warnings():
        warnings.simplefilter("ignore", Mocap3dWarning)  # the notes say the same
        clip = solve_stages(folder, device=device, say=_say)
    if look["onto"] is not None:
        look["onto"].foot_lock = str(clip.settings["foot_lock"])
    summary = save_clip(clip, job, look, set(), quiet=as_json)
    if as_json:
        print(json.dumps(summary, indent=2))


def _repair(option: str, text: str, person: int) -> Repair:
    """Understand START:STOP, after a foot where the option is about one."""
    from mocap3d.stages.repairs import FOOT_POINTS, Repair

    points = FOOT_POINTS
    if option in ("--planted", "--lifted"):
        foot, _, text = text.partition(":")
        if foot not in _POINTS:
            raise typer.BadParameter(f"{option} takes {', '.join(_POINTS)} before :START:STOP; got {foot!r}")
        points = _POINTS[foot]
    start, stop = frame_range(text, option)
    return Repair(what=_WHAT[option], start=start, stop=stop, person=person, points=points)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
