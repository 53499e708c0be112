"""From a folder of stages to motion again: what was changed is taken as given, what depends on it is made anew.

The order of dependence, shot by shot::

    settings, lens ─────┐
    2D of each person ──┴─> 3D in the camera's frame ─> ground (of all) ─> 3D in the world ─> contacts, body, motion

What somebody has changed further down stays when a stage above it is made anew, because it is about the person and not
about the numbers before it (contacts, body, ground), or it moves along with the world (3D). Only the 3D of a person
whose own 2D, lens or stature has changed cannot stay: it is made anew, and the file kept under another name.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from mocap3d import weights
from mocap3d.base.errors import InputError, Mocap3dWarning
from mocap3d.base.ground import Ground
from mocap3d.base.pose import Pose2D
from mocap3d.clip import Clip, Performance
from mocap3d.solving import (
    FootLock,
    Sight,
    Standing,
    Wanted,
    camera_in_world,
    doubts_of,
    find_world,
    in_world,
    lift_person,
    moved,
    notes_of,
    perform,
    settle,
    solve_person,
)
from mocap3d.stages.changes import Changes, PersonFiles, read_changes
from mocap3d.stages.folder import BODY, CONTACTS, POSE2D, POSE3D, file_of, ground_file, texts_of, write_all
from mocap3d.stages.record import Record

__all__ = ["solve_stages"]

Say = Callable[[str], None]

_CALLED = {POSE2D: "2D", POSE3D: "3D", CONTACTS: "contacts", BODY: "body"}


def solve_stages(folder: str | os.PathLike[str], *, device: str = "cpu", say: Say | None = None) -> Clip:
    """Solve a folder of stages again, from the earliest file that was changed.

    What does not depend on a change keeps its last bit: without any change the clip is the one that was captured.
    Files that somebody has changed stay; files that are made anew are rewritten, and ``say`` is told which.

    Args:
        folder: what `Clip.save_stages` or ``mocap3d capture --keep-stages`` wrote.
        device: "cpu" or a torch device, for lifting again.
        say: told line by line what has changed, what is done and which files are rewritten.

    Returns:
        The clip. If it cannot be made nothing is written.

    Raises:
        FileFormatError: a file says what cannot be understood; with its line.
        InputError: no folder of stages, or what it says cannot be solved.
    """
    path = Path(folder)
    changes = read_changes(path)
    run = _Run(changes=changes, wanted=_wanted(changes, device), say=say or (lambda line: None))
    shots = [run.shot(index) for index in range(len(changes.record.clip.shots))]
    clip = _clip(run, shots)
    if run.touched:
        _write(path, run, clip)
    else:
        run.say("nothing has changed: the motion is as it was")
    for note in clip.notes:
        if note not in changes.record.clip.notes:
            warnings.warn(note, Mocap3dWarning, stacklevel=2)
    return clip


@dataclass(kw_only=True)
class _Run:
    """One solve: what is wanted, and what is found out on the way.

    Attributes:
        changes: what the files say.
        wanted: how to solve.
        say: told what is done.
        touched: whether anything was made anew.
        lifted: whether anybody was lifted again.
        kept: names of files changed by hand that stay given.
        moved_along: those of them whose numbers moved with the world.
        replaced: names of files changed by hand that are made anew.
    """

    changes: Changes
    wanted: Wanted
    say: Say
    touched: bool = False
    lifted: bool = False
    kept: set[str] = field(default_factory=set)
    moved_along: set[str] = field(default_factory=set)
    replaced: list[str] = field(default_factory=list)

    def shot(self, shot: int) -> tuple[list[Performance], Ground | None]:
        """Solve one shot as far as is needed."""
        changes, people = self.changes, self.changes.of_shot(shot)
        known = changes.record.clip.grounds[shot]
        if known is None or not people:
            return [], known
        lift = self._must_lift(shot, people)
        if lift and changes.record.clip.rig:
            raise InputError(
                "stages of several cameras are solved again from 3D, contacts and body; lifting again means capturing "
                "again: put back the 3D files, and height_m and symmetric in settings.toml"
            )
        self._tell(shot, people, lift)
        standing, ground = self._standing(shot, people, known, lift)
        anew = [
            bool(lift or ground is not known or changes.lock_changed or person.changed & {POSE3D, CONTACTS, BODY})
            for person in people
        ]
        motions = [
            solve_person(one, self.wanted) if new else person.known.motion
            for one, person, new in zip(standing, people, anew, strict=True)
        ]
        if lift and ground_file(shot) not in changes.by_hand:
            standing, motions, ground = settle(standing, motions, ground)
        self.touched |= any(anew)
        performances = [
            replace(
                perform(one, motion, shot, self.wanted) if new else person.known,
                pose2d=one.sight.pose2d,
                views=person.known.views,
            )
            for one, motion, person, new in zip(standing, motions, people, anew, strict=True)
        ]
        return performances, ground

    def _must_lift(self, shot: int, people: Sequence[PersonFiles]) -> bool:
        lost = self.changes.grounds[shot] is None or any(person.pose3d is None for person in people)
        return bool(self.changes.everybody) or lost or any(POSE2D in person.changed for person in people)

    def _standing(
        self, shot: int, people: Sequence[PersonFiles], known: Ground, lift: bool
    ) -> tuple[list[Standing], Ground]:
        """Everybody in the world, with what is given of them."""
        said = self.changes.grounds[shot]
        several = bool(self.changes.record.clip.rig)
        sights = [_sight(person, bridge=not several) for person in people]
        if lift:
            self.lifted = True
            placed = [lift_person(sight, self.wanted) for sight in sights]
            ground = said if said and ground_file(shot) in self.changes.by_hand else find_world(placed, self.wanted)
            standing = [in_world(one, ground) for one in placed]
        else:
            ground = said or known
            hints = [person.known.lifted_contacts for person in people]
            standing = [
                Standing(sight=sight, pose3d=person.known.pose3d, hint=hint)
                for sight, person, hint in zip(sights, people, hints, strict=True)
            ]
        if ground_file(shot) in self.changes.by_hand:
            self.kept.add(ground_file(shot))
        new_from_old = None if ground is known else ground.world_from_cam @ np.linalg.inv(known.world_from_cam)
        return [
            self._with_given(one, person, new_from_old, lift) for one, person in zip(standing, people, strict=True)
        ], ground

    def _with_given(
        self, one: Standing, person: PersonFiles, new_from_old: NDArray[np.float64] | None, lift: bool
    ) -> Standing:
        """Put in place of what was found what is given by hand."""
        given = {kind for kind in person.by_hand if kind != POSE3D or not self._own_3d_is_anew(person)}
        self.kept |= {file_of(person.known, kind) for kind in given}
        self.replaced += [file_of(person.known, kind) for kind in person.by_hand - given]
        if person.pose3d is not None and (POSE3D in given or not lift):
            pose3d = person.pose3d.value
            if new_from_old is not None:
                pose3d = moved(pose3d, new_from_old)
                self.moved_along |= {file_of(person.known, POSE3D)} & self.kept
            one = replace(one, pose3d=pose3d)
        if person.contacts is not None and CONTACTS in given:
            one = replace(one, contacts=person.contacts.value)
        return replace(one, rig=person.rig) if BODY in given else one

    def _own_3d_is_anew(self, person: PersonFiles) -> bool:
        return bool(self.changes.everybody) or POSE2D in person.changed or person.pose3d is None

    def _tell(self, shot: int, people: Sequence[PersonFiles], lift: bool) -> None:
        """Say what has changed in a shot, and what follows."""
        changes, shots = self.changes, len(self.changes.record.clip.shots)
        if shot == people[0].known.shot == changes.people[0].known.shot:
            for reason in changes.everybody:
                self.say(f"{reason}: lifting everybody again")
            if changes.lock_changed:
                self.say(f"foot_lock changed to {changes.settings.foot_lock}: solving everybody again")
        where = f"the ground of shot {shot + 1}" if shots > 1 else "the ground"
        if changes.grounds[shot] is None:
            self.say(f"{where} is gone: lifting again to find it")
        elif changes.ground_changed(shot):
            self.say(f"{where} changed: everybody moves with the camera; solving again")
        for person in people:
            for kind in (kind for kind in _CALLED if kind in person.changed):
                self.say(f"{changes.label(person)}: {_what_happened(person, kind)}")
        if lift and len(people) > 1 and not changes.everybody:
            self.say(f"people of shot {shot + 1} share its floor: all of them are lifted again")


def _what_happened(person: PersonFiles, kind: str) -> str:
    edit = {POSE2D: person.pose2d, POSE3D: person.pose3d, CONTACTS: person.contacts}.get(kind)
    if kind == BODY:
        return f"the body {'is gone' if person.rig is None else 'changed'}: solving again"
    if edit is None:
        then = "lifting again" if kind == POSE3D else "solving again to find them"
        return f"{_CALLED[kind]} {'is' if kind == POSE3D else 'are'} gone: {then}"
    then = "lifting again" if kind == POSE2D else "solving again"
    first = person.known.motion.start_frame
    return f"{_CALLED[kind]} changed in {_frames([first + frame for frame in edit.changed])}: {then}"


def _frames(frames: Sequence[int]) -> str:
    """Say which frames, shortly."""
    if len(frames) == 1:
        return f"frame {frames[0]}"
    if frames[-1] - frames[0] == len(frames) - 1:
        return f"frames {frames[0]} to {frames[-1]}"
    return f"{len(frames)} frames between {frames[0]} and {frames[-1]}"


def _sight(person: PersonFiles, *, bridge: bool) -> Sight:
    known, said = person.known, person.pose2d.value
    pose2d = _bridged(said) if bridge else said
    return Sight(person=known.person, first=known.motion.start_frame, pose2d=pose2d)


def _bridged(pose2d: Pose2D) -> Pose2D:
    """Short gaps filled, as capture does it; what it has filled stays as it is."""
    from mocap3d.identify.repair import fill_gaps

    return fill_gaps(pose2d)


def _wanted(changes: Changes, device: str) -> Wanted:
    settings, (width, height) = changes.settings, changes.record.clip.cameras[0].size_wh_px
    if changes.lens.size_wh_px != (width, height):
        raise InputError(f"the camera must be one for pictures of {width} x {height}, got {changes.lens.size_wh_px}")
    lock: FootLock = next(one for one in get_args(FootLock) if one == settings.foot_lock)
    return Wanted(
        camera=changes.lens,
        height_m=settings.height_m,
        camera_tilt_deg=settings.camera_tilt_deg,
        device=device,
        foot_lock=lock,
        symmetric=settings.symmetric,
    )


def _clip(run: _Run, shots: Sequence[tuple[list[Performance], Ground | None]]) -> Clip:
    """Put the shots together; what was not made anew is that of the record."""
    known, wanted = run.changes.record.clip, run.wanted
    grounds = [ground for _, ground in shots]
    performances = tuple(performance for done, _ in shots for performance in done)
    about_people = {note for one in known.performances for note in _told_of(_as_solved(one), known)}
    doubts = {note: one for one in known.performances for note in _doubts_of(one, known) if note in known.notes}
    notes = [note for note in known.notes if note not in about_people and note not in doubts]
    doubted = {(one.shot, one.person) for one in doubts.values()}
    settings = {
        **known.settings,
        "height_m": wanted.height_m,
        "camera_tilt_deg": wanted.camera_tilt_deg,
        "foot_lock": wanted.foot_lock,
        "symmetric": wanted.symmetric,
    }
    if wanted.height_m != known.settings.get("height_m"):
        settings["height"] = "given"
    if run.lifted:
        settings |= {"lifter_sha256": weights.sha256("lifter"), "device": wanted.device}
    made = replace(
        known,
        performances=performances,
        cameras=tuple(
            camera if ground is before or ground is None else camera_in_world(wanted.camera, ground)
            for camera, ground, before in zip(known.cameras, grounds, known.grounds, strict=True)
        ),
        grounds=tuple(grounds),
        settings=settings,
    )
    notes += [note for one in performances for note in _told_of(one, made)]
    again = [one for one in performances if (one.shot, one.person) in doubted]  # what was changed may have helped
    return replace(made, notes=(*notes, *(note for one in again for note in _doubts_of(one, made))))


def _told_of(performance: Performance, clip: Clip) -> tuple[str, ...]:
    """The notes on a person that solving makes anew; those of several cameras are about how they fit together."""
    return () if clip.rig else tuple(notes_of(performance))


def _doubts_of(performance: Performance, clip: Clip) -> tuple[str, ...]:
    return () if clip.rig else tuple(doubts_of(performance, clip.cameras[performance.shot]))


def _as_solved(known: Performance) -> Performance:
    return replace(known, pose2d=_bridged(known.pose2d))


def _write(folder: Path, run: _Run, clip: Clip) -> None:
    """Rewrite what was made anew, and the record."""
    people = zip(clip.performances, run.changes.people, strict=True)
    as_in_files = replace(clip, performances=tuple(replace(one, pose2d=person.pose2d.value) for one, person in people))
    completed = {
        file_of(person.known, kind)
        for person in run.changes.people
        for kind, edit in ((POSE2D, person.pose2d), (POSE3D, person.pose3d))
        if edit is not None and edit.completed
    } & run.kept
    stay = run.kept - run.moved_along - completed
    texts: dict[str, str] = {}
    for name, text in texts_of(as_in_files).items():
        old = _text(folder / name)
        if name in stay or (name.endswith(POSE2D) and name not in completed) or text == old:
            continue
        if name in run.replaced and old is not None:
            backup = _free_name(folder, name)
            texts[backup] = old
            run.say(f"{name} was changed by hand and is made anew: the old one is kept as {backup}")
        texts[name] = text
    for name in sorted(run.kept - {name for name in run.kept if name.endswith(POSE2D)}):
        run.say(f"{name} is as it was set by hand" + (", moved with the world" if name in run.moved_along else ""))
    by_hand = run.kept | {name for name in run.changes.record.by_hand if name.endswith(POSE2D)}
    for name in sorted(completed):
        run.say(f"{name}: how sure the joints are that were placed by hand is filled in")
    write_all(folder, texts, Record(as_in_files, frozenset(by_hand)))
    if texts:
        run.say(f"rewritten: {', '.join(texts)}")


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _free_name(folder: Path, name: str) -> str:
    """A name for the old file that is not taken."""
    stem, _, extension = name.rpartition(".")
    names = (f"{stem}.edited{f'-{n}' if n > 1 else ''}.{extension}" for n in range(1, 10_000))
    return next(free for free in names if not (folder / free).exists())
