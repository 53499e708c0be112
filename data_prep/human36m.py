"""Human3.6M in the forms in which people hold it -> our motion-data file.

Human3.6M is for academic use only: bring your own copy, nothing of it comes with mocap3d.
Source: Ionescu et al., Human3.6M, TPAMI 2014; http://vision.imar.ro/human3.6m
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from mocap3d.data_prep.cmu import gaze_correction_rad
from mocap3d.data_prep.human36m_archive import unpacked
from mocap3d.data_prep.human36m_cameras import CAMERA_IDS, SUBJECTS, human36m_cameras
from mocap3d.data_prep.human36m_detect import MoveNetVideos, VideoDetector, find_videos
from mocap3d.data_prep.human36m_form import Form, Recording
from mocap3d.data_prep.human36m_joints import TARGETS, constructed_head, joints_from_32
from mocap3d.data_prep.human36m_keypoints import find_keypoints, first_frames, read_keypoints
from mocap3d.data_prep.human36m_names import official_name, takes
from mocap3d.data_prep.human36m_positions import find_npz, find_positions
from mocap3d.data_prep.human36m_room import true_view
from mocap3d.data_prep.human36m_text import find_text
from mocap3d.data_prep.motion_file import MotionSequence, MotionWriter
from mocap3d.data_prep.part_origin import begun_with

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import HUMAN36M_17, LIFTER_20

__all__ = ["FPS", "LICENCE", "TRUE_VIEW", "find_form", "prepare_human36m"]

FPS: Final = Fraction(50)
LICENCE: Final = "Human3.6M (vision.imar.ro/human3.6m): academic use only, not to be redistributed"
TRUE_VIEW: Final = "true"

Progress = Callable[[int, int], None]


def prepare_human36m(
    source: Path | str,
    out: Path | str,
    *,
    joints: Skeleton = HUMAN36M_17,
    partial: bool = False,
    detect: VideoDetector | str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Convert Human3.6M into one motion-data file with cameras and 2D views; an interrupted run goes on.

    The views are the true joints projected through the true lenses, what ``data_2d_h36m_*.npz`` files in the source
    hold, and, when asked for, our own detections in the official videos.

    Args:
        source: a folder (or .tgz, .tar, .zip) that holds one of the forms that `find_form` knows, at any depth.
        out: the HDF5 file to write. With ``detect``, one that is there is completed.
        joints: HUMAN36M_17 or LIFTER_20; the face point of the latter needs the exponential-map form, in others it is
            constructed from head and shoulders, with confidence 0.
        partial: take what is there; otherwise all seven subjects and their 30 takes must be.
        detect: a network for the videos (``mocap3d.data_prep.human36m_detect``), or its name.
        progress: called with (sequences and videos done, in all).

    Returns:
        The path of the file.

    Raises:
        InputError: no form found, files missing (the message names the first), other joints, a ``.part`` of another
            form, source or joints, or detections asked for a form that has lost where people stood in the videos.
        FileFormatError: a file that cannot be read.
        MissingExtraError: cdflib is needed.
    """
    if joints.name not in TARGETS:
        raise InputError(f"Human3.6M can be brought to {' or '.join(TARGETS)}, not to {joints.name}")
    detector = MoveNetVideos(detect) if isinstance(detect, str) else detect
    with unpacked(Path(source)) as folders:
        form = find_form(folders)
        if form is None:
            raise InputError(f"{source} holds no form of Human3.6M: no D3_Positions, 3D_positions, npz or text files")
        if not partial:
            _refuse_gaps(form, source)
        keypoints = [path for folder in folders for path in find_keypoints(folder)]
        if not form.as_recorded and (detector or keypoints):
            raise InputError(f"{form.name} has lost where people stood: joints seen in the videos do not fit it")
        origin = begun_with(f"Human3.6M, {form.name}", source, joints=joints.name)
        with MotionWriter(Path(out), extend=detector is not None, origin=origin) as writer:
            job = _Job(form=form, folders=folders, writer=writer, joints=joints, partial=partial)
            videos = job.videos(detector, source) if detector else {}
            tell = _Counter(progress, sum(map(len, form.files.values())) + len(videos))
            job.write_sequences(tell)
            for path in keypoints:
                job.write_keypoints(path)
            if detector:
                job.write_detections(detector, videos, tell)
    return Path(out)


def find_form(folders: list[Path]) -> Form | None:
    """The form of Human3.6M that lies in one of the folders, or None.

    In the order of preference: official ``D3_Positions``, the ``.h5`` release, ``D3_Positions_mono``, VideoPose3D's
    ``data_3d_h36m.npz``, exponential-map text.

    Raises:
        InputError: two files of one take.
        FileFormatError: a damaged ``data_3d_h36m.npz``.
    """
    for find in (find_positions, find_npz, find_text):
        for folder in folders:
            form = find(folder)
            if form is not None:
                return form
    return None


