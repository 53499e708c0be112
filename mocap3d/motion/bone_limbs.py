"""Where the legs and arms of a rig are: by the names of its bones, else by its shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.kinematics import rest_pose
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import ROOT
from mocap3d.motion.bone_names import ARM, LEG, BoneName

__all__ = ["ancestors", "common_ancestor", "limb_by_names", "limbs_by_shape"]

Floats = NDArray[np.float64]

_ALIKE: Final = 0.12  # left and right differ by less than this part of their length
_SHORT: Final = 1e-3  # part of the whole limb: a segment shorter than this joins two bones in one place


def ancestors(rig: Rig, joint: int) -> list[int]:
    """The joints from a joint up to the root, both included."""
    path = [joint]
    while rig.skeleton.parents[path[-1]] != ROOT:
        path.append(rig.skeleton.parents[path[-1]])
    return path


def common_ancestor(rig: Rig, joints: Sequence[int]) -> int:
    """The last joint from which all of ``joints`` hang (it may be one of them)."""
    shared = set(ancestors(rig, joints[0]))
    for joint in joints[1:]:
        shared &= set(ancestors(rig, joint))
    return max(shared)  # parents come first


def limb_by_names(rig: Rig, names: Sequence[BoneName], side: str, parts: Sequence[str]) -> dict[str, int] | None:
    """Find the chain of bones, each below the one before, whose names speak for ``parts`` most surely.

    Args:
        rig: J joints.
        names: of ``bone_names``.
        side: ``left`` or ``right``.
        parts: `LEG` or `ARM`; the two long bones are needed, and of a leg the foot.

    Returns:
        Part -> joint; None where no chain has the names that are needed.
    """
    needed = parts[:3] if parts is LEG else parts[1:3]
    # best[k] at a joint: the surest chain down to it that ends in parts[k], as (score, joints by part)
    best: dict[int, dict[int, tuple[float, dict[str, int]]]] = {}
    surest: tuple[float, dict[str, int]] | None = None
    for j, parent in enumerate(rig.skeleton.parents):
        best[j] = dict(best.get(parent, {}))
        depth = len(ancestors(rig, j))
        for k, part in enumerate(parts):
            if names[j].side != side or part not in names[j].parts:
                continue
            above = [chain for other, chain in best.get(parent, {}).items() if other < k]
            score, chain = max(above, key=lambda pair: pair[0], default=(0.0, {}))
            score += names[j].parts[part] - 1e-4 * depth  # of two bones with one name, the upper one begins the limb
            if k not in best[j] or score > best[j][k][0]:
                best[j][k] = (score, {**chain, part: j})
            full = all(part in best[j][k][1] for part in needed)
            if full and (surest is None or best[j][k][0] > surest[0]):
                surest = best[j][k]
    return None if surest is None else surest[1]


def limbs_by_shape(rig: Rig) -> dict[str, dict[str, int]] | None:
    """Find legs and arms as the two longest pairs of equal chains, the legs nearer to the root.

    Left is where it is on a body that stands upright: left of where the toes point, else of +Z (Z-up: of -Y).

    Returns:
        ``leftLeg rightLeg leftArm rightArm`` -> part -> joint; None where there are no two pairs.
    """
    rest_m, _ = rest_pose(rig)
    pairs = sorted(_pairs(rig), key=lambda pair: -pair[0])[:8]
    for _, parent, arm_a, arm_b in pairs:
        for _, below, leg_a, leg_b in pairs:
            above = ancestors(rig, parent)[1:]
            if below in above and leg_a[0] not in above and leg_b[0] not in above and leg_a[0] != arm_a[0]:
                legs = [_parts(rest_m, chain, LEG, 0) for chain in (leg_a, leg_b)]
                arms = [_parts(rest_m, chain, ARM, 1) for chain in (arm_a, arm_b)]
                if all(legs) and all(arms):
                    return _sided(rest_m, legs, arms)
    return None


def _pairs(rig: Rig) -> list[tuple[float, int, list[int], list[int]]]:
    """(length, joint that both hang on, chain, chain) of children that look like left and right."""
    count = len(rig.skeleton)
    children: list[list[int]] = [[] for _ in range(count)]
    for j, parent in enumerate(rig.skeleton.parents):
        if parent != ROOT:
            children[parent].append(j)
    lengths = rig.bone_lengths_m
    reach = np.zeros(count)  # the longest way down from a joint
    for j in reversed(range(count)):
        reach[j] = max((lengths[child] + reach[child] for child in children[j]), default=0.0)
    found = []
    for j in range(count):
        sides = [_chain(child, children, lengths + reach) for child in children[j]]
        for n, one in enumerate(sides):
            for other in sides[n + 1 :]:
                if len(one) == len(other) >= 3 and _alike(lengths[one], lengths[other]):
                    found.append((float(lengths[one].sum()), j, one, other))
    return found


def _chain(joint: int, children: list[list[int]], reach: Floats) -> list[int]:
    """The longest way down."""
    chain = [joint]
    while children[chain[-1]]:
        chain.append(max(children[chain[-1]], key=lambda child: float(reach[child])))
    return chain


def _alike(one: Floats, other: Floats) -> bool:
    return bool(np.abs(one - other).max() <= _ALIKE * max(one.sum(), other.sum()))


def _parts(rest_m: Floats, chain: list[int], parts: Sequence[str], long: int) -> dict[str, int]:
    """Give the bones of a chain their parts: the two longest neighbours are the ones at ``long`` and behind it."""
    at = rest_m[chain]
    lengths = np.linalg.norm(np.diff(at, axis=0), axis=1)
    kept = [0, *(n for n in range(1, len(chain)) if lengths[n - 1] > _SHORT * lengths.sum())]
    kept = [
        max(m for m in range(n, len(chain)) if m == n or lengths[n:m].max() <= _SHORT * lengths.sum()) for n in kept
    ]
    chain = [chain[n] for n in kept]
    lengths = np.linalg.norm(np.diff(rest_m[chain], axis=0), axis=1)
    if len(lengths) < 2:
        return {}
    first = int(np.argmax(lengths[:-1] + lengths[1:]))
    return {part: chain[first + n - long] for n, part in enumerate(parts) if 0 <= first + n - long < len(chain)}


def _sided(rest_m: Floats, legs: list[dict[str, int]], arms: list[dict[str, int]]) -> dict[str, dict[str, int]]:
    """Tell which of two legs and of two arms is the left one."""
    middle = (rest_m[legs[0]["UpperLeg"]] + rest_m[legs[1]["UpperLeg"]]) / 2
    up = (rest_m[arms[0]["UpperArm"]] + rest_m[arms[1]["UpperArm"]]) / 2 - middle
    axis = np.eye(3)[np.argmax(np.abs(up))] * np.sign(up[np.argmax(np.abs(up))])
    ahead = sum((rest_m[leg["Toes"]] - rest_m[leg["Foot"]] for leg in legs if "Toes" in leg), np.zeros(3))
    ahead = ahead - axis * (ahead @ axis)
    if np.linalg.norm(ahead) < 0.05 * np.linalg.norm(up):
        ahead = np.array([0.0, -1.0, 0.0] if abs(axis[2]) > 0.5 else [0.0, 0.0, 1.0])
    left = np.cross(axis, ahead)
    found: dict[str, dict[str, int]] = {}
    for name, first, two in (("Leg", "UpperLeg", legs), ("Arm", "UpperArm", arms)):
        one, other = two if (rest_m[two[0][first]] - rest_m[two[1][first]]) @ left > 0 else two[::-1]
        found |= {f"left{name}": one, f"right{name}": other}
    return found
