"""OpenCV's FileStorage, YAML and JSON, as plain values: maps, lists, numbers, text, and matrices as arrays.

Only what FileStorage writes (and people and EasyMocap write like it): maps nested by indentation, lists in brackets or
by dashes, ``!!opencv-matrix``. Read by our own few lines instead of OpenCV, which ends some damaged files with an error
without a line, and which capture should not have to load.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.cameras.files.source import Source

__all__ = ["is_json", "is_yaml", "json_text", "read_json", "read_yaml", "yaml_text"]

Value = Any
_MAX_DEPTH: Final = 40
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|[+-]?\.(inf|Inf|nan|NaN)$")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of YAML with something on it."""

    number: int
    indent: int
    text: str


def is_yaml(data: bytes) -> bool:
    """Whether it can be YAML as OpenCV writes it."""
    head = data[:4000].removeprefix(b"\xef\xbb\xbf").lstrip()
    return head.startswith((b"%YAML", b"---")) or b"!!opencv-matrix" in head or re.match(rb"\w+:\s", head) is not None


def is_json(data: bytes) -> bool:
    """Whether it can be JSON: an object."""
    return data[:200].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def read_json(source: Source) -> dict[str, Value]:
    """A JSON object; matrices in it become arrays.

    Raises:
        FileFormatError: not JSON, or a matrix that contradicts itself.
    """
    try:
        tree = json.loads(source.text)
    except json.JSONDecodeError as error:
        raise source.error(f"not JSON: {error.msg}", error.lineno) from None
    except (RecursionError, ValueError) as error:  # ValueError: an integer of 5000 digits
        raise source.error(f"not JSON that can be read: {type(error).__name__}") from None
    try:
        found = _with_matrices(tree, 0)
    except InputError as error:
        raise source.error(str(error)) from None
    if not isinstance(found, dict):
        raise source.error("must hold a JSON object")
    return found


def read_yaml(source: Source) -> dict[str, Value]:
    """A YAML map; matrices in it become arrays.

    Raises:
        FileFormatError: not YAML of this kind, with its line.
    """
    lines = []
    for number, raw in enumerate(source.text.splitlines(), start=1):
        text = raw.rstrip()
        if not text.strip() or text.lstrip().startswith("#") or text.startswith(("%", "---", "...")):
            continue
        indent = len(text) - len(text.lstrip(" "))
        if text[indent] == "\t":
            raise source.error("YAML is indented by blanks, not by tabs", number)
        lines.append(_Line(number, indent, text[indent:]))
    found, rest = _block(source, lines, 0, 0, 0)
    if rest < len(lines):
        raise source.error("this line belongs to nothing above it", lines[rest].number)
    if not isinstance(found, dict):
        raise source.error("must hold a map of keys and values")
    return found


def _block(source: Source, lines: Sequence[_Line], at: int, indent: int, depth: int) -> tuple[Value, int]:
    """The map or list that begins at a line, and the line after it."""
    if depth > _MAX_DEPTH:
        raise source.error("nested too deeply for a camera file", lines[at].number)
    if at >= len(lines):
        return {}, at
    own = lines[at].indent
    if own < indent:
        return None, at
    if lines[at].text.startswith("-"):
        return _dashes(source, lines, at, own, depth)
    found: dict[str, Value] = {}
    while at < len(lines) and lines[at].indent == own:
        line = lines[at]
        key, colon, text = line.text.partition(":")
        key, text = key.strip(" \"'"), text.strip()
        if not colon or not key or key[0] in "[{-":
            raise source.error(f"expected 'key: value', got {line.text[:60]!r}", line.number)
        if key in found:
            raise source.error(f"{key!r} stands there twice", line.number)
        is_matrix = text.startswith("!!opencv-matrix")
        if is_matrix or text == "":
            value, at = _block(source, lines, at + 1, own + (not _dashed(lines, at + 1, own)), depth + 1)
        else:
            value, at = _scalar(source, lines, at, text)
        if is_matrix or _is_matrix(value):
            value = _matrix_at(source, key, value, line.number)
        found[key] = value
    return found, at


def _dashed(lines: Sequence[_Line], at: int, indent: int) -> bool:
    """Whether a list stands at the indentation of its key, as YAML allows."""
    return at < len(lines) and lines[at].indent == indent and lines[at].text.startswith("-")


def _dashes(source: Source, lines: Sequence[_Line], at: int, own: int, depth: int) -> tuple[list[Value], int]:
    items: list[Value] = []
    while at < len(lines) and lines[at].indent == own and lines[at].text.startswith("-"):
        text = lines[at].text[1:].strip()
        if text:
            value, at = _scalar(source, lines, at, text)
        else:
            value, at = _block(source, lines, at + 1, own + 1, depth + 1)
        items.append(value)
    return items, at


