"""CMU Graphics Lab motion capture (ASF skeletons, AMC motion) -> our motion-data file.

A joint of ours is the *end* of a bone (``BONE_OF_JOINT``). Units become metres (one CMU unit is
1 inch / 0.45), the world is Y-up as it was recorded, and every body is scaled to a stature of 1.70 m, so that a network
trained on the file learns one body.

Source: http://mocap.cs.cmu.edu, created with funding from NSF EIA-0196217.
"""

from __future__ import annotations

import contextlib
import lzma
import math
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from mocap3d.data_prep.acclaim import Bone, bone_ends, read_amc, read_asf
from mocap3d.data_prep.motion_sequence import MotionSequence
from mocap3d.data_prep.part_origin import begun_with
from mocap3d.data_prep.takes import Group, write_groups
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.skeletons import LIFTER_20

__all__ = [
    "BONE_OF_JOINT",
    "CMU_LENGTH",
    "FACE_DISTANCE_M",
    "FOREARM_PER_RADIUS",
    "FPS",
    "GAZE_PITCH_RAD",
    "LEG_PER_STATURE",
    "LICENCE",
    "METRES_PER_UNIT",
    "STATURE_M",
    "acclaim_takes",
    "gaze_correction_rad",
    "joints_m",
    "place_face",
    "prepare_cmu",
    "stature_m",
    "unpacked_tar",
]

FPS = Fraction(120)
CMU_LENGTH = 0.45  # what CMU's ASF files call their unit
METRES_PER_UNIT = 0.0254 / CMU_LENGTH
STATURE_M = 1.70
LICENCE = (
    "CMU Graphics Lab motion capture database, mocap.cs.cmu.edu, created with funding from NSF EIA-0196217: "
    "free for use in research projects; may be included in commercially sold products, but not resold directly, "
    "even in converted form."
)
# Hip to knee to ankle over stature, after Drillis & Contini (1966): (0.530 - 0.039) of the body height.
LEG_PER_STATURE = 0.491
FACE_DISTANCE_M = 0.20
FOREARM_PER_RADIUS = 1.5  # ASF splits the forearm 2:1, radius and wrist, to place its twist
# At an ASF rest pose the head bone is vertical; in life it leans forward by a marker-dependent 0-35 degrees while its
# owner looks ahead. Each subject's face is turned up or down so that the median gaze is this far below the horizon.
GAZE_PITCH_RAD = math.radians(-8.0)
_SMALLEST_M = 1e-3

# Joint of LIFTER_20 -> the ASF bone whose end it is. The wrist is the end of the bone *called* wrist: ASF splits the
# forearm 2:1 (radius, wrist) to place its twist, and the hand flexes at the end of the second part. The face point is
# no bone's end.
BONE_OF_JOINT = {
    "pelvis": "root", "right_hip": "rhipjoint", "right_knee": "rfemur", "right_ankle": "rtibia",
    "left_hip": "lhipjoint", "left_knee": "lfemur", "left_ankle": "ltibia", "spine": "upperback",
    "thorax": "lowerneck", "neck": "upperneck", "head": "head", "left_shoulder": "lclavicle",
    "left_elbow": "lhumerus", "left_wrist": "lwrist", "right_shoulder": "rclavicle", "right_elbow": "rhumerus",
    "right_wrist": "rwrist", "left_toe": "ltoes", "right_toe": "rtoes",
}  # fmt: skip


def stature_m(bones: tuple[Bone, ...]) -> float:
    """Body height of an ASF skeleton: thigh plus shank (mean of both sides) over their share of the stature.

    The legs are used because their joints mean the same in every marker set; the end of the head bone does not.
    """
    length = {bone.name: float(np.linalg.norm(bone.offset)) for bone in bones}
    leg = (length["lfemur"] + length["ltibia"] + length["rfemur"] + length["rtibia"]) / 2
    return leg * METRES_PER_UNIT / LEG_PER_STATURE


