"""The motion-data file: one HDF5 layout for every data set and every result.

::

    /                                                       format="mocap3d-motion"  version=1
    /cameras/SUBJECT/CAMERA                                 model
    /cameras/SUBJECT/CAMERA/K                               (3, 3)    pixels
    /cameras/SUBJECT/CAMERA/distortion                      (n,)      OpenCV's order
    /cameras/SUBJECT/CAMERA/size_wh_px                      (2,)
    /cameras/SUBJECT/CAMERA/cam_from_world                  (4, 4)    metres
    /sequences/SUBJECT/ACTION                               fps_num  fps_den  skeleton  licence
    /sequences/SUBJECT/ACTION/xyz_m                         (T, J, 3) float32, world, metres
    /sequences/SUBJECT/ACTION/confidence                    (T, J)    float32, 0 = not seen
    .../views/CAMERA/DETECTOR/{xy_px, confidence}           (T, K, 2), (T, K)    skeleton
    .../predictions/MODEL/CAMERA/{xyz_m, confidence}        (T, K, 3), (T, K)    skeleton  weights_sha256

MODEL and DETECTOR are free names; "true" is the detector that projects the true joints. Sequences, views and
predictions carry ``complete``, written last.

Writing is one piece at a time into ``NAME.part`` beside the target, which is renamed when all is there: a crash leaves
no half file, and the next run goes on with the ``.part``, if that was begun with the same source and options.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np

# Writing and reading lie in three modules; ``name as name`` offers all of it here as well.
from mocap3d.data_prep.motion_read import FORMAT, VERSION, check_header
from mocap3d.data_prep.motion_read import prediction_names as prediction_names
from mocap3d.data_prep.motion_read import read_cameras as read_cameras
from mocap3d.data_prep.motion_read import read_prediction as read_prediction
from mocap3d.data_prep.motion_read import read_sequences as read_sequences
from mocap3d.data_prep.motion_read import read_view as read_view
from mocap3d.data_prep.motion_read import sequence_names as sequence_names
from mocap3d.data_prep.motion_read import view_names as view_names
from mocap3d.data_prep.motion_sequence import MotionPrediction as MotionPrediction
from mocap3d.data_prep.motion_sequence import MotionSequence as MotionSequence
from mocap3d.data_prep.motion_sequence import check_points, plain_name
from mocap3d.data_prep.part_origin import check_origin, forget_origin, write_origin
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.skeleton import Skeleton

__all__ = ["MotionWriter"]


class MotionWriter:
    """Writes a motion-data file piece by piece; a context manager that renames on success.

    Raises:
        InputError: the target cannot be written, or a ``.part`` was begun with something else.
        FileFormatError: a ``.part`` of an earlier run is not a motion-data file.
    """

    def __init__(self, path: Path, *, extend: bool = False, origin: Mapping[str, str] | None = None) -> None:
        """Open ``path``'s ``.part`` and go on with what an interrupted run left there.

        Args:
            path: the target.
            extend: when there is no ``.part``, begin with a copy of the target instead of an empty file.
            origin: `part_origin.begun_with`; must be that of the ``.part``. None asks nothing.
        """
        self._path = path
        self._part = path.with_name(path.name + ".part")
        copied = extend and path.is_file() and not self._part.exists()
        try:
            if copied:
                shutil.copyfile(path, self._part)
            self._file = h5py.File(self._part, "a")
        except OSError as error:
            raise InputError(f"cannot write {self._part} ({error}); if it is a damaged rest, delete it") from None
        try:
            if not len(self._file.attrs):
                self._file.attrs.update({"format": FORMAT, "version": VERSION})
            check_header(self._file, self._part)
            if origin is not None and len(self._file) and not copied:
                check_origin(self._file, self._part, origin)
            elif origin is not None:
                write_origin(self._file, origin)
        except InputError:
            self._file.close()
            raise

    def has(self, subject: str, action: str, skeleton: Skeleton | None = None) -> bool:
        """Whether the sequence is already there, whole (and in that skeleton)."""
        name = f"sequences/{subject}/{action}"
        whole = self._whole(name)
        return whole and (skeleton is None or self._file[name].attrs.get("skeleton") == skeleton.name)

    def frames(self, subject: str, action: str) -> int:
        """How many frames a sequence has.

        Raises:
            InputError: it is not there.
        """
        if not self.has(subject, action):
            raise InputError(f"there is no sequence {subject}/{action}")
        return int(self._file[f"sequences/{subject}/{action}/xyz_m"].shape[0])

    def has_view(self, subject: str, action: str, camera_name: str, detector: str) -> bool:
        """Whether the view is already there, whole."""
        return self._whole(f"sequences/{subject}/{action}/views/{camera_name}/{detector}")

    def add(self, sequence: MotionSequence) -> None:
        """Write one sequence; one of the same name is replaced, with its views and predictions."""
        group = self._fresh(f"sequences/{sequence.subject}/{sequence.action}")
        _write_points(group, "xyz_m", sequence.xyz_m, sequence.confidence, sequence.skeleton)
        group.attrs["fps_num"], group.attrs["fps_den"] = sequence.fps.numerator, sequence.fps.denominator
        group.attrs["licence"] = sequence.licence
        self._finish(group)

    def add_camera(self, subject: str, camera: Camera) -> None:
        """Write one camera of a subject; one of the same name is replaced."""
        group = self._fresh(f"cameras/{plain_name(subject)}/{plain_name(camera.name)}")
        group.create_dataset("K", data=camera.K)
        group.create_dataset("distortion", data=camera.distortion)
        group.create_dataset("size_wh_px", data=np.array(camera.size_wh_px, dtype=np.int64))
        group.create_dataset("cam_from_world", data=camera.cam_from_world)
        group.attrs["model"] = camera.model
        self._finish(group)

    def add_view(
        self,
        subject: str,
        action: str,
        camera_name: str,
        detector: str,
        xy_px: NDArray[np.floating],
        confidence: NDArray[np.floating],
        skeleton: Skeleton,
    ) -> None:
        """Write what one detector saw of a sequence in one camera; a view of the same names is replaced.

        Args:
            subject: of a sequence that is there.
            action: of the same sequence.
            camera_name: which camera.
            detector: a free name; "true" is the projection of the true joints.
            xy_px: (T, K, 2) with the sequence's T; NaN only where confidence is 0.
            confidence: (T, K).
            skeleton: names the K joints.

        Raises:
            InputError: no such sequence, or shapes that do not fit it.
        """
        check_points(f"view {camera_name}/{detector} of {subject}/{action}", xy_px, confidence, skeleton, 2)
        group = self._below(subject, action, ("views", camera_name, detector), len(xy_px))
        _write_points(group, "xy_px", xy_px, confidence, skeleton)
        self._finish(group)

    def add_prediction(
        self,
        subject: str,
        action: str,
        model: str,
        camera_name: str,
        xyz_m: NDArray[np.floating],
        confidence: NDArray[np.floating],
        *,
        skeleton: Skeleton,
        weights_sha256: str,
    ) -> None:
        """Write the joints that a network found through one camera; a prediction of the same names is replaced.

        Args:
            subject: of a sequence that is there.
            action: of the same sequence.
            model: a free name for the network.
            camera_name: which camera it looked through.
            xyz_m: (T, K, 3) world metres with the sequence's T; NaN only where confidence is 0.
            confidence: (T, K).
            skeleton: names the K joints.
            weights_sha256: checksum of the weights file, so that a result can be traced to its network.

        Raises:
            InputError: no such sequence, or shapes that do not fit it.
        """
        check_points(f"prediction {model}/{camera_name} of {subject}/{action}", xyz_m, confidence, skeleton, 3)
        group = self._below(subject, action, ("predictions", model, camera_name), len(xyz_m))
        _write_points(group, "xyz_m", xyz_m, confidence, skeleton)
        group.attrs["weights_sha256"] = weights_sha256
        self._finish(group)

    def __enter__(self) -> Self:
        """Nothing to open: the constructor did."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Rename the finished file into place; after an error the ``.part`` stays for the next run."""
        if kind is None:
            forget_origin(self._file)
        self._file.close()
        if kind is None:
            self._part.replace(self._path)

    def _whole(self, name: str) -> bool:
        node = self._file.get(name)
        return isinstance(node, h5py.Group) and bool(node.attrs.get("complete", False))

    def _fresh(self, name: str) -> h5py.Group:
        if name in self._file:
            del self._file[name]
        return self._file.create_group(name)

    def _below(self, subject: str, action: str, names: tuple[str, str, str], frames: int) -> h5py.Group:
        recorded = self.frames(subject, action)
        if recorded != frames:
            raise InputError(f"{names[0]} of {subject}/{action} must have its {recorded} frames, got {frames}")
        return self._fresh("/".join(["sequences", subject, action, *map(plain_name, names)]))

    def _finish(self, group: h5py.Group) -> None:
        group.attrs["complete"] = True  # last: a piece without it is a crash's rest
        self._file.flush()


def _write_points(
    group: h5py.Group, key: str, points: NDArray[np.floating], confidence: NDArray[np.floating], skeleton: Skeleton
) -> None:
    group.create_dataset(key, data=points.astype(np.float32), compression="gzip", shuffle=True)
    group.create_dataset("confidence", data=confidence.astype(np.float32), compression="gzip")
    group.attrs["skeleton"] = skeleton.name
