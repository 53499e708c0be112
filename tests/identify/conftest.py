"""Stick people who walk through the picture: their places are written down, not computed by mocap3d."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

# A person who stands, COCO-17, y down, head top at 0, soles at 1.
STANDING = np.array(
    [
        [0.0, 0.07], [0.02, 0.05], [-0.02, 0.05], [0.04, 0.06], [-0.04, 0.06],
        [0.11, 0.18], [-0.11, 0.18], [0.14, 0.37], [-0.14, 0.37], [0.15, 0.52], [-0.15, 0.52],
        [0.07, 0.47], [-0.07, 0.47], [0.07, 0.72], [-0.07, 0.72], [0.07, 0.95], [-0.07, 0.95],
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """The people of one frame, as a detector hands them over."""

    xy_px: np.ndarray
    confidence: np.ndarray


def walking_person(t_s: float, x_px: float, top_px: float, height_px: float, phase: float = 0.0) -> np.ndarray:
    """(17, 2) joints of someone who steps once a second: ankles swing by 0.25 and knees by 0.12 of the height."""
    pose = STANDING.copy()
    swing = np.sin(2 * np.pi * (t_s + phase))
    pose[[15, 16], 0] += np.array([0.25, -0.25]) * swing
    pose[[13, 14], 0] += np.array([0.12, -0.12]) * swing
    pose[[9, 10], 0] += np.array([-0.15, 0.15]) * swing
    return pose * height_px + [x_px, top_px]


@pytest.fixture
def person() -> Callable[..., np.ndarray]:
    """``walking_person``."""
    return walking_person


@pytest.fixture
def found() -> Callable[..., Found]:
    """Gather the people of a frame: a list of joints (17, 2), confidence 0.8 everywhere unless given."""

    def gather(people: list[np.ndarray], confidence: float | np.ndarray = 0.8) -> Found:
        xy_px = np.array(people).reshape(-1, 17, 2)
        return Found(xy_px, np.broadcast_to(confidence, xy_px.shape[:2]).copy())

    return gather
