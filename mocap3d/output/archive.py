"""The lossless archive of one motion, as NPZ and as HDF5: everything bit for bit, rig, rate and contacts included.

Both hold the same: ``meta``, a JSON text with ``format``, ``version`` and what ``facts_of`` lists (rate as numerator
and denominator, names, parents, mirror, tips), and arrays of float64, where J joints, K tips and T frames are::

    offsets_m (J, 3)     rest_wxyz (J, 4)      tip_offsets_m (K, 3)
    root_m (T, 3)        local_wxyz (T, J, 4)  local_m (T, J, 3), contacts (T, 4): only where the motion has them

In NPZ ``meta`` is an array of one string; nothing is pickled. In HDF5 it is UTF-8 in a dataset of bytes, and the file
has the attributes ``format`` and ``version`` too. Nothing is compressed: rotations hardly shrink.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import atomic_path
from mocap3d.base.motion import Motion
from mocap3d.base.safe_pickle import load_npz
from mocap3d.output.motion_parts import OPTIONAL_ARRAYS, RIG_ARRAYS, arrays_of, facts_of, motion_of, reading

if TYPE_CHECKING:
    import h5py

__all__ = ["read_h5", "read_npz", "write_h5", "write_npz"]

_FORMAT: Final = "mocap3d-archive"
_VERSION: Final = 1
_WHAT: Final = "a mocap3d archive"
_ARRAYS: Final = (*RIG_ARRAYS, "root_m", "local_wxyz", *OPTIONAL_ARRAYS)
_CHUNK_FRAMES: Final = 256
_FREE_BYTES: Final = 64 << 20
_MAX_RATIO: Final = 100  # bytes of arrays per byte of the file, beyond the first 64 MB


def write_npz(motion: Motion, path: str | os.PathLike[str]) -> None:
    """Write everything of a motion as NPZ; the description of the format stands above.

    Raises:
        InputError: the file cannot be written.
    """
    arrays: dict[str, Any] = dict(arrays_of(motion))
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, meta=np.array(_meta_text(motion)), **arrays)


def read_npz(path: str | os.PathLike[str]) -> Motion:
    """Read what ``write_npz`` wrote.

    Raises:
        FileFormatError: not such a file, damaged, of a later version, or one that unpacks to absurd sizes.
        InputError: there is no such file.
    """
    arrays = load_npz(Path(path))
    with reading(path, _WHAT):
        if "meta" not in arrays and {"poses", "trans"} <= arrays.keys():
            raise FileFormatError(
                "it holds SMPL parameters of AMASS: `mocap3d convert --body-model` makes a motion of them, read_amass "
                "of mocap3d.output.amass reads them"
            )
        return motion_of(_facts(str(arrays["meta"])), arrays)


def write_h5(motion: Motion, path: str | os.PathLike[str]) -> None:
    """Write everything of a motion as HDF5; the description of the format stands above.

    Raises:
        InputError: the file cannot be written.
    """
    import h5py

    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update({"format": _FORMAT, "version": _VERSION})
        file.create_dataset("meta", data=np.frombuffer(_meta_text(motion).encode(), dtype=np.uint8))
        for name, array in arrays_of(motion).items():
            whole = name in RIG_ARRAYS
            chunks = None if whole else (min(len(array), _CHUNK_FRAMES), *array.shape[1:])
            file.create_dataset(name, data=array, chunks=chunks)


def read_h5(path: str | os.PathLike[str]) -> Motion:
    """Read what ``write_h5`` wrote.

    Raises:
        FileFormatError: not such a file, damaged, of a later version, or one that claims absurd sizes.
        InputError: there is no such file.
    """
    import h5py

    if not Path(path).is_file():
        raise InputError(f"no such file: {path}")
    with reading(path, _WHAT), h5py.File(path, "r") as file:
        room = _FREE_BYTES + _MAX_RATIO * Path(path).stat().st_size
        arrays = {}
        for name in ("meta", *_ARRAYS):
            if name in OPTIONAL_ARRAYS and name not in file:
                continue
            dataset = _plain_dataset(file, name)
            room -= dataset.nbytes
            if room < 0:
                raise FileFormatError("its arrays claim to be far larger than the file")
            arrays[name] = dataset[()]
        return motion_of(_facts(_text(arrays.pop("meta"))), arrays)


def _plain_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Find a dataset that lies in this very file: one that leads elsewhere could read any file of the machine."""
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise FileFormatError(f"{name} is a link to elsewhere")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
        raise FileFormatError(f"{name} is no plain dataset")
    if dataset.dtype not in (np.dtype(np.uint8), np.dtype(np.float64)):
        raise FileFormatError(f"{name} holds {dataset.dtype}")
    return dataset


def _text(meta: NDArray[Any]) -> str:
    return meta.astype(np.uint8).tobytes().decode()


def _meta_text(motion: Motion) -> str:
    return json.dumps({"format": _FORMAT, "version": _VERSION, **facts_of(motion)})


def _facts(text: str) -> Mapping[str, Any]:
    facts = json.loads(text)
    if not isinstance(facts, dict) or (facts.get("format"), facts.get("version")) != (_FORMAT, _VERSION):
        raise InputError(f"expected {_FORMAT!r} version {_VERSION} in its meta")
    return facts
