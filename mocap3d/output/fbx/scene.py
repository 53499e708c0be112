"""Records of a file -> objects with properties that know what they are connected to."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError
from mocap3d.output.fbx.records import Record, Value
from mocap3d.output.fbx.times import NEW_TICKS_PER_S, TICKS_PER_S

__all__ = ["LARGEST", "Item", "Scene", "child_of", "first_text"]

Floats = NDArray[np.float64]
_Rows = Mapping[str, tuple[Value, ...]]

LARGEST: Final = 1e12
"""Numbers beyond this are broken, whatever their unit."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One object of a scene.

    Attributes:
        identity: its id; 0 is the scene itself.
        kind: such as ``Model``.
        name: what people see.
        sort: such as ``LimbNode``.
        record: where it came from.
        rows: its properties, with those of its kind's template behind them.
        path: of the file, for messages.
    """

    identity: int
    kind: str
    name: str
    sort: str
    record: Record
    rows: _Rows
    path: str

    def error(self, message: str) -> FileFormatError:
        """Make an error that names the object."""
        return FileFormatError(f"{self.kind} {self.name!r}: {message}", path=self.path)

    def vector(self, name: str, default: float = 0.0) -> Floats:
        """Look up a property of three numbers."""
        if name not in self.rows:
            return np.full(3, default)
        values = [_number(value) for value in self.rows[name][:3]]
        if len(values) < 3 or not all(abs(value) <= LARGEST for value in values):
            raise self.error(f"{name} must be three finite numbers")
        return np.array(values)

    def number(self, name: str, default: float) -> float:
        """Look up a property of one number."""
        values = self.rows.get(name, (default,))
        value = _number(values[0]) if values else math.nan
        if not abs(value) <= 1e20:
            raise self.error(f"{name} must be a finite number")
        return value

    def integer(self, name: str, default: int) -> int:
        """Look up a property of one whole number, exactly."""
        values = self.rows.get(name, (default,))
        if not values or not isinstance(values[0], numbers.Integral):
            raise self.error(f"{name} must be a whole number")
        return int(values[0])

    def floats(self, record: Record, name: str, count: int | None = None) -> Floats:
        """Look up an array of finite numbers below a record; it is empty where there is none and none is asked for."""
        found = child_of(record, name)
        values = found.values[0] if found is not None and found.values else np.zeros(0)
        if not isinstance(values, np.ndarray):
            raise self.error(f"{name} is no array")
        with np.errstate(invalid="ignore"):  # of signalling NaN in a broken file; refused just below
            array = values.astype(np.float64)
        if (count is not None and array.size != count) or not (np.abs(array) <= LARGEST).all():
            raise self.error(f"{name} must hold {'finite' if count is None else count} numbers")
        return array

    def integers(self, record: Record, name: str) -> NDArray[np.int64]:
        """Look up an array of whole numbers below a record; it is empty where there is none."""
        found = child_of(record, name)
        values = found.values[0] if found is not None and found.values else np.zeros(0, dtype=np.int64)
        if not isinstance(values, np.ndarray) or values.dtype.kind != "i":
            raise self.error(f"{name} is no array of whole numbers")
        return values.astype(np.int64)


@dataclass(slots=True, eq=False)
class Scene:
    """What a file holds.

    Attributes:
        path: the file, for messages.
        settings: GlobalSettings as an object.
        items: objects by id.
        below: for each id, (child, property or "") in the order of the file.
        above: for each id, (parent, property or "").
        ticks_per_s: the unit of time.
    """

    path: str
    settings: Item
    items: dict[int, Item] = field(default_factory=dict)
    below: dict[int, list[tuple[Item, str]]] = field(default_factory=dict)
    above: dict[int, list[tuple[Item, str]]] = field(default_factory=dict)
    ticks_per_s: int = TICKS_PER_S

    @classmethod
    def from_records(cls, records: Iterable[Record], path: str) -> Scene:
        """Find objects and connections.

        Raises:
            FileFormatError: there are none, or they are no objects and connections.
        """
        top = {record.name: record for record in reversed(list(records))}
        if "Objects" not in top or "Connections" not in top:
            raise FileFormatError("the file has no list of objects or of connections", path=path)
        templates = _templates(top.get("Definitions"))
        settings = top.get("GlobalSettings", Record("GlobalSettings"))
        scene = cls(path, Item(0, "GlobalSettings", "", "", settings, _rows(settings), path))
        scene.ticks_per_s = _ticks_per_s(top.get("FBXHeaderExtension"))
        for record in _children(top["Objects"]):
            if (item := _item(record, templates, path)) is not None and item.identity != 0:
                scene.items.setdefault(item.identity, item)
        for record in _children(top["Connections"]):
            scene._connect(record)
        return scene

    def _connect(self, record: Record) -> None:
        values = record.values
        sort = values[0] if values and isinstance(values[0], str) else ""
        if record.name != "C" or len(values) < 3 or sort not in ("OO", "OP"):
            return  # PO and PP tie properties together; nothing here needs them
        child, parent = values[1:3]
        if not isinstance(child, numbers.Integral) or not isinstance(parent, numbers.Integral):
            raise FileFormatError("a connection is not between two ids", path=self.path)
        channel = values[3] if sort == "OP" and len(values) > 3 and isinstance(values[3], str) else ""
        if int(child) in self.items:
            self.below.setdefault(int(parent), []).append((self.items[int(child)], channel))
            if int(parent) in self.items:
                self.above.setdefault(int(child), []).append((self.items[int(parent)], channel))

    def of_kind(self, kind: str, *sorts: str) -> list[Item]:
        """List the objects of a kind, and of some sorts of it."""
        return [item for item in self.items.values() if item.kind == kind and (not sorts or item.sort in sorts)]

    def children(self, item: Item | int, kind: str, *sorts: str) -> list[Item]:
        """List what of a kind hangs directly under an object (or under id 0, the scene)."""
        below = self.below.get(item if isinstance(item, int) else item.identity, [])
        return [child for child, _ in below if child.kind == kind and (not sorts or child.sort in sorts)]

    def parents(self, item: Item, kind: str) -> list[Item]:
        """List what of a kind an object hangs under."""
        return [parent for parent, _ in self.above.get(item.identity, []) if parent.kind == kind]


def child_of(record: Record | None, name: str) -> Record | None:
    """Find the first record of a name inside another."""
    return next((child for child in _children(record) if child.name == name), None)


def first_text(record: Record | None, name: str) -> str:
    """Find the first value of the first record of a name inside another; empty where it is no text."""
    value = _first_value(record, name)
    return value if isinstance(value, str) else ""


def _first_value(record: Record | None, name: str) -> Value | None:
    found = child_of(record, name)
    return found.values[0] if found is not None and found.values else None


def _children(record: Record | None) -> tuple[Record, ...]:
    return () if record is None or record.children is None else tuple(record.children)


def _rows(record: Record | None) -> dict[str, tuple[Value, ...]]:
    """Read Properties70 inside a record: name -> values."""
    rows = {}
    for row in _children(child_of(record, "Properties70")):
        if len(row.values) >= 4 and isinstance(row.values[0], str):
            rows[row.values[0]] = row.values[4:]
    return rows


def _templates(definitions: Record | None) -> dict[str, dict[str, tuple[Value, ...]]]:
    """Read the properties that all objects of a kind have unless they say otherwise."""
    found = {}
    for record in _children(definitions):
        if record.name == "ObjectType" and record.values and isinstance(record.values[0], str):
            found[record.values[0]] = _rows(child_of(record, "PropertyTemplate"))
    return found


def _ticks_per_s(header: Record | None) -> int:
    """Read the unit of time from FBXHeaderExtension: FBX 8's smaller number of ticks is already seen in version 7."""
    flags = child_of(header, "OtherFlags")
    version, definition = _first_value(header, "FBXHeaderVersion"), _first_value(flags, "TCDefinition")
    newer = isinstance(version, int) and version >= 1004 and isinstance(definition, int) and definition != 127
    return NEW_TICKS_PER_S if newer else TICKS_PER_S


def _item(record: Record, templates: Mapping[str, _Rows], path: str) -> Item | None:
    values = record.values
    if not values or not isinstance(values[0], numbers.Integral):
        return None
    texts = [value if isinstance(value, str) else "" for value in (*values[1:3], "", "")]
    name = texts[0].split("\x00\x01")[0]
    rows = {**templates.get(record.name, {}), **_rows(record)}
    return Item(int(values[0]), record.name, name, texts[1], record, rows, path)


def _number(value: Value) -> float:
    return float(value) if isinstance(value, numbers.Real) else math.nan
