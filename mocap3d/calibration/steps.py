"""Videos of several cameras -> a calibrated rig; the steps in order.

Lenses first, then when each video began, then where the cameras stand: from a board, from measured points, or from
nothing but the people who move. At the end everything that people can tell about cameras is asked of the result,
because a small error alone says only that the cameras agree with each other.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import CalibrationError
from mocap3d.base.pose import Pose2D
from mocap3d.calibration.given import (
    board_of,
    check_people,
    check_together,
    distance_of,
    distinct,
    filmed_by,
    way_of,
)
from mocap3d.calibration.job import Job, watch_people
from mocap3d.calibration.judged import asked_of, paths_of
from mocap3d.calibration.lens_only import only_lenses
from mocap3d.calibration.lenses import BARS, LensFound, LensSource, find_lenses
from mocap3d.calibration.points import ScenePoints, read_points
from mocap3d.calibration.result import Calibration, view_fit
from mocap3d.calibration.seen import Views, lifted, matched
from mocap3d.calibration.suspects import bumped_camera, late_videos, suspected
from mocap3d.calibration.ways import (
    Solved,
    Way,
    as_given,
    by_board,
    by_people,
    by_points,
    placed_by_people,
    refined,
    with_best_crops,
)
from mocap3d.cameras.gate import Gate, refuse_failed
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
    how: Literal["lens", "board", "points", "people"] | None = None,
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
        videos: one per camera, or folders of photos of a board, as many in each; a single one for its lens alone.
        lenses: a camera file or cameras, by the names of the videos or in their order; one serves all.
        board: what is shown, such as "charuco:4x5:54mm:40.5mm:4X4_50"; see `mocap3d.cameras.boards.parse_board`.
        lens_videos: pictures of the board for the lenses, where ``videos`` do not show it well: one per camera, or one
            for all.
        how: what tells where the cameras stand: "board", "points" or "people"; or "lens": nothing but the lenses are
            wanted, as of a single video of a board.
        points: measured points and where they are in the pictures; a file (see `mocap3d.calibration.read_points`).
        refine: True moves the poses of the given ``lenses``; or the names of what may move, of "pose", "principal",
            "focal", "zoom", "distortion".
        people: where people walk before the same cameras: "same" (these videos), other videos, or "none" to not look.
        height_m: stature of the people; sets the size where only people tell it.
        distance_m: two cameras, by name or number from 0, and how far their lenses are apart.
        sync: what tells when each video began: "motion", "audio", "none", or seconds for each.
        crop: what videos of another size than their lens show of its picture: for all, or by camera, "centre",
            "scaled", "bars" (scaled, between black bars), "x,y" of the top-left pixel, or "find".
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
    paths = distinct(videos)
    count = len(paths)
    way = way_of(how, cameras=count, refine=refine, points=points, board=board, lens_videos=lens_videos, lenses=lenses)
    check_together(
        way,
        cameras=count,
        lenses=lenses,
        lens_videos=lens_videos,
        fov_deg=fov_deg,
        floor=floor,
        gates=gates,
        height_m=height_m,
        distance_m=distance_m,
        sync=sync,
        crop=crop,
    )
    check_people(people, way, cameras=count, photos=paths[0].is_dir(), sync=sync)
    described = board_of(board)
    free = ("pose",) if refine is True else tuple(refine or ())
    settings = {
        "videos": [str(path) for path in paths],
        "board": None if described is None else described.label,
        "height_m": height_m,
        "distance_m": None if distance_m is None else list(distance_m),
        "refine": list(free),
        "floor": floor,
        "detector": detector,
    }
    job = Job(
        videos=paths,
        how=way,
        people=people,
        sync=sync,
        height_m=height_m,
        floor=floor,
        detector=detector,
        device=device,
        tell=progress or (lambda step, done, total: None),
        source=LensSource(
            lenses=lenses, lens_videos=lens_videos, board=described, fov_deg=fov_deg, model=model, crop=crop
        ),
        marks=read_points(points) if isinstance(points, (str, os.PathLike)) else points,
        free=free,
    )
    found = _lenses(job, settings) if way == "lens" else _rig(job, distance_m, settings)
    if gates == "refuse":
        refuse_failed(found.gates)
    return found


def _lenses(job: Job, settings: Mapping[str, object]) -> Calibration:
    with noted(job.notes):
        filmed = filmed_by(job.videos)
        found = only_lenses(filmed, job.source.board, job.source.model, settings, job.tell)
    return replace(found, notes=(*found.notes, *job.notes))


def _rig(
    job: Job, distance_m: tuple[str | int, str | int, float] | None, settings: Mapping[str, object]
) -> Calibration:
    with noted(job.notes):
        filmed = filmed_by(job.videos)
        apart = distance_of(distance_m, filmed)
        lenses = find_lenses(filmed, job.source, poses=job.how == "refined", tell=job.tell)
        solved, words = _solve(job, lenses, apart)
    job.tell("ask people", 0, None)
    people = _people_of(job, solved)
    asked = asked_of(solved, people, job.notes)
    if job.how == "people" and job.take is not None:
        asked = [*_wrong_videos(job, job.take.tracks, solved, asked), *asked]
    return _described(job, lenses, words, solved, asked, paths_of(solved, people), settings)


# --- solving ----------------------------------------------------------------------------------------------------------


def _solve(
    job: Job, lenses: Sequence[LensFound], apart: tuple[int, int, float] | None
) -> tuple[Solved, tuple[str, ...]]:
    """Where the cameras stand, and the word for each video's crop."""
    cameras = tuple(lens.camera for lens in lenses)
    watch_people(job, cameras)
    way = _way(job, cameras, apart)
    job.tell("find cameras", 0, None)
    solved, words, told = with_best_crops(lenses, way)
    job.notes += told
    job.notes += [
        f"{lens.camera.name}: the video shows the whole calibrated picture, {word}"
        for lens, word in zip(lenses, words, strict=True)
        if len(lens.crops) == 1 and word == BARS
    ]
    if job.how == "refined" and solved.people is not None:
        solved = refined(solved.cameras, solved.people, job.free)
    solved = _upright(job, solved)
    job.notes += solved.notes
    return solved, words