def _scalar(source: Source, lines: Sequence[_Line], at: int, text: str) -> tuple[Value, int]:
    """The value of a line; a list in brackets may go on over further lines."""
    first = lines[at].number
    if not text.startswith("["):
        return _plain(source, text, first), at + 1
    parts, still_open = [text], text.count("[") - text.count("]")
    while still_open > 0:
        at += 1
        if at >= len(lines):
            raise source.error("a list is not closed", first)
        parts.append(lines[at].text)
        still_open += parts[-1].count("[") - parts[-1].count("]")
    return _flow(source, " ".join(parts), first), at + 1


def _flow(source: Source, text: str, line: int) -> list[Value]:
    """A list in brackets, with lists in it."""
    stack: list[list[Value]] = []
    for token in re.findall(r"""\[|\]|,|"[^"]*"|'[^']*'|[^\s,\[\]"']+|["']""", text):
        if token == "[":
            new: list[Value] = []
            if stack:
                stack[-1].append(new)
            stack.append(new)
        elif token == "]":
            done = stack.pop()
            if not stack:
                return done
        elif token != ",":
            stack[-1].append(_plain(source, token, line))
        if len(stack) > _MAX_DEPTH:
            raise source.error("nested too deeply for a camera file", line)
    raise source.error("a list is not closed", line)


def _plain(source: Source, text: str, line: int) -> Value:
    if text[0] in "\"'":
        if len(text) < 2 or text[-1] != text[0]:
            raise source.error(f"a text is not closed: {text[:60]}", line)
        return text[1:-1]
    text = text.split(" #")[0].rstrip()
    if _NUMBER.match(text):
        number = float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".nan", "nan").replace(".NaN", "nan"))
        return int(text) if re.fullmatch(r"[+-]?\d{1,15}", text) else number
    if text[0] in "{&*!|>":
        raise source.error(f"OpenCV writes no {text[:30]!r}", line)
    return {"true": True, "false": False, "null": None, "~": None}.get(text, text)


def _is_matrix(value: Value) -> bool:
    return isinstance(value, Mapping) and {"rows", "cols", "data"} <= set(value)


def _matrix_at(source: Source, key: str, value: Value, line: int) -> NDArray[np.float64]:
    try:
        return _matrix(key, value)
    except InputError as error:
        raise source.error(str(error), line) from None


def _matrix(key: str, value: Value) -> NDArray[np.float64]:
    if not _is_matrix(value):
        raise InputError(f"the matrix {key!r} must have rows, cols and data")
    rows, cols, data = value["rows"], value["cols"], value["data"]
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in (rows, cols))
    if not whole or not isinstance(data, list) or len(data) != rows * cols:
        count = len(data) if isinstance(data, list) else "no"
        raise InputError(f"the matrix {key!r} says {rows} x {cols} and holds {count} numbers")
    if not all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in data):
        raise InputError(f"the matrix {key!r} holds something that is no number")
    try:
        return np.array(data, dtype=np.float64).reshape(rows, cols)
    except OverflowError:
        raise InputError(f"the matrix {key!r} holds a number out of range") from None


def _with_matrices(value: Value, depth: int, key: str = "") -> Value:
    if depth > _MAX_DEPTH:
        raise InputError("nested too deeply for a camera file")
    if isinstance(value, dict):
        inner = {name: _with_matrices(item, depth + 1, name) for name, item in value.items()}
        return _matrix(key, inner) if _is_matrix(inner) else inner
    return [_with_matrices(item, depth + 1, key) for item in value] if isinstance(value, list) else value


def yaml_text(values: Mapping[str, Value]) -> str:
    """The text of a file that OpenCV, EasyMocap and `read_yaml` read: numbers, text, lists of text, matrices."""
    lines = ["%YAML:1.0", "---"]
    for key, value in values.items():
        if isinstance(value, np.ndarray):
            lines += [f"{key}: !!opencv-matrix", f"   rows: {value.shape[0]}", f"   cols: {value.shape[1]}", "   dt: d"]
            lines.append("   data: [ " + ", ".join(repr(float(n)) for n in value.ravel()) + " ]")
        elif isinstance(value, list):
            lines += [f"{key}:", *(f'   - "{item}"' for item in value)]
        else:
            lines.append(f"{key}: {value}" if isinstance(value, (int, float)) else f'{key}: "{value}"')
    return "\n".join(lines) + "\n"


def json_text(values: Mapping[str, Value]) -> str:
    """The same as JSON."""
    plain = {
        key: {"type_id": "opencv-matrix", "rows": value.shape[0], "cols": value.shape[1], "dt": "d"}
        | {"data": [float(n) for n in value.ravel()]}
        if isinstance(value, np.ndarray)
        else value
        for key, value in values.items()
    }
    return json.dumps(plain, indent=1) + "\n"
