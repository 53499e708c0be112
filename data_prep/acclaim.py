"""Acclaim motion capture files: ASF skeletons and AMC motion, as CMU and HDM05 publish them.

An ASF file is a tree of bones, each with a rest direction, a length and the axes of its angles; an AMC file lists the
angles frame by frame. Format description: https://research.cs.wisc.edu/graphics/Courses/cs-838-1999/Jeff/ASF-AMC.html
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import FileFormatError, Mocap3dWarning

__all__ = ["Bone", "bone_ends", "read_amc", "read_asf"]

_ANGLES: Final = {"rx": 0, "ry": 1, "rz": 2}
_LARGEST: Final = 1e6  # units or degrees: beyond this a file is broken


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


def read_asf(path: Path, length: float | None = None) -> tuple[Bone, ...]:
    """Read an ASF skeleton; the bones come parents first, the root is bone 0.

    Args:
        path: the file.
        length: what it must say of its unit of length (CMU: 0.45 to the inch); None: anything.

    Raises:
        FileFormatError: a section is missing, the hierarchy names an unknown bone, or the units are others.
    """
    sections = _asf_sections(path)
    _check_units(sections.get("units", []), length, path)
    parts = _bone_parts(sections.get("bonedata", []), path)
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
        if name not in parts or parent not in index or name in index:
            raise FileFormatError(f"the hierarchy hangs {name!r} under {parent!r}: one of them is unknown", path=path)
        index[name] = len(bones)
        try:
            bones.append(_bone(name, index[parent], parts[name]))
        except (KeyError, ValueError, IndexError) as error:
            raise FileFormatError(f"bone {name!r} has a field that is missing or wrong: {error}", path=path) from None
    return tuple(bones)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise FileFormatError(f"cannot be read: {error}", path=path) from None


def _asf_sections(path: Path) -> dict[str, list[str]]:
    """The lines of each ``:section``, without comments."""
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in _lines(path):
        text = line.split("#")[0].strip()
        if text.startswith(":"):
            current = sections.setdefault(text[1:].split(maxsplit=1)[0].lower() if text[1:].split() else "", [])
        elif text:
            current.append(text)
    return sections


def _check_units(lines: list[str], length: float | None, path: Path) -> None:
    units = {words[0]: words[1] for words in map(str.split, lines) if len(words) >= 2}
    wanted = "any length" if length is None else f"length {length:g}"
    try:
        said = float(units.get("length", "nan"))
    except ValueError:
        said = float("nan")
    if not (0 < said < _LARGEST if length is None else said == length) or units.get("angle") != "deg":
        raise FileFormatError(f"expected {wanted} and angle deg, got {units}", path=path)


def _bone_parts(lines: list[str], path: Path) -> dict[str, dict[str, list[str]]]:
    """Bone name -> its fields (keyword -> words)."""
    bones: dict[str, dict[str, list[str]]] = {}
    fields: dict[str, list[str]] = {}
    for line in lines:
        key, *words = line.split()
        if key == "begin":
            fields = {}
        elif key == "end":
            if not fields.get("name"):
                raise FileFormatError("a bone without a name", path=path)
            bones[fields["name"][0]] = fields
        elif not key.startswith("("):  # a second row of joint limits
            fields[key] = words
    return bones


def _bone(name: str, parent: int, fields: dict[str, list[str]]) -> Bone:
    offset = _numbers(fields["direction"], 3) * _numbers(fields["length"], 1)
    # "axis a b c XYZ" turns about the fixed x, then y, then z: extrinsic xyz in SciPy's words.
    axis = Rotation.from_euler("xyz", _numbers(fields["axis"], 3), degrees=True).as_matrix()
    channels = tuple(_ANGLES[word] for word in fields.get("dof", []))
    if len(set(channels)) < len(channels):
        raise ValueError("a degree of freedom that is there twice")
    return Bone(name=name, parent=parent, offset=offset, axis=axis, channels=channels)


def _numbers(words: list[str], count: int) -> NDArray[np.float64]:
    values = np.array(words[:count], dtype=np.float64)
    if values.shape != (count,) or not (np.abs(values) < _LARGEST).all():
        raise ValueError(f"{count} usable numbers expected, got {words[:count]}")
    return values


def read_amc(path: Path, bones: tuple[Bone, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the frames of an AMC file; a last frame that is cut off is left out, with a warning.

    Returns:
        root position (T, 3) in CMU units and angles (T, bones, 3) in degrees about x, y, z; 0 without a channel.

    Raises:
        FileFormatError: no frames, an unknown bone, or a wrong number of values.
    """
    index = {bone.name: i for i, bone in enumerate(bones)}
    wanted = {bone.name: len(bone.channels) + (3 if bone.parent < 0 else 0) for bone in bones}
    frames: list[dict[str, list[str]]] = []
    for number, line in enumerate(_lines(path), start=1):
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
    if len(frames) > 1 and len(frames[-1]) < len(frames[-2]):
        warnings.warn(
            f"{path} ends in the middle of frame {len(frames)}, which is left out", Mocap3dWarning, stacklevel=2
        )
        frames.pop()
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
        if not (np.abs(values) < _LARGEST).all():
            raise FileFormatError(f"bone {bone.name!r}: a number beyond any measure", path=path)
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
