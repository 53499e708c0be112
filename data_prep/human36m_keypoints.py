"""2D joints of Human3.6M's videos in VideoPose3D's form: ``data_2d_h36m_DETECTOR.npz``.

``positions_2d`` is {"S1": {"Walking 1": [four arrays (T', K, 2) in pixels, one per camera]}}, in the order of
``CAMERA_IDS``; ``metadata`` tells the joints. A detector may have seen a few frames more than there are poses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from mocap3d.data_prep.human36m_cameras import CAMERA_IDS
from mocap3d.data_prep.human36m_names import action_of
from numpy.typing import NDArray

from mocap3d.base import safe_pickle
from mocap3d.base.errors import FileFormatError
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17

__all__ = ["Keypoints", "find_keypoints", "first_frames", "read_keypoints"]

_PREFIX: Final = "data_2d_h36m_"
# Stacked hourglass has no "neck" (Martinez' Neck/Nose): the other 16 of Human3.6M-17 in their order.
_WITHOUT_NECK: Final = [j for j, name in enumerate(HUMAN36M_17.joint_names) if name != "neck"]

Points = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Keypoints:
    """What one detector saw.

    Attributes:
        detector: the part of the file's name after ``data_2d_h36m_``.
        skeleton: HUMAN36M_17 or COCO_17.
        views: (subject, take as we spell it, camera) -> xy_px (T', K, 2) and confidence (T', K).
    """

    detector: str
    skeleton: Skeleton
    views: Mapping[tuple[str, str, str], Points]


def find_keypoints(folder: Path) -> list[Path]:
    """The files of that form in a folder; ``gt`` is left out, because our own true views take its place."""
    return [path for path in sorted(folder.glob(f"**/{_PREFIX}*.npz")) if path.stem != f"{_PREFIX}gt"]


def read_keypoints(path: Path) -> Keypoints:
    """Read one file.

    Raises:
        FileFormatError: not such a file, or joints that are neither Human3.6M's nor COCO's.
    """
    content = safe_pickle.load_npz(path)
    people, metadata = content.get("positions_2d"), content.get("metadata")
    if not isinstance(people, dict) or not isinstance(metadata, dict):
        raise FileFormatError("no dictionaries positions_2d and metadata", path=path)
    skeleton, columns = _joints(metadata, path)
    views = {}
    for subject, actions in people.items():
        if not isinstance(actions, dict):
            raise FileFormatError(f"positions_2d[{subject!r}] is not a dictionary", path=path)
        for name, cameras in actions.items():
            what = f"positions_2d[{subject!r}][{name!r}]"
            take = action_of(str(subject), str(name))
            if take is None or not isinstance(cameras, (list, tuple, np.ndarray)) or len(cameras) != len(CAMERA_IDS):
                raise FileFormatError(f"{what} is not a take of Human3.6M seen by four cameras", path=path)
            for camera, values in zip(CAMERA_IDS, cameras, strict=True):
                views[str(subject), take, camera] = _points(values, skeleton, columns, path, what)
    return Keypoints(detector=path.stem.removeprefix(_PREFIX), skeleton=skeleton, views=views)


def first_frames(points: Points, frames: int) -> Points:
    """Cut to the frames that have poses; frames that are missing at the end become NaN with confidence 0."""
    xy_px, confidence = points[0][:frames], points[1][:frames]
    lack = frames - len(xy_px)
    if lack:
        xy_px = np.pad(xy_px, ((0, lack), (0, 0), (0, 0)), constant_values=np.nan)
        confidence = np.pad(confidence, ((0, lack), (0, 0)))
    return xy_px, confidence


def _joints(metadata: dict[object, object], path: Path) -> tuple[Skeleton, list[int]]:
    """The skeleton, and the joint of it that each column is; left and right tell COCO from Human3.6M."""
    try:
        left, right = (frozenset(map(int, side)) for side in metadata["keypoints_symmetry"])  # type: ignore[attr-defined]
    except (KeyError, TypeError, ValueError):
        raise FileFormatError("metadata has no keypoints_symmetry of two sides", path=path) from None
    for skeleton, columns in ((HUMAN36M_17, list(range(17))), (COCO_17, list(range(17))), (HUMAN36M_17, _WITHOUT_NECK)):
        names = [skeleton.joint_names[j] for j in columns]
        sides = [frozenset(i for i, name in enumerate(names) if name.startswith(side)) for side in ("left", "right")]
        if [left, right] == sides and metadata.get("num_joints") == len(columns):
            return skeleton, columns
    raise FileFormatError("the joints are neither Human3.6M's 16 or 17 nor COCO's 17", path=path)


def _points(values: object, skeleton: Skeleton, columns: list[int], path: Path, what: str) -> Points:
    if not isinstance(values, np.ndarray) or not np.issubdtype(values.dtype, np.floating):
        raise FileFormatError(f"{what} holds no array of pixels", path=path)
    if values.ndim != 3 or values.shape[1] != len(columns) or values.shape[2] not in (2, 3):
        raise FileFormatError(f"{what}: expected (T, {len(columns)}, 2 or 3), got {values.shape}", path=path)
    xy_px = np.full((len(values), len(skeleton), 2), np.nan)
    xy_px[:, columns] = values[..., :2]
    xy_px[~np.isfinite(xy_px).all(axis=-1)] = np.nan
    confidence = np.isfinite(xy_px).all(axis=-1).astype(np.float64)
    if values.shape[2] == 3:
        confidence[:, columns] *= np.clip(np.nan_to_num(values[..., 2]), 0.0, 1.0)
    return xy_px, confidence