def _way(job: Job, cameras: tuple[Camera, ...], apart: tuple[int, int, float] | None) -> Way:
    """What finds the cameras for given lenses.

    Raises:
        CalibrationError: people should tell, and nobody was seen.
    """
    from mocap3d.cameras.board_videos import boards_in_videos

    board = job.source.board
    if job.how == "board" and board is not None:
        seen = boards_in_videos(
            job.videos,
            board,
            offsets_s=None if job.photos else job.offsets_s,
            progress=lambda done, total: job.tell("board", done, total),
        )
        return partial(by_board, seen=seen, board=board, floor=None if job.floor == "people" else job.floor)
    if job.how == "points" and job.marks is not None:
        return partial(by_points, points=job.marks)
    if job.take is None:
        raise CalibrationError(
            "two cameras must see somebody: nobody was found in the videos; film somebody who walks about in view of "
            "all cameras" + (", or show a board" if job.how == "people" else "")
        )
    if job.how == "refined":
        return partial(_measured, take=job.take)
    views = lifted(job.take.tracks, cameras, job.height_m, job.device)
    return partial(by_people, views=views, height_m=job.height_m, distance_m=apart)


def _wrong_videos(job: Job, tracks: Sequence[Sequence[Pose2D]], solved: Solved, asked: Sequence[Gate]) -> list[Gate]:
    """A gate that failed, if a video is mirrored, or late though it was said when it began, or a camera was bumped."""
    again = partial(_from_tracks, job, solved.cameras)
    if not all(gate.passed for gate in asked):
        return suspected(tracks, solved.cameras, again)
    late = job.told in ("none", "given") and late_videos(
        tracks, solved.cameras, again, float(np.nanmean(solved.residual_px))
    )
    return late or bumped_camera(solved)


def _from_tracks(job: Job, cameras: tuple[Camera, ...], tracks: list[list[Pose2D]]) -> Solved:
    """Cameras from people as somebody else would have seen them."""
    views = lifted(tracks, cameras, job.height_m, job.device)
    return by_people(cameras, views, job.height_m, None)


def _measured(cameras: tuple[Camera, ...], take: Take) -> Solved:
    people = matched(take, cameras)
    if not people:
        raise CalibrationError("nobody is seen by two cameras alike: do the cameras belong to these videos?")
    return as_given(cameras, people)


def _upright(job: Job, solved: Solved) -> Solved:
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
            raise CalibrationError("nobody is seen by two cameras: film somebody who walks")
        return placed_by_people(replace(solved, people=people), people, job.device)
    except CalibrationError as error:
        if wanted:
            raise
        job.notes.append(
            f"nothing says where up and the floor are, so that the first camera is taken to be level, at the origin; "
            f"{error}, or lay the board on the floor in the end (`--floor last`)"
        )
        return replace(solved, people=people or None)


# --- describing -------------------------------------------------------------------------------------------------------


def _people_of(job: Job, solved: Solved) -> tuple[Views, ...]:
    """Who is who, before the cameras that were found."""
    if solved.people is not None or job.take is None:
        return solved.people or ()
    return matched(job.take, solved.cameras)


def _described(
    job: Job,
    lenses: Sequence[LensFound],
    words: Sequence[str],
    solved: Solved,
    gates: Sequence[Gate],
    paths_m: tuple[Floats, ...],
    settings: Mapping[str, object],
) -> Calibration:
    views = tuple(
        view_fit(
            camera,
            solved.seen_px[c],
            solved.off_px[c],
            residual_px=solved.residual_px[c],
            before_px=None if solved.before_px is None else solved.before_px[c],
            lens=lenses[c].origin,
            crop=words[c],
            began_s=job.offsets_s[c],
        )
        for c, camera in enumerate(solved.cameras)
    )
    job.notes += [f"{lens.camera.name}: lens from {lens.told}" for lens in lenses if lens.told]
    said = [lens.camera.name for lens in lenses if lens.origin in ("field of view", "metadata")]
    if said:
        job.notes.append(
            f"nobody measured the lens of {', '.join(said)}, and gates see only gross errors of it: where its field of "
            "view is wrong, the room is deeper or flatter; a board tells it (`--lens-video`)"
        )
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
