"""Motions onto the bodies of others: a preset's, or a character from a file.

```
mocap3d.retarget(clip.motions[0], "ue5").save("dance.fbx", mesh=True)
mocap3d.retarget(mocap3d.read("cmu.bvh"), "hero.glb", bone_map="hero.toml").save("dance.glb")
```
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError, Mocap3dWarning
from mocap3d.base.feet import sole_points
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.mesh import SkinnedMesh
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import resampled, split
from mocap3d.base.rig import Rig
from mocap3d.base.roles import HUMANOID_ROLES, Roles, role_joints
from mocap3d.motion.bone_map import BoneMap, check_bone_map, propose_bone_map, read_bone_map, said_bone_map
from mocap3d.motion.contacts import find_contacts, support_heights_m
from mocap3d.motion.foot_lock import STRENGTHS, FootLockSettings, lock_feet
from mocap3d.motion.lying import lies_throughout
from mocap3d.motion.mesh_soles import with_soles
from mocap3d.motion.retarget import legs_ratio
from mocap3d.motion.retarget import retarget as retarget_rig
from mocap3d.motion.root_motion import CARRIERS, carried_by
from mocap3d.output import Preset, carries_mesh, dress, find_preset, has_option, preset_names, read, write

__all__ = ["Retargeted", "Target", "find_roles", "load_target", "propose_bones", "read_rig", "retarget"]

BoneMapLike = str | os.PathLike[str] | Roles

_UNITS_M: Final = ((3.0, 1.0), (10.0, 0.1), (23.0, 0.0254 / 0.45), (45.0, 0.0254), (300.0, 0.01), (np.inf, 0.001))
"""Legs of up to so many units -> metres per unit: metres, decimetres, CMU's, inches, centimetres, millimetres."""
_FLOOR_WITHIN_M: Final = 0.15  # what people of 1.70 m stand on at this height or less is the floor, read wrongly


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """A body that motions are moved onto.

    Attributes:
        name: what it is called.
        rig: its bones; of a preset the humanoid rig with its lengths.
        roles: humanoid joint -> joint of ``rig``.
        mesh: its surface, which follows ``rig``; None without one.
        preset: what the result is dressed as; None for characters.
        unit_m: metres per unit, for formats whose unit is free; None where the writer decides.
    """

    name: str
    rig: Rig
    roles: Roles
    mesh: SkinnedMesh | None = None
    preset: Preset | None = None
    unit_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Retargeted:
    """A motion on the body of somebody else.

    Attributes:
        motion: with the names, axes and rest pose of the target.
        roles: humanoid joint -> joint of ``motion.rig``.
        mesh: the target's surface, which follows ``motion.rig``; None without one.
        unit_m: metres per unit, for formats whose unit is free; None where the writer decides.
    """

    motion: Motion
    roles: Roles
    mesh: SkinnedMesh | None = None
    unit_m: float | None = None

    def save(self, path: str | os.PathLike[str], *, mesh: bool | None = None, **options: Any) -> None:
        """Write it; the extension chooses the format.

        Args:
            path: the file; it appears whole or not at all.
            mesh: None takes the target's surface along where there is one and the format can carry it; True puts the
                mannequin on a body without one; False leaves it out.
            options: of the format's writer, such as ``unit_m`` of BVH.

        Raises:
            InputError: the format is unknown, cannot hold this, or the file cannot be written.
        """
        if mesh or (mesh is None and self.mesh is not None and carries_mesh(path)):
            options["mesh"] = self.mesh if self.mesh is not None else _mannequin(self)
        if self.unit_m is not None and has_option("write", path, "unit_m"):
            options.setdefault("unit_m", self.unit_m)
        write(self.motion, path, **options)


