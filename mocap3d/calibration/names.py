"""What cameras are called after their videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["names_of"]


def names_of(paths: Sequence[Path]) -> tuple[str, ...]:
    """Each file's name without extension; with its folder's where two are alike; else "cam0", "cam1" ...

    A folder of photos keeps its whole name.
    """
    names = [path.name if path.is_dir() else path.stem for path in paths]
    if len(set(names)) < len(names):
        names = [f"{path.resolve().parent.name}-{name}" for path, name in zip(paths, names, strict=True)]
    if len(set(names)) < len(names):
        names = [f"cam{n}" for n in range(len(paths))]
    return tuple(names)
