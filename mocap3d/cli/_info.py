"""The sub-command that tells what a file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mocap3d.base.errors import InputError
from mocap3d.cli._inputs import VIDEO_SUFFIXES

__all__ = ["info"]


def info(
    file: Annotated[Path, typer.Argument(help="A motion file, a video, or a folder of images.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what a file holds."""
    facts = {"file": str(file), **_facts(file)}
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        for name, value in facts.items():
            print(f"{name:>12}  {value}")


def _facts(file: Path) -> dict[str, object]:
    if file.is_dir():
        return _of_images(file)
    if not file.exists():
        raise InputError(f"there is no file {file}")
    return _of_video(file) if file.suffix.lower() in VIDEO_SUFFIXES else _of_motion(file)


def _of_images(folder: Path) -> dict[str, object]:
    """Without a frame rate: the images do not have one."""
    from mocap3d.cameras.image_folder import list_images, read_image

    images = list_images(folder)
    height, width = read_image(images[0]).shape[:2]
    return {"kind": "images", "size": f"{width} x {height} px", "frames": len(images)}


def _of_video(file: Path) -> dict[str, object]:
    from mocap3d.cameras.video import open_video

    with open_video(file) as video:
        width, height = video.size_wh_px
        return {
            "kind": "video",
            "size": f"{width} x {height} px",
            "fps": float(video.fps),
            "frames": video.frame_count,
        }


def _of_motion(file: Path) -> dict[str, object]:
    import numpy as np

    from mocap3d.base.kinematics import forward
    from mocap3d.base.pose import Pose3D
    from mocap3d.output import read

    found = read(file)
    points = isinstance(found, Pose3D)
    skeleton = found.skeleton if isinstance(found, Pose3D) else found.rig.skeleton
    height_m = (found.xyz_m if isinstance(found, Pose3D) else forward(found)[0])[..., 1]
    seen = height_m[np.isfinite(height_m)]
    return {
        "kind": "points" if points else "motion",
        "joints": len(skeleton),
        "frames": len(found),
        "fps": float(found.fps),
        "seconds": round(float(len(found) / found.fps), 3),
        "lowest_m": round(float(seen.min()), 3) if seen.size else None,
        "highest_m": round(float(seen.max()), 3) if seen.size else None,
        "names": " ".join(skeleton.joint_names),
    }
