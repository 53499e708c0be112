"""Any motion, and FBX files changed record by record: how other programs write them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import Skeleton
from mocap3d.output.fbx.parse import parse_records
from mocap3d.output.fbx.records import Record, write_records


def random_motion(seed, joints=4, frames=9, fps=Fraction(30)):
    """Any rig, any rotations."""
    rng = np.random.default_rng(seed)
    parents = (-1, *(int(rng.integers(0, j)) for j in range(1, joints)))
    skeleton = Skeleton(
        name="any", joint_names=tuple(f"bone{j}" for j in range(joints)), parents=parents, mirror=tuple(range(joints))
    )
    rest_wxyz = Rotation.random(joints, rng).as_quat(scalar_first=True)
    rig = Rig(skeleton=skeleton, offsets_m=rng.normal(size=(joints, 3)), rest_wxyz=rest_wxyz)
    start = Rotation.random(joints, rng)
    turns = [(start * Rotation.from_rotvec(rng.normal(size=(joints, 3)) * 0.3)).as_quat(scalar_first=True)]
    turns += [Rotation.random(joints, rng).as_quat(scalar_first=True) for _ in range(frames - 1)]
    return Motion(rig=rig, fps=fps, local_wxyz=np.array(turns), root_m=rng.normal(size=(frames, 3)))


def change(path: Path, edit) -> None:
    """Rewrite a file: ``edit(record)`` gives what stands in its place, inside first; None drops it."""

    def changed(record):
        children = record.children
        if children is not None:
            children = tuple(new for child in children if (new := changed(child)) is not None)
        return edit(replace(record, children=children))

    records = [new for record in parse_records(path.read_bytes(), "") if (new := changed(record)) is not None]
    with path.open("wb") as file:
        write_records(file, records, 7400)


def with_rows(record: Record, **rows) -> Record:
    """A record whose properties are set: a name (blanks as __) -> values."""
    new = {name.replace("__", " "): values for name, values in rows.items()}
    inside = []
    for child in record.children:
        if child.name == "Properties70":
            kept = [row for row in child.children if row.values[0] not in new]
            added = [Record("P", (name, "", "", "", *values)) for name, values in new.items()]
            child = replace(child, children=(*kept, *added))
        inside.append(child)
    return replace(record, children=tuple(inside))


def name_of(record: Record) -> str:
    """The name of an object."""
    return str(record.values[1]).split("\x00")[0] if len(record.values) > 1 else ""


def connections(edit):
    """Change the list of connections: ``edit(list of (kind, child, parent))``."""

    def whole(record):
        if record.name != "Connections":
            return record
        return replace(
            record, children=tuple(Record("C", values) for values in edit([c.values for c in record.children]))
        )

    return whole


def objects_in(path: Path) -> tuple[Record, ...]:
    top = {record.name: record for record in parse_records(path.read_bytes(), "")}
    return tuple(top["Objects"].children)
