"""2D joints with their 3D truth, and 2D joints without, as examples for semi-supervised training.

Both come from motion-data files that hold cameras and views. A batch is a pure function of (seed, number of the step),
so that an interrupted training goes on exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.projection import px_to_rays
from mocap3d.base.skeleton import Skeleton
from mocap3d.data_prep.motion_file import MotionSequence, read_cameras, read_sequences, read_view, view_names
from mocap3d.lift.encoding import SCREEN_NORMALISED, encode, virtual_from_cam_points
from mocap3d.lift.mirror import mirrored_camera, mirrored_pose2d
from mocap3d.lift.screen_encoding import encode_screen, px_to_screen
from mocap3d.train.semi_supervised_losses import lens_numbers

__all__ = [
    "Examples",
    "ViewBank",
]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examples:
    """B examples of T frames; features have margins for the network's window.

    Attributes:
        features: (B, T + window - 1, F).
        xyz_m: (B, T, J, 3) true joints around the root, virtual camera's axes; NaN where there is no truth.
        root_m: (B, T, 3) true root seen from the camera, the same axes.
        depth_m: (B, T) its distance along the camera's axis.
        xy_screen: (B, T, J, 2) 2D joints in a picture 2 wide.
        seen: (B, T, J) bool.
        virtual_from_cam: (B, T, 3, 3).
        scale: (B, T) of the encoding.
        lens: (B, 17) of `semi_supervised_losses.lens_numbers`.
    """

    features: Tensor
    xyz_m: Tensor
    root_m: Tensor
    depth_m: Tensor
    xy_screen: Tensor
    seen: Tensor
    virtual_from_cam: Tensor
    scale: Tensor
    lens: Tensor

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All examples in one batch."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})

    def to(self, device: str) -> Self:
        """The same on a torch device."""
        return type(self)(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ViewBank:
    """All views of some people in memory, one after another, N frames together.

    Attributes:
        frames: by the names of `Examples`, each (N, ...); "lens" is (S, 17), one for each view.
        first: (S,) where each view begins.
        lengths: (S,) its frames.
        skeleton: of the joints, in 2D and 3D.
        fps: of all views.
    """

    frames: dict[str, NDArray[np.generic]]
    first: NDArray[np.int64]
    lengths: NDArray[np.int64]
    skeleton: Skeleton
    fps: Fraction

    @classmethod
    def read(cls, path: Path, subjects: tuple[str, ...], detector: str, encoding: str, *, mirrored: bool) -> Self:
        """Read all views that one detector has of these subjects.

        Args:
            path: motion-data file with cameras and views.
            subjects: who.
            detector: whose 2D joints.
            encoding: of the features; one of ``encoding.ENCODINGS``.
            mirrored: whether each view is there a second time, left and right exchanged.

        Raises:
            InputError: nobody of that name, no view, or views that do not fit together.
            FileFormatError: not a motion-data file.
        """
        views = []
        for sequence, camera, pose2d in _views(path, subjects, detector):
            xyz_m = _into_camera(sequence, camera, pose2d.skeleton)
            views.append((pose2d, camera, xyz_m))
            if mirrored:
                other = xyz_m[:, list(pose2d.skeleton.mirror)] * np.array([-1, 1, 1], np.float32)
                views.append((mirrored_pose2d(pose2d, camera), mirrored_camera(camera), other))
        if not views:
            raise InputError(f"{path} has no view by {detector!r} of the subjects {', '.join(subjects)}")
        if len({(pose2d.skeleton.name, pose2d.fps) for pose2d, _, _ in views}) > 1:
            raise InputError(f"{path}: all views must have the same joints and the same frame rate")
        encoded = [_encoded(pose2d, camera, xyz_m, encoding) for pose2d, camera, xyz_m in views]
        lengths = np.array([len(pose2d) for pose2d, _, _ in views])
        return cls(
            frames={name: np.concatenate([view[name] for view in encoded]) for name in encoded[0]},
            first=np.cumsum(lengths) - lengths,
            lengths=lengths,
            skeleton=views[0][0].skeleton,
            fps=views[0][0].fps,
        )

    @property
    def labelled(self) -> bool:
        """Whether there is a true joint for each 2D joint."""
        return bool(np.isfinite(self.frames["xyz_m"]).all())

    def draw(self, seed: tuple[int, ...], count: int, length: int, margins: tuple[int, int]) -> Examples:
        """Draw examples, long views more often.

        Args:
            seed: the same one gives the same examples.
            count: how many.
            length: frames T of each.
            margins: frames of features before and after; the ends of a view are repeated.
        """
        rng = np.random.default_rng(seed)
        which = rng.choice(len(self.first), count, p=self.lengths / self.lengths.sum())
        start = rng.integers(0, np.maximum(self.lengths[which] - length, 0) + 1)
        return self._take(which, start, length, margins)

    def whole(self, view: int, margins: tuple[int, int]) -> Examples:
        """One view from its first to its last frame, as a batch of one."""
        return self._take(np.array([view]), np.array([0]), int(self.lengths[view]), margins)

    def _take(
        self, which: NDArray[np.int64], start: NDArray[np.int64], length: int, margins: tuple[int, int]
    ) -> Examples:
        def at(before: int, after: int) -> NDArray[np.int64]:
            frame = start[:, None] + np.arange(-before, length + after)
            index: NDArray[np.int64] = self.first[which, None] + np.clip(frame, 0, self.lengths[which, None] - 1)
            return index

        rows = {"features": at(*margins), "lens": which}
        here = at(0, 0)
        return Examples(**{name: torch.from_numpy(all_[rows.get(name, here)]) for name, all_ in self.frames.items()})


def _views(path: Path, subjects: tuple[str, ...], detector: str) -> Iterator[tuple[MotionSequence, Camera, Pose2D]]:
    """Every sequence of these people by every camera through which the detector saw it."""
    for sequence in read_sequences(path, frozenset(subjects)):
        cameras = read_cameras(path, sequence.subject)
        for name, detectors in view_names(path, sequence.subject, sequence.action).items():
            if detector in detectors:
                if name not in cameras:
                    raise InputError(f"{path} has views of {sequence.subject} through {name!r}, but no such camera")
                yield sequence, cameras[name], read_view(path, sequence.subject, sequence.action, name, detector)


def _into_camera(sequence: MotionSequence, camera: Camera, skeleton: Skeleton) -> Floats:
    """True joints (T, J, 3) in the camera's frame, of the 2D joints' skeleton; NaN where there is no truth."""
    if sequence.skeleton.joint_names[: len(skeleton)] != skeleton.joint_names:
        raise InputError(
            f"{sequence.subject}/{sequence.action}: the joints of {sequence.skeleton.name} do not begin with those of "
            f"{skeleton.name}; back-projection needs 2D and 3D of the same joints"
        )
    xyz_m = sequence.xyz_m[:, : len(skeleton)].astype(np.float64)
    return (xyz_m @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]).astype(np.float32)


def _encoded(pose2d: Pose2D, camera: Camera, xyz_m: Floats, encoding: str) -> dict[str, NDArray[np.generic]]:
    """One view by the names of `Examples`."""
    screen = px_to_screen(camera, pose2d.xy_px)
    if encoding == SCREEN_NORMALISED:
        encoded = encode_screen(screen, pose2d.confidence, pose2d.skeleton)
    else:
        encoded = encode(px_to_rays(camera, pose2d.xy_px), pose2d.confidence, pose2d.skeleton, encoding)
    virtual_m = virtual_from_cam_points(xyz_m, encoded.virtual_from_cam)
    arrays = {
        "features": encoded.features,
        "xyz_m": virtual_m - virtual_m[:, :1],
        "root_m": virtual_m[:, 0],
        "depth_m": xyz_m[:, 0, 2],
        "xy_screen": np.nan_to_num(screen[..., :2]),
        "virtual_from_cam": encoded.virtual_from_cam,
        "scale": encoded.scale,
        "lens": lens_numbers(camera)[None],
    }
    return {name: array.astype(np.float32) for name, array in arrays.items()} | {"seen": pose2d.confidence > 0}
