"""CMU Graphics Lab motion capture (ASF skeletons, AMC motion) -> our motion-data file.

An ASF file is a tree of bones, each with a rest direction, a length and the axes of its angles; an AMC file lists the
angles frame by frame. A joint of ours is the *end* of a bone (``BONE_OF_JOINT``). Units become metres (one CMU unit is
1 inch / 0.45), the world is Y-up as it was recorded, and every body is scaled to a stature of 1.70 m, so that a network
trained on the file learns one body.

Source: http://mocap.cs.cmu.edu, created with funding from NSF EIA-0196217. Format description:
https://research.cs.wisc.edu/graphics/Courses/cs-838-1999/Jeff/ASF-AMC.html
"""

from __future__ import annotations

import contextlib
import itertools
import lzma
import math
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from mocap3d.data_prep.motion_file import MotionSequence, MotionWriter
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.skeletons import LIFTER_20

__all__ = [
    "BONE_OF_JOINT",
    "FACE_DISTANCE_M",
    "FPS",
    "GAZE_PITCH_RAD",
    "LEG_PER_STATURE",
    "LICENCE",
    "METRES_PER_UNIT",
    "STATURE_M",
    "Bone",
    "bone_ends",
    "gaze_correction_rad",
    "joints_m",
    "place_face",
    "prepare_cmu",
    "read_amc",
    "read_asf",
    "stature_m",
]

