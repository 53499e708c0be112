"""What ``capture`` returns: the people of a video in motion, and everything that led to them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.ground import Ground
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.shot import Shot

if TYPE_CHECKING:
    from mocap3d.quality.animation import AnimationQuality

__all__ = ["Clip", "Performance"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Performance:
    """One person in one shot.

    Attributes:
        person: 1 is the one seen longest and largest; numbers start again in every shot.
        shot: index into ``Clip.shots``.
        motion: rotations on a rig, in the world.
        pose2d: joints in the picture, the same frames.
        pose3d: joints in the world that the motion was solved from, the same frames.
        unobserved: parts of the body that the pictures did not show and that stay at rest.
        lifted_contacts: (T, 4) in 0..1, what the lifter says of left heel, left toe, right heel, right toe: a hint for
            the contacts of the motion; None if it says nothing.
        views: of several cameras what each of them saw, the same frames, in the order of ``Clip.rig``; None for one
            that never saw the person. ``pose2d`` is that of the camera in ``Clip.cameras``.
    """

    person: int
    shot: int
    motion: Motion
    pose2d: Pose2D
    pose3d: Pose3D
    unobserved: tuple[str, ...] = ()
    lifted_contacts: NDArray[np.float64] | None = None
    views: tuple[Pose2D | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """A captured video.

    Attributes:
        source: the video.
        performances: shot by shot, in each the most prominent person first; at least one.
        shots: stretches between cuts.
        cameras: one per shot; ``cam_from_world`` says where it stood (as it was given, where nobody was captured).
        grounds: one per shot; None where nobody was captured.
        settings: how it was made: what was given and what was assumed, by name.
        notes: what a user should know about the result.
        rig: of several cameras all of them; ``cameras`` then holds the one that saw the people best.
    """

    source: Path
    performances: tuple[Performance, ...]
    shots: tuple[Shot, ...]
    cameras: tuple[Camera, ...]
    grounds: tuple[Ground | None, ...]
    settings: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    rig: tuple[Camera, ...] = ()

    @property
    def motion(self) -> Motion:
        """The first motion: of the most prominent person in the first shot that shows one."""
        return self.performances[0].motion

    @property
    def motions(self) -> tuple[Motion, ...]:
        """The motions of all performances."""
        return tuple(performance.motion for performance in self.performances)

    def save(self, path: str | os.PathLike[str], *, together: bool = False, **options: Any) -> tuple[Path, ...]:
        """Write the motions to files whose format the extension chooses.

        Args:
            path: one performance goes to this very file; of several, each goes to a file of its own, with ``-shot2``
                and ``-person2`` put before the extension as far as they are needed to tell them apart.
            together: all people of a shot go into one file, their joints called ``person2:hips``.
            options: ``preset`` and ``mesh`` of `mocap3d.output.write`, and those of the format's writer (for BVH:
                ``order``, ``unit_m`` ...).

        Returns:
            The files written.

        Raises:
            InputError: unknown extension or option, or the file cannot be written.
        """
        from mocap3d.output import write  # formats are loaded when first needed

        files = self.by_file(path, together=together)
        for target, motion in files:
            write(motion, target, **options)
        return tuple(target for target, _ in files)

    def save_stages(self, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Write what the motions were made of as files that can be changed; `mocap3d.solve_stages` takes them up again.

        Args:
            folder: new or empty; made when it does not exist.

        Returns:
            The files written: CSV of joints in the picture, joints in space and foot contacts, TOML of the rest.

        Raises:
            InputError: the folder holds something already, or cannot be written.
        """
        from mocap3d.stages.folder import save_stages

        return save_stages(self, folder)

    def stream(self, address: str = "127.0.0.1:39539", *, person: int = 1, loop: bool = False) -> int:
        """Play one person of the first shot to a VMC listener in real time (an avatar's program; needs mocap3d[live]).

        Args:
            address: HOST:PORT.
            person: the number of the performance.
            loop: begin again at the end, until Ctrl-C.

        Returns:
            How many frames were sent.

        Raises:
            InputError: there is no such person, or the address cannot be reached.
            MissingExtraError: python-osc is not installed.
        """
        from mocap3d.output.vmc import stream_motion

        shot = self.performances[0].shot
        people = {performance.person: performance for performance in self.performances if performance.shot == shot}
        if person not in people:
            raise InputError(f"there is no person {person}; there are {', '.join(map(str, sorted(people)))}")
        return stream_motion(people[person].motion, address, loop=loop)

    def paths(self, path: str | os.PathLike[str], *, together: bool = False) -> tuple[Path, ...]:
        """Name the files that ``save`` writes, one per performance, or per shot."""
        return tuple(target for target, _ in self.by_file(path, together=together))

    def by_file(
        self, path: str | os.PathLike[str], *, together: bool = False
    ) -> tuple[tuple[Path, Motion | dict[str, Motion]], ...]:
        """Say what ``save`` writes into which file: a motion, or several people by name."""
        target = Path(path)
        shots = self._shots()
        named: list[tuple[Path, Motion | dict[str, Motion]]] = []
        if together:
            for shot in shots:
                people = {f"person{one.person}": one.motion for one in self.performances if one.shot == shot}
                what = people if len(people) > 1 else next(iter(people.values()))
                named.append((_with_suffix(target, f"-shot{shot + 1}" if len(shots) > 1 else ""), what))
            return tuple(named)
        for performance in self.performances:
            in_shot = [other for other in self.performances if other.shot == performance.shot]
            suffix = f"-shot{performance.shot + 1}" if len(shots) > 1 else ""
            suffix += f"-person{performance.person}" if len(in_shot) > 1 else ""
            named.append((_with_suffix(target, suffix), performance.motion))
        return tuple(named)

    def _shots(self) -> list[int]:
        """The shots that show somebody."""
        return sorted({performance.shot for performance in self.performances})

    def qualities(self) -> tuple[AnimationQuality, ...]:
        """Judge each performance: feet, smoothness, joint limits, how far it is off the picture and off its joints."""
        from mocap3d.motion.contacts import support_heights_m
        from mocap3d.quality.animation import animation_quality

        return tuple(
            animation_quality(
                one.motion,
                support_m=0.0 if one.motion.contacts is None else support_heights_m(one.motion, one.motion.contacts),
                pose3d=one.pose3d,
                pose2d=one.views or one.pose2d,
                camera=self.rig if one.views else self.cameras[one.shot],
            )
            for one in self.performances
        )

    def summary(self) -> dict[str, object]:
        """Tell in plain numbers what was captured and how sure it is; every value is JSON."""
        return {
            "source": str(self.source),
            "settings": dict(self.settings),
            "shots": [
                {"start": shot.start, "stop": shot.stop, "camera_moves": shot.camera_moves} for shot in self.shots
            ],
            "people": [
                {**self._person(performance), "quality": quality.as_dict()}
                for performance, quality in zip(self.performances, self.qualities(), strict=True)
            ],
            "notes": list(self.notes),
        }

    def _person(self, performance: Performance) -> dict[str, object]:
        motion = performance.motion
        ground = self.grounds[performance.shot]
        if ground is None:
            raise InputError(f"shot {performance.shot} has people but no ground")
        steps = np.linalg.norm(np.diff(motion.root_m[:, [0, 2]], axis=0), axis=-1)
        return {
            "person": performance.person,
            "shot": performance.shot,
            "start_frame": motion.start_frame,
            "frames": len(motion),
            "fps": float(motion.fps),
            "seen": round(float((performance.pose2d.confidence > 0).any(axis=1).mean()), 3),
            "path_m": round(float(steps.sum()), 2),
            "unobserved": list(performance.unobserved),
            "up_std_deg": [round(value, 1) for value in ground.up_std_deg],
            "floor_std_m": round(ground.floor_std_m, 3),
            "footfalls": ground.footfalls,
        }


def _with_suffix(target: Path, suffix: str) -> Path:
    return target.with_name(f"{target.stem}{suffix}{target.suffix}")
