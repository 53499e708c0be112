"""Where the world is around cameras that know each other only: how large it is, which way is up, where the floor is.

Size comes from a person's height or from a distance between two cameras. Up comes from three witnesses: people's
trunks are upright on average, their weight is above the foot that carries it, and what each one's ankles stand on is
level. The floor lies an ankle's height below those of whoever was seen best: others may stand on a platform, or beside
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from mocap3d.base.camera import Camera
from mocap3d.base.contacts import runs
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.base.pose import Pose3D
from mocap3d.base.rotations import rotation_between, rotvec_to_matrix

__all__ = ["Placement", "place_in_world", "seldom", "stature_m", "trunks_m"]

Floats = NDArray[np.float64]

# Drillis and Contini (1966), in Winter, "Biomechanics and Motor Control of Human Movement", fig. 4.1, of stature:
# shoulders stand 0.818 high, ankles 0.039. Between them go shank, thigh and trunk; where the detector sees the hip
# between thigh and trunk hardly matters to their sum.
_CHAIN_OF_STATURE: Final = 0.818 - 0.039
_ANKLE_OF_STATURE: Final = 0.039

# Segments between joints and what they weigh (Dempster in Winter, table 4.1; the head counts with the trunk).
_MASSES: Final = (
    (0.58, "shoulder", "hip"),
    (0.10, "hip", "knee"),
    (0.06, "knee", "ankle"),
    (0.028, "shoulder", "elbow"),
    (0.022, "elbow", "wrist"),
)
_TRUNK_STD_RAD: Final = np.radians(6.0)  # people lean, all of a clip long
_BALANCE_STD_RAD: Final = np.radians(4.0)  # pressure lies ahead of the ankle
_UNSURE_STD_RAD: Final = np.radians(10.0)  # where nobody knows which foot stands
_FOOT_STD: Final = 0.015  # of stature: a planted ankle's height
_APART_STD: Final = 0.1  # of stature: people stand on one floor, or a step, a platform or more apart
_GLIMPSE: Final = 0.1  # of the moments at which somebody is seen
_STEP_STD: Final = 0.03  # of stature: the lower ankle of a frame in which nobody knows whether it is planted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placement:
    """The world that was found.

    Attributes:
        cameras: in the world: metres, +Y up, the floor at y = 0, the first camera looking along -Z.
        world_from_old: (4, 4) similarity from the axes in which the cameras were given.
        scale: by how much everything grew.
        scale_from: "height", "distance", or "assumed" when neither was given.
        stature_m: of each person, in the new metres; NaN where limbs were not seen.
        up_std_deg: expected error of the vertical, one standard deviation in the worst direction.
        planted: how many plants of a foot were used.
    """

    cameras: tuple[Camera, ...]
    world_from_old: Floats
    scale: float
    scale_from: str
    stature_m: tuple[float, ...]
    up_std_deg: float
    planted: int

    def moved(self, pose: Pose3D) -> Pose3D:
        """Bring a person from the old axes into the world."""
        R, t = self.world_from_old[:3, :3], self.world_from_old[:3, 3]
        return replace(pose, xyz_m=pose.xyz_m @ R.T + t, std_m=pose.std_m * self.scale, frame="world")


def place_in_world(
    cameras: Sequence[Camera],
    people: Sequence[Pose3D],
    *,
    contacts: Sequence[Floats | None] | None = None,
    height_m: float | Sequence[float] | None = None,
    distance_m: tuple[int, int, float] | None = None,
) -> Placement:
    """Find size, vertical and floor, and move the cameras there.

    Args:
        cameras: in any axes and size.
        people: triangulated in the same axes; any skeleton with shoulders, hips, knees and ankles.
        contacts: per person (T, 4) left heel, left toe, right heel, right toe on the ground, 0..1; without any, the
            lower ankle of each frame is taken to stand.
        height_m: stature of everybody, or of each person.
        distance_m: two indices of cameras and how far their lenses are apart; comes before ``height_m``.

    Raises:
        InputError: a height or a distance that is none.
        CalibrationError: too little was seen of anybody to tell up, or size.
    """
    if not people:
        raise InputError("nobody was seen: the world is found around people")
    people = [replace(pose, confidence=np.where(seldom(pose.confidence > 0), 0.0, pose.confidence)) for pose in people]
    statures = np.array([stature_m(pose) for pose in people])
    scale, scale_from = _scale(cameras, statures, height_m, distance_m)
    around = list(contacts) if contacts is not None else [None] * len(people)
    size = float(np.nanmedian(statures)) if np.isfinite(statures).any() else 1.7 / scale
    witnesses = _witnesses(people, around)
    feet, planted = _standing(people, around, size, _mean_of(witnesses))
    up, floor, up_std = _level(witnesses, feet, size)
    matrix = _world_from_old(up, floor, scale, cameras[0], people)
    return Placement(
        cameras=tuple(_moved(camera, matrix, scale) for camera in cameras),
        world_from_old=matrix,
        scale=scale,
        scale_from=scale_from,
        stature_m=tuple(float(s * scale) for s in statures),
        up_std_deg=float(np.degrees(up_std)),
        planted=planted,
    )


def seldom(seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(J,) joints of which there is but a glimpse, of (T, J): once in a while a detector sees legs below a table."""
    return np.asarray(seen.sum(axis=0) < _GLIMPSE * seen.any(axis=1).sum())


