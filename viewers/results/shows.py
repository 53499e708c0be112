"""Results of `mocap3d evaluate` for the viewer: truth, predictions of several models, views, errors.

Several files are one show: the models of each stand beside the others, as long as they were judged on the same data.

Arrays, each (T, ...), S the number of a take in the manifest, C that of a camera of its subject, M that of a model:

| Name | Holds |
|---|---|
| ``truth.S`` | (J, 3) true joints, world |
| ``found.S.M.C`` | (J, 3) predicted joints, world |
| ``errors.S.M.C`` | (2 + J) millimetres around the root: MPJPE, P-MPJPE, each joint |
| ``seen.S.C.D`` | (K, 2) what detector D saw, pixels |
| ``true_px.S.C``, ``found_px.S.M.C`` | (J, 2) the joints through the lens, pixels |

Tables: ``take.S`` what was seen of a take; ``scores.S.M.C`` of one take; ``scores`` of all, which grows while it is
asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from mocap3d.data_prep.motion_slices import MotionSlices, Points, TakeOutline, is_motion_file
from mocap3d.viewers.results.judge import Judge, Key, TakeScores, action_table, frame_errors_mm, score_take
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.conversions import conversion, convert, declared_targets
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose3D
from mocap3d.base.projection import project
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import HUMAN36M_17
from mocap3d.protocol.names import in_order, without_take
from mocap3d.quality.pose3d import around_root

__all__ = ["ResultsShow", "is_results"]

Floats = NDArray[np.float64]

_SAME: Final = 32  # frames by which two files are found to hold the same truth
_WORST_SHOWN: Final = 40


def is_results(path: Path) -> bool:
    """Whether a file is a motion-data file, with predictions or without."""
    return is_motion_file(path)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """The predictions of one model for one take."""

    file: MotionSlices
    take: TakeOutline
    model: str  # its name in the file
    cameras: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Take:
    """One take: where its truth lies, and what there is beside it."""

    file: MotionSlices
    outline: TakeOutline
    judged: Skeleton  # the joints that are drawn and measured
    found: dict[int, _Found]  # by the number of the model


class ResultsShow:
    """Motion-data files as one thing to look at.

    Raises:
        InputError: a file does not exist, or has no sequences.
        FileFormatError: a file is damaged.
    """

    kind: Literal["results"] = "results"

    def __init__(self, paths: Sequence[Path]) -> None:
        """Open the files and read what they have, but no numbers."""
        self.name = ", ".join(path.name for path in paths)
        self._models: dict[tuple[Path, str], str] = {}
        self._notes: list[str] = []
        with ExitStack() as opening:
            self._files = [opening.enter_context(closing(MotionSlices(path))) for path in paths]
            self._cameras = self._all_cameras()
            self._takes = self._all_takes()
            if not self._takes:
                raise InputError(f"{self.name} has no sequences")
            self._open = opening.pop_all()
        self._judge = Judge(self._keys(), self._measure)
        self._arrays: dict[tuple[str, int], Callable[..., Callable[[int, int], Floats]]] = {
            ("truth", 1): self._truth, ("found", 3): self._found, ("errors", 3): self._errors,
            ("seen", 3): self._seen, ("true_px", 2): self._true_px, ("found_px", 3): self._found_px,
        }  # fmt: skip

    def manifest(self) -> dict[str, Any]:
        """Takes, models, cameras and skeletons; no numbers over time."""
        skeletons = {take.judged.name: take.judged for take in self._takes}
        return {
            "kind": self.kind,
            "name": self.name,
            "notes": self._notes,
            "models": list(self._models.values()),
            "skeletons": {name: _skeleton_json(skeleton) for name, skeleton in skeletons.items()},
            "cameras": {
                subject: [_camera_json(camera) for camera in self._cameras.get(subject, {}).values()]
                for subject in dict.fromkeys(take.outline.subject for take in self._takes)
            },
            "takes": [self._take_json(take) for take in self._takes],
        }

    def rows(self, array: str, start: int, stop: int) -> bytes:
        """Frames of an array, as the module's text lists them.

        Raises:
            LookupError: no such array or frames.
            FileFormatError: the numbers are damaged.
        """
        kind, *numbers = array.split(".")
        indices = _numbers(numbers)
        read = self._arrays[kind, len(indices)](*indices)
        if stop > self._take(indices[0]).outline.frames:
            raise IndexError(stop)
        return np.ascontiguousarray(read(start, stop), dtype="<f4").tobytes()

    def table(self, name: str) -> dict[str, Any]:
        """``take.S``, ``scores.S.M.C`` or ``scores``.

        Raises:
            LookupError: no such table.
            InputError: the predictions cannot be compared with the truth.
        """
        kind, *numbers = name.split(".")
        indices = _numbers(numbers)
        if kind == "take" and len(indices) == 1:
            return self._seen_by(self._take(indices[0]))
        if kind == "scores" and len(indices) == 3:
            take, model, camera = indices
            return self._judge.one((take, model, camera)).to_dict()
        if kind == "scores" and not indices:
            self._judge.begin()
            return self._all_scores()
        raise LookupError(name)

    def picture(self, camera: str, frame: int) -> bytes:
        """Results hold no pictures."""
        raise LookupError(f"{camera} {frame}")

    def download(self, name: str) -> tuple[str, bytes | Path]:
        """Results are files already."""
        raise LookupError(name)

    def close(self) -> None:
        """Stop judging and close the files."""
        self._judge.close()
        self._open.close()

    # --- what there is ------------------------------------------------------------------------------------------------

    def _all_cameras(self) -> dict[str, dict[str, Camera]]:
        """Subject -> its cameras by name, over all files."""
        found: dict[str, dict[str, Camera]] = {}
        for file in self._files:
            for subject in dict.fromkeys(take.subject for take in file.takes):
                for name, camera in file.cameras(subject).items():
                    first = found.setdefault(subject, {}).setdefault(name, camera)
                    if not np.array_equal(first.px_from_world, camera.px_from_world):
                        self._notes.append(f"camera {name} of {subject} stands elsewhere in {file.path.name}")
        return found

    def _all_takes(self) -> list[_Take]:
        takes: dict[tuple[str, str], _Take] = {}
        for file in self._files:
            for outline in file.takes:
                key = outline.subject, outline.action
                if key not in takes:
                    judged = HUMAN36M_17 if _is_exact(outline.skeleton, HUMAN36M_17) else outline.skeleton
                    takes[key] = _Take(file=file, outline=outline, judged=judged, found={})
                elif not _same_truth(takes[key], file, outline):
                    self._notes.append(f"{'/'.join(key)} of {file.path.name} has other true joints: left out")
                    continue
                self._add_models(takes[key], file, outline)
        return list(takes.values())

    def _add_models(self, take: _Take, file: MotionSlices, outline: TakeOutline) -> None:
        known = self._cameras.get(outline.subject, {})
        for model, cameras in outline.predictions.items():
            key = file.path, model
            if key not in self._models:
                self._models[key] = self._new_name(model, file.path)
            seen = tuple(camera for camera in cameras if camera in known)
            number = list(self._models).index(key)
            take.found[number] = _Found(file=file, take=outline, model=model, cameras=seen)

    def _new_name(self, model: str, path: Path) -> str:
        """What a model is called where another file has one of the same name."""
        taken = self._models.values()
        names = chain([model, f"{model} ({path.stem})"], (f"{model} ({path.stem} {n})" for n in count(2)))
        return next(name for name in names if name not in taken)

    def _take(self, number: int) -> _Take:
        return self._takes[number]

    def _camera(self, take: _Take, number: int) -> Camera:
        return list(self._cameras.get(take.outline.subject, {}).values())[number]

    def _keys(self) -> list[Key]:
        """(take, model, camera) of all there is to judge."""
        return [
            (number, model, list(self._cameras[take.outline.subject]).index(camera))
            for number, take in enumerate(self._takes)
            for model, found in take.found.items()
            for camera in found.cameras
        ]

    def _take_json(self, take: _Take) -> dict[str, Any]:
        names = list(self._cameras.get(take.outline.subject, {}))
        return {
            "subject": take.outline.subject,
            "action": take.outline.action,
            "row": without_take(take.outline.action),
            "frames": take.outline.frames,
            "fps": float(take.outline.fps),
            "skeleton": take.judged.name,
            "licence": take.outline.licence,
            "found": {m: [names.index(camera) for camera in found.cameras] for m, found in take.found.items()},
        }

    def _seen_by(self, take: _Take) -> dict[str, Any]:
        """Camera number -> [detector, skeleton]."""
        views: dict[int, list[dict[str, Any]]] = {}
        for number, camera in enumerate(self._cameras.get(take.outline.subject, {})):
            for detector in take.outline.views.get(camera, ()):
                skeleton = take.file.view(take.outline, camera, detector).skeleton
                views.setdefault(number, []).append({"detector": detector, **_skeleton_json(skeleton)})
        return {"views": views}

    # --- numbers over time ----------------------------------------------------------------------------------------

    def _truth(self, s: int) -> Callable[[int, int], Floats]:
        take = self._take(s)
        points = take.file.truth(take.outline)
        return lambda start, stop: _joints(points, take, start, stop)

    def _found(self, s: int, m: int, c: int) -> Callable[[int, int], Floats]:
        take, points = self._take(s), self._prediction(s, m, c)
        return lambda start, stop: _joints(points, take, start, stop)

    def _prediction(self, s: int, m: int, c: int) -> Points:
        take = self._take(s)
        found, camera = take.found[m], self._camera(take, c).name
        if camera not in found.cameras:
            raise KeyError(camera)
        return found.file.prediction(found.take, found.model, camera)

    def _bodies(self, s: int, m: int, c: int) -> Callable[[int, int], tuple[Floats, Floats]]:
        """Found and true joints around their roots; a joint whose truth is not known is NaN, as in the protocol."""
        take, found = self._take(s), self._found(s, m, c)
        own = take.found[m]
        truth = own.file.truth(own.take)

        def read(start: int, stop: int) -> tuple[Floats, Floats]:
            true_m = _joints(truth, take, start, stop, known_only=True)
            return around_root(found(start, stop), true_m, root=take.judged.root)

        return read

    def _errors(self, s: int, m: int, c: int) -> Callable[[int, int], Floats]:
        bodies = self._bodies(s, m, c)
        return lambda start, stop: frame_errors_mm(*bodies(start, stop))

    def _measure(self, key: Key) -> TakeScores:
        outline = self._take(key[0]).outline
        return score_take(self._bodies(*key), outline.frames, outline.fps)

    def _seen(self, s: int, c: int, d: int) -> Callable[[int, int], Floats]:
        take = self._take(s)
        camera = self._camera(take, c).name
        points = take.file.view(take.outline, camera, take.outline.views[camera][d])
        return lambda start, stop: points.rows(start, stop)[0].astype(np.float64)

    def _true_px(self, s: int, c: int) -> Callable[[int, int], Floats]:
        return self._projected(self._truth(s), self._camera(self._take(s), c))

    def _found_px(self, s: int, m: int, c: int) -> Callable[[int, int], Floats]:
        return self._projected(self._found(s, m, c), self._camera(self._take(s), c))

    def _projected(self, joints: Callable[[int, int], Floats], camera: Camera) -> Callable[[int, int], Floats]:
        return lambda start, stop: project(camera, joints(start, stop))[0]

    # --- scores -------------------------------------------------------------------------------------------------------

    def _all_scores(self) -> dict[str, Any]:
        scores = dict(self._judge.scores)  # it grows meanwhile
        worst = sorted(((mm, key, frame) for key, found in scores.items() for frame, mm in found.worst), reverse=True)
        tables, frames = [], []
        for model in range(len(self._models)):
            own = {key: found for key, found in scores.items() if key[1] == model}
            tables.append(action_table(((without_take(self._action(key)), own[key]) for key in own), in_order))
            frames += [[*key, frame, mm] for mm, key, frame in worst if key[1] == model][:_WORST_SHOWN]
        takes = [[*key, *_take_row(found)] for key, found in scores.items() if found.tally.counts[0]]
        done = len(scores) + len(self._judge.failed)
        return {
            "done": done, "total": len(self._judge.keys), "failed": sorted(set(self._judge.failed.values())),
            "models": tables, "takes": takes, "worst_frames": frames,
        }  # fmt: skip

    def _action(self, key: Key) -> str:
        return self._take(key[0]).outline.action


def _numbers(texts: list[str]) -> tuple[int, ...]:
    """What stands between the dots of a name.

    Raises:
        LookupError: it is no number.
    """
    if not all(re.fullmatch("[0-9]{1,6}", text, re.ASCII) for text in texts):
        raise LookupError(".".join(texts))
    return tuple(map(int, texts))


def _is_exact(source: Skeleton, target: Skeleton) -> bool:
    return source == target or (target.name in declared_targets(source) and conversion(source, target).is_exact)


def _same_truth(take: _Take, file: MotionSlices, outline: TakeOutline) -> bool:
    first = take.outline
    if (outline.frames, outline.fps, outline.skeleton) != (first.frames, first.fps, first.skeleton):
        return False
    ours, theirs = (points.rows(0, _SAME)[0] for points in (take.file.truth(first), file.truth(outline)))
    return np.array_equal(ours, theirs, equal_nan=True)


def _joints(points: Points, take: _Take, start: int, stop: int, *, known_only: bool = False) -> Floats:
    """Joints in the world on the skeleton that is judged, (n, J, 3)."""
    xyz_m, confidence = points.rows(start, stop)
    if not len(xyz_m):
        return np.empty((0, len(take.judged), 3))
    pose = Pose3D(
        xyz_m=xyz_m.astype(np.float64), confidence=confidence.astype(np.float64), fps=take.outline.fps,
        std_m=np.zeros(confidence.shape), views=np.ones(confidence.shape, dtype=np.int64), skeleton=points.skeleton,
        frame="world",
    )  # fmt: skip
    pose = convert(pose, take.judged)
    return np.where(pose.confidence[..., None] > 0, pose.xyz_m, np.nan) if known_only else pose.xyz_m


def _take_row(found: TakeScores) -> list[float]:
    """MPJPE and P-MPJPE of a take, millimetres."""
    sums, counts = found.tally.sums, found.tally.counts
    return [float(1000 * sums[k] / counts[k]) if counts[k] else 0.0 for k in (0, 1)]


def _skeleton_json(skeleton: Skeleton) -> dict[str, Any]:
    return {"joints": skeleton.joint_names, "parents": skeleton.parents, "root": skeleton.root}


def _camera_json(camera: Camera) -> dict[str, Any]:
    return {
        "name": camera.name,
        "size_wh_px": camera.size_wh_px,
        "K": camera.K.tolist(),
        "world_from_cam": camera.world_from_cam.tolist(),
    }
