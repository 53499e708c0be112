"""Who is in a picture, and which cameras took them: read from a capture, an animation file, or a file of results."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from mocap3d.viewers.render.figures import SHIRTS, Colours, Figure, Style, figure_of_motion, figure_of_points
from mocap3d.viewers.render.surfaces import Surface
from numpy.typing import NDArray

import mocap3d
from mocap3d.base.errors import FileFormatError, InputError

__all__ = ["Filmed", "Scene", "read_scene", "scene_of_clip", "sequences_of"]

Floats = NDArray[np.float64]
_RECORD = "record.npz"
_HDF5 = (".h5", ".hdf5")
_FLOOR_M = 0.15  # so far above or below y = 0 feet may be without the floor being elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Filmed:
    """A camera and its pictures.

    Attributes:
        camera: the camera.
        video: its video file or folder of images; None where none is known.
        start: where the video was begun to be used.
        shift_s: when frame 0 of the scene was taken, in seconds since there; None: frames of the scene are frames of
            the video.
    """

    camera: mocap3d.Camera
    video: Path | None = None
    start: int | str | None = None
    shift_s: float | None = None

    def pictures(self, frames: Sequence[int], fps: Fraction) -> Iterator[NDArray[np.uint8]]:
        """Yield the picture of each frame of the scene, in ascending order; where the video has none, gray.

        Raises:
            InputError: no video is known, or it cannot be read, or has pictures of another size than the camera.
        """
        from mocap3d.cameras.video import open_video

        if self.video is None:
            raise InputError(f"which video camera {self.camera.name!r} took is not known: say it (video)")
        shift = 0
        if self.shift_s is not None:
            begun = open_video(self.video, start=self.start)
            shift = round((self.shift_s + begun.start_frame / float(begun.fps)) * float(fps))
        with open_video(self.video, fps=fps) as video:
            if video.size_wh_px != self.camera.size_wh_px:
                raise InputError(
                    f"{self.video} has pictures of {video.size_wh_px}, camera {self.camera.name!r} of "
                    f"{self.camera.size_wh_px}"
                )
            yield from _sought(video, [frame + shift for frame in frames])


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Who is there, frame by frame, and who filmed it.

    Attributes:
        figures: the people.
        fps: frames per second.
        filmed: the cameras, the one that saw the people best first.
        source: where it was read from, for messages.
    """

    figures: tuple[Figure, ...]
    fps: Fraction
    filmed: tuple[Filmed, ...] = ()
    source: str = ""

    @property
    def frames(self) -> range:
        """From the first frame of anybody to the last."""
        return range(min(one.start for one in self.figures), max(one.stop for one in self.figures))

    @cached_property
    def stature_m(self) -> float:
        """About how tall people are."""
        return float(np.median([one.stature_m for one in self.figures]))

    @cached_property
    def floor_m(self) -> float:
        """How high the floor is: y = 0, unless the lowest joints are clearly elsewhere."""
        heights = np.concatenate([one.joints_m[..., 1].ravel() for one in self.figures])
        heights = heights[np.isfinite(heights)]
        low = float(np.percentile(heights, 0.5)) if len(heights) else 0.0
        return 0.0 if abs(low) < _FLOOR_M else low - 0.03 * self.stature_m

    def surfaces(self, frame: int, style: Style = "mannequin", colours: Colours = "plain") -> list[Surface]:
        """Everybody who is there at a frame."""
        found = (figure.surface(frame, style, colours) for figure in self.figures)
        return [one for one in found if one is not None]

    def camera(self, name: str | None) -> Filmed:
        """Find a camera by name; None is the first.

        Raises:
            InputError: there is no such camera.
        """
        names = [one.camera.name for one in self.filmed]
        if not names:
            raise InputError(f"{self.source} knows no camera: give cameras and the video, or another view")
        if name is not None and name not in names:
            raise InputError(f"{self.source} has no camera {name!r}; there are: {', '.join(names)}")
        return self.filmed[0 if name is None else names.index(name)]