def stature_m(pose: Pose3D) -> float:
    """Measure how tall a person is from shanks, thighs and trunk; NaN where one of them was never seen."""
    points = np.where((pose.confidence > 0)[..., None], pose.xyz_m, np.nan)

    def at(joint: str) -> Floats:
        return np.asarray(points[:, pose.skeleton.index(joint)])

    middle = {joint: (at(f"left_{joint}") + at(f"right_{joint}")) / 2 for joint in ("shoulder", "hip")}
    lengths = [_median(np.linalg.norm(middle["shoulder"] - middle["hip"], axis=-1))]
    for upper, lower in (("hip", "knee"), ("knee", "ankle")):
        both = [_median(np.linalg.norm(at(f"{s}_{upper}") - at(f"{s}_{lower}"), axis=-1)) for s in ("left", "right")]
        lengths.append(_median(np.array(both)))
    return float(np.sum(lengths)) / _CHAIN_OF_STATURE


def trunks_m(pose: Pose3D) -> Floats:
    """(T, 3) from the middle of the hips to the middle of the shoulders; NaN where not seen."""
    points = np.where((pose.confidence > 0)[..., None], pose.xyz_m, np.nan)
    hips, shoulders = (
        (points[:, pose.skeleton.index(f"left_{joint}")] + points[:, pose.skeleton.index(f"right_{joint}")]) / 2
        for joint in ("hip", "shoulder")
    )
    return np.asarray(shoulders - hips)


def _scale(
    cameras: Sequence[Camera],
    statures: Floats,
    height_m: float | Sequence[float] | None,
    distance_m: tuple[int, int, float] | None,
) -> tuple[float, str]:
    if distance_m is not None:
        i, k, metres = distance_m
        if i == k or not {i, k} <= set(range(len(cameras))) or not (np.isfinite(metres) and metres > 0):
            raise InputError(f"distance_m must be two different cameras and metres above 0, got {distance_m}")
        apart = float(np.linalg.norm(cameras[i].world_from_cam[:3, 3] - cameras[k].world_from_cam[:3, 3]))
        if apart <= 0:
            raise CalibrationError(f"cameras {cameras[i].name!r} and {cameras[k].name!r} stand at one place")
        return metres / apart, "distance"
    if height_m is None:
        return 1.0, "assumed"
    heights = np.broadcast_to(np.asarray(height_m, np.float64), statures.shape) if np.ndim(height_m) == 0 else height_m
    heights = np.asarray(heights, np.float64)
    if heights.shape != statures.shape or not (np.isfinite(heights) & (heights > 0.3) & (heights < 3)).all():
        raise InputError(f"height_m must be metres from 0.3 to 3, one or one per person, got {height_m}")
    ratio = heights / statures
    if not np.isfinite(ratio).any():
        raise CalibrationError("nobody's legs and shoulders were seen by two cameras: film the whole body")
    return float(np.nanmedian(ratio)), "height"