FPS = Fraction(120)
METRES_PER_UNIT = 0.0254 / 0.45
STATURE_M = 1.70
LICENCE = (
    "CMU Graphics Lab motion capture database, mocap.cs.cmu.edu, created with funding from NSF EIA-0196217: "
    "free for use in research projects; may be included in commercially sold products, but not resold directly, "
    "even in converted form."
)
# Hip to knee to ankle over stature, after Drillis & Contini (1966): (0.530 - 0.039) of the body height.
LEG_PER_STATURE = 0.491
FACE_DISTANCE_M = 0.20
# At an ASF rest pose the head bone is vertical; in life it leans forward by a marker-dependent 0-35 degrees while its
# owner looks ahead. Each subject's face is turned up or down so that the median gaze is this far below the horizon.
GAZE_PITCH_RAD = math.radians(-8.0)

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
_ANGLES = {"rx": 0, "ry": 1, "rz": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bone:
    """One bone of an ASF skeleton.

    Attributes:
        name: its ASF name; "root" for the root.
        parent: index of the parent bone; -1 for the root.
        offset: (3,) from start to end of the bone at rest, world axes, in CMU units.
        axis: (3, 3) world_from_bone at rest; the angles of the AMC turn about these axes.
        channels: its degrees of freedom in the order of the AMC file, as indices 0 1 2 = x y z.
    """

    name: str
    parent: int
    offset: NDArray[np.float64]
    axis: NDArray[np.float64]
    channels: tuple[int, ...]


def read_asf(path: Path) -> tuple[Bone, ...]:
    """Read an ASF skeleton; the bones come parents first, the root is bone 0.

    Raises:
        FileFormatError: a section is missing, the hierarchy names an unknown bone, or the units are not CMU's.
    """
    sections = _asf_sections(path)
    units = dict(line.split()[:2] for line in sections.get("units", []))
    if float(units.get("length", "nan")) != 0.45 or units.get("angle") != "deg":
        raise FileFormatError(f"expected length 0.45 and angle deg, got {units}", path=path)
    parts = _bone_parts(sections.get("bonedata", []))
    parent_of: dict[str, str] = {}
    for line in sections.get("hierarchy", []):
        first, *children = line.split()
        if first not in ("begin", "end"):
            parent_of.update(dict.fromkeys(children, first))
    if not parts or not parent_of:
        raise FileFormatError("no bones: both :bonedata and :hierarchy are needed", path=path)
    bones = [Bone(name="root", parent=-1, offset=np.zeros(3), axis=np.eye(3), channels=(0, 1, 2))]
    index = {"root": 0}
    for name, parent in parent_of.items():
        if name not in parts or parent not in index:
            raise FileFormatError(f"the hierarchy hangs {name!r} under {parent!r}: one of them is unknown", path=path)
        index[name] = len(bones)
        bones.append(_bone(name, index[parent], parts[name]))
    return tuple(bones)


def _asf_sections(path: Path) -> dict[str, list[str]]:
    """The lines of each ``:section``, without comments."""
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in path.read_text(encoding="latin-1").splitlines():
        text = line.split("#")[0].strip()
        if text.startswith(":"):
            current = sections.setdefault(text[1:].split()[0].lower(), [])
        elif text:
            current.append(text)
    return sections


def _bone_parts(lines: list[str]) -> dict[str, dict[str, list[str]]]:
    """Bone name -> its fields (keyword -> words)."""
    bones: dict[str, dict[str, list[str]]] = {}
    fields: dict[str, list[str]] = {}
    for line in lines:
        key, *words = line.split()
        if key == "begin":
            fields = {}
        elif key == "end":
            bones[fields["name"][0]] = fields
        elif not key.startswith("("):  # a second row of joint limits
            fields[key] = words
    return bones


def _bone(name: str, parent: int, fields: dict[str, list[str]]) -> Bone:
    offset = np.array(fields["direction"], dtype=np.float64) * float(fields["length"][0])
    # "axis a b c XYZ" turns about the fixed x, then y, then z: extrinsic xyz in SciPy's words.
    axis = Rotation.from_euler("xyz", np.array(fields["axis"][:3], dtype=np.float64), degrees=True).as_matrix()
    channels = tuple(_ANGLES[word] for word in fields.get("dof", []))
    return Bone(name=name, parent=parent, offset=offset, axis=axis, channels=channels)


def read_amc(path: Path, bones: tuple[Bone, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the frames of an AMC file.

    Returns:
        root position (T, 3) in CMU units and angles (T, bones, 3) in degrees about x, y, z; 0 without a channel.

    Raises:
        FileFormatError: no frames, an unknown bone, or a wrong number of values.
    """
    index = {bone.name: i for i, bone in enumerate(bones)}
    wanted = {bone.name: len(bone.channels) + (3 if bone.parent < 0 else 0) for bone in bones}
    frames: list[dict[str, list[str]]] = []
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines(), start=1):
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        if len(words) == 1:
            frames.append({})
        elif words[0] not in index or len(words) - 1 != wanted[words[0]] or not frames:
            raise FileFormatError(
                f"{words[0]!r} with {len(words) - 1} values is not expected here", path=path, line=number
            )
        else:
            frames[-1][words[0]] = words[1:]
    if not frames:
        raise FileFormatError("no frames", path=path)
    return _arrays_of_frames(frames, bones, path)


def _arrays_of_frames(
    frames: list[dict[str, list[str]]], bones: tuple[Bone, ...], path: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    root = np.zeros((len(frames), 3))
    angles_deg = np.zeros((len(frames), len(bones), 3))
    for i, bone in enumerate(bones):
        if not bone.channels:
            continue
        try:
            values = np.array([frame[bone.name] for frame in frames], dtype=np.float64)
        except (KeyError, ValueError) as error:
            raise FileFormatError(
                f"bone {bone.name!r}: missing or not a number in some frame ({error})", path=path
            ) from None
        if bone.parent < 0:
            root, values = values[:, :3], values[:, 3:]
        angles_deg[:, i, list(bone.channels)] = values
    return root, angles_deg


def bone_ends(
    bones: tuple[Bone, ...], root: NDArray[np.float64], angles_deg: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Forward kinematics of an ASF skeleton.

    Args:
        bones: the skeleton.
        root: (T, 3) root position, any unit that ``Bone.offset`` shares.
        angles_deg: (T, bones, 3) as `read_amc` returns them.

    Returns:
        ends (T, bones, 3) of the bones, and world_from_bone (T, bones, 3, 3), which is the identity at rest.
    """
    ends = np.empty((len(root), len(bones), 3))
    world_from_bone = np.empty((len(root), len(bones), 3, 3))
    for i, bone in enumerate(bones):
        turn = Rotation.from_euler("xyz", angles_deg[:, i], degrees=True).as_matrix()
        local = bone.axis @ turn @ bone.axis.T
        if bone.parent < 0:
            world_from_bone[:, i], ends[:, i] = local, root
        else:
            world_from_bone[:, i] = world_from_bone[:, bone.parent] @ local
            ends[:, i] = ends[:, bone.parent] + world_from_bone[:, i] @ bone.offset
    return ends, world_from_bone


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


def prepare_cmu(source: Path | str, out: Path | str, progress: Callable[[int, int], None] | None = None) -> Path:
    """Convert a folder (or tar file) of CMU subjects into one motion-data file.

    An interrupted run goes on where it stopped when it is started again.

    Args:
        source: folder or .tar/.tar.xz/.tar.gz that holds ``SUBJECT/SUBJECT.asf`` and ``SUBJECT/*.amc`` at any depth.
        out: the HDF5 file to write.
        progress: called with (clips done, clips in all).

    Returns:
        The path of the file.

    Raises:
        InputError: nothing to convert, or an AMC file without its ASF skeleton.
        FileFormatError: a file that cannot be read.
    """
    with _unpacked(Path(source)) as folder, MotionWriter(Path(out)) as writer:
        clips = sorted(folder.rglob("*.amc"))
        if not clips:
            raise InputError(f"no .amc files under {source}")
        done = 0
        for subject, group in itertools.groupby(clips, key=lambda clip: clip.stem.split("_")[0]):
            paths = tuple(group)
            if not all(writer.has(subject, path.stem) for path in paths):
                for sequence in _convert_subject(subject, paths):
                    writer.add(sequence)
            done += len(paths)
            if progress is not None:
                progress(done, len(clips))
    return Path(out)


def _convert_subject(subject: str, clips: tuple[Path, ...]) -> Iterator[MotionSequence]:
    """All takes of one subject: they share the correction of the gaze."""
    skeleton = clips[0].with_name(f"{subject}.asf")
    if not skeleton.is_file():
        raise InputError(f"{clips[0].name} needs {skeleton.name} beside it")
    bones = read_asf(skeleton)
    takes = [joints_m(bones, *read_amc(clip, bones)) for clip in clips]
    pitch_rad = gaze_correction_rad(np.concatenate([world_from_head for _, world_from_head in takes]))
    for clip, (xyz_m, world_from_head) in zip(clips, takes, strict=True):
        place_face(xyz_m, world_from_head, pitch_rad)
        yield MotionSequence.seen(subject, clip.stem, xyz_m.astype(np.float32), FPS, LIFTER_20, LICENCE)


@contextlib.contextmanager
def _unpacked(source: Path) -> Iterator[Path]:
    """A folder as it is; a tar file in a temporary folder, unpacked without links or paths that leave it."""
    if source.is_dir():
        yield source
    elif source.is_file() and tarfile.is_tarfile(source):
        with TemporaryDirectory() as folder:
            try:
                with tarfile.open(source) as tar:
                    tar.extractall(folder, filter="data")
            except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as error:
                raise FileFormatError(f"cannot be unpacked: {error}", path=source) from None
            yield Path(folder)
    else:
        raise InputError(f"{source} is neither a folder nor a tar file of CMU's .asf and .amc files")
