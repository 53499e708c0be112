"""File formats, one file or folder per format; a file name's extension chooses.

```
motion = output.read("walk.bvh", unit_m=0.01)
output.write(motion, "walk.fbx", preset="ue5", mesh=True)
```
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, Final

import numpy as np

from mocap3d.base.errors import InputError
from mocap3d.base.files import VIDEO_SUFFIXES
from mocap3d.base.mesh import SkinnedMesh, joined
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import resampled, together
from mocap3d.base.pose import Pose3D
from mocap3d.base.rig import Rig
from mocap3d.output.bvh import read_bvh, write_bvh
from mocap3d.output.float32 import farthest_m as _farthest_m
from mocap3d.output.presets import Preset, dress, load_preset, preset_named, preset_names, roles
from mocap3d.output.presets.humanoid import as_humanoid

__all__ = [
    "Preset",
    "as_humanoid",
    "carries_mesh",
    "dress",
    "extensions",
    "find_preset",
    "has_option",
    "load_preset",
    "preset_named",
    "preset_names",
    "read",
    "read_bvh",
    "roles",
    "write",
    "write_bvh",
]

_FORMATS: Final = {
    ".bvh": ("bvh", "bvh"),
    ".c3d": ("c3d", "c3d"),
    ".csv": ("csv_points", "csv"),
    ".fbx": ("fbx", "fbx"),
    ".glb": ("gltf", "glb"),
    ".gltf": ("gltf", "glb"),
    ".h5": ("archive", "h5"),
    ".hdf5": ("archive", "h5"),
    ".json": ("json_motion", "json"),
    ".npz": ("archive", "npz"),
    ".trc": ("trc", "trc"),
    ".usd": ("usd", "usd"),
    ".usda": ("usd", "usd"),
    ".usdc": ("usd", "usd"),
    ".usdz": ("usd", "usd"),
    ".vrm": ("gltf", "glb"),
    ".vrma": ("gltf", "vrma"),
}
"""Extension -> module in this room, and what follows ``read_`` and ``write_`` there."""

_FARTHEST: Final = 1e9  # units; a float32 has seven digits
_ONLY_READ: Final = {".gltf", ".vrm"}


def extensions() -> tuple[str, ...]:
    """List the extensions that can be written, such as ``.bvh``."""
    return tuple(sorted(_FORMATS.keys() - _ONLY_READ))


def carries_mesh(path: str | os.PathLike[str]) -> bool:
    """Tell whether the format of a file can carry a mesh."""
    return has_option("write", path, "mesh")


def has_option(verb: str, path: str | os.PathLike[str], name: str) -> bool:
    """Tell whether the reader or writer of a file's format has an option.

    Args:
        verb: "read" or "write".
        path: the file.
        name: of the option, such as "unit_m".

    Raises:
        InputError: no format has this extension.
    """
    return name in signature(_function(verb, _extension(verb, path))).parameters


def read(path: str | os.PathLike[str], **options: Any) -> Motion | Pose3D:
    """Read an animation file; its extension (in any case) chooses the format.

    Args:
        path: the file.
        options: of that format's reader, such as ``unit_m`` of ``read_bvh``.

    Returns:
        A motion; of formats that hold points only (.c3d, .csv, .trc), the points.

    Raises:
        InputError: no format has this extension or this option, or the file cannot be opened.
        FileFormatError: the file does not hold what its format promises.
        MissingExtraError: an optional package is needed for this format.
    """
    extension = _extension("read", path)
    return _checked("read", extension, options)(path, **options)  # type: ignore[no-any-return]


def write(
    source: Motion | Pose3D | Mapping[str, Motion],
    path: str | os.PathLike[str],
    *,
    preset: str | os.PathLike[str] | Preset | None = None,
    mesh: bool | SkinnedMesh = False,
    **options: Any,
) -> None:
    """Write an animation file; its extension (in any case) chooses the format.

    Args:
        source: what to write; points only where the format holds nothing else (.c3d, .csv, .trc). Several people by
            name go into one file, their joints called ``NAME:JOINT``.
        path: the file; it appears whole or not at all.
        preset: names, axes, unit, rest pose, root bone and frame rates of another program (`preset_names`), or
            of a TOML file.
        mesh: True puts a mannequin on the bones, where the format can carry one (.fbx, .glb, .usda ...).
        options: of that format's writer, such as ``order`` and ``unit_m`` of ``write_bvh``.

    Raises:
        InputError: no format has this extension or this option, points cannot be written to it, the preset does not
            fit the motion, or the file cannot be written.
        MissingExtraError: an optional package is needed for this format.
    """
    extension = _extension("write", path)
    if mesh is not False:
        options["mesh"] = mesh
    writer = _checked("write", extension, options)
    if isinstance(source, Pose3D):
        if preset is not None or "source" not in signature(writer).parameters:
            what = "a preset needs" if preset is not None else f"{extension} files hold"
            raise InputError(f"{path}: {what} rotations, these are points (they can be written to .c3d, .csv and .trc)")
        writer(source, path, **options)
        return
    if isinstance(mesh, SkinnedMesh) and preset is not None:
        raise InputError("a mesh of your own follows the joints of its own rig: it cannot be written with a preset")
    worn = None if preset is None else find_preset(preset)
    people = {"": source} if isinstance(source, Motion) else dict(source)
    if worn is not None:
        people = {name: dress(as_humanoid(resampled(one, worn.fps_for(one.fps))), worn) for name, one in people.items()}
        if "unit_m" in signature(writer).parameters:
            options.setdefault("unit_m", worn.unit_m)
    if mesh is True:
        options["mesh"] = _mannequins(
            [one.rig for one in people.values()], worn, several=not isinstance(source, Motion)
        )
    motion = people[""] if isinstance(source, Motion) else together(people)
    far_m = _farthest_m(motion)
    if far_m > _FARTHEST * min(float(options.get("unit_m", 1.0)), 1.0):
        raise InputError(f"{path}: joints {far_m:.3g} m away, in this unit, are beyond what files can hold")
    writer(motion, path, **options)


def _mannequins(rigs: Sequence[Rig], worn: Preset | None, *, several: bool) -> SkinnedMesh:
    """A body for each rig; of several people in one file, following the joints that they have there."""
    from mocap3d.output.mannequin import mannequin

    bodies = [mannequin(rig, roles(rig, worn)) for rig in rigs]
    first = np.cumsum([1, *(len(rig.skeleton) for rig in rigs)])[:-1]
    return joined(bodies, first.tolist()) if several else bodies[0]


def _extension(verb: str, path: str | os.PathLike[str]) -> str:
    """The extension of a file that is read or written, if a format has it."""
    known = sorted(_FORMATS) if verb == "read" else extensions()
    extension, stem = Path(path).suffix.lower(), Path(path).stem
    if extension in known:
        return extension
    hint = ""
    if extension in VIDEO_SUFFIXES and verb == "read":
        hint = f"; it is a video: capture it first (`mocap3d capture {path} -o {stem}.bvh --keep-stages {stem}-stages`)"
    elif extension in VIDEO_SUFFIXES:
        hint = "; `mocap3d render` makes movies"
    raise InputError(f"{path}: unknown extension {extension!r}; known are {', '.join(known)}{hint}")


def _checked(verb: str, extension: str, options: dict[str, Any]) -> Callable[..., Any]:
    """Look up the reader or writer for an extension, and check the names of its options."""
    function = _function(verb, extension)
    known = [p.name for p in signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise InputError(f"{extension} has no option {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    return function


def _function(verb: str, extension: str) -> Callable[..., Any]:
    module, name = _FORMATS[extension]
    function: Callable[..., Any] = getattr(import_module(f"{__name__}.{module}"), f"{verb}_{name}")
    return function


def find_preset(given: str | os.PathLike[str] | Preset) -> Preset:
    """Find the preset that is called so, or that a TOML file holds.

    Raises:
        InputError: there is none.
    """
    if isinstance(given, Preset):
        return given
    text = os.fspath(given)
    return load_preset(text) if text.lower().endswith(".toml") else preset_named(text)
