"""What mocap3d raises, so that a caller can catch the family or one kind.

Mocap3dError
├── InputError (also ValueError)          what the caller gave cannot be used
│   └── FileFormatError                   ... and it is a file: path, and line where there is one
├── CalibrationError                      cameras could not be solved, or the solution is not believable
└── MissingExtraError (also ImportError)  an optional package is needed
Mocap3dWarning (UserWarning)              the result stands, but something was repaired or doubtful
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "CalibrationError",
    "FileFormatError",
    "InputError",
    "MissingExtraError",
    "Mocap3dError",
    "Mocap3dWarning",
]


class Mocap3dError(Exception):
    """Base of every error that mocap3d raises on purpose."""


class InputError(Mocap3dError, ValueError):
    """A value, an array or a file from the caller cannot be used; the message says what would do."""


class FileFormatError(InputError):
    """A file does not hold what its format promises.

    Attributes:
        path: the file, or None when the text did not come from one.
        line: 1-based line, or None for binary formats.
    """

    def __init__(self, message: str, *, path: str | Path | None = None, line: int | None = None) -> None:
        """Build the message ``path:line: message``."""
        self.path = None if path is None else Path(path)
        self.line = line
        where = "" if path is None else str(path)
        if line is not None:
            where += f":{line}" if where else f"line {line}"
        super().__init__(f"{where}: {message}" if where else message)


class CalibrationError(Mocap3dError):
    """Cameras could not be solved, or the solution cannot be believed."""


class MissingExtraError(Mocap3dError, ImportError):
    """An optional package is needed for what was asked."""

    def __init__(self, package: str, extra: str) -> None:
        """Say which package is missing and which extra brings it."""
        super().__init__(f"{package} is not installed; bring it with: pip install 'mocap3d[{extra}]'")


class Mocap3dWarning(UserWarning):
    """The result stands, but something was repaired, assumed or doubtful."""