def retarget(
    motion: Motion,
    onto: str | os.PathLike[str] | Preset | Target,
    *,
    bone_map: BoneMapLike | None = None,
    source_map: BoneMapLike | None = None,
    foot_lock: str = "auto",
    root: str | None = None,
) -> Retargeted:
    """Move a motion onto a preset's body or onto a character from a file.

    Args:
        motion: of any rig: captured by mocap3d, or read from somebody's file.
        onto: a preset's name (``preset_names``) or TOML file; a character: .fbx .glb .gltf .vrm .bvh .usda ...; or
            a target that is loaded already (``load_target``).
        bone_map: of a character: a TOML file (`mocap3d bones`) or humanoid joint -> bone; None finds it out.
        source_map: of the rig of ``motion``, likewise.
        foot_lock: ``auto``, ``strong`` or ``off``: see ``foot_lock.lock_feet``.
        root: who carries the way over the floor, ``hips``, ``root`` or ``in-place``; None leaves it as the preset has
            it, and to the hips of a character.

    Raises:
        InputError: the target or a bone map cannot be used; the message says what to change.
    """
    if root is not None and root not in CARRIERS:
        raise InputError(f"root must be one of {', '.join(CARRIERS)}, got {root!r}")
    if foot_lock not in STRENGTHS:
        raise InputError(f"foot_lock must be one of {', '.join(STRENGTHS)}, got {foot_lock!r}")
    if len(split(motion)) > 1:
        raise InputError("several people are in this motion: split it (`mocap3d.base.motion_edits.split`)")
    target = onto if isinstance(onto, Target) else load_target(onto, bone_map)
    source_roles = find_roles(motion.rig, source_map)
    if target.preset is not None:
        motion = resampled(motion, target.preset.fps_for(motion.fps))
    if motion.contacts is None:
        motion = _understood(motion, source_roles)
    standing = target.rig if target.mesh is None else with_soles(target.rig, target.mesh, target.roles)
    made = retarget_rig(motion, standing, source_roles=source_roles, target_roles=target.roles)
    if foot_lock != "off":
        made = _locked(made, target, foot_lock, _stood_on_m(motion, source_roles))
    made = replace(made, rig=target.rig)
    roles: Mapping[str, str] = target.roles
    if target.preset is not None:
        made, roles = dress(made, target.preset), target.preset.roles
    mesh = target.mesh
    if root is not None:
        before = len(made.rig.skeleton)
        made = carried_by(made, root, roles)
        if mesh is not None and len(made.rig.skeleton) > before:
            mesh = replace(mesh, joints=np.where(mesh.weights > 0, mesh.joints + 1, 0))
    return Retargeted(motion=made, roles=roles, mesh=mesh, unit_m=target.unit_m)


def load_target(onto: str | os.PathLike[str] | Preset, bone_map: BoneMapLike | None = None) -> Target:
    """Load a body once for many motions; see ``retarget``.

    Raises:
        InputError: there is no such preset or file, or its bones are not those of a body that could move.
    """
    if isinstance(onto, Preset) or str(onto).lower().endswith(".toml") or str(onto) in preset_names():
        if bone_map is not None:
            raise InputError("a preset knows its bones: a bone map is for characters")
        preset = find_preset(onto)
        return Target(name=preset.name, rig=preset.body, roles=HUMANOID_ROLES, preset=preset, unit_m=preset.unit_m)
    path = Path(onto)
    if not path.suffix:
        known = ", ".join(preset_names())
        raise InputError(f"{str(onto)!r} is neither a preset ({known}) nor a file of a character")
    rig, mesh = _character(path)
    said = _said(path, rig) if bone_map is None else None
    roles = find_roles(rig, bone_map) if said is None else said.roles
    unit_m = None
    if has_option("read", path, "unit_m"):
        unit_m = _likely_unit_m(rig, roles)
        rig = _scaled(rig, unit_m)
    return Target(name=path.name, rig=rig, roles=roles, mesh=mesh, unit_m=unit_m)


def find_roles(rig: Rig, bone_map: BoneMapLike | None = None) -> Roles:
    """Say which joints of a rig are which joints of the humanoid.

    Args:
        rig: J joints.
        bone_map: a TOML file, or humanoid joint -> joint; None takes the humanoid's own names, else finds it out.

    Raises:
        InputError: the map does not fit, or nothing can be found out.
    """
    if isinstance(bone_map, Mapping):
        check_bone_map(rig, bone_map)
        return bone_map
    if bone_map is not None:
        return read_bone_map(bone_map, rig)
    if set(HUMANOID_ROLES) <= set(rig.skeleton.joint_names):
        return HUMANOID_ROLES
    roles = propose_bone_map(rig).roles
    check_bone_map(rig, roles)
    return roles


def read_rig(path: str | os.PathLike[str]) -> Rig:
    """Read the bones of a character or a motion from a file, at rest.

    Raises:
        InputError: the format is unknown or holds points, or the file cannot be read.
    """
    return _character(Path(path))[0]


def propose_bones(path: str | os.PathLike[str]) -> tuple[Rig, BoneMap]:
    """Find out which bone of a file's character is what: as the file says (VRM avatars), else by names and shape.

    Raises:
        InputError: as ``read_rig``, or neither names nor shape show two legs and two arms.
    """
    rig = read_rig(path)
    return rig, _said(Path(path), rig) or propose_bone_map(rig)


