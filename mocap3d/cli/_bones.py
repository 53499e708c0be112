"""The sub-command that finds out which bone of a character is what."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mocap3d.base.errors import InputError

__all__ = ["bones"]


def bones(
    character: Annotated[Path, typer.Argument(help="A character or a motion: .fbx .glb .vrm .bvh ...")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the map as TOML, to be edited (--bone-map).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the map as JSON.")] = False,
) -> None:
    """Find out which bone of a character is what."""
    from mocap3d.motion.bone_map import check_bone_map, write_bone_map
    from mocap3d.onto import propose_bones

    rig, found = propose_bones(character)
    if output is not None:
        write_bone_map(found, output)
    print(json.dumps(dict(found.roles), indent=2, ensure_ascii=False) if as_json else found.table())
    try:
        check_bone_map(rig, found.roles)
    except InputError as error:
        print(f"note: this map cannot be used as it is: {error}", file=sys.stderr)
