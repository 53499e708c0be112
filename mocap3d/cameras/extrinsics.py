"""Where cameras stand, from a board that pairs of them saw at different times.

```
rig = calibrate_rig(cameras, seen, board)      # seen[c][t]: the board in camera c at time t, or None
rig.cameras, rig.rms_px, rig.pairs
```

No time needs all cameras, and no camera needs all others: each time two cameras see the board at once says how they
stand to each other; pairs are joined along the tree of those that saw it most often together; then everything, every
camera and every pose of the board, is adjusted at once. Lenses are taken as they come (`intrinsics`).

A small flat board has two poses that look nearly alike. Both are carried along: of all the ways two cameras could
stand, the one that most of their times agree on is taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from mocap3d.base.camera import Camera
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.cameras.board_pose import board_poses
from mocap3d.cameras.boards import Board, BoardView
from mocap3d.cameras.bundle import Adjusted, BoardSights, Sights, adjust, adjust_boards
from mocap3d.cameras.lens_derivatives import project_with_derivatives
from mocap3d.cameras.world_placement import first_camera_upright, on_floor

__all__ = ["Pair", "Rig", "calibrate_rig"]

Floats = NDArray[np.float64]
Views = Sequence[Sequence[BoardView | None]]

_LEAST_TIMES: Final = 3  # of a pair: fewer may all be wrong in the same way
_AGREE_RAD: Final = 0.15
_AGREE_SHARE: Final = 0.15  # of the distance to the board
_ROBUST_PX: Final = 2.0
_ROBUST: Final = 5.0  # medians of the residuals
_WRONG: Final = 10.0
_FLAT_PX: Final = 0.5  # a median residual above this is not the corners' own error
_FLATNESS: Final = 0.0125  # of the board's diagonal
_MOST_CANDIDATES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two cameras that saw the board at once.

    Attributes:
        first: index of a camera.
        second: index of the other.
        times: how often they saw it together.
        agreeing: how many of those times agree on how the two stand.
        used: whether the start was joined along this pair.
    """

    first: int
    second: int
    times: int
    agreeing: int
    used: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rig:
    """A solved rig.

    Attributes:
        cameras: with their poses; see `calibrate_rig` for the world.
        world_from_board: time -> (4, 4), for the times at which the board was seen.
        rms_px: root mean square residual of all corners that took part.
        camera_rms_px: per camera.
        corners: per camera, how many took part.
        left_out: share of the corners that fitted nothing.
        pairs: who saw the board together, and how often.
        position_std_m: per camera, how well its place is known, relative to the first camera's.
        rotation_std_rad: likewise its rotation.
    """

    cameras: tuple[Camera, ...]
    world_from_board: Mapping[int, Floats]
    rms_px: float
    camera_rms_px: tuple[float, ...]
    corners: tuple[int, ...]
    left_out: float
    pairs: tuple[Pair, ...]
    position_std_m: tuple[float, ...]
    rotation_std_rad: tuple[float, ...]


