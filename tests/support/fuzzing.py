"""Reading damaged files: what may happen, and for each format its reader and the files to damage.

A new format is one line in ``FORMATS``, which ``scripts/fuzz`` reads; a format's own test calls ``assert_survives``.
"""

from __future__ import annotations

import functools
import importlib
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from mutations import mutations

from mocap3d.base.errors import Mocap3dError, Mocap3dWarning
from mocap3d.base.humanoid import humanoid_rig
from mocap3d.base.motion import Motion
from mocap3d.base.rotations import rotvec_to_wxyz

__all__ = [
    "FORMATS",
    "Format",
    "assert_survives",
    "data_folder",
    "example",
    "is_read",
    "named",
    "read_usd",
    "seed_files",
    "seeds_in",
]

_LARGEST_SEED = 100_000  # bytes; in longer files damage seldom meets a header


@dataclass(frozen=True, slots=True)
class Format:
    """How files of one format come about and are read.

    Attributes:
        reader: ``module:function``, called with a path.
        suffix: of its files.
        make: ``module:function`` of a writer, called with ``example()`` and a path; or a function of this file, called
            with a folder in which it leaves one file or more.
        found: pattern of real files below the data folder.
    """

    reader: str
    suffix: str
    make: str | Callable[[Path], object]
    found: str = ""


def _beginnings_of_c3d(folder: Path) -> None:
    """A written file, and the beginnings of the real ones, which are long."""
    named("mocap3d.output.c3d:write_c3d")(example(), folder / "written.c3d")
    for path in sorted((data_folder() or folder).glob("c3d_trc/*.c3d")):
        (folder / path.name).write_bytes(path.read_bytes()[:20_000])


def _amass(folder: Path) -> None:
    """One of SMPL-H, made up."""
    rng = np.random.default_rng(0)
    parameters = named("mocap3d.base.smpl:SmplParameters")(
        poses_rotvec=rng.normal(size=(3, 52, 3)),
        trans_m=rng.normal(size=(3, 3)),
        betas=rng.normal(size=16),
        gender="neutral",
        fps=120,
        up="Z",
    )
    named("mocap3d.output.amass:write_amass")(parameters, folder / "written.npz")


def _cameras(folder: Path) -> None:
    """A rig in every format of camera files; of EasyMocap's pair each alone."""
    files = importlib.import_module("mocap3d.cameras.files")
    lens = {"lens": (-0.12, 0.05, 0.001, -0.0015, -0.01), "size_wh_px": (1000, 1000)}
    cameras = named("rigs_of_cameras:ring")(3, **lens)
    numbered = [replace(camera, name=f"S1/{n}") for n, camera in enumerate(cameras)]
    for name in files.FORMATS:
        if name == "easymocap":
            files.write_cameras(cameras, folder, name)
        else:
            files.write_cameras(numbered if name == "human36m" else cameras, folder / f"{name}.cameras", name)
    for path in sorted(folder.glob("*.yml")):
        path.rename(path.with_suffix(".cameras"))


FORMATS = {
    "bvh": Format("mocap3d.output.bvh:read_bvh", ".bvh", "mocap3d.output.bvh:write_bvh", "bvh_files/*.bvh"),
    "trc": Format("mocap3d.output.trc:read_trc", ".trc", "mocap3d.output.trc:write_trc", "c3d_trc/*.trc"),
    "c3d": Format("mocap3d.output.c3d:read_c3d", ".c3d", _beginnings_of_c3d),
    "csv": Format("mocap3d.output.csv_points:read_csv", ".csv", "mocap3d.output.csv_points:write_csv"),
    "json": Format("mocap3d.output.json_motion:read_json", ".json", "mocap3d.output.json_motion:write_json"),
    "npz": Format("mocap3d.output.archive:read_npz", ".npz", "mocap3d.output.archive:write_npz"),
    "h5": Format("mocap3d.output.archive:read_h5", ".h5", "mocap3d.output.archive:write_h5"),
    "glb": Format("mocap3d.output.gltf:read_glb_character", ".glb", "gltf_by_hand:write_dressed"),
    "gltf": Format("mocap3d.output.gltf:read_glb_character", ".gltf", "gltf_by_hand:write_dressed"),
    "usda": Format("fuzzing:read_usd", ".usda", "mocap3d.output.usd:write_usd"),
    "usdc": Format("fuzzing:read_usd", ".usdc", "mocap3d.output.usd:write_usd"),
    "vrma": Format("mocap3d.output.gltf:read_vrma", ".vrma", "mocap3d.output.gltf:write_vrma"),
    "fbx": Format("mocap3d.output.fbx:read_fbx_character", ".fbx", "fbx_readers:write_arm"),
    "amass": Format("mocap3d.output.amass:read_amass", ".npz", _amass),
    "cameras": Format("mocap3d.cameras.files:read_cameras", ".cameras", _cameras, "multiview_pose2sim/*/Calib.qca.txt"),
}


