"""The humanoid of VRM 1.0: its bones, and what a body must be like to use their names.

References:
    VRM Consortium, "VRMC_vrm-1.0", humanoid.md: bones, parents, which are required.
    https://github.com/vrm-c/vrm-specification/blob/master/specification/VRMC_vrm-1.0/humanoid.md
    The same, tpose.md: standing straight, facing +Z, arms along X, soles at y = 0.
    https://github.com/vrm-c/vrm-specification/blob/master/specification/VRMC_vrm-1.0/tpose.md
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import rest_pose
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import wxyz_rotate
from mocap3d.base.skeleton import ROOT, SEVERAL_ROOTS

__all__ = ["REQUIRED_BONES", "VRM_PARENTS", "check_humanoid", "standing_on_the_ground"]

_LEANING_DEG: Final = 20.0  # how far a limb may be from the T-pose before somebody would call it another pose
_SOLE_AT_M: Final = (-0.02, 0.25)  # the lowest joint or tip of a body whose soles stand at 0; an ankle may be that high


def _parents() -> dict[str, str]:
    """Spell out humanoid.md; ``leftEye`` and ``rightEye`` are left out, since a VRM animation may not move them."""
    rows = {"hips": "", "spine": "hips", "chest": "spine", "upperChest": "chest", "neck": "upperChest"}
    rows |= {"head": "neck", "jaw": "head"}
    chains = [
        ("hips", "UpperLeg LowerLeg Foot Toes"),
        ("upperChest", "Shoulder UpperArm LowerArm Hand"),
        ("Hand", "ThumbMetacarpal ThumbProximal ThumbDistal"),
    ]
    chains += [("Hand", f"{f}Proximal {f}Intermediate {f}Distal") for f in ("Index", "Middle", "Ring", "Little")]
    for side in ("left", "right"):
        for top, bones in chains:
            above = f"{side}Hand" if top == "Hand" else top
            for bone in bones.split():
                rows[f"{side}{bone}"] = above
                above = f"{side}{bone}"
    return rows


VRM_PARENTS: Final = _parents()
"""Each bone that a VRM animation may move, and the bone it hangs on; one that is missing is skipped over."""

REQUIRED_BONES: Final = ("hips", "spine", "head") + tuple(
    f"{side}{bone}"
    for side in ("left", "right")
    for bone in ("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand")
)
"""The bones that every VRM humanoid has."""


def check_humanoid(rig: Rig) -> dict[str, int]:
    """Find the joints that are bones of VRM by their names.

    Returns:
        joint by bone, in the order of the rig.

    Raises:
        InputError: a required bone is missing, one hangs on the wrong bone, or the rest pose is no T-pose.
    """
    if rig.skeleton.joint_names[0] == SEVERAL_ROOTS:
        raise InputError("a VRM animation is that of one person: write a file for each")
    bones = {name: j for j, name in enumerate(rig.skeleton.joint_names) if name in VRM_PARENTS}
    missing = [bone for bone in REQUIRED_BONES if bone not in bones]
    if missing:
        raise InputError(
            f"a VRM animation needs joints named {', '.join(missing)}, which {rig.skeleton.name!r} lacks; "
            "dress the motion with the preset 'vrm' first (--preset vrm)"
        )
    if bones["hips"] != 0:
        raise InputError("a VRM animation needs hips as the root of the rig: only the hips travel")
    if "upperChest" in bones and "chest" not in bones:
        raise InputError("VRM knows upperChest only together with chest")
    for bone, joint in bones.items():
        above = rig.skeleton.parents[joint]
        while above != ROOT and rig.skeleton.joint_names[above] not in bones:
            above = rig.skeleton.parents[above]
        has, wanted = "" if above == ROOT else rig.skeleton.joint_names[above], VRM_PARENTS[bone]
        while wanted and wanted not in bones:
            wanted = VRM_PARENTS[wanted]
        if has != wanted:
            raise InputError(f"in VRM {bone} hangs on {wanted}, here it hangs on {has or 'nothing'}")
    _check_t_pose(rig, bones)
    return bones


def standing_on_the_ground(rig: Rig) -> Rig:
    """Move the hips at rest so that the soles lie at y = 0; a rig that stands there already stays as it is."""
    rest_m, rest_wxyz = rest_pose(rig)
    tips_m = [rest_m[tip.parent] + wxyz_rotate(rest_wxyz[tip.parent], tip.offset_m) for tip in rig.tips]
    lowest_m = min(float(rest_m[:, 1].min()), *(float(tip[1]) for tip in tips_m), math.inf)
    if _SOLE_AT_M[0] <= lowest_m <= _SOLE_AT_M[1]:
        return rig
    offsets_m = rig.offsets_m.copy()
    offsets_m[0, 1] -= lowest_m
    return replace(rig, offsets_m=offsets_m)


def _check_t_pose(rig: Rig, bones: dict[str, int]) -> None:
    rest_m, _ = rest_pose(rig)
    wanted = [("hips", "head", (0.0, 1.0, 0.0))]
    for side, out in (("left", 1.0), ("right", -1.0)):
        wanted += [(f"{side}UpperArm", f"{side}LowerArm", (out, 0.0, 0.0))]
        wanted += [(f"{side}LowerArm", f"{side}Hand", (out, 0.0, 0.0))]
        wanted += [(f"{side}UpperLeg", f"{side}Foot", (0.0, -1.0, 0.0))]
    for start, end, direction in wanted:
        along = rest_m[bones[end]] - rest_m[bones[start]]
        length = float(np.linalg.norm(along))
        leaning = math.degrees(math.acos(np.clip(along @ direction / max(length, 1e-9), -1.0, 1.0)))
        if length < 1e-6 or leaning > _LEANING_DEG:
            raise InputError(
                f"VRM rests in a T-pose facing +Z, but from {start} to {end} this rig leans {leaning:.0f} degrees; "
                "dress the motion with the preset 'vrm' first (--preset vrm)"
            )
