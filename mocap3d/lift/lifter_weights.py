"""A lifter in a file: NPZ with fp16 arrays and one JSON string ``meta`` that says all there is to know to run it.

Array names: ``expand.weight`` (3F, C), ``expand.bias`` (C), for each block i ``block{i}.wide.weight`` (3C, C),
``block{i}.point.weight`` (C, C) and their biases, ``shrink.weight`` (C, O), ``shrink.bias`` (O), and with
``meta.direct`` also ``direct.weight`` (F, O), from the features of the lifted frame straight to the outputs. F features
go in, O numbers come out (``outputs.py``). Layers of dilation 0 look at one frame: F and C instead of 3F and 3C. Batch
normalisation has been folded in.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import math
import re
import tokenize
import zipfile
import zlib
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap3d import weights as weights_room
from mocap3d.base.contacts import CONTACT_POINTS
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import atomic_path
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import skeleton_named
from mocap3d.lift.encoding import feature_count

__all__ = [
    "FORMAT",
    "TRAJECTORY_OUTPUTS",
    "VERSION",
    "LifterMeta",
    "LifterWeights",
    "array_shapes",
    "load_weights",
    "save_weights",
]

FORMAT = "mocap3d-lifter"
VERSION = 1
TRAJECTORY_OUTPUTS = 4
"""The root beside the ray that the virtual camera looks along (x, y in metres), the logarithm of its distance times the
encoding's scale, and the logarithm of that logarithm's expected error."""

_RATES = (1, 1000)
_LONGEST_DILATION = 10_000
_LENGTHS_M = (1e-6, 1e3)  # no person and no error of one is smaller or larger
_LARGEST = float(np.finfo(np.float16).max)
_RATE = re.compile(r"[0-9]{1,20}(/0*[1-9][0-9]{0,19}|\.[0-9]{1,20})?")
_BROKEN = (ArithmeticError, EOFError, LookupError, MemoryError, NotImplementedError, OSError, RuntimeError, SyntaxError,
           TypeError, ValueError, tokenize.TokenError, zipfile.BadZipFile, zlib.error)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LifterMeta:
    """What a lifter is and how to feed it. Lengths are NaN until they have been measured.

    Attributes:
        architecture: "temporal-residual": see ``temporal.py``.
        channels: width C of the hidden layers.
        dilations: frames between the taps of each layer of three taps; (1, 3, 9) sees 27 frames. 0: a layer of one tap.
        causal: whether the window ends at the frame that is lifted, instead of having it in the middle.
        encoding: name of the input features, one of ``encoding.ENCODINGS``.
        fps: native frame rate; clips of other rates are resampled.
        input_skeleton: joints that go in.
        output_skeleton: joints that come out, the root first.
        stature_m: body height of the person that the output is scaled to.
        std_m: expected error per output joint (one axis), from simulated detections of held-out people.
        std_unseen_m: the same where the evidence of that joint was not seen.
        licence: of the weights.
        trained: data, settings and measurements, for the record.
        direct: whether the lifted frame's features also reach the outputs directly.
        root: "origin": the root is the origin and not among the outputs; "predicted": it is one of them, and the body
            is where the network puts it (VideoPose3D).
        trajectory: whether the root's place in the camera's frame comes out.
        contacts: whether foot contacts come out.
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
    direct: bool = False
    root: str = "origin"
    trajectory: bool = False
    contacts: bool = False

    def __post_init__(self) -> None:
        """Check what later code relies on."""
        if self.architecture != "temporal-residual" or self.root not in ("origin", "predicted"):
            raise InputError(f"no lifter of this version: architecture {self.architecture!r}, root {self.root!r}")
        for name in ("encoding", "input_skeleton", "output_skeleton", "licence"):
            _require(isinstance(getattr(self, name), str), name, getattr(self, name), "text")
        for name in ("causal", "direct", "trajectory", "contacts"):
            _require(isinstance(getattr(self, name), bool), name, getattr(self, name), "true or false")
        _require(_is_count(self.channels, 1), "channels", self.channels, "a whole number from 1")
        dilate = isinstance(self.dilations, tuple) and all(_is_count(d, 0, _LONGEST_DILATION) for d in self.dilations)
        wanted = f"one or more whole numbers from 0 to {_LONGEST_DILATION}"
        _require(dilate and len(self.dilations) > 0, "dilations", self.dilations, wanted)
        rated = isinstance(self.fps, Fraction) and _RATES[0] <= self.fps <= _RATES[1]
        _require(rated, "fps", self.fps, "a frame rate from {} to {}".format(*_RATES))
        wanted = "metres, from {:g} to {:g}".format(*_LENGTHS_M)
        _require(_is_length(self.stature_m), "stature_m", self.stature_m, wanted)
        for name in ("std_m", "std_unseen_m"):
            values = getattr(self, name)
            _require(isinstance(values, tuple) and all(map(_is_length, values)), name, values, wanted)
        _require(isinstance(self.trained, dict), "trained", self.trained, "an object of JSON")

    @property
    def inputs(self) -> int:
        """Features that go in per frame."""
        return feature_count(self.encoding, self.skeletons[0])

    @property
    def outputs(self) -> int:
        """Numbers that come out per frame."""
        joints = len(self.skeletons[1]) - (self.root == "origin")
        return 3 * joints + TRAJECTORY_OUTPUTS * self.trajectory + len(CONTACT_POINTS) * self.contacts

    @property
    def window(self) -> int:
        """Frames that one output frame depends on."""
        return 1 + 2 * sum(self.dilations)

    @property
    def skeletons(self) -> tuple[Skeleton, Skeleton]:
        """Input and output skeleton."""
        return skeleton_named(self.input_skeleton), skeleton_named(self.output_skeleton)


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True, eq=False)
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
        """Check that all has been measured and every array of the architecture is there, with its shape and finite."""
        joints = len(self.meta.skeletons[1])
        if not len(self.meta.std_m) == len(self.meta.std_unseen_m) == joints:
            raise InputError(f"std_m and std_unseen_m need one value for each of {joints} joints")
        expected = array_shapes(self.meta)
        found = {name: array.shape for name, array in self.arrays.items()}
        if found != expected:
            wrong = sorted(set(found.items()) ^ set(expected.items()))
            raise InputError(f"the arrays do not fit the architecture, differing in {wrong[:4]}")
        for name in ("stature_m", "std_m", "std_unseen_m"):
            _require(np.isfinite(getattr(self.meta, name)).all(), name, getattr(self.meta, name), "measured, not NaN")
        for name, array in self.arrays.items():
            if not np.isfinite(array).all():
                raise InputError(f"{name} holds numbers that are not finite")