def _said(path: Path, rig: Rig) -> BoneMap | None:
    """What the file itself says of its bones; None where it does not, or where that cannot be used."""
    if path.suffix.lower() != ".vrm":
        return None
    from mocap3d.output.gltf import read_vrm_roles

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Mocap3dWarning)  # reading the character has told them
            return said_bone_map(rig, read_vrm_roles(path))
    except InputError:
        return None


def _understood(motion: Motion, roles: Roles) -> Motion:
    """Find the contacts of somebody from a file, and put soles on the floor that miss it by little or lie below.

    Both on a body of usual size: speeds and heights mean the same for giants and in files that do not say their unit.
    """
    if lies_throughout(motion, roles):
        warnings.warn(
            "the body lies down all the time: unless it does, another axis points up in its file than was thought; "
            "say which (--up Y or --up Z; up= in Python)",
            Mocap3dWarning,
            stacklevel=3,
        )
    usual = retarget_rig(motion, HUMANOID_RIG, source_roles=roles, target_roles=None)
    contacts = find_contacts(usual)
    heights_m = support_heights_m(usual, contacts)[contacts >= 0.5]
    near = heights_m[np.abs(heights_m) < _FLOOR_WITHIN_M]
    floor_m = float(np.median(near)) if len(near) else min(_lowest_m(usual), 0.0)
    root_m = motion.root_m - [0.0, floor_m / legs_ratio(motion.rig, HUMANOID_RIG, roles), 0.0]
    return replace(motion, root_m=root_m, contacts=contacts)


def _lowest_m(usual: Motion) -> float:
    """How deep the soles get, but for a few frames."""
    return float(np.quantile(sole_points(usual)[..., 1].min(axis=1), 0.05))


def _stood_on_m(motion: Motion, roles: Roles) -> NDArray[np.float64]:
    """What heels and toes stand on (T, 4), on a body of usual size with legs of one length."""
    usual = retarget_rig(motion, HUMANOID_RIG, source_roles=roles, target_roles=None)
    contacts = find_contacts(usual) if usual.contacts is None else usual.contacts
    return support_heights_m(usual, contacts)


def _locked(motion: Motion, target: Target, strength: str, support_m: NDArray[np.float64]) -> Motion:
    """Lock the feet on the same body of usual size, whose contacts, heights and distances foot lock knows."""
    size = legs_ratio(motion.rig, HUMANOID_RIG, target.roles)
    usual = replace(
        motion,
        rig=_scaled(motion.rig, size),
        root_m=motion.root_m * size,
        local_m=None if motion.local_m is None else motion.local_m * size,
    )
    default, more = FootLockSettings(), max(1.0, size)  # short legs under wide hips drift further before
    settings = replace(default, most_drift_m=more * default.most_drift_m, most_speed_mps=more * default.most_speed_mps)
    locked = lock_feet(
        usual,
        strength=strength,  # type: ignore[arg-type]
        support_m=support_m,
        roles=target.roles,
        settings=settings,
    )
    return replace(
        locked,
        rig=motion.rig,
        root_m=locked.root_m / size,
        local_m=None if locked.local_m is None else locked.local_m / size,
    )


def _character(path: Path) -> tuple[Rig, SkinnedMesh | None]:
    """The rig and the surface of a file, whatever moves in it."""
    suffix = path.suffix.lower()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Mocap3dWarning)  # about its motion, which is not wanted
        if suffix == ".fbx":
            from mocap3d.output.fbx import read_fbx_character

            return read_fbx_character(path)[:2]
        if suffix in (".glb", ".gltf", ".vrm"):
            from mocap3d.output.gltf import read_glb_character

            return read_glb_character(path, animation=None)[:2]
        found = read(path)
    if not isinstance(found, Motion):
        raise InputError(f"{path} holds points: a character needs bones")
    return found.rig, None


def _likely_unit_m(rig: Rig, roles: Roles) -> float:
    """Metres per unit of a file that does not say it, by the length of the legs."""
    joints = role_joints(rig, roles)
    leg = float(sum(rig.bone_lengths_m[joints[role]] for role in ("leftLowerLeg", "leftFoot")))
    return next(unit for most, unit in _UNITS_M if leg <= most)


def _scaled(rig: Rig, factor: float) -> Rig:
    tips = tuple(replace(tip, offset_m=tip.offset_m * factor) for tip in rig.tips)
    return replace(rig, offsets_m=rig.offsets_m * factor, tips=tips)


def _mannequin(made: Retargeted) -> SkinnedMesh:
    from mocap3d.output.mannequin import mannequin

    joints = role_joints(made.motion.rig, made.roles)
    return mannequin(made.motion.rig, {j: role for role, j in joints.items()})
