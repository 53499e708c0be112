"""From one skeleton to another, joint by joint, as declared in ``conversion_table.py``.

Nothing is guessed from names. A joint of the target is the same point of the body as one of the source, or the mean of
several (exact); or a declared stand-in with the reason why it is not that point (approximate); or not there (missing).
A pair that nobody declared is refused.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.conversion_table import DECLARED
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import SKELETONS

__all__ = ["Conversion", "JointSource", "conversion", "convert", "declared_targets"]

_SIDES: Final = ("left", "right")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JointSource:
    """Where one joint of the target comes from.

    Attributes:
        joint: its name in the target.
        sources: names in the source; several mean their mean, none that the joint is missing.
        approximation: why it is not the same point of the body, or None when it is.
    """

    joint: str
    sources: tuple[str, ...]
    approximation: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """How each joint of one skeleton comes from another.

    Attributes:
        source: what is given.
        target: what is wanted.
        joints: one entry for each joint of the target, in its order.
    """

    source: Skeleton
    target: Skeleton
    joints: tuple[JointSource, ...]

    @property
    def approximations(self) -> dict[str, str]:
        """Joints of the target that are only stand-ins, and why."""
        return {entry.joint: entry.approximation for entry in self.joints if entry.approximation is not None}

    @property
    def missing(self) -> tuple[str, ...]:
        """Joints of the target that the source says nothing about: NaN with confidence 0."""
        return tuple(entry.joint for entry in self.joints if not entry.sources)

    @property
    def is_exact(self) -> bool:
        """Whether every joint is there and none is a stand-in."""
        return not self.approximations and not self.missing


def declared_targets(source: Skeleton) -> tuple[str, ...]:
    """List the names of the skeletons that ``source`` can be converted to, beside itself."""
    return tuple(target for name, target in DECLARED if name == source.name)


def conversion(source: Skeleton, target: Skeleton) -> Conversion:
    """Look up how ``source`` becomes ``target``; a skeleton becomes itself exactly.

    Raises:
        InputError: nobody declared this pair; the message lists the targets that are declared for ``source``.
    """
    if source == target:
        return Conversion(
            source=source,
            target=target,
            joints=tuple(JointSource(joint=name, sources=(name,)) for name in source.joint_names),
        )
    listed = SKELETONS.get(source.name) == source and SKELETONS.get(target.name) == target
    if not listed or (source.name, target.name) not in DECLARED:
        targets = ", ".join(declared_targets(source)) if listed or source.name in SKELETONS else ""
        raise InputError(
            f"no conversion from {source.name!r} to {target.name!r} is declared; "
            f"{source.name!r} converts to: {targets or 'nothing'}"
        )
    return _parsed(source.name, target.name)


@overload
def convert(pose: Pose2D, to: Skeleton) -> Pose2D: ...
@overload
def convert(pose: Pose3D, to: Skeleton) -> Pose3D: ...
def convert(pose: Pose2D | Pose3D, to: Skeleton) -> Pose2D | Pose3D:
    """Write a pose on another skeleton.

    A mean has the least confidence and the fewest views of its sources, and the standard deviation of a mean of
    independent errors; what an approximation is off by is not in it. Where a source is NaN, the result is NaN with
    confidence 0.

    Raises:
        InputError: nobody declared this pair.
    """
    table = conversion(pose.skeleton, to)
    columns = [[pose.skeleton.index(name) for name in entry.sources] for entry in table.joints]
    points = _mean(pose.xy_px if isinstance(pose, Pose2D) else pose.xyz_m, columns)
    confidence = np.stack([_least(pose.confidence, column) for column in columns], axis=1)
    confidence = np.where(np.isnan(points).any(axis=-1), 0.0, confidence)
    if isinstance(pose, Pose2D):
        return dataclasses.replace(pose, xy_px=points, confidence=confidence, skeleton=to)
    # Independent errors: the variance of a mean of n is their sum over n squared.
    sizes = np.array([max(len(column), 1) for column in columns])
    std_m = np.sqrt(_mean(pose.std_m**2, columns) / sizes)
    views = np.stack([_least(pose.views, column) for column in columns], axis=1)
    return dataclasses.replace(
        pose, xyz_m=points, confidence=confidence, std_m=std_m, views=views.astype(np.int64), skeleton=to
    )


def _mean(values: NDArray[np.float64], columns: list[list[int]]) -> NDArray[np.float64]:
    """Means over the source joints of (T, J, ...); NaN where there is none."""
    missing = np.full_like(values[:, 0], np.nan)
    return np.stack([values[:, column].mean(axis=1) if column else missing for column in columns], axis=1)


def _least(values: NDArray[np.float64] | NDArray[np.int64], column: list[int]) -> NDArray[np.float64]:
    return np.asarray(values[:, column].min(axis=1) if column else np.zeros(len(values)), dtype=np.float64)


@cache
def _parsed(source_name: str, target_name: str) -> Conversion:
    """Read one table: ``joint = source + source``, ``joint ~ source : reason`` or ``joint -``; ``*`` is both sides."""
    source, target = SKELETONS[source_name], SKELETONS[target_name]
    found: dict[str, JointSource] = {}
    for line in DECLARED[source_name, target_name].strip().splitlines():
        for side in _SIDES if "*" in line else ("",):
            entry = _entry(line.strip().replace("*", side))
            if entry.joint in found:
                raise ValueError(f"{source_name} to {target_name}: {entry.joint} is declared twice")
            for name in entry.sources:
                source.index(name)
            found[entry.joint] = entry
    if set(found) != set(target.joint_names):
        raise ValueError(f"{source_name} to {target_name}: {set(found) ^ set(target.joint_names)} declared wrongly")
    return Conversion(source=source, target=target, joints=tuple(found[name] for name in target.joint_names))


def _entry(line: str) -> JointSource:
    rule, _, reason = line.partition(":")
    joint, sign, *sources = rule.split()
    return JointSource(
        joint=joint,
        sources=tuple(name for name in sources if name != "+"),
        approximation=reason.strip() if sign == "~" else None,
    )
