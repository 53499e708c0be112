"""Writing a data set person by person: resume, progress, and the one body if it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mocap3d.data_prep.motion_file import MotionWriter
from mocap3d.data_prep.motion_read import read_sequences, sequence_names
from mocap3d.data_prep.motion_sequence import MotionSequence
from mocap3d.data_prep.one_body import on_one_body
from mocap3d.data_prep.part_origin import begun_with

from mocap3d.base.errors import InputError

__all__ = ["Group", "one_body_file", "write_groups"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """All takes of one person.

    Attributes:
        subject: who.
        actions: names of the takes.
        convert: makes their sequences; called only when one of them is not yet in the file.
    """

    subject: str
    actions: tuple[str, ...]
    convert: Callable[[], Sequence[MotionSequence]]


def write_groups(
    out: Path,
    groups: Sequence[Group],
    origin: Mapping[str, str],
    *,
    one_body: bool,
    progress: Callable[[int, int], None] | None,
) -> Path:
    """Convert and write all groups; an interrupted run goes on with the first person who is not complete.

    Args:
        out: the HDF5 file to write.
        groups: who, one after another.
        origin: `part_origin.begun_with`, all that decides what the groups hold.
        one_body: put everybody on the one reference body.
        progress: called with (takes done, takes in all) after each person.

    Raises:
        InputError: two takes of one person have one name, or an interrupted run was begun with something else; and
            all that ``convert`` raises.
    """
    for group in groups:
        twice = {action for action in group.actions if group.actions.count(action) > 1}
        if twice:
            raise InputError(f"two takes of {group.subject} are called {', '.join(sorted(twice))}")
    total, done = sum(len(group.actions) for group in groups), 0
    with MotionWriter(out, origin={**origin, "one body": "yes" if one_body else "no"}) as writer:
        for group in groups:
            if not all(writer.has(group.subject, action) for action in group.actions):
                sequences = group.convert()
                for sequence in on_one_body(sequences) if one_body else sequences:
                    writer.add(sequence)
            done += len(group.actions)
            if progress is not None:
                progress(done, total)
    return out


def one_body_file(source: Path | str, out: Path | str, *, progress: Callable[[int, int], None] | None = None) -> Path:
    """Put everybody in a motion-data file on the one reference body.

    Cameras, views and predictions stay behind: they belong to the bodies that were recorded.

    Args:
        source: a motion-data file of lifter-20 or human36m-17 joints.
        out: the HDF5 file to write.
        progress: called with (takes done, takes in all) after each person.

    Raises:
        InputError: ``source`` is not there, is ``out``, or has other joints.
        FileFormatError: ``source`` is no motion-data file, or damaged.
    """
    if Path(source).resolve() == Path(out).resolve():
        raise InputError(f"{out} would replace the file that is read; choose another name")
    actions: dict[str, list[str]] = {}
    for subject, action in sequence_names(Path(source)):
        actions.setdefault(subject, []).append(action)

    def takes_of(subject: str) -> list[MotionSequence]:
        return list(read_sequences(Path(source), frozenset({subject})))

    groups = [
        Group(subject=subject, actions=tuple(names), convert=partial(takes_of, subject))
        for subject, names in actions.items()
    ]
    origin = begun_with("a motion-data file", source)
    return write_groups(Path(out), groups, origin, one_body=True, progress=progress)
