"""Reading the files of others that are pickles: NPZ with objects, SMPL's pkl, torch checkpoints.

A pickle can run any program on the machine that reads it, so nothing here uses Python's own reader, and torch is not
needed: ``pickle_machine.py`` interprets the instructions, ``pickle_types.py`` holds the list of harmless types, and
everything else is refused by name. Sizes that a file cannot back are refused before memory is asked for.

Our own files hold no pickles. Arrays that come out may be read-only; copy them before writing to them.
"""

from __future__ import annotations

import io
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.pickle_machine import Machine
from mocap3d.base.pickle_types import STORAGE_DTYPES, Opaque, PlainTypes, Storages, plain_dtype

__all__ = [
    "Opaque",
    "load_npz",
    "load_pickle",
    "load_torch",
]

_MAX_FILE_BYTES = 8 << 30
_MAX_RATIO = 100  # unpacked to packed, beyond the first 64 MB
_MAX_MEMBERS = 100_000
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_TORCH_LEGACY_PROTOCOL = 1001
_WRONG_CONTENT = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_npz(path: str | Path) -> dict[str, object]:
    """Read an NPZ file whose arrays may hold Python objects, such as VideoPose3D's ``data_3d_h36m.npz``.

    Args:
        path: the file.

    Returns:
        Arrays by name. An object array without axes gives the object in it: ``load_npz(...)["positions_3d"]`` is the
        dictionary itself.

    Raises:
        InputError: there is no such file.
        FileFormatError: it is no NPZ, is cut short, unpacks to absurd sizes, or holds a type that is not admitted.
    """
    with _reading(path) as content, _zip(content) as archive:
        return {name.removesuffix(".npy"): _npy(archive.read(name)) for name in archive.namelist()}


def load_pickle(path: str | Path) -> object:
    """Read a pickle of plain data, of Python 2 too, such as a body model's ``.pkl``.

    Args:
        path: the file.

    Returns:
        The object: numbers, text, lists, tuples, dictionaries, sets, NumPy arrays, SciPy's csc and csr matrices;
        chumpy's arrays and selections come as plain arrays (chumpy is not needed), states of random generators as
        `Opaque`.

    Raises:
        InputError: there is no such file.
        FileFormatError: it is no pickle, is cut short, or holds a type that is not admitted.
    """
    with _reading(path) as content:
        return Machine(content, PlainTypes(len(content))).run()


def load_torch(path: str | Path) -> object:
    """Read what ``torch.save`` wrote, without torch: the ZIP format of today and the older one.

    Args:
        path: the file.

    Returns:
        As `load_pickle`; tensors are NumPy arrays (bfloat16 as float32), read-only, on whatever device they were.

    Raises:
        InputError: there is no such file.
        FileFormatError: it is no checkpoint, is cut short, or holds a type that is not admitted, such as a whole module
            instead of its ``state_dict()``.
    """
    with _reading(path) as content:
        return _torch_zip(content) if content.startswith(b"PK") else _torch_legacy(content)


@contextmanager
def _reading(path: str | Path) -> Iterator[bytes]:
    """The file's content; whatever is wrong with it becomes a FileFormatError that names the file."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise FileFormatError(f"the file is larger than {_MAX_FILE_BYTES >> 30} GB")
        yield path.read_bytes()
    except FileFormatError as error:
        raise FileFormatError(str(error), path=path) from None
    except _WRONG_CONTENT as error:
        raise FileFormatError(f"the content is damaged: {error}", path=path) from None


def _zip(content: bytes) -> zipfile.ZipFile:
    """The archive, when its members together unpack to a believable size."""
    archive = zipfile.ZipFile(io.BytesIO(content))
    members = archive.infolist()
    unpacked = sum(member.file_size for member in members)
    if len(members) > _MAX_MEMBERS or unpacked > min(_MAX_FILE_BYTES, (64 << 20) + _MAX_RATIO * len(content)):
        raise FileFormatError(f"{len(content)} bytes that unpack to {unpacked} in {len(members)} parts are refused")
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise FileFormatError("the archive is packed in an unusual way")
    return archive


def _npy(content: bytes) -> object:
    """One array in NumPy's NPY format."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    readers: dict[tuple[int, int], Callable[..., Any]] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise FileFormatError(f"arrays in NPY version {version} are not admitted")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that Python 2 wrote the header
        shape, fortran, dtype = readers[version](file)
    if dtype == np.dtype(object):
        made = Machine(content, PlainTypes(len(content)), file.tell()).run()
        if not isinstance(made, np.ndarray) or made.shape != shape or made.dtype != dtype:
            raise FileFormatError(f"an array of objects is not of the shape {shape} that it claims")
        return made.item() if made.shape == () else made
    flat = np.frombuffer(content, plain_dtype(dtype), offset=file.tell())
    return flat.reshape(shape, order="F" if fortran else "C")


