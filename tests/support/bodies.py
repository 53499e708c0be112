"""Bodies in the joints of LIFTER_20 for tests of training: the trigonometric walker, and motion-data files of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import walker
from mocap3d.data_prep.motion_file import MotionSequence, MotionWriter

from mocap3d.base.skeletons import LIFTER_20


def walking(frames: int = 60, fps: int = 30) -> np.ndarray:
    """(T, 20, 3) float32."""
    return walker.walk(seconds=frames / fps, fps=fps)[0].astype(np.float32)


def motion_file(path: Path, subjects: tuple[str, ...] = ("01", "02"), fps: int = 120) -> Path:
    """A motion-data file in which every subject walks, each at a pace of its own."""
    with MotionWriter(path) as writer:
        for i, subject in enumerate(subjects):
            xyz_m = walker.walk(seconds=3.0, fps=fps, speed_mps=1.0 + 0.2 * i)[0].astype(np.float32)
            writer.add(MotionSequence.seen(subject, f"{subject}_01", xyz_m, Fraction(fps), LIFTER_20, "CC0-1.0"))
    return path


def small_training(**changes: Any) -> Any:
    """Settings of a training on `motion_file` that takes a second; imported late, since it needs torch."""
    from mocap3d.train.lifter_settings import LifterSettings

    fields = {
        "subjects": ("01",),
        "held_out": ("02",),
        "minutes": None,
        "steps": 6,
        "channels": 16,
        "dilations": (1, 3),
        "batch": 32,
        "clip_frames": 30,
        "clips_per_step": 2,
        "pool_steps": 4,
    }
    return LifterSettings(**{**fields, **changes})
