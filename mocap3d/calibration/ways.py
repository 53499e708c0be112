"""The ways to find where cameras stand, each as one function that solves for given lenses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.base.pose import Pose3D
from mocap3d.base.projection import project
from mocap3d.base.triangulation import reprojection_px
from mocap3d.calibration.lenses import LensFound
from mocap3d.calibration.points import ScenePoints
from mocap3d.calibration.seen import Views, contacts_of, triangulated
from mocap3d.cameras.boards import Board, BoardView
from mocap3d.cameras.extrinsics import Rig, calibrate_rig
from mocap3d.cameras.from_people import PeopleSettings, Seen, cameras_from_people, refine_from_people
from mocap3d.cameras.gate import Gate, make_gate, refuse_failed
from mocap3d.cameras.gates import GateLimits, check_cameras

__all__ = [
    "Solved",
    "as_given",
    "by_board",
    "by_people",
    "by_points",
    "placed_by_people",
    "places_gate",
    "refined",
    "with_best_crops",
]

Floats = NDArray[np.float64]

_BOARD_RMS: Final = 0.0015  # of the longer side: 2.9 px of 1920
_POINTS_PX: Final = 0.006  # likewise, of points that were clicked
_LEFT_OUT: Final = 0.15
_CLEARLY: Final = 0.98  # a crop is better than another one if its residual is below this share of the other's

_SAME_PLACE_M: Final = 0.01
_MOVED_M: Final = 0.4  # more is no refinement
_TURNED_DEG: Final = 6.0
_GROSS: Final = ("mirrored", "synchronous", "steady", "size")  # gates that cameras slightly off do not close
_UNSURE_DEG: Final = 5.0
_SHIFT: Final = 0.09  # of a person's height; twice the usual limit, as given cameras may be off here more than there


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """Cameras and how they fit.

    Attributes:
        cameras: in the world.
        world: where vertical and floor come from.
        scale: where the size comes from.
        residual_px: per camera.
        seen_px: per camera (N, 2) what was seen.
        off_px: per camera (N,) how far from there the cameras put it; NaN where nowhere.
        before_px: per camera, before refining.
        people: who is who, where the way found that out.
        gates: what the way itself asks of its result.
        notes: what a user should know.
    """

    cameras: tuple[Camera, ...]
    world: str
    scale: str
    residual_px: tuple[float, ...]
    seen_px: tuple[Floats, ...]
    off_px: tuple[Floats, ...]
    before_px: tuple[float, ...] | None = None
    people: tuple[Views, ...] | None = None
    gates: tuple[Gate, ...] = ()
    notes: tuple[str, ...] = ()


Way = Callable[[tuple[Camera, ...]], Solved]


def by_board(
    cameras: tuple[Camera, ...],
    seen: Sequence[Sequence[BoardView | None]],
    board: Board,
    floor: Literal["first", "last"] | None,
) -> Solved:
    """From a board that pairs of cameras saw; ``floor`` says when it lay on the floor."""
    rig = calibrate_rig(cameras, seen, board, floor_time=None if floor is None else _floor_time(seen, floor))
    longer = np.array([max(camera.size_wh_px) for camera in cameras])
    rms = np.array(rig.camera_rms_px)
    worst = int(np.argmax(rms / longer))
    limit = _BOARD_RMS * float(longer[worst])
    gates = (
        make_gate(
            "board",
            float(rms[worst]) <= limit,
            float(rms[worst]),
            f"corners within {limit:.1f} px",
            f"camera {cameras[worst].name!r} misses the board's corners by {rms[worst]:.1f} px: it or another one was "
            "moved while the board was filmed, its lens is another one, or its video is mirrored or of another moment "
            "(`mocap3d sync`); put that right and film the board again",
        ),
        make_gate(
            "corners that fit",
            rig.left_out <= _LEFT_OUT,
            rig.left_out,
            f"at most {_LEFT_OUT:.0%} left out",
            f"{rig.left_out:.0%} of the corners fit nothing: a camera was bumped halfway, or the videos are not of one "
            "moment (`mocap3d sync`); fix the cameras firmly and film the board again, slowly",
        ),
    )
    seen_px, off_px = zip(*(_corners(*own, board, rig) for own in zip(rig.cameras, seen, strict=True)), strict=True)
    return Solved(
        cameras=rig.cameras,
        world="first camera" if floor is None else "board on the floor",
        scale="board",
        residual_px=rig.camera_rms_px,
        seen_px=tuple(seen_px),
        off_px=tuple(off_px),
        gates=gates,
    )


def _corners(camera: Camera, row: Sequence[BoardView | None], board: Board, rig: Rig) -> tuple[Floats, Floats]:
    """(N, 2) the corners that a camera saw, and (N,) how far from there they are projected."""
    seen_px, off_px = [np.zeros((0, 2))], [np.zeros(0)]
    for t, view in enumerate(row):
        if view is None:
            continue
        seen_px.append(view.xy_px)
        pose = rig.world_from_board.get(t)
        if pose is None:
            off_px.append(np.full(len(view.ids), np.nan))
        else:
            points = board.points_m[view.ids] @ pose[:3, :3].T + pose[:3, 3]
            off_px.append(np.linalg.norm(project(camera, points)[0] - view.xy_px, axis=-1))
    return np.concatenate(seen_px), np.concatenate(off_px)


def _floor_time(seen: Sequence[Sequence[BoardView | None]], floor: Literal["first", "last"]) -> int:
    counts = np.array([[view is not None for view in row] for row in seen]).sum(axis=0)
    times = np.flatnonzero(counts >= 2)
    if not len(times):
        raise CalibrationError("the board was never seen by two cameras at once, so neither when it lay on the floor")
    return int(times[0] if floor == "first" else times[-1])


def by_points(cameras: tuple[Camera, ...], points: ScenePoints) -> Solved:
    """From points of the scene that were measured."""
    from mocap3d.cameras.scene_points import cameras_from_points

    seen_px = points.of([camera.name for camera in cameras])
    found = cameras_from_points(cameras, points.points_m, seen_px)
    off = np.where(found.wrong, np.nan, found.residuals_px)
    rms = np.sqrt(np.nanmean(off**2, axis=1))
    limits = _POINTS_PX * np.array([max(camera.size_wh_px) for camera in cameras])
    worst = int(np.argmax(rms / limits))
    gate = make_gate(
        "measured points",
        bool(rms[worst] <= limits[worst]),
        float(rms[worst]),
        f"marks within {limits[worst]:.0f} px",
        f"camera {cameras[worst].name!r} sees the points {rms[worst]:.0f} px from where they were marked: measure them "
        "again, in metres, and mark them in a picture of this very lens",
    )
    notes = tuple(
        f"{camera.name}: {int(wrong.sum())} marks fit nothing and were left out; were they mixed up?"
        for camera, wrong in zip(cameras, found.wrong, strict=True)
        if wrong.any()
    )
    return Solved(
        cameras=found.cameras,
        world="measured points",
        scale="measured points",
        residual_px=tuple(float(value) for value in rms),
        seen_px=tuple(seen_px),
        off_px=tuple(found.residuals_px),
        gates=(gate,),
        notes=notes,
    )


def by_people(
    cameras: tuple[Camera, ...],
    views: Sequence[Sequence[Seen]],
    height_m: float | None,
    distance_m: tuple[int, int, float] | None,
) -> Solved:
    """From nobody and nothing but the people who move."""
    found = cameras_from_people(views, cameras, height_m=height_m, distance_m=distance_m)
    people = tuple(
        tuple(None if n is None else views[c][n].pose2d for c, n in enumerate(members)) for members in found.people
    )
    notes = []
    if found.placement.scale_from == "assumed":
        notes.append(
            "nothing says how large the world is: people are taken to be of usual height; say how tall they are "
            "(`--height`), or how far apart two cameras are (`--distance`)"
        )
    notes += _unsure_of_up(found.placement.up_std_deg)
    seen_px, off_px = _joints(found.cameras, people, found.poses)
    return Solved(
        cameras=found.cameras,
        world="people",
        scale=found.placement.scale_from,
        residual_px=tuple(float(value) for value in found.residual_px),
        seen_px=seen_px,
        off_px=off_px,
        people=people,
        notes=tuple(notes),
    )


def as_given(cameras: tuple[Camera, ...], people: tuple[Views, ...]) -> Solved:
    """The cameras as they are, measured on people.

    Raises:
        CalibrationError: two cameras in one place.
    """
    refuse_failed([places_gate(cameras)])
    seen_px, off_px = _joints(cameras, people, [triangulated([views], cameras)[0] for views in people])
    return Solved(
        cameras=cameras,
        world="given cameras",
        scale="given cameras",
        residual_px=tuple(float(np.nanmedian(own)) if np.isfinite(own).any() else float("nan") for own in off_px),
        seen_px=seen_px,
        off_px=off_px,
        people=people,
    )


def refined(cameras: tuple[Camera, ...], people: tuple[Views, ...], free: Sequence[str]) -> Solved:
    """Given cameras moved a little, until they agree about people; as they are, where videos or units are wrong."""
    # Cameras that move explain away what is wrong with videos or units: it is looked for before.
    asked = check_cameras(cameras, people, limits=GateLimits(shift=_SHIFT))
    wrong = tuple(gate for gate in asked if gate.name in _GROSS and not gate.passed)
    if wrong:
        return replace(as_given(cameras, people), gates=wrong)
    found = refine_from_people(cameras, people, free=free, settings=PeopleSettings())
    near = _nearby(cameras, found.cameras)
    return replace(
        as_given(found.cameras if near.passed else cameras, people),
        gates=(near,),
        residual_px=tuple(float(value) for value in (found.after_px if near.passed else found.before_px)),
        before_px=tuple(float(value) for value in found.before_px),
    )


def places_gate(cameras: Sequence[Camera]) -> Gate:
    """Whether every camera stands at a place of its own."""
    places = np.stack([camera.world_from_cam[:3, 3] for camera in cameras])
    far = np.linalg.norm(places[:, None] - places[None], axis=-1) + np.diag(np.full(len(cameras), np.inf))
    a, b = (int(n) for n in np.unravel_index(int(np.argmin(far)), far.shape))
    return make_gate(
        "places",
        bool(far[a, b] > _SAME_PLACE_M),
        float(far[a, b]),
        "every camera at a place of its own",
        f"cameras {cameras[a].name!r} and {cameras[b].name!r} stand at one place: was the same video given twice? "
        "Else put them apart, best 60 to 120 degrees around people, and film again",
    )


def _nearby(before: Sequence[Camera], after: Sequence[Camera]) -> Gate:
    """Whether refining left the cameras about where they were: wrong videos, too, are explained by other cameras."""
    moved = np.array(
        [np.linalg.norm(a.world_from_cam[:3, 3] - b.world_from_cam[:3, 3]) for a, b in zip(before, after, strict=True)]
    )
    turns = [
        np.trace(a.cam_from_world[:3, :3].T @ b.cam_from_world[:3, :3]) for a, b in zip(before, after, strict=True)
    ]
    turned_deg = np.degrees(np.arccos(np.clip((np.array(turns) - 1) / 2, -1, 1)))
    worst = int(np.argmax(np.maximum(moved / _MOVED_M, turned_deg / _TURNED_DEG)))
    return make_gate(
        "refined nearby",
        bool(moved[worst] <= _MOVED_M and turned_deg[worst] <= _TURNED_DEG),
        float(moved[worst]),
        f"cameras move by at most {_MOVED_M:g} m and {_TURNED_DEG:g} degrees",
        f"to make the views agree, camera {after[worst].name!r} would have to move by {moved[worst]:.2f} m and "
        f"{turned_deg[worst]:.0f} degrees: it does not stand where it was calibrated, its video is mirrored or of "
        "another moment (`mocap3d sync`), or cameras were exchanged; put that right, or calibrate again without refine",
    )


def placed_by_people(solved: Solved, people: tuple[Views, ...], device: str) -> Solved:
    """A rig of known size turned upright, onto the floor that people walk on.

    Raises:
        CalibrationError: too little was seen of anybody to tell up.
    """
    from mocap3d.cameras.people.world import place_in_world

    cameras = solved.cameras
    places = np.stack([camera.world_from_cam[:3, 3] for camera in cameras])
    far = np.linalg.norm(places[:, None] - places[None], axis=-1)
    a, b = (int(n) for n in np.unravel_index(int(np.argmax(far)), far.shape))
    placement = place_in_world(
        cameras,
        triangulated(people, cameras),
        contacts=contacts_of(people, cameras, device),
        distance_m=(a, b, float(far[a, b])),  # a distance that is known keeps the size
    )
    return replace(
        solved, cameras=placement.cameras, world="people", notes=(*solved.notes, *_unsure_of_up(placement.up_std_deg))
    )


def _unsure_of_up(std_deg: float) -> tuple[str, ...]:
    if std_deg <= _UNSURE_DEG:
        return ()
    return (
        f"the vertical is known within {std_deg:.0f} degrees only: film somebody who walks about in the whole space",
    )


def with_best_crops(lenses: Sequence[LensFound], solve: Way) -> tuple[Solved, tuple[str, ...], list[str]]:
    """Solve with every crop that each video may have, and keep what fits best.

    Returns:
        The solution, the word for each camera's crop, and notes on those that were found.

    Raises:
        InputError, CalibrationError: no choice gives a solution.
    """
    chosen = [0] * len(lenses)
    best = solve(_cameras(lenses, chosen)) if all(len(lens.crops) == 1 for lens in lenses) else None
    open_ = [c for c, lens in enumerate(lenses) if len(lens.crops) > 1]
    tried: dict[int, list[tuple[float, str]]] = {}
    failure: Exception | None = None
    for _ in range(min(len(open_), 2)):
        for c in open_:
            tried[c] = []
            solutions: list[tuple[float, int, Solved]] = []
            for k, (word, _) in enumerate(lenses[c].crops):
                try:
                    solved = solve(_cameras(lenses, [*chosen[:c], k, *chosen[c + 1 :]]))
                except (CalibrationError, InputError) as error:
                    failure = failure or error
                    continue
                cost = float(np.nanmean(solved.residual_px))
                tried[c].append((cost, word))
                solutions.append((cost, k, solved))
            if solutions:
                _, chosen[c], best = min(solutions, key=lambda item: item[0])
    if best is None:
        raise failure or CalibrationError("no crop of the videos gives a solution")
    words = tuple(lens.crops[k][0] for lens, k in zip(lenses, chosen, strict=True))
    return best, words, [_told(lenses[c].camera.name, words[c], tried[c]) for c in open_]


def _told(name: str, word: str, tried: Sequence[tuple[float, str]]) -> str:
    own = min(cost for cost, _ in tried)
    others = ", ".join(f"{other} {cost:.2f}" for cost, other in sorted(tried) if other != word)
    unsure = any(other != word and own > _CLEARLY * cost for cost, other in tried)
    return (
        f"{name}: the crop that fits is: {word}, with {own:.2f} px{f' ({others})' if others else ''}"
        f"{'; another one fits nearly as well' if unsure else ''}"
    )


def _cameras(lenses: Sequence[LensFound], chosen: Sequence[int]) -> tuple[Camera, ...]:
    return tuple(lens.crops[k][1] for lens, k in zip(lenses, chosen, strict=True))


def _stacked(views: Views) -> Floats:
    example = next(pose for pose in views if pose is not None)
    nothing = np.full(example.xy_px.shape, np.nan)
    return np.stack(
        [nothing if pose is None else np.where((pose.confidence > 0)[..., None], pose.xy_px, np.nan) for pose in views]
    )


def _joints(
    cameras: Sequence[Camera], people: Sequence[Views], poses: Sequence[Pose3D]
) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
    """Per camera the joints that it saw (N, 2), and how far from there they are projected (N,)."""
    xy = [_stacked(views) for views in people]
    off = [reprojection_px(cameras, pose.xyz_m, own) for pose, own in zip(poses, xy, strict=True)]
    seen = np.concatenate([own.reshape(len(cameras), -1, 2) for own in xy], axis=1)
    far = np.concatenate([own.reshape(len(cameras), -1) for own in off], axis=1)
    known = np.isfinite(seen).all(axis=-1)
    return tuple(own[k] for own, k in zip(seen, known, strict=True)), tuple(
        own[k] for own, k in zip(far, known, strict=True)
    )
