"""Looking things up in JSON that somebody else wrote, so that whatever is wrong is said with its place."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, Final

from mocap3d.base.errors import FileFormatError, Mocap3dWarning

__all__ = ["Record"]

_LARGEST: Final = 1e12  # beyond this a number is broken, whatever it measures


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One object of a JSON document.

    Attributes:
        fields: what it holds.
        place: where it stands, such as ``nodes[3]``.
        path: the file, for messages.
    """

    fields: dict[str, Any]
    place: str
    path: str

    def error(self, message: str) -> FileFormatError:
        """Make the error that says what is wrong here."""
        return FileFormatError(f"{self.place}: {message}" if self.place else message, path=self.path)

    def warn(self, message: str) -> None:
        """Say that the result stands, but something was assumed."""
        place = f"{self.path}: {self.place}" if self.place else self.path
        warnings.warn(f"{place}: {message}", Mocap3dWarning, stacklevel=2)

    def has(self, key: str) -> bool:
        """Tell whether a field is there."""
        return key in self.fields

    def text(self, key: str, default: str = "") -> str:
        """Read a string."""
        value = self.fields.get(key, default)
        if not isinstance(value, str):
            raise self.error(f"{key} must be a text, got {_shown(value)}")
        return value

    def flag(self, key: str) -> bool:
        """Read a truth value; False where it is missing."""
        value = self.fields.get(key, False)
        if not isinstance(value, bool):
            raise self.error(f"{key} must be true or false, got {_shown(value)}")
        return value

    def count(self, key: str, default: int | None = None) -> int:
        """Read a whole number of at least 0."""
        value = self.fields.get(key, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
            raise self.error(f"{key} must be a whole number of at least 0, got {_shown(value)}")
        return value

    def index(self, key: str, below: int) -> int | None:
        """Read an index into a list of ``below`` things; None where it is missing."""
        if key not in self.fields:
            return None
        value = self.count(key)
        if value >= below:
            raise self.error(f"{key} is {value}, but there are {below}")
        return value

    def indices(self, key: str, below: int) -> list[int]:
        """Read a list of different indices; empty where it is missing."""
        values = self._list(key)
        found = [Record(fields={key: value}, place=self.place, path=self.path).index(key, below) for value in values]
        indices = [index for index in found if index is not None]
        if len(set(indices)) < len(indices):
            raise self.error(f"{key} names one thing twice")
        return indices

    def numbers(self, key: str, default: tuple[float, ...]) -> tuple[float, ...]:
        """Read as many finite numbers as the default has."""
        if key not in self.fields:
            return default
        values = self._list(key)
        usable = all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) <= _LARGEST for v in values)
        if len(values) != len(default) or not usable or not all(map(math.isfinite, values)):
            raise self.error(f"{key} must be {len(default)} finite numbers, got {_shown(values)}")
        return tuple(float(v) for v in values)

    def record(self, key: str) -> Record | None:
        """Go into an object; None where it is missing."""
        if key not in self.fields:
            return None
        return self._inside(self.fields[key], key)

    def needed(self, key: str) -> Record:
        """Go into an object that must be there."""
        return self._inside(self.fields.get(key), key)

    def records(self, key: str) -> list[Record]:
        """Go into every object of a list; empty where it is missing."""
        return [self._inside(value, f"{key}[{n}]") for n, value in enumerate(self._list(key))]

    def _inside(self, value: object, key: str) -> Record:
        if not isinstance(value, dict):
            raise self.error(f"{key} must be an object, got {_shown(value)}")
        return Record(fields=value, place=f"{self.place}.{key}" if self.place else key, path=self.path)

    def _list(self, key: str) -> list[Any]:
        value = self.fields.get(key, [])
        if not isinstance(value, list):
            raise self.error(f"{key} must be a list, got {_shown(value)}")
        return value


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    if isinstance(value, int) and abs(value) > 10**20:
        return "a huge number"
    return "nothing" if value is None else repr(value)[:40]
