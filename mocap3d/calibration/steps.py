"""Videos of several cameras -> a calibrated rig; the steps in order.

Lenses first, then when each video began, then where the cameras stand: from a board, from measured points, or from
nothing but the people who move. At the end everything that people can tell about cameras is asked of the result,
because a small error alone says only that the cameras agree with each other.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.calibration.given import (
    above_0,
    board_of,
    check_sizes,
    check_sync,
    distance_of,
    distinct,
    filmed_by,
    way_of,
)
from mocap3d.calibration.judged import asked_of, paths_of
from mocap3d.calibration.lenses import LensFound, LensSource, find_lenses
from mocap3d.calibration.points import ScenePoints, read_points
from mocap3d.calibration.result import Calibration, How, ViewFit, coverage_of
from mocap3d.calibration.seen import People, Views, lifted, look_at, matched
from mocap3d.calibration.ways import (
    Solved,
    as_given,
    by_board,
    by_people,
    by_points,
    placed_by_people,
    refined,
    with_best_crops,
)
from mocap3d.cameras.gates import Gate, refuse_failed
from mocap3d.take import SyncBy, Take
from mocap3d.watching import Progress, noted

__all__ = ["calibrate"]

Floats = NDArray[np.float64]
Pictures = str | os.PathLike[str]
Videos = Sequence[Pictures]


def calibrate(
    videos: Videos,
    *,
    lenses: Pictures | Camera | Sequence[Camera] | None = None,
    board: Pictures | None = None,
    lens_videos: Videos | None = None,
    how: Literal["board", "points", "people"] | None = None,
    points: Pictures | ScenePoints | None = None,
    refine: bool | Sequence[str] = False,
    people: Literal["same", "none"] | Videos = "same",
    height_m: float | None = None,
    distance_m: tuple[str | int, str | int, float] | None = None,
    sync: SyncBy = "motion",
    crop: str | Mapping[str, str] | None = None,
    fov_deg: float | None = None,
    model: Literal["brown-conrady", "fisheye"] = "brown-conrady",
    floor: Literal["first", "last", "people"] | None = None,
    gates: Literal["refuse", "report"] = "refuse",
    detector: str = "movenet_thunder",
    device: str = "cpu",
    progress: Progress | None = None,
) -> Calibration:
    """Find where the cameras of several videos stand.

    With ``refine`` the poses of ``lenses`` are refined by people. Else ``how`` says what tells where cameras stand; by
    default measured ``points``, if there are any; else a ``board``, unless it is in ``lens_videos``; else people.

    Args:
        videos: one per camera, at least two; or folders of photos of a board, as many in each.
        lenses: a camera file or cameras, by the names of the videos or in their order; one serves all.
        board: what is shown, such as "charuco:4x5:54mm:40.5mm:4X4_50"; see `mocap3d.cameras.boards.parse_board`.
        lens_videos: pictures of the board for the lenses, where ``videos`` do not show it well: one per camera, or one
            for all.
        how: what tells where the cameras stand: "board", "points" or "people".
        points: measured points and where they are in the pictures; a file (see `mocap3d.calibration.read_points`).
        refine: True moves the poses of the given ``lenses``; or the names of what may move, of "pose", "principal",
            "focal", "zoom", "distortion".
        people: where people walk before the same cameras: "same" (these videos), other videos, or "none" to not look.
        height_m: stature of the people; sets the size where only people tell it.
        distance_m: two cameras, by name or number from 0, and how far their lenses are apart.
        sync: what tells when each video began: "motion", "audio", "none", or seconds for each.
        crop: what videos of another size than their lens show of its picture: for all, or by camera, "centre",
            "scaled", "x,y" of the top-left pixel, or "find".
        fov_deg: degrees that the longer side of the pictures shows, instead of lenses from a file or a board.
        model: of lenses that are calibrated from a board.
        floor: when the board lay on the floor: "first" or "last" of the moments at which two cameras see it; or
            "people": up and the floor are where people stand, whatever the world of ``lenses`` or ``points`` was.
        gates: "refuse" a result with a gate that fails, or "report" it.
        detector: the network that finds joints.
        device: "cpu" or "cuda".
        progress: called with a step's name, how much is done, and of how much.

    Returns:
        The rig, with all that says how far to believe it.

    Raises:
        InputError: what was given does not go together; a video of another size than its lens, no crop declared.
        FileFormatError: a damaged file.
        CalibrationError: nothing tells where a camera stands, or a gate fails; it says what to film again.
    """
    tell = progress or (lambda step, done, total: None)
    job = _Job(
        videos=distinct(videos),
        how=way_of(how, refine=refine, points=points, board=board, lens_videos=lens_videos, lenses=lenses),
        people=people,
        sync=sync,
        height_m=above_0("height_m", height_m),
        floor=floor,
        detector=detector,
        device=device,
        tell=tell,
    )
    check_sizes(job.how, height_m, distance_m)
    check_sync(sync, len(job.videos))
    if fov_deg is not None and (lenses is not None or lens_videos is not None):
        raise InputError("give either fov_deg or lenses: both say what the lenses are")
    if gates not in ("refuse", "report"):
        raise InputError(f"gates must be 'refuse' or 'report', got {gates!r}")
    if floor not in (None, "first", "last", "people") or (floor in ("first", "last") and job.how != "board"):
        raise InputError("floor is 'first' or 'last', of a board in the videos, or 'people'")
    source = LensSource(
        lenses=lenses,
        lens_videos=lens_videos,
        board=board_of(board),
        fov_deg=fov_deg,
        model=model,
        crop=crop,
    )
    with noted(job.notes):
        filmed = filmed_by(job.videos)
        found = find_lenses(filmed, source, poses=job.how == "refined", tell=tell)
        apart = distance_of(distance_m, filmed)
        marks = read_points(points) if isinstance(points, (str, os.PathLike)) else points
        free = ("pose",) if refine is True else tuple(refine or ())
        solved, words = _solve(job, found, source, marks, free, apart)
    people_seen = _people_of(job, solved)
    asked = asked_of(solved, people_seen, job.notes)
    if gates == "refuse":
        refuse_failed(asked)
    settings = {
        "videos": [str(path) for path in job.videos],
        "board": None if source.board is None else source.board.label,
        "height_m": height_m,
        "distance_m": None if distance_m is None else list(distance_m),
        "refine": list(free),
        "floor": floor,
        "detector": detector,
    }
    return _described(job, found, words, solved, asked, paths_of(solved, people_seen), settings)


@dataclass(slots=True, kw_only=True)
class _Job:
    """What is wanted, and what was found on the way."""

    videos: list[Path]
    how: How
    people: Literal["same", "none"] | Videos
    sync: SyncBy
    height_m: float | None
    floor: Literal["first", "last", "people"] | None
    detector: str
    device: str
    tell: Progress
    notes: list[str] = field(default_factory=list)
    offsets_s: tuple[float, ...] = ()
    told: str = "photos"
    seen: People | None = None

    @property
    def photos(self) -> bool:
        """Whether folders were given in place of videos."""
        return self.videos[0].is_dir()

    def look(self, videos: Sequence[Pictures], cameras: Sequence[Camera], sync: SyncBy) -> People:
        """Watch the videos of a take."""
        return look_at(
            videos, cameras, sync, detector=self.detector, device=self.device, tell=self.tell, notes=self.notes
        )


# --- solving ----------------------------------------------------------------------------------------------------------


def _solve(
    job: _Job,
    lenses: Sequence[LensFound],
    source: LensSource,
    marks: ScenePoints | None,
    free: Sequence[str],
    apart: tuple[int, int, float] | None,
) -> tuple[Solved, tuple[str, ...]]:
    cameras = tuple(lens.camera for lens in lenses)
    _watch(job, cameras)
    take = None if job.seen is None else job.seen.take
    if job.how == "board" and source.board is not None:
        from mocap3d.cameras.board_videos import boards_in_videos

        seen = boards_in_videos(job.videos, source.board, offsets_s=None if job.photos else job.offsets_s)
        lay = None if job.floor == "people" else job.floor
        solve = partial(by_board, seen=seen, board=source.board, floor=lay)
    elif job.how == "points" and marks is not None:
        solve = partial(by_points, points=marks)
    elif take is None:
        raise CalibrationError(
            "two cameras must see somebody: nobody was found in the videos; film somebody who walks about in view of "
            "all cameras" + (", or show a board" if job.how == "people" else "")
        )
    elif job.how == "refined":
        solve = partial(_measured, take=take)
    else:
        views = lifted(take, cameras, job.height_m, job.device)
        solve = partial(by_people, views=views, height_m=job.height_m, distance_m=apart)
    solved, words, told = with_best_crops(lenses, solve)
    job.notes += told
    if job.how == "refined" and solved.people is not None:
        solved = refined(solved.cameras, solved.people, free)
    solved = _upright(job, solved)
    job.notes += solved.notes
    return solved, words


def _measured(cameras: tuple[Camera, ...], take: Take) -> Solved:
    people = matched(take, cameras)
    if not people:
        raise CalibrationError("nobody is seen by two cameras alike: do the cameras belong to these videos?")
    return as_given(cameras, people)


def _watch(job: _Job, cameras: Sequence[Camera]) -> None:
    """See people, and find out when the videos began."""
    others = [] if isinstance(job.people, str) else list(job.people)
    if not others and job.people not in ("same", "none"):
        raise InputError(f"people must be 'same', 'none' or videos, got {job.people!r}")
    if others and len(others) != len(cameras):
        raise InputError(f"people needs a video of each of {len(cameras)} cameras, got {len(others)}")
    needed = job.how in ("people", "refined")
    if needed and not others and (job.photos or job.people == "none"):
        raise InputError("people tell where these cameras stand: give videos of them, and leave people='none' out")
    job.offsets_s = (0.0,) * len(cameras)
    if not job.photos and not (needed and others):
        _begin(job, cameras, judged_by_others=bool(others))
    if others:
        job.seen = job.look(others, cameras, job.sync if isinstance(job.sync, str) else "motion")
        if needed:
            job.offsets_s, job.told = job.seen.offsets_s, job.seen.told


def _begin(job: _Job, cameras: Sequence[Camera], *, judged_by_others: bool) -> None:
    """Find out when the videos themselves began, and see who is in them."""
    from mocap3d.take import starts_of

    alone = judged_by_others or job.people == "none"
    if job.how == "points" and alone:  # marks stand still, and nobody is looked for
        job.told = "none"
    elif alone and job.sync != "motion":
        offsets, job.told = starts_of(job.sync, job.videos, [[] for _ in cameras], cameras)
        job.offsets_s = tuple(float(value) for value in offsets)
    elif job.people == "none":
        raise InputError("sync='motion' looks at people in the videos of the board: choose 'audio', 'none' or seconds")
    else:
        job.seen = job.look(job.videos, cameras, job.sync)
        job.offsets_s, job.told = job.seen.offsets_s, job.seen.told
        if job.how == "board" and job.told == "nothing":
            raise CalibrationError(
                "nobody moves in view of two cameras, so that motion does not tell when the videos began: give "
                "sync='audio', 'none' or seconds"
            )


def _upright(job: _Job, solved: Solved) -> Solved:
    """The world stood on the floor that people walk on, where that is wanted, or nothing else says where it is.

    Raises:
        CalibrationError: it is wanted, and people do not tell.
    """
    wanted = job.floor == "people"
    if job.how == "people" or not (wanted or (job.how == "board" and job.floor is None)):
        return solved
    people = _people_of(job, solved)
    try:
        if not people:
            raise CalibrationError("nobody is seen by two cameras; film somebody who walks (`--people`)")
        return placed_by_people(replace(solved, people=people), people, job.device)
    except CalibrationError as error:
        if wanted:
            raise
        job.notes.append(
            f"nothing says where up and the floor are ({error}); the first camera is taken to be level, at the origin: "
            "lay the board on the floor in the end (`--floor last`), or film somebody who walks"
        )
        return replace(solved, people=people or None)


# --- describing -------------------------------------------------------------------------------------------------------


def _people_of(job: _Job, solved: Solved) -> tuple[Views, ...]:
    """Who is who, before the cameras that were found."""
    take = None if job.seen is None else job.seen.take
    if solved.people is not None or take is None:
        return solved.people or ()
    return matched(take, solved.cameras)


def _described(
    job: _Job,
    lenses: Sequence[LensFound],
    words: Sequence[str],
    solved: Solved,
    gates: Sequence[Gate],
    paths_m: tuple[Floats, ...],
    settings: Mapping[str, object],
) -> Calibration:
    views = tuple(
        ViewFit(
            camera=camera.name,
            residual_px=solved.residual_px[c],
            before_px=None if solved.before_px is None else solved.before_px[c],
            sights=int(np.isfinite(solved.seen_px[c]).all(axis=-1).sum()),
            coverage=coverage_of(solved.seen_px[c], camera.size_wh_px),
            lens=lenses[c].origin,
            crop=words[c],
            began_s=job.offsets_s[c],
        )
        for c, camera in enumerate(solved.cameras)
    )
    job.notes += [f"{lens.camera.name}: lens from {lens.told}" for lens in lenses if lens.told]
    return Calibration(
        cameras=solved.cameras,
        how=job.how,
        world=solved.world,
        scale=solved.scale,
        views=views,
        gates=tuple(gates),
        sync=job.told,
        paths_m=paths_m,
        notes=tuple(dict.fromkeys(job.notes)),
        settings=settings,
    )