class _ZipStorages(Storages):
    """Storages that are members of a ZIP file; each is read once, however many tensors look at it."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._archive = archive
        self._folder = folder
        self._read: dict[tuple[str, str], NDArray[Any]] = {}

    def get(self, kind: str, key: str, count: int) -> NDArray[Any]:
        if (kind, key) not in self._read:
            if any(key == known for _, known in self._read):
                raise FileFormatError("a storage is used as two types of number")
            raw = self._archive.read(f"{self._folder}data/{key}")
            self._read[kind, key] = _widened(kind, np.frombuffer(raw, STORAGE_DTYPES[kind]))
        if len(self._read[kind, key]) != count:
            raise FileFormatError(f"storage {key!r} does not hold the {count} numbers that were announced")
        return self._read[kind, key]


class _LegacyStorages(Storages):
    """Storages that follow the pickle: empty while it runs, then filled in place."""

    def __init__(self, file_bytes: int) -> None:
        self._room = file_bytes
        self._kinds: dict[str, str] = {}
        self._arrays: dict[str, NDArray[Any]] = {}

    def get(self, kind: str, key: str, count: int) -> NDArray[Any]:
        if key not in self._arrays:
            self._room -= count * np.dtype(STORAGE_DTYPES[kind]).itemsize
            if self._room < 0:
                raise FileFormatError("the storages are larger than the file")
            self._kinds[key] = kind
            self._arrays[key] = _widened(kind, np.zeros(count, STORAGE_DTYPES[kind]))
        if self._kinds[key] != kind or len(self._arrays[key]) != count:
            raise FileFormatError(f"storage {key!r} is announced in two ways")
        return self._arrays[key]

    def fill(self, keys: object, content: bytes, at: int) -> None:
        """Read the numbers, one storage after another: count (int64), then the raw values."""
        if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(self._arrays):
            raise FileFormatError("the list of storages does not fit the tensors")
        for key in keys:
            (count,) = struct.unpack_from("<q", content, at)
            if count != len(self._arrays[key]):
                raise FileFormatError(f"storage {key!r} has {count} numbers instead of {len(self._arrays[key])}")
            raw = np.frombuffer(content, STORAGE_DTYPES[self._kinds[key]], count, at + 8)
            self._arrays[key][:] = _widened(self._kinds[key], raw)
            at += 8 + raw.nbytes


def _widened(kind: str, raw: NDArray[Any]) -> NDArray[Any]:
    """bfloat16, which NumPy does not have, as float32: its bits are the upper half of one."""
    return (raw.astype("<u4") << 16).view("<f4") if kind == "BFloat16" else raw


def _torch_zip(content: bytes) -> object:
    with _zip(content) as archive:
        pickles = [name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise FileFormatError("the archive is not a torch checkpoint: it must hold one data.pkl")
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise FileFormatError("the checkpoint was written on a big-endian machine")
        pickle = archive.read(pickles[0])
        return Machine(pickle, PlainTypes(len(content), _ZipStorages(archive, folder))).run()


def _torch_legacy(content: bytes) -> object:
    """Five pickles in a row (magic number, protocol, system, content, names of storages), then the numbers."""
    at = 0

    def next_pickle(storages: Storages | None = None) -> object:
        nonlocal at
        machine = Machine(content, PlainTypes(len(content), storages), at)
        made = machine.run()
        at = machine.at
        return made

    if next_pickle() != _TORCH_MAGIC or next_pickle() != _TORCH_LEGACY_PROTOCOL:
        raise FileFormatError("not a torch checkpoint")
    system = next_pickle()
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise FileFormatError("the checkpoint was written on a big-endian machine")
    storages = _LegacyStorages(len(content))
    made = next_pickle(storages)
    storages.fill(next_pickle(), content, at)
    return made
