"""What a motion-data file holds, in numbers: what one looks at before training on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mocap3d.data_prep.motion_read import (
    prediction_names,
    read_cameras,
    read_prediction,
    read_sequences,
    read_view,
    sequence_names,
    view_names,
)
from mocap3d.data_prep.motion_sequence import MotionSequence
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.skeleton import ROOT, Skeleton

__all__ = ["check_motion"]


def check_motion(path: Path) -> dict[str, Any]:
    """Look through a motion-data file; every sequence is read once, every view too.

    Returns:
        Plain types, ready for JSON. ``subjects``: for each one ``sequences``, ``frames``, ``seconds``, ``cameras``.
        ``actions``: how many sequences each has, takes of one action together. ``fps``, ``skeletons``, ``licences``:
        how many sequences have which. ``missing``: share of joints with confidence 0 or NaN, in all (``share``) and of
        each joint where it is above 0. ``bones``: for each bone, "child < parent", the mean length ``mean_mm``,
        ``spread_mm`` (the largest standard deviation within a sequence: 0 for a rigid body) and
        ``between_subjects_mm`` (range of the subjects' means). ``views``: for each detector its sequences, ``cameras``,
        ``seen`` (share of joints with confidence) and ``inside`` (share of frames of which all seen joints lie in the
        picture). ``predictions``: for each model its sequences, ``cameras`` and the checksums of its weights.

    Raises:
        InputError: the file does not exist.
        FileFormatError: it is not a motion-data file, or something in it is damaged.
    """
    names = sequence_names(path)
    cameras = {subject: read_cameras(path, subject) for subject in dict.fromkeys(subject for subject, _ in names)}
    subjects: dict[str, dict[str, Any]] = {
        subject: {"sequences": 0, "frames": 0, "seconds": 0.0, "cameras": list(seen)}
        for subject, seen in cameras.items()
    }
    counts: dict[str, Counter[str]] = {key: Counter() for key in ("actions", "fps", "skeletons", "licences")}
    gaps, bones = _Gaps(), _Bones()
    for sequence in read_sequences(path):
        subject, frames = subjects[sequence.subject], len(sequence.xyz_m)
        subject["sequences"] += 1
        subject["frames"] += frames
        subject["seconds"] = round(subject["seconds"] + float(frames / sequence.fps), 3)
        counts["actions"][_without_take(sequence.action)] += 1
        counts["fps"][str(sequence.fps)] += 1
        counts["skeletons"][sequence.skeleton.name] += 1
        counts["licences"][sequence.licence] += 1
        gaps.add(sequence)
        bones.add(sequence)
    return {
        "file": str(path),
        "subjects": subjects,
        **{key: dict(count) for key, count in counts.items()},
        "missing": gaps.result(),
        "bones": bones.result(),
        "views": _views(path, names, cameras),
        "predictions": _predictions(path, names),
    }


class _Gaps:
    """Counts joints that are not there."""

    def __init__(self) -> None:
        self._lost: Counter[str] = Counter()
        self._all: Counter[str] = Counter()

    def add(self, sequence: MotionSequence) -> None:
        lost = (sequence.confidence <= 0) | ~np.isfinite(sequence.xyz_m).all(axis=-1)
        for name, column in zip(sequence.skeleton.joint_names, lost.T, strict=True):
            self._lost[name] += int(column.sum())
            self._all[name] += len(column)

    def result(self) -> dict[str, Any]:
        joints = {name: count / self._all[name] for name, count in self._lost.items() if count}
        return {"share": self._lost.total() / max(self._all.total(), 1), "joints": joints}


class _Bones:
    """Gathers bone lengths, sequence by sequence."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[str, float, float]]] = {}  # bone -> subject, mean and deviation in metres

    def add(self, sequence: MotionSequence) -> None:
        for name, length_m in _bone_lengths(sequence.xyz_m.astype(np.float64), sequence.skeleton):
            if len(length_m):
                row = sequence.subject, float(length_m.mean()), float(length_m.std())
                self._rows.setdefault(name, []).append(row)

    def result(self) -> dict[str, dict[str, float]]:
        found = {}
        for name, rows in self._rows.items():
            of_subject: dict[str, list[float]] = {}
            for subject, mean_m, _ in rows:
                of_subject.setdefault(subject, []).append(mean_m)
            means = [float(np.mean(values)) for values in of_subject.values()]
            found[name] = {
                "mean_mm": round(1000 * float(np.mean(means)), 3),
                "spread_mm": round(1000 * max(std_m for *_, std_m in rows), 3),
                "between_subjects_mm": round(1000 * (max(means) - min(means)), 3),
            }
        return found


def _bone_lengths(xyz_m: NDArray[np.float64], skeleton: Skeleton) -> Iterable[tuple[str, NDArray[np.float64]]]:
    """Each bone's name and its length in the frames in which both ends are finite."""
    for j, parent in enumerate(skeleton.parents):
        if parent != ROOT:
            length_m = np.linalg.norm(xyz_m[:, j] - xyz_m[:, parent], axis=-1)
            name = f"{skeleton.joint_names[j]} < {skeleton.joint_names[parent]}"
            yield name, length_m[np.isfinite(length_m)]


def _views(
    path: Path, names: tuple[tuple[str, str], ...], cameras_of: Mapping[str, Mapping[str, Camera]]
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    sums: dict[str, list[tuple[float, float]]] = {}
    for subject, action in names:
        cameras = cameras_of[subject]
        counted: set[str] = set()
        for camera, detectors in view_names(path, subject, action).items():
            for detector in detectors:
                view = read_view(path, subject, action, camera, detector)
                entry = found.setdefault(detector, {"skeleton": view.skeleton.name, "sequences": 0, "cameras": []})
                if detector not in counted:
                    entry["sequences"] += 1
                    counted.add(detector)
                if camera not in entry["cameras"]:
                    entry["cameras"].append(camera)
                seen = view.confidence > 0
                inside = float("nan")
                if camera in cameras:
                    last = np.array(cameras[camera].size_wh_px) - 0.5
                    within = ((view.xy_px >= -0.5) & (view.xy_px < last)).all(axis=-1)
                    inside = float((within | ~seen).all(axis=-1).mean())
                sums.setdefault(detector, []).append((float(seen.mean()), inside))
    for detector, rows in sums.items():
        seen_share, inside_share = np.mean(rows, axis=0)
        found[detector]["seen"] = round(float(seen_share), 4)
        found[detector]["inside"] = round(float(inside_share), 4) if np.isfinite(inside_share) else None
    return found


def _predictions(path: Path, names: tuple[tuple[str, str], ...]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for subject, action in names:
        for model, cameras in prediction_names(path, subject, action).items():
            entry = found.setdefault(model, {"sequences": 0, "cameras": [], "weights_sha256": []})
            entry["sequences"] += 1
            for camera in cameras:
                digest = read_prediction(path, subject, action, model, camera).weights_sha256
                for key, value in (("cameras", camera), ("weights_sha256", digest)):
                    if value not in entry[key]:
                        entry[key].append(value)
    return found


def _without_take(action: str) -> str:
    """Takes are numbered after an underscore: "walking_1" and "walking_2" are both "walking"."""
    name, _, number = action.rpartition("_")
    return name if name and number.isdigit() else action
