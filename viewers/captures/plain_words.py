"""What the figures of quality mean, in a sentence each, for tooltips and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["FIGURE_WORDS", "PLOTS", "PlotWords", "setting_name", "setting_text"]

FIGURE_WORDS: Final[Mapping[str, str]] = {
    "foot_skate_mm_per_s": "How fast heels and toes slide while they should stand, on average. 0 is perfect.",
    "foot_skate_p95_mm_per_s": "95 % of the time a standing heel or toe slides less than this.",
    "planted_percent": "Share of the frames in which a heel or a toe stands.",
    "penetration_mm": "How deep the lowest heel or toe sinks into the floor, mean of all frames.",
    "penetration_max_mm": "The deepest of all.",
    "hover_mm": "How high standing heels and toes float above the floor, on average.",
    "bone_length_std_mm": "How much bones change their length. A rig cannot: 0 is right.",
    "bone_length_range_mm": "Longest minus shortest length of the bone that changes most.",
    "jerk_m_per_s3": "How abruptly joints move. Walking, recorded with markers, has 140 to 200; trembling has more.",
    "log_dimensionless_jerk": "Smoothness at any size and speed, to compare versions of one clip. Larger is better.",
    "joint_limit_percent": "Share of the frames in which a joint is bent further than bodies bend.",
    "joint_limit_worst_deg": "How far beyond that at most.",
    "joint_limit_worst": "Which joint that is.",
    "reprojection_px": "How far elbows, wrists, knees and ankles, in the picture, lie from where they were seen.",
    "reprojection_percent": "The same as a share of the body's height.",
    "fk_error_mm": "How far the joints of the body lie from those that it was solved from.",
    "fk_error_p95_mm": "What 95 % of those distances stay below.",
    "confidence": "How sure the network is of the joints in the picture, mean of all: 0 is not at all, 1 is entirely.",
}
"""Name of a figure -> what it is."""


@dataclass(frozen=True, slots=True)
class PlotWords:
    """How a figure is plotted over time.

    Attributes:
        figure: its name.
        label: for people.
        unit: of its values; may be empty.
        least: how far the scale reaches when nothing is larger.
    """

    figure: str
    label: str
    unit: str
    least: float


PLOTS: Final = (
    PlotWords("reprojection_px", "off the picture", "px", 10.0),
    PlotWords("foot_skate_mm_per_s", "foot skate", "mm/s", 20.0),
    PlotWords("jerk_m_per_s3", "jerk", "m/s³", 200.0),
    PlotWords("confidence", "confidence of the 2D joints", "", 1.0),
)
"""What is plotted, in this order."""

_UNITS: Final = {"_m": "m", "_deg": "°", "_s": "s"}
_NAMES: Final = {
    "fov_deg": "field of view, °",
    "fov": "field of view is",  # given, of the metadata, or a default
    "height": "height is",
    "fps": "frames per second",
}


def setting_name(name: str) -> str:
    """A setting of a clip as people write it: ``height_m`` is "height, m"."""
    if name in _NAMES:
        return _NAMES[name]
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return f"{name.removesuffix(ending).replace('_', ' ')}, {unit}"
    return name.replace("_", " ").replace("sha256", "SHA-256")


def setting_text(value: object) -> str:
    """What a setting of a clip is; of files only their names."""
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(Path(one).name if isinstance(one, str) else str(one) for one in value)
    return str(value)
