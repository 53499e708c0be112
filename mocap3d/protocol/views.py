"""What a lifter is shown: the views of one detector in a motion-data file, on the joints that the weights take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.conversions import conversion, convert, declared_targets
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.projection import project
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17, LIFTER_20
from mocap3d.data_prep.motion_read import read_sequences, read_view, view_names
from mocap3d.data_prep.motion_sequence import MotionSequence

__all__ = ["TRUE", "Views", "is_exact", "joints_in_camera", "plan_views", "root_in_camera"]

TRUE: Final = "true"
"""The detector that projects the true joints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The views that a lifter is judged on.

    Attributes:
        path: the motion-data file.
        detector: whose.
        wanted: the joints that the weights take.
        cameras: (subject, action) -> the cameras that have a view.
        skipped: SUBJECT/ACTION/CAMERA of views by other detectors only.
    """

    path: Path
    detector: str
    wanted: Skeleton
    cameras: dict[tuple[str, str], tuple[str, ...]]
    skipped: tuple[str, ...]

    def __len__(self) -> int:
        """How many there are."""
        return sum(map(len, self.cameras.values()))

    def read(self, sequence: MotionSequence, camera: Camera) -> Pose2D:
        """One view, on the joints that the weights take.

        Raises:
            InputError: the view has other joints, of which they cannot be made.
        """
        view = read_view(self.path, sequence.subject, sequence.action, camera.name, self.detector)
        if view.skeleton == self.wanted:
            return view
        if is_exact(view.skeleton, self.wanted):
            return convert(view, self.wanted)
        if self.detector == TRUE and (sequence.skeleton, self.wanted) == (LIFTER_20, COCO_17):
            return _coco_view(sequence, camera)
        raise InputError(
            f"these weights lift {self.wanted.name} joints, and the views by {self.detector!r} hold "
            f"{view.skeleton.name}; {_what_there_is(self.path, (sequence.subject,))}. Take weights that were trained "
            f"on {view.skeleton.name}, or a detector of {self.wanted.name}{self._advice()}"
        )

    def _advice(self) -> str:
        if self.detector != TRUE or self.wanted != COCO_17:
            return ""
        return ", or prepare the data with `--joints lifter-20`, on which the points of coco-17 can be projected"


def plan_views(path: Path, subjects: tuple[str, ...], detector: str, wanted: Skeleton) -> Views:
    """Find the views, and refuse at once what could not be judged.

    Args:
        path: the motion-data file.
        subjects: whose.
        detector: by which detector.
        wanted: the joints that the weights take.

    Raises:
        InputError: a subject is not there, has other joints than Human3.6M's 17, or has no such views.
        FileFormatError: not a motion-data file.
    """
    cameras: dict[tuple[str, str], tuple[str, ...]] = {}
    skipped = []
    for sequence in read_sequences(path, frozenset(subjects)):
        key = sequence.subject, sequence.action
        if not is_exact(sequence.skeleton, HUMAN36M_17):
            raise InputError(f"{'/'.join(key)} has {sequence.skeleton.name} joints: not the 17 of Human3.6M")
        detectors = view_names(path, *key)
        cameras[key] = tuple(camera for camera, names in detectors.items() if detector in names)
        skipped += [f"{'/'.join(key)}/{camera}" for camera in detectors if camera not in cameras[key]]
    missing = [subject for subject in subjects if subject not in {subject for subject, _ in cameras}]
    if missing:
        there = " ".join(dict.fromkeys(sequence.subject for sequence in read_sequences(path)))
        raise InputError(f"{path} has no {' '.join(missing)}; its subjects are: {there or 'none'}")
    cameras = {key: names for key, names in cameras.items() if names}
    if not cameras:
        raise InputError(
            f"{path} has no views by {detector!r} of {' '.join(subjects)}; {_what_there_is(path, subjects)}. "
            "Views come with `mocap3d data prepare human36m` and `mpi-inf-3dhp`"
        )
    return Views(path=path, detector=detector, wanted=wanted, cameras=cameras, skipped=tuple(skipped))


def is_exact(source: Skeleton, target: Skeleton) -> bool:
    """Whether every joint of the target is a joint of the source, or a mean of some."""
    return source == target or (target.name in declared_targets(source) and conversion(source, target).is_exact)


def joints_in_camera(sequence: MotionSequence, camera: Camera) -> NDArray[np.float64]:
    """The true 17 joints (T, 17, 3) in a camera's frame; NaN where their confidence is 0."""
    columns = [sequence.skeleton.index(name) for name in HUMAN36M_17.joint_names]
    xyz_m, confidence = sequence.xyz_m[:, columns].astype(np.float64), sequence.confidence[:, columns]
    known_m = np.where(confidence[..., None] > 0, xyz_m, np.nan)
    return np.asarray(known_m @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3])


def root_in_camera(sequence: MotionSequence, camera: Camera) -> NDArray[np.float64]:
    """The true pelvis (T, 3) in a camera's frame; NaN where it is not known."""
    return joints_in_camera(sequence, camera)[:, 0]


def _coco_view(sequence: MotionSequence, camera: Camera) -> Pose2D:
    """The true points of COCO-17, attached to the body as in training, through the lens."""
    from mocap3d.train.body import coco_points  # NumPy only

    known = sequence.confidence > 0
    known[:, LIFTER_20.index("face")] = True  # NaN, or constructed where a data set does not hold it, as in training
    known_m = np.where(known[..., None], sequence.xyz_m.astype(np.float64), np.nan)
    xy_px, in_front = project(camera, coco_points(known_m).xyz_m)
    confidence = (in_front & np.isfinite(xy_px).all(axis=-1)).astype(np.float64)
    return Pose2D(xy_px=xy_px, confidence=confidence, fps=sequence.fps, skeleton=COCO_17, camera_name=camera.name)


def _what_there_is(path: Path, subjects: tuple[str, ...]) -> str:
    """The detectors of a file and their joints, by the first view of each."""
    found: dict[str, str] = {}
    for sequence in read_sequences(path, frozenset(subjects)):
        for camera, names in view_names(path, sequence.subject, sequence.action).items():
            for name in set(names) - set(found):
                found[name] = read_view(path, sequence.subject, sequence.action, camera, name).skeleton.name
    views = ", ".join(f"{name!r} ({skeleton})" for name, skeleton in sorted(found.items()))
    return f"the file has views by {views}" if views else "the file has no views at all"
