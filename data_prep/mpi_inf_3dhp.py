"""MPI-INF-3DHP (``S1/Seq1/annot.mat`` and ``camera.calibration``) -> our motion-data file.

``annot.mat`` holds for each of 14 cameras ``annot3`` (T, 84): 28 joints in that camera's frame, millimetres, and
``annot2`` (T, 56), their pixels. The joints are brought back into the room, turned to +Y up, and the pixels become the
views of the detector "true". ``univ_annot3``, the poses rescaled to one skeleton, fits no picture and is not used.
What the joints do not say is where a face looks, so that the result is Human3.6M-17; which of the 28 joints these are
is the authors' own choice ("relevant" in their mpii_get_joint_set.m). The test set (TS1 to TS6) has another form and is
not read.

The data are for research, not for commercial use, and may not be passed on. Source: D. Mehta, H. Rhodin, D. Casas,
P. Fua, O. Sotnychenko, W. Xu, C. Theobalt: Monocular 3D Human Pose Estimation In The Wild Using Improved CNN
Supervision, 3DV 2017; https://vcai.mpi-inf.mpg.de/3dhp-dataset
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from mocap3d.data_prep.matlab5 import read_mat5
from mocap3d.data_prep.motion_file import MotionWriter
from mocap3d.data_prep.motion_sequence import MotionSequence
from mocap3d.data_prep.mpi_inf_3dhp_cameras import read_calibration
from mocap3d.data_prep.one_body import on_one_body
from mocap3d.data_prep.part_origin import begun_with
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import HUMAN36M_17

__all__ = [
    "FRAMES_AND_FPS",
    "JOINTS_28",
    "LICENCE",
    "Annotations",
    "prepare_mpi_inf_3dhp",
    "read_annotations",
    "sequence_3dhp",
]

Floats = NDArray[np.float64]

LICENCE: Final = "MPI-INF-3DHP (vcai.mpi-inf.mpg.de/3dhp-dataset): research only, not to be redistributed"
# Frames of the videos and frames per second of each sequence: mpii_get_sequence_info.m of the data set.
FRAMES_AND_FPS: Final = {
    "S1/Seq1": (6416, 25), "S1/Seq2": (12430, 50), "S2/Seq1": (6502, 25), "S2/Seq2": (6081, 25),
    "S3/Seq1": (12488, 50), "S3/Seq2": (12283, 50), "S4/Seq1": (6171, 25), "S4/Seq2": (6675, 25),
    "S5/Seq1": (12820, 50), "S5/Seq2": (12312, 50), "S6/Seq1": (6188, 25), "S6/Seq2": (6145, 25),
    "S7/Seq1": (6239, 25), "S7/Seq2": (6320, 25), "S8/Seq1": (6468, 25), "S8/Seq2": (6054, 25),
}  # fmt: skip
# "all" of mpii_get_joint_set.m.
JOINTS_28: Final = (
    "spine3", "spine4", "spine2", "spine", "pelvis", "neck", "head", "head_top",
    "left_clavicle", "left_shoulder", "left_elbow", "left_wrist", "left_hand",
    "right_clavicle", "right_shoulder", "right_elbow", "right_wrist", "right_hand",
    "left_hip", "left_knee", "left_ankle", "left_foot", "left_toe",
    "right_hip", "right_knee", "right_ankle", "right_foot", "right_toe",
)  # fmt: skip
_CALLED: Final = {"thorax": "neck", "neck": "head", "head": "head_top"}  # ours -> theirs, where they differ
_COLUMNS: Final = [JOINTS_28.index(_CALLED.get(name, name)) for name in HUMAN36M_17.joint_names]
_AGREE_M: Final = 0.05
_LARGEST: Final = 1e6  # millimetres or pixels; beyond this a file is broken


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotations:
    """What an ``annot.mat`` says.

    Attributes:
        xyz_mm: camera number -> (T, 28, 3) in that camera's frame.
        xy_px: camera number -> (T, 28, 2).
    """

    xyz_mm: Mapping[str, Floats]
    xy_px: Mapping[str, Floats]


def prepare_mpi_inf_3dhp(
    source: Path | str,
    out: Path | str,
    *,
    joints: Skeleton = HUMAN36M_17,
    one_body: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Convert the training part of MPI-INF-3DHP into one motion-data file. An interrupted run goes on.

    Args:
        source: folder that holds ``S1/Seq1/annot.mat`` and ``S1/Seq1/camera.calibration`` and so on at any depth.
        out: the HDF5 file to write.
        joints: HUMAN36M_17.
        one_body: put everybody on the one reference body; then there are no cameras and views, which saw another.
        progress: called with (sequences done, sequences in all).

    Raises:
        InputError: nothing to convert, a file that is missing, or other joints.
        FileFormatError: a file that cannot be read.
    """
    if joints is not HUMAN36M_17:
        raise InputError(f"MPI-INF-3DHP gives human36m-17, not {joints.name}: it does not say where a face looks")
    found = {
        f"{path.parent.parent.name}/{path.parent.name}": path
        for path in sorted(Path(source).glob("**/S*/Seq*/annot.mat"))
    }
    if not found:
        raise InputError(f"no S1/Seq1/annot.mat and the like under {source}")
    unknown = sorted(set(found) - set(FRAMES_AND_FPS))
    if unknown:
        raise InputError(f"the rate of {', '.join(unknown)} is not known; there are {', '.join(FRAMES_AND_FPS)}")
    origin = begun_with("MPI-INF-3DHP", source, joints=joints.name, one_body=one_body)
    with MotionWriter(Path(out), origin=origin) as writer:
        for done, (name, path) in enumerate(found.items(), start=1):
            _write(writer, name, path, one_body=one_body)
            if progress is not None:
                progress(done, len(found))
    return Path(out)


