"""A glTF file as a whole: JSON and the bytes that it points into, in one file (.glb) or several (.gltf).

Reference:
    Khronos, "glTF 2.0 Specification", section 4.4 "GLB File Format Specification" and 3.6 "Binary Data Storage".
"""

from __future__ import annotations

import binascii
import json
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import atomic_path
from mocap3d.output.gltf.record import Record

__all__ = ["Document", "load_document", "save_glb"]

_MAGIC: Final = b"glTF"
_JSON, _BIN = 0x4E4F534A, 0x004E4942  # chunk types: "JSON" and "BIN\0"
_LARGEST_FILE: Final = 2**32 - 1  # lengths are four bytes
# Decoded here, or about looks only. Another required extension may change what nodes and numbers mean.
_KNOWN: Final = ("KHR_materials_", "KHR_texture_", "EXT_texture_", "KHR_mesh_quantization", "KHR_lights_", "VRM")


@dataclass(slots=True, kw_only=True)
class Document:
    """A file that has been opened.

    Attributes:
        root: its JSON.
        path: the file.
        size: bytes of all that was read; what is made of it stays in proportion.
        binary: the BIN chunk of a .glb, else None.
    """

    root: Record
    path: Path
    size: int
    binary: memoryview | None
    _buffers: dict[int, memoryview] = field(default_factory=dict)
    _records: list[Record] = field(default_factory=list)

    def buffer(self, index: int) -> memoryview:
        """Find the bytes of a buffer: the BIN chunk, a data URI, or a file beside this one.

        Raises:
            FileFormatError: they are not there, fewer than promised, or would come from elsewhere.
        """
        if index not in self._buffers:
            self._records = self._records or self.root.records("buffers")
            record = self._records[index]
            length = record.count("byteLength")
            data = self._bytes_of(record, index, length)
            if len(data) < length:
                raise record.error(f"byteLength is {length}, but there are {len(data)} bytes")
            self._buffers[index] = data[:length]
        return self._buffers[index]

    def _bytes_of(self, record: Record, index: int, length: int) -> memoryview:
        if not record.has("uri"):
            if index != 0 or self.binary is None:
                raise record.error("its bytes are not in this file (no uri, no BIN chunk)")
            return self.binary
        uri = record.text("uri")
        if uri.startswith("data:"):
            return _data_uri(record, uri)
        data = _side_file(record, self.path, uri, length)
        self.size += len(data)
        return data


def load_document(path: str | os.PathLike[str]) -> Document:
    """Open a .glb or .gltf; the first bytes tell which.

    Raises:
        FileFormatError: neither, a length that lies, JSON that is none, another version than 2.
        InputError: the file cannot be opened.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    text, binary = _chunks(data, path) if data[:4] == _MAGIC else (memoryview(data), None)
    root = Record(fields=_parse(text, path), place="", path=str(path))
    asset = root.needed("asset")
    if asset.text("version").split(".")[0] != "2" or asset.text("minVersion", "2.0") != "2.0":
        raise asset.error(f"only glTF 2.0 is read, this is version {asset.text('version')!r}")
    required = root.fields.get("extensionsRequired", [])
    for name in required if isinstance(required, list) else []:
        if not str(name).startswith(_KNOWN) and "compression" not in str(name):  # the compressed part is refused later
            raise root.error(f"the file requires the extension {str(name)[:60]!r}, which is not read")
    return Document(root=root, path=Path(path), size=len(data), binary=binary)


def save_glb(path: str | os.PathLike[str], document: dict[str, Any], blocks: Iterable[bytes], length: int) -> None:
    """Write a .glb.

    Args:
        path: the file; it appears whole or not at all.
        document: the JSON.
        blocks: the bytes of the BIN chunk, piece by piece.
        length: how many there are, a multiple of 4.

    Raises:
        InputError: the names cannot be encoded, more than 4 GiB, or the file cannot be written.
    """
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"a name holds half a character (a lone surrogate): {error.object[:60]!a}") from error
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + length
    if total > _LARGEST_FILE:
        raise InputError(f"a GLB holds at most 4 GiB, this one would have {total} bytes; write shorter pieces")
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(_MAGIC + struct.pack("<IIII", 2, total, len(text), _JSON) + text)
        file.write(struct.pack("<II", length, _BIN))
        for block in blocks:
            file.write(block)


def _chunks(data: bytes, path: str | os.PathLike[str]) -> tuple[memoryview, memoryview | None]:
    """Split a .glb into its JSON and, where there is one, its BIN chunk."""
    if len(data) < 20:
        raise FileFormatError("the file ends in its header", path=str(path))
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise FileFormatError(f"only version 2 of GLB is read, this is {version}", path=str(path))
    if length > len(data):
        raise FileFormatError(f"the header promises {length} bytes, there are {len(data)}", path=str(path))
    found: list[tuple[int, memoryview]] = []
    start = 12
    while start + 8 <= length and len(found) < 2:
        size, kind = struct.unpack_from("<II", data, start)
        if start + 8 + size > length:
            raise FileFormatError(f"a chunk of {size} bytes reaches beyond the end of the file", path=str(path))
        found.append((kind, memoryview(data)[start + 8 : start + 8 + size]))
        start += 8 + size + -size % 4
    if not found or found[0][0] != _JSON:
        raise FileFormatError("the first chunk must be JSON", path=str(path))
    return found[0][1], found[1][1] if len(found) == 2 and found[1][0] == _BIN else None


def _parse(text: memoryview, path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        value = json.loads(bytes(text).decode("utf-8-sig").rstrip("\0"), parse_constant=_no_constant)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FileFormatError(f"this is neither a GLB nor JSON in UTF-8: {str(error)[:80]}", path=str(path)) from None
    if not isinstance(value, dict):
        raise FileFormatError("a glTF is a JSON object, this is none", path=str(path))
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")


def _data_uri(record: Record, uri: str) -> memoryview:
    head, comma, body = uri.partition(",")
    if not comma or not head.endswith(";base64"):
        raise record.error("a data URI must be in base64")
    try:
        return memoryview(binascii.a2b_base64(body, strict_mode=True))
    except (binascii.Error, ValueError) as error:
        raise record.error(f"this data URI is no base64: {str(error)[:60]}") from None


def _side_file(record: Record, path: Path, uri: str, length: int) -> memoryview:
    """Read a buffer's own file, which must lie in the folder of the .gltf or below; nothing comes over a network."""
    name = unquote(uri)
    refused = record.error(f"uri {name[:80]!r} must name a file in the folder of the .gltf")
    if not name or ":" in name or "\\" in name or "\0" in name or name.startswith("/"):
        raise refused
    try:
        folder = path.parent.resolve()
        side = (folder / name).resolve()
        if not side.is_relative_to(folder):
            raise refused
        if not side.is_file():
            raise record.error(f"the file {name[:80]!r} beside it is missing")
        with open(side, "rb") as file:
            return memoryview(file.read(min(length, side.stat().st_size)))
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links
        raise record.error(f"cannot read {name[:80]!r}: {str(error)[:80]}") from None
