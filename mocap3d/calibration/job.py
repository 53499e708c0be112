"""What `calibrate` is to do, and what it found on the way: who is in the videos, and when they began."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mocap3d.base.camera import Camera
from mocap3d.base.errors import CalibrationError
from mocap3d.calibration.lenses import LensSource
from mocap3d.calibration.points import ScenePoints
from mocap3d.calibration.result import How
from mocap3d.calibration.seen import People, look_at
from mocap3d.take import SyncBy, Take
from mocap3d.watching import Progress

__all__ = ["Job", "watch_people"]

Pictures = str | os.PathLike[str]
Videos = Sequence[Pictures]


@dataclass(slots=True, kw_only=True)
class Job:
    """What is wanted, and what was found on the way."""

    videos: list[Path]
    how: How
    people: Literal["same", "none"] | Videos
    sync: SyncBy
    height_m: float | None
    floor: Literal["first", "last", "people"] | None
    detector: str
    device: str
    tell: Progress
    source: LensSource
    marks: ScenePoints | None
    free: tuple[str, ...]
    notes: list[str] = field(default_factory=list)
    offsets_s: tuple[float, ...] = ()
    told: str = "photos"
    seen: People | None = None

    @property
    def take(self) -> Take | None:
        """Everybody who was seen, on one clock."""
        return None if self.seen is None else self.seen.take

    @property
    def photos(self) -> bool:
        """Whether folders were given in place of videos."""
        return self.videos[0].is_dir()

    def look(self, videos: Sequence[Pictures], cameras: Sequence[Camera], sync: SyncBy) -> People:
        """Watch the videos of a take."""
        return look_at(
            videos,
            cameras,
            sync,
            placed=self.how == "refined",
            detector=self.detector,
            device=self.device,
            tell=self.tell,
            notes=self.notes,
        )


def watch_people(job: Job, cameras: Sequence[Camera]) -> None:
    """See people, and find out when the videos began."""
    others = [] if isinstance(job.people, str) else list(job.people)
    needed = job.how in ("people", "refined")
    job.offsets_s = (0.0,) * len(cameras)
    if not job.photos and not (needed and others):
        _begin(job, cameras, judged_by_others=bool(others))
    if others:
        job.seen = job.look(others, cameras, job.sync if isinstance(job.sync, str) else "motion")
        if needed:
            job.offsets_s, job.told = job.seen.offsets_s, job.seen.told


def _begin(job: Job, cameras: Sequence[Camera], *, judged_by_others: bool) -> None:
    """Find out when the videos themselves began, and see who is in them."""
    from mocap3d.take import starts_of

    alone = judged_by_others or job.people == "none"
    if job.how == "points" and alone:  # marks stand still, and nobody is looked for
        job.told = "none"
    elif alone and not (isinstance(job.sync, str) and job.sync == "motion"):
        offsets, job.told = starts_of(job.sync, job.videos, [[] for _ in cameras], cameras)
        job.offsets_s = tuple(float(value) for value in offsets)
    else:
        job.seen = job.look(job.videos, cameras, job.sync)
        job.offsets_s, job.told = job.seen.offsets_s, job.seen.told
        if job.how == "board" and job.told == "nothing":
            raise CalibrationError(
                "nobody moves in view of two cameras, so that motion does not tell when the videos began: say it "
                "(`--sync audio`, `none`, or the seconds)"
            )
