"""Human3.6M as downloaded: ``Poses_D3_Positions_S1.tgz`` and so on, or ``h36m.zip``, unpacked for a while."""

from __future__ import annotations

import contextlib
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mocap3d.base.errors import FileFormatError, InputError

__all__ = ["unpacked"]

# Poses_D3_Positions_mono_universal_* hold another body than the cameras saw: not among them.
_ARCHIVES: Final = (r"Poses_D3_Positions_S\d+\.(tgz|tar\.gz|tar)", r"Poses_D3_Positions_mono_S\d+\.(tgz|tar\.gz|tar)")
_WANTED: Final = (".cdf", ".h5", ".txt", ".npz")
_BROKEN: Final = (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, lzma.LZMAError, zlib.error, ValueError,
                  RuntimeError, NotImplementedError)  # fmt: skip


@contextlib.contextmanager
def unpacked(source: Path) -> Iterator[list[Path]]:
    """The folders to look into for poses: the source itself, and a temporary one with what its archives hold.

    Args:
        source: a folder, with or without the official pose archives in it, or one .tgz, .tar or .zip file.

    Raises:
        InputError: there is no such file or folder.
        FileFormatError: an archive is damaged.
    """
    if source.is_dir():
        archives = _archives_of(source)
    elif source.is_file() and (tarfile.is_tarfile(source) or zipfile.is_zipfile(source)):
        archives = [source]
    else:
        raise InputError(f"{source} is neither a folder nor a .tgz, .tar or .zip of Human3.6M")
    folders = [source] if source.is_dir() else []
    if not archives:
        yield folders
        return
    with TemporaryDirectory(prefix="human36m-") as temporary:
        for archive in archives:
            _unpack(archive, Path(temporary))
        yield [*folders, Path(temporary)]


def _archives_of(folder: Path) -> list[Path]:
    """The pose archives of one kind, the better one first; none where their files lie unpacked beside them."""
    if next(folder.glob("**/MyPoseFeatures/D3_Positions/*.cdf"), None) is not None:
        return []
    for pattern in _ARCHIVES:
        found = sorted(path for path in folder.rglob("Poses_*") if path.is_file() and re.fullmatch(pattern, path.name))
        if found:
            return found
    return []


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack the files that may hold poses; links, and paths that leave the folder, are refused."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                file.extractall(folder, [name for name in file.namelist() if name.endswith(_WANTED)])
        else:
            with tarfile.open(archive) as tar:
                for member in tar:
                    if member.isfile() and member.name.endswith(_WANTED):
                        tar.extract(member, folder, filter="data")
    except _BROKEN as error:
        raise FileFormatError(f"cannot be unpacked: {error}", path=archive) from None