def _write(writer: MotionWriter, name: str, path: Path, *, one_body: bool) -> None:
    subject, action = name.split("/")[0], name.split("/")[1].lower()
    calibrated = read_calibration(path.with_name("camera.calibration"))
    views = [] if one_body else [f"{action}_{number}" for number in calibrated]
    if writer.has(subject, action) and all(writer.has_view(subject, action, view, "true") for view in views):
        return
    annotations = read_annotations(path)
    sequence, cameras = sequence_3dhp(name, annotations, calibrated, path)
    if one_body:
        (sequence,) = on_one_body([sequence])
        writer.add(sequence)
        return
    writer.add(sequence)
    frames = len(sequence.xyz_m)
    for number, camera in cameras.items():
        writer.add_camera(subject, camera)
        xy_px = annotations.xy_px[number][:frames, _COLUMNS]
        writer.add_view(
            subject, sequence.action, camera.name, "true", xy_px, np.ones(xy_px.shape[:2]), sequence.skeleton
        )


def read_annotations(path: Path) -> Annotations:
    """Read an ``annot.mat``.

    Raises:
        InputError: the file cannot be opened.
        FileFormatError: not a MATLAB file, or not with ``annot2`` and ``annot3`` of the same cameras and frames.
    """
    values = read_mat5(path, ("annot2", "annot3", "cameras"))
    xyz = _cells(values, "annot3", 3, path)
    xy = _cells(values, "annot2", 2, path)
    frames = {len(array) for array in (*xyz, *xy)}
    if len(xyz) != len(xy) or len(frames) != 1:
        raise FileFormatError(
            f"annot3 ({len(xyz)} cameras) and annot2 ({len(xy)}) must have the same cameras and frames", path=path
        )
    numbers = _camera_numbers(values.get("cameras"), len(xyz))
    return Annotations(
        xyz_mm=dict(zip(numbers, xyz, strict=True)),
        xy_px=dict(zip(numbers, xy, strict=True)),
    )