def array_shapes(meta: LifterMeta) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array of a lifter."""
    C, outputs = meta.channels, meta.outputs
    first, *rest = (3 if dilation else 1 for dilation in meta.dilations)
    shapes: dict[str, tuple[int, ...]] = {"expand.weight": (first * meta.inputs, C), "expand.bias": (C,)}
    for i, taps in enumerate(rest):
        shapes[f"block{i}.wide.weight"], shapes[f"block{i}.wide.bias"] = (taps * C, C), (C,)
        shapes[f"block{i}.point.weight"], shapes[f"block{i}.point.bias"] = (C, C), (C,)
    shapes["shrink.weight"], shapes["shrink.bias"] = (C, outputs), (outputs,)
    if meta.direct:
        shapes["direct.weight"] = (meta.inputs, outputs)
    return shapes


def save_weights(weights: LifterWeights, path: Path) -> None:
    """Write a lifter as NPZ, arrays in fp16.

    Raises:
        InputError: the file cannot be written, or a weight is too large for fp16.
    """
    for name, array in weights.arrays.items():
        if array.size and np.abs(array).max() > _LARGEST:
            raise InputError(f"{name} holds numbers beyond {_LARGEST:g}, which the file cannot hold")
    meta = {"format": FORMAT, "version": VERSION, **asdict(weights.meta), "fps": str(weights.meta.fps)}
    arrays: dict[str, Any] = {name: array.astype(np.float16) for name, array in weights.arrays.items()}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, meta=np.array(json.dumps(meta, indent=1)), **arrays)


def load_weights(path: Path | None = None, *, causal: bool = False) -> LifterWeights:
    """Read a lifter; one that mocap3d ships when no path is given (which is read once).

    Args:
        path: the file.
        causal: of the shipped ones, that for live use, which looks at no later frame.

    Raises:
        InputError: there is no such file.
        FileFormatError: it is not a lifter, or one of a later version.
    """
    return _shipped("lifter_causal" if causal else "lifter") if path is None else _load(path)


@functools.cache
def _shipped(name: str) -> LifterWeights:
    return _load(weights_room.path(name))


def _load(path: Path) -> LifterWeights:
    if not path.is_file():
        raise InputError(f"no such weights file: {path}")
    try:
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            meta = _meta(str(file["meta"]))
            arrays = {name: _floats(name, file[name]) for name in file.files if name != "meta"}
        return LifterWeights(meta=meta, arrays=arrays, sha256=hashlib.sha256(content).hexdigest())
    except _BROKEN as error:
        raise FileFormatError(f"not the weights of a lifter: {error}", path=path) from None


def _meta(text: str) -> LifterMeta:
    """What JSON says, as types of ours."""
    try:
        said = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise InputError(f"meta is no JSON: {error}") from None
    if not isinstance(said, dict):
        raise InputError(f"meta must be an object of JSON, got {str(said)[:80]}")
    if (said.pop("format", None), said.pop("version", None)) != (FORMAT, VERSION):
        raise InputError(f"expected a meta of format {FORMAT}, version {VERSION}")
    known = {field.name for field in fields(LifterMeta)}
    if said.keys() - known:
        raise InputError(f"meta has unknown fields: {', '.join(sorted(said.keys() - known))}")
    for name in ("dilations", "std_m", "std_unseen_m"):
        if isinstance(said.get(name), list):
            said[name] = tuple(said[name])
    if _RATE.fullmatch(str(said.get("fps"))):
        said["fps"] = Fraction(str(said["fps"]))
    return LifterMeta(**said)


def _floats(name: str, array: NDArray[Any]) -> NDArray[np.float32]:
    if array.dtype.kind != "f":
        raise InputError(f"{name} must hold floating-point numbers, got {array.dtype}")
    with np.errstate(over="ignore"):  # infinite then, and refused
        return array.astype(np.float32)


def _require(fits: bool | np.bool_, name: str, value: object, wanted: str) -> None:
    if not fits:
        raise InputError(f"{name} must be {wanted}, got {str(value)[:80]}")


def _is_count(value: object, least: int, most: float = math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_length(value: object) -> bool:
    """Metres, or NaN."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return math.isnan(value) or _LENGTHS_M[0] <= value <= _LENGTHS_M[1]