def _refuse_gaps(form: Form, source: Path | str) -> None:
    missing = [
        name
        for subject in SUBJECTS
        for take in takes()
        if take not in form.files[subject] and (name := form.expected(subject, take)) is not None
    ]
    if missing:
        raise InputError(
            f"{source} ({form.name}) lacks {len(missing)} files, the first is {missing[0]}; "
            "bring them, or take what is there with --partial"
        )


class _Counter:
    """Counts what is done and tells it."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, count: int = 1) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Job:
    """One run of `prepare_human36m`."""

    form: Form
    folders: list[Path]
    writer: MotionWriter
    joints: Skeleton
    partial: bool

    def write_sequences(self, tell: _Counter) -> None:
        """Sequences, cameras and true views that are not there yet."""
        for subject, files in self.form.files.items():
            wanted = frozenset(take for take in files if not self._done(subject, take))
            tell(len(files) - len(wanted))
            if not wanted:
                continue
            for camera in human36m_cameras(subject).values():
                self.writer.add_camera(subject, camera)
            pitch_rad = self._face_pitch_rad(subject)
            for recording in self.form.read(subject, files, wanted):
                if recording.world_from_head is None:
                    head = constructed_head(recording.xyz_m)
                    recording = replace(recording, world_from_head=head, face_pitch_rad=pitch_rad)
                self._write(subject, recording)
                tell()

    def write_keypoints(self, path: Path) -> None:
        """The views of one ``data_2d_h36m_*.npz``, of the sequences that are there."""
        found = read_keypoints(path)
        for subject, take, frames in self._sequences():
            for camera in CAMERA_IDS:
                points = found.views.get((subject, take, camera))
                if points is None and self.partial:
                    continue
                if points is None or len(points[0]) < frames:
                    raise FileFormatError(f"{subject} {take} {camera}: fewer frames than the {frames} poses", path=path)
                if not self.writer.has_view(subject, take, camera, found.detector):
                    seen = first_frames(points, frames)
                    self.writer.add_view(subject, take, camera, found.detector, *seen, found.skeleton)

    def videos(self, detector: VideoDetector, source: Path | str) -> dict[tuple[str, str, str], Path]:
        """(subject, take, camera) -> video that the detector has to watch, or has watched."""
        wanted = {}
        for subject, files in self.form.files.items():
            there = {key: path for folder in self.folders for key, path in find_videos(folder, subject).items()}
            for take in files:
                for camera in CAMERA_IDS:
                    if (take, camera) in there:
                        wanted[subject, take, camera] = there[take, camera]
                    elif not self.partial:
                        name = f"{subject}/Videos/{official_name(subject, take)}.{camera}.mp4"
                        raise InputError(f"{source} lacks {name}, in which {detector.name} should look for people")
        return wanted

    def write_detections(
        self, detector: VideoDetector, videos: dict[tuple[str, str, str], Path], tell: _Counter
    ) -> None:
        """Watch the videos whose views are not there yet."""
        frames = {(subject, take): count for subject, take, count in self._sequences()}
        for (subject, take, camera), video in videos.items():
            if not self.writer.has_view(subject, take, camera, detector.name):
                count = frames[subject, take]
                seen = first_frames(detector(video, count), count)
                self.writer.add_view(subject, take, camera, detector.name, *seen, detector.skeleton)
            tell()

    def _face_pitch_rad(self, subject: str) -> float:
        """How far to turn up the faces that are constructed; all takes of the subject are read for it."""
        if self.form.rotations or self.joints != LIFTER_20:
            return 0.0
        files = self.form.files[subject]
        heads = [constructed_head(recording.xyz_m) for recording in self.form.read(subject, files, frozenset(files))]
        return gaze_correction_rad(np.concatenate(heads))

    def _write(self, subject: str, recording: Recording) -> None:
        xyz_m = joints_from_32(recording.xyz_m, self.joints, recording.world_from_head, recording.face_pitch_rad)
        sequence = MotionSequence.seen(subject, recording.take, xyz_m.astype(np.float32), FPS, self.joints, LICENCE)
        if self.joints == LIFTER_20 and not self.form.rotations:
            sequence.confidence[:, LIFTER_20.index("face")] = 0  # constructed, not seen
        self.writer.add(sequence)
        seen_m = np.where(sequence.confidence[..., None] > 0, xyz_m, np.nan)
        for name, camera in human36m_cameras(subject).items():
            xy_px, confidence = true_view(camera, seen_m)
            self.writer.add_view(subject, recording.take, name, TRUE_VIEW, xy_px, confidence, self.joints)

    def _done(self, subject: str, take: str) -> bool:
        """Whether sequence and true views are there, in these joints: else an earlier run was cut off, or differed."""
        whole = self.writer.has(subject, take, self.joints)
        return whole and all(self.writer.has_view(subject, take, camera, TRUE_VIEW) for camera in CAMERA_IDS)

    def _sequences(self) -> Iterator[tuple[str, str, int]]:
        for subject, files in self.form.files.items():
            for take in files:
                yield subject, take, self.writer.frames(subject, take)