def calibrate_rig(
    cameras: Sequence[Camera],
    seen: Views,
    board: Board,
    *,
    floor_time: int | None = None,
) -> Rig:
    """Solve the poses of cameras whose lenses are known.

    Args:
        cameras: C cameras; their poses are not looked at.
        seen: (C)(T) the board in each camera at each time, None where it was not seen. Two cameras' views of one time
            must show the board in the same place: pictures taken at once, or of a board at rest.
        board: what was seen.
        floor_time: a time at which the board lay on the floor: its face is y = 0. None: the first camera stands at the
            origin and looks along -Z, and up in its picture is up in the world (see `world_placement`).

    Raises:
        InputError: shapes that do not fit.
        CalibrationError: cameras that no pair connects, a board that looks the same upside down, or no agreement.
    """
    times = _checked(cameras, seen, board, floor_time)
    found = [
        {t: board_poses(camera, board, view) for t, view in enumerate(row) if view is not None and _usable(view)}
        for camera, row in zip(cameras, seen, strict=True)
    ]
    pairs, relative = _pairs(found)
    joined = _joined(cameras, pairs, relative)
    start, boards = _placed(cameras, joined, found, seen, board, times)
    kept = sorted(boards)
    sights = _sights(seen, board, kept)
    poses = np.stack([boards[t] for t in kept])
    solved = adjust_boards(start, poses, sights, fixed=[0], robust_px=_ROBUST_PX)
    # What is usual decides what is wrong: corners of a blurred video are worse than those of photos.
    off = np.linalg.norm(solved.residuals_px, axis=-1)
    usual = max(float(np.nanmedian(off)), 0.1)
    clean = replace(sights, weight=np.where(off <= max(_WRONG * usual, 2.0), 1.0, 0.0))
    solved = adjust_boards(solved.cameras, solved.points_m, clean, fixed=[0], robust_px=_ROBUST * usual)
    if usual > _FLAT_PX:
        rest = _not_quite_flat(solved, clean, board, _ROBUST * usual)
        everyone = range(len(cameras))
        solved = replace(
            adjust_boards(rest.cameras, solved.points_m, clean, fixed=everyone, robust_px=_ROBUST * usual),
            std=solved.std,
        )
    return _described(solved, clean, pairs, joined, kept, floor_time)


def _usable(view: BoardView) -> bool:
    return len(view.ids) >= 4


def _checked(cameras: Sequence[Camera], seen: Views, board: Board, floor_time: int | None) -> int:
    if len(cameras) < 2:
        raise InputError(f"a rig needs at least 2 cameras, got {len(cameras)}")
    times = {len(row) for row in seen}
    if len(seen) != len(cameras) or len(times) != 1:
        raise InputError(f"seen must hold one row for each of {len(cameras)} cameras, all of one length")
    if board.can_be_turned:
        raise CalibrationError(
            f"the board {board.label} looks the same upside down, so two cameras can take different ends for the first "
            "one: use one with an odd and an even number of corners, or a ChArUco board"
        )
    count = times.pop()
    if floor_time is not None and not 0 <= floor_time < count:
        raise InputError(f"floor_time must be below {count}, got {floor_time}")
    return count


Candidates = Sequence[Mapping[int, list[tuple[Floats, float]]]]


def _pairs(found: Candidates) -> tuple[list[Pair], dict[tuple[int, int], Floats]]:
    """How any two cameras stand to each other, by the way on which most of their common times agree."""
    pairs, relative = [], {}
    for i, j in itertools.combinations(range(len(found)), 2):
        common = sorted(set(found[i]) & set(found[j]))
        if not common:
            continue
        # (cam_j_from_cam_i, distance to the board) in every way, per time.
        ways = [
            (np.stack([b @ _inverse(a) for a, _ in found[i][t] for b, _ in found[j][t]]), _distance(found[i][t][0][0]))
            for t in common
        ]
        best, agreeing = _agreed(ways)
        pairs.append(Pair(first=i, second=j, times=len(common), agreeing=agreeing, used=False))
        relative[i, j] = best
    return pairs, relative


def _distance(pose: Floats) -> float:
    return float(np.linalg.norm(pose[:3, 3]))


