"""2D joints by our own front end from Human3.6M's official videos (``S1/Videos/Walking 1.54138969.mp4``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from mocap3d.data_prep.human36m_names import action_of
from numpy.typing import NDArray

from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import COCO_17

if TYPE_CHECKING:
    from mocap3d.detect.people import Detections

__all__ = ["MoveNetVideos", "VideoDetector", "find_videos", "largest"]

_FPS: Final = 50


class VideoDetector(Protocol):
    """What finds the one person of a video."""

    @property
    def name(self) -> str:
        """The detector's name in the motion-data file."""

    @property
    def skeleton(self) -> Skeleton:
        """Names the K joints."""

    def __call__(self, video: Path, frames: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """xy_px (T', K, 2) and confidence (T', K) of at most the first ``frames`` pictures."""


class MoveNetVideos:
    """The detector that `mocap3d capture` uses, with the largest person of each picture taken."""

    skeleton: Skeleton = COCO_17

    def __init__(self, network: str = "movenet_thunder", *, device: str = "cpu") -> None:
        """Choose the network, "movenet_thunder" or "movenet_lightning", and where it runs.

        Raises:
            InputError: another network.
        """
        from mocap3d.detect.people import DetectorSettings, PeopleDetector

        self.name = network
        self._detect = PeopleDetector(fps=_FPS, device=device, settings=DetectorSettings(network=network))

    def __call__(self, video: Path, frames: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Watch a video; a picture in which nobody is found becomes NaN with confidence 0.

        Raises:
            InputError: no such video.
            FileFormatError: not a video.
        """
        from mocap3d.cameras.video import open_video

        self._detect.reset()
        xy_px, confidence = np.full((frames, 17, 2), np.nan), np.zeros((frames, 17))
        with open_video(video, fps=_FPS) as opened:
            seen = 0
            for picture in opened:
                if seen == frames:
                    break
                people = self._detect(picture)
                if len(people):
                    person = largest(people)
                    xy_px[seen], confidence[seen] = people.xy_px[person], people.confidence[person]
                seen += 1
        return xy_px[:seen], confidence[:seen]


def largest(people: Detections) -> int:
    """The index of the person whose joints span the largest box."""
    return int(np.argmax(np.ptp(people.xy_px, axis=1).prod(axis=-1)))


def find_videos(folder: Path, subject: str) -> dict[tuple[str, str], Path]:
    """(take as we spell it, camera) -> video of one subject."""
    found = {}
    for path in sorted(folder.glob(f"**/{subject}/Videos/*.mp4")):
        name, _, camera = path.stem.partition(".")
        take = action_of(subject, name)
        if take is not None:
            found[take, camera] = path
    return found