def joints_m(
    bones: tuple[Bone, ...], root: NDArray[np.float64], angles_deg: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The joints of LIFTER_20, in metres, on a body scaled to `STATURE_M`.

    Args:
        bones: the skeleton, from `read_asf`.
        root: (T, 3) from `read_amc`.
        angles_deg: (T, bones, 3) from `read_amc`.

    Returns:
        joints (T, 20, 3) in the world, Y up, the face point straight ahead of the head bone; world_from_head (T, 3, 3).
    """
    index = {bone.name: i for i, bone in enumerate(bones)}
    ends, world_from_bone = bone_ends(bones, root, angles_deg)
    scale = METRES_PER_UNIT * STATURE_M / stature_m(bones)
    xyz_m = np.empty((len(root), len(LIFTER_20), 3))
    for j, name in enumerate(LIFTER_20.joint_names):
        if name in BONE_OF_JOINT:
            xyz_m[:, j] = ends[:, index[BONE_OF_JOINT[name]]] * scale
    world_from_head = world_from_bone[:, index["head"]]
    place_face(xyz_m, world_from_head, pitch_rad=0.0)
    return xyz_m, world_from_head


def place_face(xyz_m: NDArray[np.float64], world_from_head: NDArray[np.float64], pitch_rad: float) -> None:
    """Set the face point (in place) ahead of the middle of the head bone, turned up by ``pitch_rad``."""
    neck, head, face = (LIFTER_20.index(name) for name in ("neck", "head", "face"))
    # People face +Z at rest, and their heads' y axis points up.
    forward = world_from_head @ np.array([0.0, math.sin(pitch_rad), math.cos(pitch_rad)])
    xyz_m[:, face] = (xyz_m[:, neck] + xyz_m[:, head]) / 2 + FACE_DISTANCE_M * forward


def gaze_correction_rad(world_from_head: NDArray[np.float64]) -> float:
    """How far up to turn a subject's face so that the median gaze over its frames is `GAZE_PITCH_RAD`.

    Args:
        world_from_head: (T, 3, 3) of all frames of one subject.
    """
    return GAZE_PITCH_RAD - float(np.median(np.arcsin(np.clip(world_from_head[:, 1, 2], -1.0, 1.0))))


def prepare_cmu(
    source: Path | str,
    out: Path | str,
    *,
    one_body: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Convert a folder (or tar file) of CMU subjects into one motion-data file.

    An interrupted run goes on where it stopped when it is started again.

    Args:
        source: folder or .tar/.tar.xz/.tar.gz that holds ``SUBJECT/SUBJECT.asf`` and ``SUBJECT/*.amc`` at any depth.
        out: the HDF5 file to write.
        one_body: put everybody on the one reference body (``one_body.py``).
        progress: called with (clips done, clips in all).

    Returns:
        The path of the file.

    Raises:
        InputError: nothing to convert, or an AMC file without its ASF skeleton.
        FileFormatError: a file that cannot be read.
    """
    with unpacked_tar(Path(source)) as folder:
        clips: dict[str, list[Path]] = {}
        for clip in sorted(folder.rglob("*.amc")):
            clips.setdefault(clip.stem.split("_")[0], []).append(clip)
        if not clips:
            raise InputError(f"no .amc files under {source}")
        groups = [
            Group(
                subject=subject,
                actions=tuple(clip.stem for clip in paths),
                convert=partial(_convert_subject, subject, paths),
            )
            for subject, paths in clips.items()
        ]
        return write_groups(Path(out), groups, begun_with("CMU", source), one_body=one_body, progress=progress)


def _convert_subject(subject: str, clips: Sequence[Path]) -> list[MotionSequence]:
    skeleton = clips[0].with_name(f"{subject}.asf")
    if not skeleton.is_file():
        raise InputError(f"{clips[0].name} needs {skeleton.name} beside it")
    takes = acclaim_takes(skeleton, clips, length=CMU_LENGTH)
    return [
        MotionSequence.seen(subject, clip.stem, xyz_m.astype(np.float32), FPS, LIFTER_20, LICENCE)
        for clip, xyz_m in zip(clips, takes, strict=True)
    ]


def acclaim_takes(skeleton: Path, clips: Sequence[Path], length: float | None = None) -> list[NDArray[np.float64]]:
    """All takes of one person, (T, 20, 3) each: they share the correction of the gaze.

    Args:
        skeleton: the person's ASF file.
        clips: AMC files.
        length: what the ASF file must say of its unit; None: anything.

    Raises:
        FileFormatError: a file that cannot be read, or a skeleton without the bones of ``BONE_OF_JOINT``.
    """
    bones = read_asf(skeleton, length=length)
    missing = sorted(set(BONE_OF_JOINT.values()) - {bone.name for bone in bones})
    if missing:
        raise FileFormatError(f"there is no bone {', '.join(missing)}", path=skeleton)
    if not math.isfinite(stature_m(bones)) or stature_m(bones) < _SMALLEST_M:
        raise FileFormatError(f"the legs are too short, {stature_m(bones):g} m of stature", path=skeleton)
    takes = [joints_m(bones, *read_amc(clip, bones)) for clip in clips]
    pitch_rad = gaze_correction_rad(np.concatenate([world_from_head for _, world_from_head in takes]))
    for xyz_m, world_from_head in takes:
        place_face(xyz_m, world_from_head, pitch_rad)
    return [xyz_m for xyz_m, _ in takes]


@contextlib.contextmanager
def unpacked_tar(source: Path) -> Iterator[Path]:
    """A folder as it is; a tar file in a temporary folder, unpacked without links or paths that leave it.

    Raises:
        InputError: neither a folder nor a tar file.
        FileFormatError: a tar file that is damaged, or wants to write elsewhere.
    """
    if source.is_dir():
        yield source
    elif source.is_file() and tarfile.is_tarfile(source):
        with TemporaryDirectory() as folder:
            try:
                with tarfile.open(source) as tar:
                    tar.extractall(folder, filter="data")
            except (tarfile.TarError, EOFError, OSError, ValueError, lzma.LZMAError, zlib.error) as error:
                raise FileFormatError(f"cannot be unpacked: {error}", path=source) from None
            yield Path(folder)
    else:
        raise InputError(f"{source} is neither a folder nor a tar file of CMU's .asf and .amc files")
