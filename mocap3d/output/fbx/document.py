"""What stands around the objects of an FBX file: header, global settings, definitions, connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Final

import numpy as np

from mocap3d.output.fbx.records import Record, Value
from mocap3d.output.fbx.times import time_mode

__all__ = ["ROOT_ID", "TAKE", "Objects", "document", "properties"]

ROOT_ID: Final = np.int64(0)
"""The id of the scene itself, which no object is."""
TAKE: Final = "Take 001"
"""What Autodesk's programs call the only animation."""

_FILE_ID: Final = bytes.fromhex("28b32aebb624ccc2bfc8b02aa92bfcf1")  # signs the creation time; both are constants here
_CREATED: Final = "1970-01-01 10:00:00:000"
_DOCUMENT_ID: Final = np.int64(1)


class Objects:
    """The objects of a scene and how they hang together.

    Attributes:
        records: one for each object; children may be generators.
        connections: records of the list of connections.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.connections: list[Record] = []

    def add(self, kind: str, name: str, sort: str, children: Iterable[Record], *, of: str = "") -> np.int64:
        """Add an object.

        Args:
            kind: the record's name, such as ``Model``.
            name: what people see.
            sort: such as ``LimbNode``.
            children: its contents.
            of: the class behind the name where it is not the kind.

        Returns:
            Its id: objects are counted, so the same scene has the same ids.
        """
        identity = np.int64(1_000_000 + len(self.records))
        self.records.append(Record(kind, (identity, f"{name}\x00\x01{of or kind}", sort), children))
        return identity

    def connect(self, child: np.int64, parent: np.int64, channel: str | None = None) -> None:
        """Hang an object under another, or on one of its properties."""
        values: tuple[Value, ...] = ("OO", child, parent) if channel is None else ("OP", child, parent, channel)
        self.connections.append(Record("C", values))


def properties(*rows: tuple[Value, ...]) -> Record:
    """Make a Properties70 record; a row is name, type, label, flags, values."""
    return Record("Properties70", (), [Record("P", row) for row in rows])


def document(objects: Objects, *, version: int, unit_m: float, fps: Fraction, stop: np.int64) -> Iterable[Record]:
    """List the records of a file.

    Args:
        objects: the scene.
        version: of the format, 7400 or 7500.
        unit_m: metres per unit.
        fps: frames per second.
        stop: ticks of the last frame.
    """
    yield _header(version)
    yield Record("FileId", (_FILE_ID,))
    yield Record("CreationTime", (_CREATED,))
    yield Record("Creator", ("mocap3d",))
    yield _global_settings(unit_m, fps, stop)
    yield _documents()
    yield Record("References", (), ())
    yield _definitions(objects)
    yield Record("Objects", (), objects.records)
    yield Record("Connections", (), objects.connections)
    span = (np.int64(0), stop)
    take = (Record("FileName", ("Take_001.tak",)), Record("LocalTime", span), Record("ReferenceTime", span))
    yield Record("Takes", (), (Record("Current", (TAKE,)), Record("Take", (TAKE,), take)))


def _header(version: int) -> Record:
    moment = (("Version", 1000), ("Year", 1970), ("Month", 1), ("Day", 1), ("Hour", 10), ("Minute", 0), ("Second", 0))
    about = (
        Record("Type", ("UserData",)),
        Record("Version", (100,)),
        properties(
            ("Original|ApplicationName", "KString", "", "", "mocap3d"),
            ("LastSaved|ApplicationName", "KString", "", "", "mocap3d"),
        ),
    )
    return Record(
        "FBXHeaderExtension",
        (),
        (
            Record("FBXHeaderVersion", (1003,)),
            Record("FBXVersion", (version,)),
            Record("EncryptionType", (0,)),
            Record("CreationTimeStamp", (), [Record(name, (n,)) for name, n in (*moment, ("Millisecond", 0))]),
            Record("Creator", ("mocap3d",)),
            Record("SceneInfo", ("GlobalInfo\x00\x01SceneInfo", "UserData"), about),
        ),
    )


def _global_settings(unit_m: float, fps: Fraction, stop: np.int64) -> Record:
    """Y up, Z to the front, X to the right-hand side of who looks at it: right-handed; the unit in centimetres."""
    axes = (("UpAxis", 1), ("UpAxisSign", 1), ("FrontAxis", 2), ("FrontAxisSign", 1), ("CoordAxis", 0))
    integers = (*axes, ("CoordAxisSign", 1), ("OriginalUpAxis", 1), ("OriginalUpAxisSign", 1))
    unit_cm = unit_m * 100
    rows = properties(
        *[(name, "int", "Integer", "", n) for name, n in integers],
        ("UnitScaleFactor", "double", "Number", "", unit_cm),
        ("OriginalUnitScaleFactor", "double", "Number", "", unit_cm),
        ("TimeMode", "enum", "", "", time_mode(fps)),
        ("TimeSpanStart", "KTime", "Time", "", np.int64(0)),
        ("TimeSpanStop", "KTime", "Time", "", stop),
        ("CustomFrameRate", "double", "Number", "", float(fps)),
    )
    return Record("GlobalSettings", (), (Record("Version", (1000,)), rows))


def _documents() -> Record:
    about = properties(
        ("SourceObject", "object", "", ""),
        ("ActiveAnimStackName", "KString", "", "", TAKE),
    )
    scene = Record("Document", (_DOCUMENT_ID, "Scene", "Scene"), (about, Record("RootNode", (ROOT_ID,))))
    return Record("Documents", (), (Record("Count", (1,)), scene))


def _definitions(objects: Objects) -> Record:
    counts = Counter(["GlobalSettings"]) + Counter(record.name for record in objects.records)
    types = [Record("ObjectType", (kind,), (Record("Count", (n,)),)) for kind, n in counts.items()]
    return Record("Definitions", (), (Record("Version", (100,)), Record("Count", (counts.total(),)), *types))
