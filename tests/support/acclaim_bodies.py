"""CMU recordings as motions on their own bodies: ASF bones as a rig whose rest rotations are the identity."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from mocap3d.data_prep.acclaim import read_amc, read_asf
from mocap3d.data_prep.cmu import CMU_LENGTH, METRES_PER_UNIT
from scipy.spatial.transform import Rotation

from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.skeleton import Skeleton

ACCLAIM_ROLES = {
    "hips": "root",
    "spine": "lowerback",
    "chest": "upperback",
    "upperChest": "thorax",
    "neck": "lowerneck",
    "head": "head",
    **{
        f"{side}{role}": f"{side[0]}{bone}"
        for side in ("left", "right")
        for role, bone in (
            ("Shoulder", "clavicle"),
            ("UpperArm", "humerus"),
            ("LowerArm", "radius"),
            ("Hand", "hand"),
            ("UpperLeg", "femur"),
            ("LowerLeg", "tibia"),
            ("Foot", "foot"),
            ("Toes", "toes"),
        )
    },
}
"""Humanoid joint -> ASF bone: a joint of ours is where its bone begins."""


def unpacked_takes(archive: Path, takes: Iterable[str], folder: Path) -> Path:
    """Unpack takes ("02_01") and their skeletons in one pass over the compressed stream."""
    wanted = {f"{take}.amc" for take in takes} | {f"{take.split('_')[0]}.asf" for take in takes}
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.name.split("/")[-1] in wanted:
                tar.extract(member, folder, filter="data")
                wanted.discard(member.name.split("/")[-1])
            if not wanted:
                break
    return folder


def acclaim_motion(folder: Path, take: str, *, every: int = 4) -> Motion:
    """One take at 120 / ``every`` frames per second, in metres, the joints named by their ASF bones."""
    asf = next(folder.rglob(f"{take.split('_')[0]}.asf"))
    bones = read_asf(asf, CMU_LENGTH)
    root, angles_deg = read_amc(next(folder.rglob(f"{take}.amc")), bones)
    names = tuple(bone.name for bone in bones)
    parents = tuple(bone.parent for bone in bones)
    swapped = {"l": "r", "r": "l"}
    twin = [swapped.get(name[0], "") + name[1:] for name in names]
    mirror = tuple(names.index(t) if t in names and n not in ("root",) else j for j, (n, t) in enumerate(zip(names, twin)))
    offsets = [np.zeros(3) if p < 0 else bones[p].offset * METRES_PER_UNIT for p in parents]
    tips = tuple(
        Tip(name=f"{name} end", parent=j, offset_m=bones[j].offset * METRES_PER_UNIT)
        for j, name in enumerate(names)
        if j not in parents
    )
    rig = Rig(
        skeleton=Skeleton(name="acclaim", joint_names=names, parents=parents, mirror=mirror),
        offsets_m=np.array(offsets),
        rest_wxyz=np.tile([1.0, 0, 0, 0], (len(names), 1)),
        tips=tips,
    )
    angles = angles_deg[::every]
    local = np.empty((len(angles), len(bones), 4))
    for j, bone in enumerate(bones):
        axis = Rotation.from_matrix(bone.axis)
        turn = axis * Rotation.from_euler("xyz", angles[:, j], degrees=True) * axis.inv()
        local[:, j] = turn.as_quat()[:, [3, 0, 1, 2]]
    return Motion(rig=rig, fps=Fraction(120, every), local_wxyz=local, root_m=root[::every] * METRES_PER_UNIT)
