"""Results of `mocap3d evaluate` for the viewer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

__all__ = ["ResultsShow", "is_results"]


def is_results(path: Path) -> bool:
    """Whether a file is a motion-data file."""
    return path.suffix.lower() in (".h5", ".hdf5")


class ResultsShow:
    """Motion-data files as one show."""

    kind: Literal["results"] = "results"

    def __init__(self, paths: Sequence[Path]) -> None:
        self.name = ", ".join(path.name for path in paths)

    def manifest(self) -> dict[str, Any]:
        """All that is known at once."""
        return {"kind": self.kind, "name": self.name}

    def rows(self, array: str, start: int, stop: int) -> bytes:
        """Frames of an array."""
        raise LookupError(array)

    def table(self, name: str) -> dict[str, Any]:
        """Numbers."""
        raise LookupError(name)

    def picture(self, camera: str, frame: int) -> bytes:
        """Results hold no pictures."""
        raise LookupError(camera)

    def download(self, name: str) -> tuple[str, bytes | Path]:
        """Results are files already."""
        raise LookupError(name)

    def close(self) -> None:
        """Let go of files."""