def _witnesses(people: Sequence[Pose3D], contacts: Sequence[Floats | None]) -> list[tuple[Floats, float]]:
    """What speaks for up: directions (3,) and how far each may be off, radians."""
    trunk, spread = _mean_direction(np.concatenate([trunks_m(pose) for pose in people]))
    told = [(trunk, float(np.hypot(_TRUNK_STD_RAD, spread)))]
    for pose, contact in zip(people, contacts, strict=True):
        weighed = _weight_above_feet_m(pose, contact)
        if np.isfinite(weighed[:, 0]).sum() >= 3:
            direction, spread = _mean_direction(weighed)
            told.append((direction, float(np.hypot(_UNSURE_STD_RAD if contact is None else _BALANCE_STD_RAD, spread))))
    return told


def _mean_of(witnesses: Sequence[tuple[Floats, float]]) -> Floats:
    total = np.sum([direction / spread**2 for direction, spread in witnesses], axis=0)
    return np.asarray(total / np.linalg.norm(total))


def _mean_direction(along: Floats) -> tuple[Floats, float]:
    """(3,) the middle of directions (T, 3), and their median angle from it."""
    length = np.linalg.norm(along, axis=-1)
    along = along[length > 0] / length[length > 0][:, None]
    if len(along) < 3:
        raise CalibrationError("nobody's shoulders and hips were seen by two cameras: film the whole body")
    middle = along.mean(axis=0)
    middle /= max(float(np.linalg.norm(middle)), 1e-9)
    return np.asarray(middle), float(np.median(np.arccos(np.clip(along @ middle, -1, 1))))


