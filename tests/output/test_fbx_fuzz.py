"""Damaged FBX files: only our own errors come out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
from fbx_edits import random_motion
from fbx_readers import write_arm
from fuzzing import assert_survives, example, is_read

from mocap3d.output.fbx import read_fbx_character, write_fbx
from mocap3d.output.fbx.parse import parse_records
from mocap3d.output.fbx.records import Record, write_records

NUMBERS = (0, 1, -1, 2, 14, 2**31 - 1, -(2**31), np.int64(2**62), np.int64(1_000_001), np.int64(0))
ODD = (*NUMBERS, 0.0, -1.0, 1e300, math.nan, math.inf, "", "Model", "\x00\x01", b"", True, np.zeros(3), np.zeros(0))


def seeds(folder: Path) -> list[Path]:
    """A file with a mesh, and one of version 7500 with moving joints."""
    write_arm(example(3), folder / "skin.fbx")
    motion = random_motion(0, frames=3)
    local_m = np.random.default_rng(0).normal(size=(3, 4, 3))
    write_fbx(replace(motion, local_m=local_m), folder / "moving.fbx", version=7500)
    return sorted(folder.glob("*.fbx"))


def odd_copies(data: bytes, folder: Path, count: int) -> Iterator[Path]:
    """Copies whose records are whole but hold nonsense: other values, other names, records missing or twice."""
    path, whole = folder / "odd.fbx", parse_records(data, "")
    for n in range(count):
        records = _changed(whole, Random(n))
        with path.open("wb") as file:
            write_records(file, records, 7500)
        yield path


def _changed(records: tuple[Record, ...], rng: Random) -> tuple[Record, ...]:
    """Change something in a list of records, or in one of them, and so on."""
    at = rng.randrange(len(records))
    record, change = records[at], rng.random()
    if record.children and change < 0.85:
        record = replace(record, children=_changed(tuple(record.children), rng))
    elif record.values and change < 0.95:
        values = list(record.values)
        values[rng.randrange(len(values))] = _other(values[rng.randrange(len(values))], rng)
        record = replace(record, values=tuple(values[: rng.choice((len(values), len(values), rng.randint(0, 4)))]))
    else:
        return records[:at] + records[at + rng.choice((0, 1)) :] if rng.random() < 0.7 else records[: at + 1] * 2
    return (*records[:at], record, *records[at + 1 :])


def _other(value: object, rng: Random) -> object:
    if isinstance(value, np.ndarray) and value.size and rng.random() < 0.7:
        array = value.copy()
        array[rng.randrange(array.size)] = rng.choice((0, 1, -1, 10**6, -(2**31)))
        if array.dtype.kind == "f" and rng.random() < 0.5:
            array[rng.randrange(array.size)] = rng.choice((math.nan, math.inf, 1e30))
        return array[: rng.choice((array.size, array.size, array.size - 1))]
    return rng.choice(ODD)


def test_two_thousand_damaged_files_are_read_or_refused(tmp_path):
    """Catches an IndexError, an overflow warning or an endless loop in a file that a disk or a person has damaged."""
    made = tmp_path / "made"
    made.mkdir()
    assert_survives(read_fbx_character, seeds(made), tmp_path)


def test_files_of_whole_records_that_hold_nonsense_are_read_or_refused(tmp_path):
    """Catches what damage to bytes seldom meets behind the lengths: ids, types, counts and numbers that cannot be."""
    made = tmp_path / "made"
    made.mkdir()
    outcomes = set()
    for seed in seeds(made):
        for copy in odd_copies(seed.read_bytes(), tmp_path, 250):
            outcomes.add(is_read(read_fbx_character, copy))
    assert outcomes == {True, False}
