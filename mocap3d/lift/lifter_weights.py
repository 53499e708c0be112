"""A lifter in a file: NPZ with fp16 arrays and one JSON string ``meta`` that says all there is to know to run it.

Array names: ``expand.weight`` (3F, C), ``expand.bias`` (C), for each block i ``block{i}.wide.weight`` (3C, C),
``block{i}.point.weight`` (C, C) and their biases, ``shrink.weight`` (C, 3(J-1)), ``shrink.bias``. Batch normalisation
has been folded into them.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap3d import weights as weights_room
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import atomic_path
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import skeleton_named

__all__ = [
    "FORMAT",
    "VERSION",
    "LifterMeta",
    "LifterWeights",
    "array_shapes",
    "load_weights",
    "save_weights",
]

FORMAT = "mocap3d-lifter"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LifterMeta:
    """What a lifter is and how to feed it.

    Attributes:
        architecture: "temporal-residual": see ``temporal.py``.
        channels: width C of the hidden layers.
        dilations: frames between the taps of each layer of three taps; (1, 3, 9) sees 27 frames.
        causal: whether the window ends at the frame that is lifted, instead of having it in the middle.
        encoding: name of the input features (``encoding.ENCODING``).
        fps: native frame rate; clips of other rates are resampled.
        input_skeleton: joints that go in.
        output_skeleton: joints that come out, the root first.
        stature_m: body height of the person that the output is scaled to.
        std_m: expected error per output joint (one axis), from simulated detections of held-out people.
        std_unseen_m: the same where the evidence of that joint was not seen.
        licence: of the weights.
        trained: data, settings and measurements, for the record.
    """

    architecture: str
    channels: int
    dilations: tuple[int, ...]
    causal: bool
    encoding: str
    fps: Fraction
    input_skeleton: str
    output_skeleton: str
    stature_m: float
    std_m: tuple[float, ...]
    std_unseen_m: tuple[float, ...]
    licence: str
    trained: dict[str, Any]

    @property
    def window(self) -> int:
        """Frames that one output frame depends on."""
        return 1 + 2 * sum(self.dilations)

    @property
    def skeletons(self) -> tuple[Skeleton, Skeleton]:
        """Input and output skeleton."""
        return skeleton_named(self.input_skeleton), skeleton_named(self.output_skeleton)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LifterWeights:
    """A lifter, ready to run.

    Attributes:
        meta: what it is.
        arrays: float32 arrays by name, as in the module's docstring.
        sha256: of the file it came from; "" before it is saved.
    """

    meta: LifterMeta
    arrays: dict[str, NDArray[np.float32]]
    sha256: str = ""

    def __post_init__(self) -> None:
        """Check that every array of the architecture is there with its shape."""
        joints = len(self.meta.skeletons[1])
        if not len(self.meta.std_m) == len(self.meta.std_unseen_m) == joints:
            raise InputError(f"std_m and std_unseen_m need one value for each of {joints} joints")
        inputs = 3 * len(self.meta.skeletons[0]) + 1
        expected = array_shapes(inputs, self.meta.channels, len(self.meta.dilations) - 1, joints)
        found = {name: array.shape for name, array in self.arrays.items()}
        if found != expected:
            wrong = sorted(set(found.items()) ^ set(expected.items()))
            raise InputError(f"the arrays do not fit the architecture, differing in {wrong[:4]}")


def array_shapes(inputs: int, channels: int, blocks: int, joints: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array of a lifter."""
    shapes: dict[str, tuple[int, ...]] = {"expand.weight": (3 * inputs, channels), "expand.bias": (channels,)}
    for i in range(blocks):
        shapes[f"block{i}.wide.weight"], shapes[f"block{i}.wide.bias"] = (3 * channels, channels), (channels,)
        shapes[f"block{i}.point.weight"], shapes[f"block{i}.point.bias"] = (channels, channels), (channels,)
    shapes["shrink.weight"], shapes["shrink.bias"] = (channels, 3 * (joints - 1)), (3 * (joints - 1),)
    return shapes


def save_weights(weights: LifterWeights, path: Path) -> None:
    """Write a lifter as NPZ, arrays in fp16.

    Raises:
        InputError: the file cannot be written.
    """
    meta = {"format": FORMAT, "version": VERSION, **asdict(weights.meta), "fps": str(weights.meta.fps)}
    arrays: dict[str, Any] = {name: array.astype(np.float16) for name, array in weights.arrays.items()}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, meta=np.array(json.dumps(meta, indent=1)), **arrays)


def load_weights(path: Path | None = None) -> LifterWeights:
    """Read a lifter; the one that mocap3d ships when no path is given (which is read once).

    Raises:
        InputError: there is no such file.
        FileFormatError: it is not a lifter, or one of a later version.
    """
    return _shipped() if path is None else _load(path)


@functools.cache
def _shipped() -> LifterWeights:
    return _load(weights_room.path("lifter"))


def _load(path: Path) -> LifterWeights:
    if not path.is_file():
        raise InputError(f"no such weights file: {path}")
    try:
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            meta = json.loads(str(file["meta"]))
            arrays = {name: file[name].astype(np.float32) for name in file.files if name != "meta"}
        return LifterWeights(meta=_meta(meta), arrays=arrays, sha256=hashlib.sha256(content).hexdigest())
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise FileFormatError(f"not the weights of a lifter: {error}", path=path) from None


def _meta(fields: dict[str, Any]) -> LifterMeta:
    if (fields.pop("format"), fields.pop("version")) != (FORMAT, VERSION):
        raise ValueError(f"expected format {FORMAT} version {VERSION}")
    for name in ("dilations", "std_m", "std_unseen_m"):
        fields[name] = tuple(fields[name])
    return LifterMeta(**{**fields, "fps": Fraction(fields["fps"])})
