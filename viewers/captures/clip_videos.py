"""The videos that a clip came from, on the clip's clock: one per camera, found again where they are now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mocap3d.viewers.captures.pictures import Pictures

import mocap3d

__all__ = ["ClipVideos"]


class ClipVideos:
    """The pictures of every camera of a clip, by frames of the clip, as its first video counts.

    Attributes:
        of_cameras: one per camera of ``clip.rig``; of a clip of one camera only one. Each says if it has no pictures.
    """

    def __init__(self, clip: mocap3d.Clip, *, videos: Sequence[Path] = (), near: Path | None = None) -> None:
        """Open them.

        Args:
            clip: a capture.
            videos: where they are now, one per camera; else where they were.
            near: a folder in or beside which those are looked for that are no longer there.

        Raises:
            InputError: not one video per camera.
        """
        self._clip = clip
        self._fps = clip.motion.fps
        sources = _sources(clip)
        if videos and len(videos) != len(sources):
            raise mocap3d.InputError(f"the capture has {len(sources)} video(s), got {len(videos)}")
        start = clip.settings.get("start") if clip.rig else None
        start = start if isinstance(start, (int, str)) else None
        found = videos or [_found(path, near) for path in sources]
        self.of_cameras = [Pictures(path, fps=self._fps, start=start) for path in found]
        for camera, video in zip(clip.rig or clip.cameras[:1], self.of_cameras, strict=True):
            if video.size_wh_px not in (None, camera.size_wh_px):
                video.problem = f"{video.path.name} has pictures of {video.size_wh_px}, not {camera.size_wh_px}"

    def index(self, camera: int, frame: int) -> int:
        """Which picture of a camera's video was taken at a frame of the clip: the nearest in time."""
        settings = self._clip.settings
        offsets, start_s = settings.get("offsets_s"), settings.get("start_s")
        if not (self._clip.rig and isinstance(offsets, (list, tuple)) and isinstance(start_s, (int, float))):
            return frame
        seconds = float(start_s - offsets[camera] + (frame - self._clip.shots[0].start) / self._fps)
        return self.of_cameras[camera].start_frame + round(seconds * float(self._fps))

    def close(self) -> None:
        """Let go of the files."""
        for video in self.of_cameras:
            video.close()


def _sources(clip: mocap3d.Clip) -> list[Path]:
    """The videos as they were given, one per camera."""
    videos = clip.settings.get("videos")
    return [Path(str(video)) for video in videos] if clip.rig and isinstance(videos, (list, tuple)) else [clip.source]


def _found(path: Path, near: Path | None) -> Path:
    """Where a video is: as it was said, else beside the stages, or beside their folder."""
    if path.exists() or near is None:
        return path
    tried = [folder / path.name for folder in (near, near.resolve().parent)]
    return next((other for other in tried if other.exists()), path)