def _cells(values: Mapping[str, Any], name: str, size: int, path: Path) -> list[Floats]:
    """The arrays (T, 28, size) of a cell array of (T, 28 * size)."""
    cells = np.asarray(values.get(name, ()))
    if cells.dtype != object or not cells.size:
        raise FileFormatError(f"{name} must be cells, one for each camera", path=path)
    arrays = []
    for cell in cells.ravel():
        array = np.asarray(cell)
        if (
            array.ndim != 2
            or array.shape[1] != len(JOINTS_28) * size
            or not len(array)
            or array.dtype.kind not in "fiu"
        ):
            raise FileFormatError(
                f"{name} must hold numbers (T, {len(JOINTS_28) * size}), not {array.shape}", path=path
            )
        numbers = array.astype(np.float64)
        if not (np.abs(numbers) < _LARGEST).all():
            raise FileFormatError(f"{name} holds numbers beyond any measure, or NaN", path=path)
        arrays.append(numbers.reshape(len(array), len(JOINTS_28), size))
    return arrays


def _camera_numbers(cells: Any, count: int) -> list[str]:
    """What ``cameras`` calls the cameras; 0 to N - 1 where it says nothing usable."""
    said = [re.sub(r"\D", "", str(np.asarray(cell).ravel().tolist())) for cell in np.asarray(cells).ravel()]
    return said if len(said) == count == len(set(said)) and all(said) else [str(number) for number in range(count)]


def sequence_3dhp(
    name: str, annotations: Annotations, cameras: Mapping[str, Camera], path: Path
) -> tuple[MotionSequence, dict[str, Camera]]:
    """Bring one sequence into a room that is Y up.

    Args:
        name: "S1/Seq1" and so on; decides the frame rate, and how many frames the videos have.
        annotations: of the sequence.
        cameras: as `read_calibration` gives them.
        path: of the annotations, for messages.

    Returns:
        the joints, and camera number -> camera in the same room, called "seq1_0" and so on.

    Raises:
        FileFormatError: a camera without calibration, or cameras that do not agree on where the joints are.
    """
    missing = sorted(set(annotations.xyz_mm) - set(cameras))
    if missing:
        raise FileFormatError(f"camera.calibration has no camera {', '.join(missing)}", path=path)
    frames, fps = FRAMES_AND_FPS[name]
    worlds = {number: _into_world(cameras[number], xyz[:frames]) for number, xyz in annotations.xyz_mm.items()}
    first = next(iter(worlds.values()))
    for number, world_m in worlds.items():
        off_m = float(np.median(np.linalg.norm(world_m - first, axis=-1)))
        if off_m > _AGREE_M:
            raise FileFormatError(f"camera {number} and the first one disagree by {off_m * 1000:.0f} mm", path=path)
    y_up = _y_up_from(first)
    subject, action = name.split("/")[0], name.split("/")[1].lower()
    sequence = MotionSequence.seen(
        subject, action, (first[:, _COLUMNS] @ y_up.T).astype(np.float32), Fraction(fps), HUMAN36M_17, LICENCE
    )
    turned = {number: _turned(cameras[number], f"{action}_{number}", y_up) for number in annotations.xyz_mm}
    return sequence, turned


def _into_world(camera: Camera, xyz_mm: Floats) -> Floats:
    world_from_cam = camera.world_from_cam
    return np.asarray(xyz_mm / 1000 @ world_from_cam[:3, :3].T + world_from_cam[:3, 3])


def _y_up_from(xyz_m: Floats) -> Floats:
    """(3, 3) rotation that takes the axis along which people stand to +Y."""
    ankles = xyz_m[:, [JOINTS_28.index("left_ankle"), JOINTS_28.index("right_ankle")]].mean(axis=1)
    up = np.median(xyz_m[:, JOINTS_28.index("head_top")] - ankles, axis=0)
    axis = int(np.argmax(np.abs(up)))
    sign = 1.0 if up[axis] > 0 else -1.0
    # Rows are the new axes: y is up, z the next of the old ones, x what makes it a rotation.
    rotation = np.zeros((3, 3))
    rotation[1, axis] = sign
    rotation[2, (axis + 1) % 3] = 1.0
    rotation[0] = np.cross(rotation[1], rotation[2])
    return rotation


def _turned(camera: Camera, name: str, y_up: Floats) -> Camera:
    cam_from_world = camera.cam_from_world.copy()
    cam_from_world[:3, :3] = cam_from_world[:3, :3] @ y_up.T
    return Camera(name=name, size_wh_px=camera.size_wh_px, K=camera.K, cam_from_world=cam_from_world)
