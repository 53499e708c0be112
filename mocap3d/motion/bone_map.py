"""Which bone of a character is what: proposed by names and shape, printed, edited, read back, checked.

```
proposal = propose_bone_map(rig)
print(proposal.table())
write_bone_map(proposal, "map.toml")  # edit it
roles = read_bone_map("map.toml", rig)
```
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import atomic_path, read_toml
from mocap3d.base.kinematics import rest_pose
from mocap3d.base.rig import Rig
from mocap3d.base.roles import HUMANOID_ROLES, Roles, role_joints
from mocap3d.base.skeleton import ROOT
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.motion.bone_limbs import ancestors, common_ancestor, limb_by_names, limbs_by_shape
from mocap3d.motion.bone_names import ARM, LEG, BoneName, bone_names

__all__ = ["BoneMap", "check_bone_map", "propose_bone_map", "read_bone_map", "said_bone_map", "write_bone_map"]

Floats = NDArray[np.float64]

_SIDES: Final = ("left", "right")
_NEEDED: Final = (
    "hips",
    *(f"{side}{part}" for side in _SIDES for part in (*LEG[:3], *ARM[1:3])),
)
_TOES_AHEAD: Final = 0.3  # of the foot's length: feet that point less far ahead do not say where ahead is


@dataclass(frozen=True, slots=True, kw_only=True)
class BoneMap:
    """A proposal: which joint of a rig has which role.

    Attributes:
        character: what the rig is called.
        roles: humanoid joint -> joint of the rig, in the humanoid's order.
        why: humanoid joint -> what speaks for it.
        others: the joints without a role, which rest.
    """

    character: str
    roles: Mapping[str, str]
    why: Mapping[str, str]
    others: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The roles that no joint has."""
        return tuple(role for role in HUMANOID_ROLES if role not in self.roles)

    def table(self) -> str:
        """The proposal as lines for people: role, bone, why."""
        width = max((len(name) for name in self.roles.values()), default=4)
        rows = [f"{'role':<14}  {'bone':<{width}}  why"]
        for role in HUMANOID_ROLES:
            rows.append(f"{role:<14}  {self.roles.get(role, '-'):<{width}}  {self.why.get(role, 'no such bone')}")
        rows.append(f"{len(self.others)} more bones rest: {_listed(self.others)}" if self.others else "no other bones")
        return "\n".join(rows)


def propose_bone_map(rig: Rig) -> BoneMap:
    """Find out which joints of a character are which joints of the humanoid.

    Legs and arms are found by the names of their bones, else by the shape of the rig; the hips are what legs and arms
    hang from, the trunk is what lies between them and the arms, neck and head follow.

    Raises:
        InputError: neither names nor shape show two legs and two arms.
    """
    names = bone_names(rig.skeleton.joint_names)
    found, why = _limbs(rig, names)
    for role, joint, reason in _trunk(rig, names, found):
        found[role], why[role] = joint, reason
    joint_names = rig.skeleton.joint_names
    roles = {role: joint_names[found[role]] for role in HUMANOID_ROLES if role in found}
    return BoneMap(
        character=rig.skeleton.name,
        roles=roles,
        why=why,
        others=tuple(name for j, name in enumerate(joint_names) if j not in found.values()),
    )


def said_bone_map(rig: Rig, said: Roles) -> BoneMap:
    """Take the word of a file for which joint is what, as VRM avatars give it.

    Raises:
        InputError: with these roles no motion could be moved onto the rig.
    """
    check_bone_map(rig, said)
    roles = {role: said[role] for role in HUMANOID_ROLES if role in said}
    return BoneMap(
        character=rig.skeleton.name,
        roles=roles,
        why=dict.fromkeys(roles, "the file says so"),
        others=tuple(name for name in rig.skeleton.joint_names if name not in roles.values()),
    )


