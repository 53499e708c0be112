"""Finding the file of a body model by the names that its makers gave, and saying where the files come from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from mocap3d.base.errors import InputError

__all__ = ["WHERE_TO_GET", "find_model_file", "gender_of"]

WHERE_TO_GET: Final = (
    "The models are free for non-commercial scientific research, after registration: SMPL from "
    "https://smpl.is.tue.mpg.de, SMPL-H from https://mano.is.tue.mpg.de, SMPL-X from https://smpl-x.is.tue.mpg.de "
    "(docs/smpl.md says more)"
)

_NAMES: Final = {
    "smpl": r"smpl_(neutral|female|male)\.(pkl|npz)|basicmodel_(neutral|f|m)_lbs_\d+_\d+_\d+_v[\d.]+\.(pkl|npz)",
    "smplh": r"smplh_(neutral|female|male)\.(pkl|npz)|model\.npz",
    "smplx": r"smplx_(neutral|female|male)(_\d+)?\.(npz|pkl)",
}
_DEEPEST: Final = 4  # folders below the one that was given
_MOST: Final = 20_000  # files looked at


def find_model_file(folder: Path, kind: str | None, gender: str | None) -> Path:
    """Look for a model in a folder and those below it.

    Raises:
        InputError: there is none, or several that would do.
    """
    found = [
        (path, its_kind)
        for its_kind, pattern in _NAMES.items()
        if kind in (None, its_kind)
        for path in _files(folder)
        if re.fullmatch(pattern, path.name.lower()) and "dmpls" not in path.parts  # AMASS's soft tissue
    ]
    wanted = [path for path, _ in found if gender in (None, gender_of(path))]
    what = f"{gender or 'body'} model{f' of {kind}' if kind else ''}"
    if not wanted:
        there = ", ".join(str(path.relative_to(folder)) for path, _ in found) or "none that is known by its name"
        raise InputError(f"no {what} in {folder} (there: {there}). {WHERE_TO_GET}")
    nearest = min(len(path.parts) for path in wanted)
    first, *others = [path for path in wanted if len(path.parts) == nearest]
    if others and (kind is None or gender is None):
        listed = ", ".join(str(path.relative_to(folder)) for path in (first, *others))
        raise InputError(f"{folder} holds several body models: name one of {listed}")
    return first


def gender_of(path: Path) -> str | None:
    """The gender that a file's name, or that of its folder, tells."""
    for name in (path.stem.lower(), path.parent.name.lower()):
        words = re.split(r"[^a-z]+", name)
        for gender in ("neutral", "female", "male"):
            if gender in words or (gender[0] in words and name.startswith("basicmodel")):
                return gender
    return None


def _files(folder: Path) -> list[Path]:
    """Files below a folder, in order; neither too deep nor too many."""
    files: list[Path] = []
    level = [folder]
    for _ in range(_DEEPEST):
        inside = [path for place in level for path in _entries(place)]
        files += [path for path in inside if path.is_file()]
        level = [path for path in inside if path.is_dir() and not path.is_symlink()]
        if len(files) > _MOST:
            break
    return files


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror or error}") from error
