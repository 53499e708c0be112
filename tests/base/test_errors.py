"""The exception tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from mocap3d.base import errors


def test_the_tree_is_as_drawn() -> None:
    """Catches an error that `except ValueError` or `except Mocap3dError` no longer catches."""
    assert issubclass(errors.InputError, errors.Mocap3dError)
    assert issubclass(errors.InputError, ValueError)
    assert issubclass(errors.FileFormatError, errors.InputError)
    assert issubclass(errors.CalibrationError, errors.Mocap3dError)
    assert issubclass(errors.MissingExtraError, errors.Mocap3dError)
    assert issubclass(errors.MissingExtraError, ImportError)
    assert issubclass(errors.Mocap3dWarning, UserWarning)


@pytest.mark.parametrize(
    ("path", "line", "text"),
    [("a.bvh", 7, "a.bvh:7: odd"), ("a.bvh", None, "a.bvh: odd"), (None, 7, "line 7: odd"), (None, None, "odd")],
)
def test_a_format_error_says_where(path: str | None, line: int | None, text: str) -> None:
    """Catches messages like 'None:None: odd'."""
    error = errors.FileFormatError("odd", path=path, line=line)
    assert str(error) == text
    assert error.path == (None if path is None else Path(path))
    assert error.line == line


def test_a_missing_extra_says_how_to_get_it() -> None:
    """Catches a bare 'No module named torch'."""
    assert str(errors.MissingExtraError("torch", "torch")) == (
        "torch is not installed; bring it with: pip install 'mocap3d[torch]'"
    )