def read_usd(path: Path) -> object:
    """Read with one process for many files; starting one for each would take a third of a second."""
    return _usd_process().read(path)


@functools.cache
def _usd_process() -> Any:
    return named("mocap3d.output.usd:UsdProcess")(seconds=2)


def example(frames: int = 5) -> Motion:
    """A person who moves a little; small, so that damage meets every part of its file."""
    rig = humanoid_rig()
    rotvec = np.random.default_rng(0).normal(size=(frames, len(rig.skeleton), 3)) * 0.3
    root_m = rig.offsets_m[0] + np.arange(frames)[:, None] * [0.01, 0.0, 0.02]
    return Motion(rig=rig, fps=30, local_wxyz=rotvec_to_wxyz(rotvec), root_m=root_m)


def named(what: str) -> Callable[..., Any]:
    """Import ``module:function``."""
    module, function = what.split(":")
    loaded: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return loaded


def seed_files(format_: Format, folder: Path, data: Path | None = None) -> list[Path]:
    """Make the files to damage in an empty folder, and add the smaller real ones of the data folder."""
    if isinstance(format_.make, str):
        named(format_.make)(example(), folder / f"written{format_.suffix}")
    else:
        format_.make(folder)
    return seeds_in(format_, folder, data)


def seeds_in(format_: Format, folder: Path, data: Path | None = None) -> list[Path]:
    """List the files to damage that were made, and the smaller real ones."""
    made = sorted(path for path in folder.iterdir() if path.suffix == format_.suffix)
    found = sorted(data.glob(format_.found)) if data is not None and format_.found else []
    return made + [path for path in found if path.stat().st_size <= _LARGEST_SEED]


def is_read(read: Callable[[Path], object], path: Path) -> bool:
    """Read a damaged file: True when it was read, False when it was refused by one of our errors.

    Any other exception comes out, and so does a warning that is not ours, as an error.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", Mocap3dWarning)
        try:
            read(path)
        except Mocap3dError:
            return False
    return True


def assert_survives(
    read: Callable[[Path], object], seeds: Sequence[Path], folder: Path, count: int = 2000, seed: int = 0
) -> None:
    """Read ``count`` damaged copies of the seed files; a finding is left in ``folder``, and the message names it."""
    refused = 0
    for n, original in enumerate(seeds):
        damaged = folder / f"damaged-{n}{original.suffix}"
        share = count // len(seeds) + (n < count % len(seeds))
        for k, data in enumerate(mutations(original.read_bytes(), share, seed)):
            damaged.write_bytes(data)
            try:
                refused += not is_read(read, damaged)
            except Exception as error:
                error.add_note(f"copy {k} of {original.name} with seed {seed}, kept as {damaged}")
                raise
    assert refused > count / 20, f"only {refused} of {count} damaged files were refused: was anything damaged?"


def data_folder() -> Path | None:
    """The folder of real recordings: $MOCAP3D_DATA, or ../shared/data beside the repository; None without one."""
    folder = Path(os.environ.get("MOCAP3D_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
    return folder if folder.is_dir() else None
