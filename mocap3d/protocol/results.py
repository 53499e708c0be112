"""What a lifter found, written for the viewer: a motion-data file with truth, cameras, views and predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.pose import Pose2D
from mocap3d.data_prep.motion_file import MotionWriter
from mocap3d.data_prep.motion_sequence import MotionSequence
from mocap3d.lift.monocular import Lifted
from mocap3d.protocol.views import root_in_camera

__all__ = ["Write", "results_file"]

Write = Callable[[MotionSequence, Camera, Pose2D, Lifted], None]
"""Takes one sequence, the camera, what was seen and what was made of it."""


@contextmanager
def results_file(output: Path | None, *, model: str, detector: str, sha256: str) -> Iterator[Write]:
    """Open a results file; it gets its name when all is in it, and after an error nothing is left.

    Args:
        output: the HDF5 file; None writes nothing.
        model: what the predictions are called.
        detector: what the views are called.
        sha256: of the weights.
    """
    if output is None:
        yield lambda sequence, camera, view, lifted: None
        return
    part = output.with_name(output.name + ".part")
    try:
        part.unlink(missing_ok=True)  # of another run, perhaps of another lifter
        with MotionWriter(output) as writer:

            def write(sequence: MotionSequence, camera: Camera, view: Pose2D, lifted: Lifted) -> None:
                subject, action = sequence.subject, sequence.action
                if not writer.has(subject, action):
                    writer.add(sequence)
                writer.add_camera(subject, camera)
                writer.add_view(subject, action, camera.name, detector, view.xy_px, view.confidence, view.skeleton)
                found = _in_world(sequence, camera, lifted)
                skeleton = lifted.body.skeleton
                writer.add_prediction(
                    subject, action, model, camera.name, *found, skeleton=skeleton, weights_sha256=sha256
                )

            yield write
    finally:
        part.unlink(missing_ok=True)


def _in_world(
    sequence: MotionSequence, camera: Camera, lifted: Lifted
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lifted joints (T, J, 3) around the lifter's own root, else the true one; NaN where that is not known."""
    root_m = root_in_camera(sequence, camera) if lifted.root_m is None else lifted.root_m
    pose = camera.world_from_cam
    xyz_m = (lifted.body.xyz_m + root_m[:, None]) @ pose[:3, :3].T + pose[:3, 3]
    return xyz_m, np.where(np.isfinite(xyz_m).all(axis=-1), lifted.body.confidence, 0.0)
