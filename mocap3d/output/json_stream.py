"""Reading one long JSON object whose bulk is one list, an element at a time: the text is never whole in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

from mocap3d.base.errors import InputError

__all__ = ["opened", "read_document"]

_CHUNK: Final = 1 << 16  # characters
_LONGEST_WORD: Final = 32  # characters that a word or the tail of a number may have; "-Infinity" has 9
_BLANKS: Final = " \t\n\r"


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a text file in UTF-8 (with or without a byte-order mark).

    Raises:
        InputError: it cannot be opened.
    """
    try:
        file = open(path, encoding="utf-8-sig")  # noqa: SIM115 - closed below; errors of reading are the reader's
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    with file:
        yield file


def read_document(file: TextIO, streamed: str, element: Callable[[Any], None]) -> dict[str, Any]:
    """Read a JSON object; each element of the list under the key ``streamed`` goes to ``element`` and is forgotten.

    Only one key, value or element, and 64 K characters behind it, are in memory at a time.

    Returns:
        All other keys and their values.

    Raises:
        InputError: not one JSON object, NaN or infinity in it, or no list where one must be.
    """
    text = _Text(file)
    found: dict[str, Any] = {}
    for key in text.names():
        if key != streamed:
            found[key] = text.value()
        elif streamed in found:
            raise text.error(f"{streamed!r} is there twice")
        else:
            found[streamed] = None
            for value in text.elements():
                element(value)
    if text.peek():
        raise text.error("something follows the end of the object")
    if streamed not in found:
        raise InputError(f"{streamed!r} is missing")
    del found[streamed]
    return found


class _Text:
    """What has been read of a file and not yet been understood."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.text, self.at, self.line, self.ended = "", 0, 1, False
        self.decoder = json.JSONDecoder(parse_constant=_refuse)

    def error(self, message: str, at: int | None = None) -> InputError:
        """An error that tells the line."""
        return InputError(f"line {self.line + self.text.count(chr(10), 0, self.at if at is None else at)}: {message}")

    def more(self) -> None:
        """Read at least as much as is waiting already, so that a long value is not tried again too often."""
        self.line += self.text.count("\n", 0, self.at)
        self.text, self.at = self.text[self.at :], 0
        chunk = self.file.read(max(_CHUNK, len(self.text)))
        self.text += chunk
        self.ended = not chunk

    def peek(self) -> str:
        """The next character that is no blank, without taking it; empty at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _BLANKS:
                self.at += 1
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.more()

    def take(self, wanted: str) -> str:
        """Take the next character that is no blank; it must be one of ``wanted``."""
        found = self.peek()
        if not found or found not in wanted:
            raise self.error(f"expected {' or '.join(map(repr, wanted))}, got {found!r}")
        self.at += 1
        return found

    def value(self) -> Any:
        """Take a whole value; where the text that has been read may have cut it, more is read first."""
        self.peek()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                cut = error.pos > len(self.text) - _LONGEST_WORD or error.msg.startswith("Unterminated")
                if self.ended or not cut:
                    raise self.error(error.msg, error.pos) from None
            else:
                if self.ended or end <= len(self.text) - _LONGEST_WORD:  # else 1.5 may have been read as far as 1
                    self.at = end
                    return value
            self.more()

    def names(self) -> Iterator[str]:
        """Take an object: its keys; the caller takes each value."""
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        while True:
            if self.peek() != '"':
                raise self.error(f"expected a name in quotes, got {self.peek()!r}")
            key = str(self.value())
            self.take(":")
            yield key
            if self.take(",}") == "}":
                return

    def elements(self) -> Iterator[Any]:
        """Take a list: its elements."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        while True:
            yield self.value()
            if self.take(",]") == "]":
                return


def _refuse(word: str) -> None:
    raise InputError(f"{word} is no number")
