"""The HIERARCHY part of a BVH: text -> nodes, in the order of the file, which is the order of the columns.

Read by tokens, so that braces may stand anywhere; only a name ends with its line, because names hold blanks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from mocap3d.base.errors import FileFormatError
from mocap3d.base.skeleton import ROOT

__all__ = ["Node", "parse_hierarchy"]

_TOKEN: Final = re.compile(r"[{}]|[^\s{}]+")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_DECIMAL: Final = re.compile(r"[+-]?(\d++\.?+\d*+|\.\d++)([eE][+-]?\d+)?", re.ASCII)  # "++" never tries again
_CHANNEL: Final = re.compile(r"([xyz])_?(position|rotation)", re.IGNORECASE)
_LARGEST_OFFSET: Final = 1e12  # beyond this a file is broken, whatever its unit


@dataclass(slots=True, kw_only=True)
class Node:
    """A ROOT, JOINT or End Site as it stands in the file.

    Attributes:
        name: as written; empty for most End Sites.
        parent: index of the node it stands in, ``ROOT`` for a root.
        line: 1-based line of its keyword.
        is_end: whether it is an End Site.
        offset: three numbers in the file's unit.
        channels: (kind, axis) of each column, kind "position" or "rotation", axis 0, 1 or 2; None until declared.
    """

    name: str
    parent: int
    line: int
    is_end: bool
    offset: tuple[float, float, float] | None = None
    channels: tuple[tuple[str, int], ...] | None = field(default=None)


class _Tokens:
    """Words and braces of a text, one at a time, with the line they stand on."""

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._path = path
        self._matches: Iterator[re.Match[str]] = _TOKEN.finditer(text)
        self._next = next(self._matches, None)
        self._end = 0
        self._line, self._line_known_to = 1, 0

    def peek(self) -> str:
        """Look at the next token without taking it; empty at the end."""
        return "" if self._next is None else self._next.group()

    def take(self, what: str) -> str:
        """Take the next token; ``what`` says in an error message what was expected."""
        if self._next is None:
            raise self.error(f"the file ends where {what} was expected")
        token, self._end = self._next.group(), self._next.end()
        self._next = next(self._matches, None)
        return token

    def take_line(self) -> str:
        """Take the rest of the line, up to a brace: a name, in which blanks count."""
        stop = _LINE_END.search(self._text, self._end)
        limit = len(self._text) if stop is None else stop.start()
        start = self._end
        while self._next is not None and self._next.start() < limit and self._next.group() not in "{}":
            self.take("a name")
        return self._text[start : self._end].strip()

    def line(self) -> int:
        """Tell the 1-based line of the last token taken."""
        self._line += len(_LINE_END.findall(self._text, self._line_known_to, self._end))
        self._line_known_to = self._end
        return self._line

    def error(self, message: str) -> FileFormatError:
        return FileFormatError(message, path=self._path, line=self.line())


def parse_hierarchy(text: str, path: str) -> list[Node]:
    """Read ``HIERARCHY ... }`` up to the MOTION keyword (which is not part of ``text``).

    Keywords and channel names may be in any case. Several roots are allowed.

    Raises:
        FileFormatError: with the line, when the text is no hierarchy.
    """
    tokens = _Tokens(text, path)
    if tokens.take("HIERARCHY").upper() != "HIERARCHY":
        raise tokens.error("a BVH file starts with HIERARCHY; this one does not")
    nodes: list[Node] = []
    open_nodes: list[int] = []
    while tokens.peek():
        keyword = tokens.take("a keyword")
        if keyword.upper() in ("ROOT", "JOINT", "END"):
            _open_node(keyword.upper(), tokens, nodes, open_nodes)
        elif not open_nodes:
            raise tokens.error(f"expected ROOT or MOTION, found {keyword[:40]!r}")
        elif keyword == "}":
            _close_node(tokens, nodes[open_nodes.pop()])
        elif keyword.upper() == "OFFSET":
            _read_offset(tokens, nodes[open_nodes[-1]])
        elif keyword.upper() == "CHANNELS":
            _read_channels(tokens, nodes[open_nodes[-1]])
        else:
            raise tokens.error(f"expected OFFSET, CHANNELS, JOINT, End Site or }}, found {keyword[:40]!r}")
    if open_nodes:
        raise tokens.error(f"the hierarchy ends before {nodes[open_nodes[-1]].name!r} is closed by }}")
    if not nodes:
        raise tokens.error("there is no ROOT")
    return nodes


def _open_node(keyword: str, tokens: _Tokens, nodes: list[Node], open_nodes: list[int]) -> None:
    line = tokens.line()
    if keyword == "ROOT" and open_nodes:
        raise tokens.error(f"ROOT inside {nodes[open_nodes[-1]].name!r}; a joint that has a parent is a JOINT")
    if keyword != "ROOT" and not open_nodes:
        raise tokens.error(f"{keyword} outside a ROOT")
    if keyword == "END" and tokens.peek().upper() == "SITE":
        tokens.take("Site")
    name = tokens.take_line()
    if tokens.take("{") != "{":
        raise tokens.error(f"expected {{ after {keyword} {name!r}")
    open_nodes.append(len(nodes))
    parent = open_nodes[-2] if len(open_nodes) > 1 else ROOT
    nodes.append(Node(name=name, parent=parent, line=line, is_end=keyword == "END"))


def _close_node(tokens: _Tokens, node: Node) -> None:
    if node.offset is None:
        raise tokens.error(f"{node.name or 'End Site'!r} (line {node.line}) has no OFFSET")


def _read_offset(tokens: _Tokens, node: Node) -> None:
    if node.offset is not None:
        raise tokens.error(f"a second OFFSET in {node.name!r}")
    numbers = []
    for axis in "XYZ":
        word = tokens.take("a number")
        if not _DECIMAL.fullmatch(word) or not abs(float(word)) <= _LARGEST_OFFSET:
            raise tokens.error(f"OFFSET needs three finite numbers; {axis} is {word[:40]!r}")
        numbers.append(float(word))
    node.offset = (numbers[0], numbers[1], numbers[2])


def _read_channels(tokens: _Tokens, node: Node) -> None:
    if node.channels is not None:
        raise tokens.error(f"a second CHANNELS in {node.name!r}")
    count = tokens.take("the number of channels")
    channels: list[tuple[str, int]] = []
    while match := _CHANNEL.fullmatch(tokens.peek()):
        tokens.take("a channel")
        channels.append((match[2].lower(), "xyz".index(match[1].lower())))
    if not count.isdecimal() or count.lstrip("0") != (str(len(channels)) if channels else ""):
        raise tokens.error(f"CHANNELS says {count[:20]!r} but names {len(channels)} (Xposition .. Zrotation)")
    positions = [channel for channel in channels if channel[0] == "position"]
    if len(set(positions)) < len(positions):
        raise tokens.error(f"{node.name!r} has a position channel twice")
    if len(channels) - len(positions) > 3:
        raise tokens.error(f"{node.name!r} has more than three rotation channels")
    node.channels = tuple(channels)