def _weight_above_feet_m(pose: Pose3D, contact: Floats | None) -> Floats:
    """(T, 3) from the ankles that stand to the centre of mass; NaN where one of them is not known.

    Short of a whole step a walker falls from foot to foot, so the mean over a clip counts, not a frame.
    """
    points = np.where((pose.confidence > 0)[..., None], pose.xyz_m, np.nan)

    def both(joint: str) -> Floats:
        return np.stack([points[:, pose.skeleton.index(f"{side}_{joint}")] for side in ("left", "right")], axis=1)

    middle = {name: both(name) for _, *ends in _MASSES for name in ends}
    trunk, *limbs = _MASSES
    total = trunk[0] * (middle[trunk[1]] + middle[trunk[2]]).mean(axis=1) / 2
    for mass, upper, lower in limbs:
        total = total + mass * (middle[upper] + middle[lower]).sum(axis=1) / 2
    stands = np.ones((len(pose), 2))
    if contact is not None:
        stands = np.stack([np.asarray(contact)[:, c : c + 2].max(axis=1) for c in (0, 2)], axis=1)[: len(pose)]
        stands = np.where(stands >= 0.5, stands, 0.0)
    share = stands / np.where(stands.sum(axis=1, keepdims=True) > 0, stands.sum(axis=1, keepdims=True), np.nan)
    carries = np.where(share[..., None] > 0, share[..., None] * middle["ankle"], 0.0).sum(axis=1)
    return np.asarray(total - carries + 0 * share.sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Feet:
    """What stands: ankles (N, 3), the standard deviation (N,) of their heights, and whose they are (N,).

    ``main`` is the person of whom cameras saw most.
    """

    points: Floats
    std: Floats
    who: NDArray[np.int64]
    main: int


def _standing(
    people: Sequence[Pose3D], contacts: Sequence[Floats | None], size: float, up: Floats
) -> tuple[_Feet, int]:
    """Ankles that stand, and how many of them are known to be planted."""
    rows: list[tuple[Floats, float, int]] = []
    planted = 0
    for who, (pose, contact) in enumerate(zip(people, contacts, strict=True)):
        points = np.where((pose.confidence > 0)[..., None], pose.xyz_m, np.nan)
        ankles = np.stack([points[:, pose.skeleton.index(f"{side}_ankle")] for side in ("left", "right")], axis=1)
        if contact is not None:
            own = _plants(ankles, np.asarray(contact))
            rows += [(point, _FOOT_STD * size, who) for point in own]
            planted += len(own)
            continue
        lower = _lower(ankles, up)
        step = max(1, len(lower) // 60)
        std = _STEP_STD * size * float(np.sqrt(max(len(lower) / step / 6, 1)))  # neighbours say the same
        rows += [(point, std, who) for point in lower[::step] if np.isfinite(point).all()]
    seen = [float(np.where(pose.confidence > 0, pose.views, 0).sum()) for pose in people]
    standing = {who for _, _, who in rows}
    feet = _Feet(
        points=np.array([point for point, _, _ in rows]).reshape(-1, 3),
        std=np.array([std for _, std, _ in rows]),
        who=np.array([who for _, _, who in rows], np.int64),
        main=max(standing, key=lambda who: seen[who], default=0),
    )
    return feet, planted


def _plants(ankles: Floats, contact: Floats) -> list[Floats]:
    """Where each foot stood: the middle of its ankle (T, 2, 3) while it was planted."""
    found = []
    for side, columns in enumerate(((0, 1), (2, 3))):
        own = ankles[: len(contact), side]
        stands = (contact[: len(own), columns].max(axis=1) >= 0.5) & np.isfinite(own[:, 0])
        found += [np.median(own[start:stop], axis=0) for start, stop in runs(stands)]
    return found


def _lower(ankles: Floats, up: Floats) -> Floats:
    """(T, 3) of both ankles (T, 2, 3) the lower one along ``up``; NaN where one is missing."""
    height = ankles @ up
    lower = np.where((height[:, 0] <= height[:, 1])[:, None], ankles[:, 0], ankles[:, 1])
    return np.where(np.isfinite(height).all(axis=1, keepdims=True), lower, np.nan)


def _level(witnesses: Sequence[tuple[Floats, float]], feet: _Feet, size: float) -> tuple[Floats, float, float]:
    """Up (3,), the floor's height along it, and the expected error of up in radians."""
    if not len(feet.points):
        raise CalibrationError("nobody's ankles were seen by two cameras: film the feet too")
    start = _mean_of(witnesses)
    basis = np.linalg.svd(start[None])[2][1:]  # two directions across
    persons, who = np.unique(feet.who, return_inverse=True)
    main = int(np.searchsorted(persons, feet.main))

    def up_of(x: Floats) -> Floats:
        return np.asarray(rotvec_to_matrix(basis.T @ x[:2]) @ start)

    def residuals(x: Floats) -> Floats:
        """Of the tilt (2), and of the height that each person stands at, in people's heights."""
        up, heights = up_of(x), x[2:]
        off = _held((feet.points @ up - heights[who] * size) / feet.std)
        apart = _held((heights - heights[main]) / _APART_STD)
        leans = [np.cross(direction, up) / spread for direction, spread in witnesses]
        return np.concatenate([off, apart, *leans, 1e-3 * heights])

    usual = [np.median(feet.points[who == n] @ start) / size for n in range(len(persons))]
    solved = least_squares(residuals, np.array([0.0, 0.0, *usual]), method="lm")
    jacobian = np.asarray(solved.jac)
    covariance = np.linalg.pinv(jacobian.T @ jacobian)[:2, :2]
    spread = float(np.sqrt(np.linalg.eigvalsh(covariance)[-1]))
    return up_of(solved.x), float((solved.x[2 + main] - _ANKLE_OF_STATURE) * size), spread


def _held(off: Floats) -> Floats:
    """Residuals of which large ones hardly count (Cauchy)."""
    return np.asarray(np.sign(off) * np.sqrt(4 * np.log1p(off**2 / 4)))


def _world_from_old(up: Floats, floor: float, scale: float, first: Camera, people: Sequence[Pose3D]) -> Floats:
    """Similarity: up becomes +Y, the first camera's view -Z, and the floor below the first person the origin."""
    back = -first.cam_from_world[2, :3]
    back = back - up * (back @ up)
    if np.linalg.norm(back) < 1e-3:
        back = rotation_between(np.array([0.0, 1.0, 0.0]), up) @ [0.0, 0.0, 1.0]
    z = back / np.linalg.norm(back)
    R = np.stack([np.cross(up, z), up, z])
    points = people[0].xyz_m[people[0].confidence > 0]
    middle = np.median(points, axis=0) if len(points) else np.zeros(3)
    matrix = np.eye(4)
    matrix[:3, :3] = scale * R
    matrix[:3, 3] = -scale * R @ (middle - up * (middle @ up - floor))
    return matrix


def _moved(camera: Camera, world_from_old: Floats, scale: float) -> Camera:
    R, t = world_from_old[:3, :3] / scale, world_from_old[:3, 3]
    pose = np.eye(4)
    pose[:3, :3] = camera.cam_from_world[:3, :3] @ R.T
    pose[:3, 3] = scale * camera.cam_from_world[:3, 3] - pose[:3, :3] @ t
    return replace(camera, cam_from_world=pose)


def _median(values: Floats) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")