def scene_of_clip(clip: mocap3d.Clip, *, shot: int | None = None, person: int | None = None) -> Scene:
    """A captured clip; one shot of it, because each has a world of its own.

    Args:
        clip: what ``mocap3d.capture`` returned.
        shot: 1 is the first; None takes the first that shows somebody.
        person: only this one; None takes everybody.

    Raises:
        InputError: there is no such shot or person.
    """
    shots = sorted({one.shot for one in clip.performances})
    index = shots[0] if shot is None else shot - 1
    if index not in shots:
        raise InputError(f"nobody was captured in shot {shot}; there are: {', '.join(str(n + 1) for n in shots)}")
    people = [one for one in clip.performances if one.shot == index and person in (None, one.person)]
    if not people:
        numbers = (str(one.person) for one in clip.performances if one.shot == index)
        raise InputError(f"there is no person {person}; there are: {', '.join(numbers)}")
    figures = tuple(figure_of_motion(one.motion, f"person {one.person}", number=one.person - 1) for one in people)
    return Scene(figures=figures, fps=people[0].motion.fps, filmed=_filmed(clip, index), source=str(clip.source))


def read_scene(
    path: str | os.PathLike[str],
    *,
    shot: int | None = None,
    person: int | None = None,
    sequence: str | None = None,
    camera: str | None = None,
    cameras: str | os.PathLike[str] | None = None,
    video: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Scene:
    """Read whatever can be shown.

    Args:
        path: a folder of stages or its record; any file that ``mocap3d.read`` reads; a motion-data file with results.
        shot: of a capture, as in `scene_of_clip`.
        person: of a capture, or of an animation file with several people; 1 is the first.
        sequence: SUBJECT/ACTION of a motion-data file; None takes its first.
        camera: whose predictions to show of a motion-data file, and whose video ``video`` is.
        cameras: a camera file, in the world of the animation, when the file itself knows no cameras.
        video: what the camera filmed, when the file does not know it or it has moved.
        options: of the file's reader, such as ``unit_m``.

    Raises:
        InputError: it cannot be read, or there is no such shot, person or sequence.
        FileFormatError: it does not hold what its format promises.
    """
    source = Path(path)
    record = source / _RECORD if source.is_dir() else source
    if record.name == _RECORD:
        from mocap3d.stages.record import read_record

        if not record.is_file():
            raise InputError(f"{source} is no folder of stages: there is no {_RECORD} in it")
        scene = scene_of_clip(read_record(record).clip, shot=shot, person=person)
    else:
        scene = _results(source, sequence, camera) or _animation(source, person, options)
    if cameras is not None:
        from mocap3d.cameras.files import read_cameras

        scene = replace(scene, filmed=tuple(Filmed(camera=one) for one in read_cameras(cameras)))
    if video is not None:
        named = scene.camera(camera)
        filmed = [replace(one, video=Path(video)) if one is named else one for one in scene.filmed]
        scene = replace(scene, filmed=tuple(filmed))
    return replace(scene, source=str(source))


def sequences_of(path: str | os.PathLike[str]) -> tuple[str | None, ...]:
    """Name the sequences of a motion-data file, SUBJECT/ACTION; (None,) for files that hold one thing.

    Raises:
        InputError: it cannot be read.
    """
    if Path(path).suffix.lower() not in _HDF5:
        return (None,)
    from mocap3d.data_prep import motion_read

    try:
        return tuple("/".join(name) for name in motion_read.sequence_names(Path(path)))
    except FileFormatError:
        return (None,)  # an animation in HDF5


def _animation(path: Path, person: int | None, options: Mapping[str, Any]) -> Scene:
    """The people of an animation file, or its points."""
    from mocap3d.base.motion_edits import split

    found = mocap3d.read(path, **options)
    if isinstance(found, mocap3d.Pose3D):
        return Scene(figures=(figure_of_points(found, path.stem),), fps=found.fps)
    people = list(split(found).items())
    if len(people) == 1:
        people = [(path.stem, people[0][1])]
    if person is not None:
        if not 1 <= person <= len(people):
            raise InputError(f"{path} has no person {person}; there are {len(people)}")
        people = [people[person - 1]]
    figures = [figure_of_motion(motion, name, number=n) for n, (name, motion) in enumerate(people)]
    return Scene(figures=tuple(figures), fps=found.fps)


def _results(path: Path, sequence: str | None, camera: str | None) -> Scene | None:
    """A sequence of a motion-data file: the truth in gray, and what each network made of it; None for other files."""
    names = sequences_of(path)
    if names == (None,):
        return None
    from mocap3d.data_prep import motion_read

    subject, action = _chosen(path, names, sequence)
    truth = next(one for one in motion_read.read_sequences(path, frozenset([subject])) if one.action == action)
    cameras = motion_read.read_cameras(path, subject)
    figures = [_of_points(truth.xyz_m, truth.confidence, truth, "truth", np.full(3, 0.32))]
    for n, (model, through) in enumerate(motion_read.prediction_names(path, subject, action).items()):
        name = camera if camera in through else through[0]
        made = motion_read.read_prediction(path, subject, action, model, name)
        figures.append(_of_points(made.xyz_m, made.confidence, truth, model, SHIRTS[n % len(SHIRTS)], made.skeleton))
    filmed = [Filmed(camera=one) for one in cameras.values()]
    filmed.sort(key=lambda one: one.camera.name != camera)
    return Scene(figures=tuple(figures), fps=truth.fps, filmed=tuple(filmed))


def _of_points(
    xyz_m: NDArray[np.float32],
    confidence: NDArray[np.float32],
    truth: Any,
    name: str,
    colour: Floats,
    skeleton: mocap3d.Skeleton | None = None,
) -> Figure:
    points = np.where(confidence[..., None] > 0, xyz_m, np.nan).astype(np.float64)
    return Figure(
        name=name,
        start=0,
        fps=truth.fps,
        skeleton=truth.skeleton if skeleton is None else skeleton,
        joints_m=points,
        colour=colour,
        one_colour=True,
    )


def _chosen(path: Path, names: Sequence[str | None], sequence: str | None) -> tuple[str, str]:
    wanted = sequence if sequence is not None else next(iter(names), None)
    if wanted is None or wanted not in names:
        if not names:
            raise InputError(f"{path} has no sequences")
        known = ", ".join(map(str, names[:6])) + (" ..." if len(names) > 6 else "")
        raise InputError(f"{path} has no sequence {sequence!r}; there are {len(names)}: {known}")
    subject, _, action = wanted.partition("/")
    return subject, action


def _filmed(clip: mocap3d.Clip, shot: int) -> tuple[Filmed, ...]:
    """The cameras of a clip, the best one first."""
    best = clip.cameras[shot]
    if not clip.rig:
        return (Filmed(camera=best, video=clip.source),)
    said: Mapping[str, Any] = clip.settings
    videos, offsets_s = said.get("videos", []), said.get("offsets_s", [])
    begins_s = float(said.get("start_s", 0.0)) - clip.shots[shot].start / float(clip.motion.fps)
    found = []
    for n, camera in enumerate(clip.rig):
        known = n < min(len(videos), len(offsets_s))
        found.append(
            Filmed(
                camera=camera,
                video=Path(videos[n]) if known else None,
                start=said.get("start"),
                shift_s=begins_s - float(offsets_s[n]) if known else None,
            )
        )
    return tuple(sorted(found, key=lambda one: one.camera.name != best.name))


def _sought(video: Any, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    """Pictures by ascending number, which may repeat; gray where there is none."""
    width, height = video.size_wh_px
    missing = np.full((height, width, 3), 128, dtype=np.uint8)
    pictures, at, picture = None, -math.inf, missing
    for number in wanted:
        if not 0 <= number < video.frame_count:
            yield missing
            continue
        if pictures is None:
            pictures, at = video.since(number), number - 1
        while at < number:
            picture, at = next(pictures, missing), at + 1
        yield picture