def _agreed(ways: Sequence[tuple[Floats, float]]) -> tuple[Floats, int]:
    """The way with which most times agree, and how many."""
    every = np.concatenate([poses for poses, _ in ways])
    starts = np.cumsum([0, *(len(poses) for poses, _ in ways[:-1])])
    reach = np.repeat([_AGREE_SHARE * distance for _, distance in ways], [len(poses) for poses, _ in ways])
    step = -(-len(every) // _MOST_CANDIDATES)
    best, most, least = every[0], -1, np.inf
    for candidate in every[::step]:
        # trace(A B') = 1 + 2 cos(angle between)
        cosine = (np.einsum("nij,ij->n", every[:, :3, :3], candidate[:3, :3]) - 1) / 2
        turn = np.arccos(np.clip(cosine, -1, 1)) / _AGREE_RAD
        shift = np.linalg.norm(every[:, :3, 3] - candidate[:3, 3], axis=-1) / reach
        off = np.minimum.reduceat(np.maximum(turn, shift), starts)
        agreeing, total = int((off < 1).sum()), float(np.minimum(off, 1).sum())
        if (agreeing, -total) > (most, -least):
            best, most, least = candidate, agreeing, total
    return best, most


def _joined(
    cameras: Sequence[Camera], pairs: list[Pair], relative: Mapping[tuple[int, int], Floats]
) -> dict[int, tuple[Floats, set[tuple[int, int]]]]:
    """``cam_from_first`` of every camera along the tree of pairs that agree most often, with the pairs on its way."""
    count = len(cameras)
    good = [pair for pair in pairs if pair.agreeing >= min(_LEAST_TIMES, pair.times)]
    weights = [1 / pair.agreeing for pair in good]
    graph = csr_array((weights, ([p.first for p in good], [p.second for p in good])), shape=(count, count))
    parts, part = connected_components(graph, directed=False)
    if parts > 1:
        groups = [
            " and ".join(camera.name for camera, own in zip(cameras, part, strict=True) if own == n)
            for n in range(parts)
        ]
        raise CalibrationError(
            f"nothing connects {' with '.join(groups)}: no two of their cameras saw the board together, or no two "
            "times agree. Carry the board slowly through where their views overlap; are the videos of one moment "
            "(`mocap3d sync`), and is none mirrored?"
        )
    tree = minimum_spanning_tree(graph).tocoo()
    edges = {(int(i), int(j)) for i, j in zip(*tree.coords, strict=True)}
    joined: dict[int, tuple[Floats, set[tuple[int, int]]]] = {0: (np.eye(4), set())}
    while len(joined) < count:
        for i, j in edges:
            if i in joined and j not in joined:
                joined[j] = (relative[i, j] @ joined[i][0], joined[i][1] | {(i, j)})
            elif j in joined and i not in joined:
                joined[i] = (_inverse(relative[i, j]) @ joined[j][0], joined[j][1] | {(i, j)})
    return joined


def _placed(
    cameras: Sequence[Camera],
    joined: Mapping[int, tuple[Floats, set[tuple[int, int]]]],
    found: Candidates,
    seen: Views,
    board: Board,
    times: int,
) -> tuple[list[Camera], dict[int, Floats]]:
    """The cameras in the first one's axes, and for each time the pose of the board that all its cameras like best."""
    start = [replace(camera, cam_from_world=joined[c][0]) for c, camera in enumerate(cameras)]
    boards: dict[int, Floats] = {}
    for t in range(times):
        candidates = [
            _inverse(start[c].cam_from_world) @ pose for c in range(len(cameras)) for pose, _ in found[c].get(t, [])
        ]
        if candidates:
            boards[t] = min(candidates, key=lambda pose: _misfit(start, pose, seen, board, t))
    return start, boards


def _misfit(cameras: Sequence[Camera], world_from_board: Floats, seen: Views, board: Board, t: int) -> float:
    total = 0.0
    for camera, row in zip(cameras, seen, strict=True):
        view = row[t]
        if view is not None and _usable(view):
            pose = camera.cam_from_world @ world_from_board
            cam = board.points_m[view.ids] @ pose[:3, :3].T + pose[:3, 3]
            off = np.linalg.norm(view.xy_px - project_with_derivatives(camera, cam).xy_px, axis=-1)
            total += float(np.minimum(np.nan_to_num(off, nan=1e3), 1e3).sum())
    return total


def _sights(seen: Views, board: Board, kept: Sequence[int]) -> BoardSights:
    rows = [
        (c, n, view)
        for c, row in enumerate(seen)
        for n, t in enumerate(kept)
        if (view := row[t]) is not None and _usable(view)
    ]
    counts = [len(view.ids) for _, _, view in rows]
    return BoardSights(
        camera=np.repeat([c for c, _, _ in rows], counts),
        body=np.repeat([n for _, n, _ in rows], counts),
        local_m=np.concatenate([board.points_m[view.ids] for _, _, view in rows]),
        xy_px=np.concatenate([view.xy_px for _, _, view in rows]),
    )


def _not_quite_flat(solved: Adjusted, sights: BoardSights, board: Board, robust_px: float) -> Adjusted:
    """The cameras once more, each corner free to leave the board's plane and grid a little.

    Corners that miss by more than they can be mislocated say that something else is not as assumed: paper is wavy, a
    lens is known to a pixel only. A rigid board would press that into the cameras' poses.
    """
    count = len(board.points_m)
    flat = _FLATNESS * float(np.linalg.norm(np.ptp(board.points_m, axis=0)))
    points = np.concatenate([board.points_m @ pose[:3, :3].T + pose[:3, 3] for pose in solved.points_m])
    corner = np.argmin(np.linalg.norm(sights.local_m[:, None] - board.points_m[None], axis=-1), axis=1)
    each = Sights(camera=sights.camera, point=sights.body * count + corner, xy_px=sights.xy_px, weight=sights.weight)
    return adjust(solved.cameras, points, each, fixed=[0], points_std_m=np.full(len(points), flat), robust_px=robust_px)


def _described(
    solved: Adjusted,
    sights: BoardSights,
    pairs: Sequence[Pair],
    joined: Mapping[int, tuple[Floats, set[tuple[int, int]]]],
    kept: Sequence[int],
    floor_time: int | None,
) -> Rig:
    names = [camera.name for camera in solved.cameras]
    used = set().union(*(edges for _, edges in joined.values()))
    trusted = sights.weight > 0 if sights.weight is not None else np.ones(len(sights.camera), bool)
    squares = (solved.residuals_px**2).sum(axis=-1)
    own = [trusted & (sights.camera == c) for c in range(len(names))]
    lost = next((name for name, mine in zip(names, own, strict=True) if not mine.any()), None)
    if lost is not None:
        raise CalibrationError(f"nothing that {lost} saw of the board agrees with what the others saw")
    rms = float(np.sqrt(squares[trusted].mean()))
    noise = max(rms / np.sqrt(2), 0.1)
    std = [found.get("pose", np.zeros(6)) * noise for found in solved.std]
    boards = dict(zip(kept, solved.points_m, strict=True))
    if floor_time is not None and floor_time not in boards:
        raise CalibrationError(f"no camera saw the board at time {floor_time}, when it lay on the floor")
    rig = first_camera_upright(solved.cameras) if floor_time is None else on_floor(solved.cameras, boards[floor_time])
    new_from_old = rig[0].world_from_cam @ solved.cameras[0].cam_from_world
    return Rig(
        cameras=rig,
        world_from_board={t: new_from_old @ pose for t, pose in boards.items()},
        rms_px=rms,
        camera_rms_px=tuple(float(np.sqrt(squares[mine].mean())) for mine in own),
        corners=tuple(int(mine.sum()) for mine in own),
        left_out=float(1 - trusted.mean()),
        pairs=tuple(replace(pair, used=(pair.first, pair.second) in used) for pair in pairs),
        position_std_m=tuple(float(np.linalg.norm(values[3:])) for values in std),
        rotation_std_rad=tuple(float(np.linalg.norm(values[:3])) for values in std),
    )


def _inverse(pose: Floats) -> Floats:
    R, t = pose[:3, :3], pose[:3, 3]
    inverse = np.eye(4)
    inverse[:3, :3], inverse[:3, 3] = R.T, -R.T @ t
    return inverse
