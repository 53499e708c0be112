"""Which joints of a rig are which joints of the humanoid: roles.

A role map is a plain ``Mapping[str, str]``: the name of a joint of ``HUMANOID_22`` -> the name of a joint of some rig.
Roles that a rig does not have are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mocap3d.base.errors import InputError
from mocap3d.base.rig import Rig
from mocap3d.base.skeletons import HUMANOID_22

__all__ = ["HUMANOID_ROLES", "Roles", "role_joints"]

Roles = Mapping[str, str]
"""Humanoid joint name -> joint name of a rig."""

HUMANOID_ROLES: Final[Roles] = {name: name for name in HUMANOID_22.joint_names}
"""The roles of the humanoid's own rig."""


def role_joints(rig: Rig, roles: Roles | None = None, *, needed: Iterable[str] = ()) -> dict[str, int]:
    """Look the joints of a role map up in a rig.

    Args:
        rig: J joints.
        roles: None means that the joints have the names of the humanoid; those that it has not are left out.
        needed: roles that must be there.

    Returns:
        Role -> joint index, in the order of ``HUMANOID_22``.

    Raises:
        InputError: there is no such role or no such joint, two roles share a joint, or a needed one is missing.
    """
    names = rig.skeleton.joint_names
    index = {name: j for j, name in enumerate(names)}
    if roles is None:
        roles = {name: name for name in HUMANOID_22.joint_names if name in index}
    unknown = [role for role in roles if role not in HUMANOID_ROLES]
    if unknown:
        raise InputError(f"{unknown[0]!r} is no role; there are: {', '.join(HUMANOID_ROLES)}")
    absent = [f"{role} = {name!r}" for role, name in roles.items() if name not in index]
    if absent:
        raise InputError(f"the rig {rig.skeleton.name!r} has no such joint: {', '.join(absent)}")
    owner: dict[str, str] = {}
    for role, name in roles.items():
        if name in owner:
            raise InputError(f"joint {name!r} cannot be both {owner[name]} and {role}")
        owner[name] = role
    missing = [role for role in needed if role not in roles]
    if missing:
        raise InputError(f"the roles of {rig.skeleton.name!r} lack {', '.join(missing)}: name the bones that have them")
    return {role: index[roles[role]] for role in HUMANOID_22.joint_names if role in roles}