def check_bone_map(rig: Rig, roles: Roles) -> None:
    """Refuse a map with which no motion could be moved onto the rig.

    Raises:
        InputError: a role or a joint is unknown or used twice, a role that is needed is missing, a limb is not in
            order, or left and right are swapped.
    """
    joints = role_joints(rig, roles, needed=_NEEDED)
    for role, j in joints.items():
        parent = HUMANOID_22.parents[HUMANOID_22.index(role)]
        while parent != ROOT and HUMANOID_22.joint_names[parent] not in joints:
            parent = HUMANOID_22.parents[parent]
        if parent == ROOT:
            continue
        above = HUMANOID_22.joint_names[parent]
        if joints[above] not in ancestors(rig, j)[1:]:
            raise InputError(
                f"{role} = {roles[role]!r} does not hang on {above} = {roles[above]!r}: change one of them"
            )
    _check_sides(rig, joints)


def write_bone_map(bone_map: BoneMap, path: str | os.PathLike[str]) -> None:
    """Write a map as TOML, to be edited; the file appears whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    lines = [
        f"# Which bone of {json.dumps(bone_map.character, ensure_ascii=False)} is what."
        ' Change the names on the right; "" means that there is no such bone.',
        "# Bones that are not named here rest.",
        "version = 1",
        "",
        "[bones]",
    ]
    for role in HUMANOID_ROLES:
        entry = f"{role} = {_quoted(bone_map.roles.get(role, ''))}"
        lines.append(f"{entry}  # {bone_map.why[role]}" if role in bone_map.why else entry)
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_bone_map(path: str | os.PathLike[str], rig: Rig) -> dict[str, str]:
    """Read a map and check it against the rig that it is for.

    Returns:
        Humanoid joint -> joint of the rig.

    Raises:
        InputError: the file cannot be opened.
        FileFormatError: it is no bone map, or one that does not fit the rig; the message says what to change.
    """
    source = Path(path)
    table = read_toml(source, "bone map")
    bones = table.get("bones")
    if table.get("version") != 1 or set(table) != {"version", "bones"} or not isinstance(bones, dict):
        raise FileFormatError('a bone map holds "version = 1" and the table [bones]', path=source)
    wrong = [role for role, name in bones.items() if not isinstance(name, str)]
    if wrong:
        raise FileFormatError(f"{wrong[0]} must be the name of a bone in quotes", path=source)
    roles = {role: name for role, name in bones.items() if name}
    try:
        check_bone_map(rig, roles)
    except InputError as error:
        raise FileFormatError(str(error), path=source) from error
    return {role: roles[role] for role in HUMANOID_ROLES if role in roles}


def _limbs(rig: Rig, names: tuple[BoneName, ...]) -> tuple[dict[str, int], dict[str, str]]:
    """Roles of legs and arms -> joints, and what speaks for them."""
    found: dict[str, int] = {}
    why: dict[str, str] = {}
    shapes: dict[str, dict[str, int]] | None = None
    for parts, limb in ((LEG, "Leg"), (ARM, "Arm")):
        chains = {side: limb_by_names(rig, names, side, parts) for side in _SIDES}
        named = all(chain is not None for chain in chains.values())
        if not named:
            shapes = limbs_by_shape(rig) if shapes is None else shapes
            if shapes is None:
                raise InputError(
                    f"no two {limb.lower()}s can be seen in the bones of {rig.skeleton.name!r}, neither by names nor by"
                    " shape: write a bone map by hand (see docs/retargeting.md)"
                )
            chains = {side: shapes[f"{side}{limb}"] for side in _SIDES}
        for side, chain in chains.items():
            for part, j in (chain or {}).items():
                found[f"{side}{part}"] = j
                why[f"{side}{part}"] = "by name" if named else "by shape"
    return found, why


def _trunk(rig: Rig, names: tuple[BoneName, ...], limbs: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """(role, joint, why) from the hips to the head."""
    arms = [limbs.get(f"{side}Shoulder", limbs[f"{side}UpperArm"]) for side in _SIDES]
    legs = [limbs[f"{side}UpperLeg"] for side in _SIDES]
    hips = common_ancestor(rig, [*legs, *arms])
    chest = common_ancestor(rig, [max(rig.skeleton.parents[arm], 0) for arm in arms])
    rows = [("hips", hips, "what legs and arms hang from")]
    spine = [j for j in reversed(ancestors(rig, chest)) if hips in ancestors(rig, j)[1:]]
    kept = [spine[n] for n in _three_of(rig, spine)]
    rows += [(r, j, "between hips and arms") for r, j in zip(("spine", "chest", "upperChest"), kept, strict=False)]
    head = _head(rig, names, hips, chest, set(limbs.values()))
    if head is None:
        return rows
    rows.append(("head", head, "by name" if names[head].core == "head" else "by shape"))
    between = []
    for j in ancestors(rig, head)[1:]:
        if j in spine or j == hips:
            break
        between.append(j)
    between.reverse()
    necks = [j for j in between if "neck" in names[j].core and not names[j].helper] or between
    return [*rows, *([("neck", necks[0], "between arms and head")] if necks else [])]


def _three_of(rig: Rig, spine: list[int]) -> list[int]:
    """Which of the bones of a spine carry the motion: all of up to three, else the first, the middle, the last."""
    if len(spine) <= 3:
        return list(range(len(spine)))
    rest_m, _ = rest_pose(rig)
    way = np.cumsum([0.0, *np.linalg.norm(np.diff(rest_m[spine], axis=0), axis=1)])
    middle = 1 + int(np.argmin(np.abs(way[1:-1] - way[-1] / 2)))
    return [0, middle, len(spine) - 1]


def _head(rig: Rig, names: tuple[BoneName, ...], hips: int, chest: int, limbs: set[int]) -> int | None:
    """The head: by name; else the second bone (or the only one) of the longest chain on the chest that is no limb.

    Where bones are numbered on from the trunk (spine.001 ... spine.006) it is the last of the chain.
    """
    named = [j for j, name in enumerate(names) if name.core == "head" and hips in ancestors(rig, j)]
    if named:
        return named[0]
    best: list[int] = []
    for j in range(len(rig.skeleton)):
        path = ancestors(rig, j)
        if chest in path[1:]:
            way = path[: path.index(chest)][::-1]
            if not limbs & set(way) and len(way) > len(best) and not _leads_to(rig, way[0], limbs):
                best = way
    if best and names[chest].core and all(names[j].core == names[chest].core for j in best):
        return best[-1]
    return best[min(1, len(best) - 1)] if best else None


def _leads_to(rig: Rig, joint: int, others: set[int]) -> bool:
    return any(joint in ancestors(rig, other) for other in others)


def _check_sides(rig: Rig, joints: Mapping[str, int]) -> None:
    """Left must be on one side for legs and arms, and left of where the feet point."""
    rest_m, _ = rest_pose(rig)
    hips, shoulders = (
        rest_m[joints[f"left{bone}"]] - rest_m[joints[f"right{bone}"]] for bone in ("UpperLeg", "UpperArm")
    )
    if hips @ shoulders < 0:
        raise InputError("left and right are swapped either for the legs or for the arms: exchange one of the pairs")
    if not {"leftToes", "rightToes"} <= joints.keys():
        return
    legs = [rest_m[joints[f"{side}Foot"]] - rest_m[joints[f"{side}UpperLeg"]] for side in _SIDES]
    feet = [rest_m[joints[f"{side}Toes"]] - rest_m[joints[f"{side}Foot"]] for side in _SIDES]
    left, down = _unit(hips + shoulders), _unit(legs[0] + legs[1])
    behind = np.cross(left, down)  # left x up points ahead
    if all(foot @ behind > _TOES_AHEAD * np.linalg.norm(foot) for foot in feet):
        raise InputError("left and right are swapped, or all toes point backwards: exchange left and right")


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12))


def _listed(names: tuple[str, ...], most: int = 8) -> str:
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are among TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
