"""One official ``.cdf`` pose file -> its joints, or our error: cdflib alone may never return from a damaged file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from mocap3d.data_prep.human36m_form import checked_joints
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, MissingExtraError

__all__ = ["read_cdf_mm"]

_VARIABLE: Final = "Pose"
# A good file takes some dozens of reads. One whose records point at each other in a circle takes more than anybody has.
_MAX_READS: Final = 20_000
_MAX_DIMENSIONS: Final = 64
# Where version 3 keeps the number of dimensions: in the global record, and in that of a variable (CDF Internal Format
# Description, NASA GSFC).
_GDR_DIMENSIONS_AT: Final = 56
_VDR_DIMENSIONS_AT: Final = 340
_MAX_RATIO: Final = 1100  # unpacked to packed: what gzip can do at most


def read_cdf_mm(path: Path) -> NDArray[np.float64]:
    """Read the joints (T, 32, 3) of an official pose file, millimetres.

    Raises:
        MissingExtraError: cdflib is not installed.
        FileFormatError: not a CDF file, or not one with 32 joints.
    """
    try:
        from cdflib.cdfread import CDF
    except ModuleNotFoundError:
        raise MissingExtraError("cdflib", "human36m") from None

    class CountingCDF(CDF):  # type: ignore[misc]  # cdflib has no types
        """A CDF whose file gives up after so many reads, and which does not believe in thousands of dimensions."""

        def _file_or_url_or_s3_handler(self, *arguments: Any) -> Any:
            return _Counting(super()._file_or_url_or_s3_handler(*arguments))

        def _read_gdr(self, byte_loc: int) -> Any:
            _check_count(self._f, byte_loc + _GDR_DIMENSIONS_AT)
            return super()._read_gdr(byte_loc)

        def _read_vdr3(self, byte_loc: int) -> Any:
            _check_count(self._f, byte_loc + _VDR_DIMENSIONS_AT)
            return super()._read_vdr3(byte_loc)

    try:
        pose = _variable(CountingCDF(path), path.stat().st_size)
    except Exception as error:  # on damaged files cdflib raises whatever its struct calls meet first
        raise FileFormatError(f"not a CDF file with the variable {_VARIABLE}: {error}", path=path) from None
    return checked_joints(pose.reshape(-1, pose.shape[-1]) if pose.ndim else pose, path)


def _check_count(file: _Counting, at: int) -> None:
    file.seek(at)
    count = int.from_bytes(file.read(4), "big")
    if count > _MAX_DIMENSIONS:
        raise ValueError(f"{count} dimensions cannot be")


def _variable(cdf: Any, file_bytes: int) -> NDArray[np.generic]:
    """The poses, after a look at how large they claim to be."""
    said = cdf.varinq(_VARIABLE)
    numbers = max(int(said.Last_Rec) + 1, 1) * max(int(np.prod([float(n) for n in said.Dim_Sizes])), 1)
    if numbers * 4 > _MAX_RATIO * file_bytes:
        raise ValueError(f"{numbers} numbers cannot be in {file_bytes} bytes")
    return np.asarray(cdf.varget(_VARIABLE))


class _Counting:
    """A binary file that can be read so many times."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._reads = file, 0
        self.seek: Callable[..., int] = file.seek
        self.tell, self.close = file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        self._reads += 1
        if self._reads > _MAX_READS:
            raise ValueError("its records lead in a circle")
        return self._file.read(size)
