"""A reader of pickles that can build plain data and nothing else.

A pickle is a program for a small stack machine. Python's own machine imports and calls whatever the program names; this
one has no way to import, and to call only the few makers of its owner's list (``pickle_types.py``). It never recurses,
keeps its own account of memory, and knows protocols 0 to 5, those of Python 2 included (whose strings are read as
Latin-1, so that bytes survive).

Reference:
    The opcodes as described in the standard library's ``pickletools``.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from typing import Protocol

from mocap3d.base.errors import FileFormatError

__all__ = [
    "Machine",
    "Maker",
    "Types",
]

_MAX_STEPS = 5_000_000  # a step may make an object of 100 bytes; arrays of any size take a dozen steps
_MARK = object()
_MAX_LONG_BYTES = 128
_KEYS = (str, bytes, int, type(None))
_MAX_KEY_PARTS = 16


class Maker:
    """A name that a pickle may mention; calling it is up to `Types.call`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Types(Protocol):
    """What the machine's owner admits."""

    def find(self, module: str, name: str) -> Maker:
        """The maker of that name; FileFormatError when it is not admitted."""

    def call(self, maker: Maker, arguments: tuple[object, ...]) -> object:
        """What the maker makes of the arguments."""

    def build(self, made: object, state: object) -> None:
        """Give ``made`` its state, in place."""

    def persistent(self, key: object) -> object:
        """The object outside the pickle that ``key`` stands for."""


class Machine:
    """Runs one pickle.

    Args:
        data: bytes that hold a pickle.
        types: what it may make.
        start: where the pickle begins.

    Attributes:
        at: index of the first byte that has not been read; after `run`, the byte after the pickle.
    """

    def __init__(self, data: bytes, types: Types, start: int = 0) -> None:
        self.at = start
        self._data = data
        self._types = types
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}

    def run(self) -> object:
        """Run to the end and return the object.

        Raises:
            FileFormatError: it is cut short, breaks the rules, names what is not admitted, or never ends.
        """
        for _ in range(_MAX_STEPS):
            opcode = self._take(1)
            if opcode == b".":
                return self._pop()
            if read := _VALUES.get(opcode):
                self._stack.append(read(self))
            elif act := _ACTIONS.get(opcode):
                act(self)
            else:
                raise FileFormatError(f"the pickle has an instruction {opcode!r} that plain data does not need")
        raise FileFormatError(f"the pickle takes more than {_MAX_STEPS} steps")

    # Reading arguments.

    def _take(self, count: int) -> bytes:
        piece = self._data[self.at : self.at + count]
        if len(piece) < count:
            raise FileFormatError("the pickle is cut short")
        self.at += count
        return piece

    def _line(self) -> bytes:
        end = self._data.find(b"\n", self.at)
        if end < 0:
            raise FileFormatError("the pickle is cut short")
        line, self.at = self._data[self.at : end], end + 1
        return line

    def _number(self, form: str) -> int:
        (number,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return int(number)

    def _sized(self, form: str) -> bytes:
        return self._take(self._number(form))

    def _text_int(self) -> int | bool:
        line = self._line()
        return line == b"01" if line in (b"00", b"01") else int(line.rstrip(b"L"))

    def _quoted(self) -> str:
        line = self._line().strip()
        if len(line) < 2 or line[:1] not in (b'"', b"'") or line[:1] != line[-1:]:
            raise FileFormatError("the pickle has a string without quotes")
        return codecs.escape_decode(line[1:-1])[0].decode("latin-1")

    # The stack.

    def _pop(self) -> object:
        if not self._stack or self._stack[-1] is _MARK:
            raise FileFormatError("the pickle takes from an empty stack")
        return self._stack.pop()

    def _top(self) -> object:
        self._stack.append(top := self._pop())
        return top

    def _pop_to_mark(self) -> list[object]:
        at = len(self._stack) - 1
        while at >= 0 and self._stack[at] is not _MARK:
            at -= 1
        if at < 0:
            raise FileFormatError("the pickle closes what it did not open")
        items = self._stack[at + 1 :]
        del self._stack[at:]
        return items

    def _pop_many(self, count: int) -> tuple[object, ...]:
        return tuple([self._pop() for _ in range(count)][::-1])

    # Instructions with an effect.

    def _fill_dict(self, made: object, items: list[object]) -> dict[object, object]:
        if not isinstance(made, dict) or len(items) % 2:
            raise FileFormatError("the pickle sets items of what is not a dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            parts = key if isinstance(key, tuple) else (key,)
            if len(parts) > _MAX_KEY_PARTS or not all(isinstance(part, _KEYS) for part in parts):
                raise FileFormatError(f"the pickle has a dictionary key of type {type(key).__name__}")
            made[key] = value
        return made

    def _fill_set(self, items: list[object]) -> None:
        made = self._top()
        if not isinstance(made, set) or not all(isinstance(item, str | int) for item in items):
            raise FileFormatError("the pickle has a set of what is neither text nor a number")
        made.update(items)

    def _extend_list(self, items: list[object]) -> None:
        made = self._top()
        if not isinstance(made, list):
            raise FileFormatError("the pickle appends to what is not a list")
        made.extend(items)

    def _recall(self, index: int) -> object:
        if index not in self._memo:
            raise FileFormatError("the pickle recalls what it did not store")
        return self._memo[index]

    def _store(self, index: int) -> None:
        self._memo[index] = self._top()

    def _global(self, module: object, name: object) -> Maker:
        if not isinstance(module, str) or not isinstance(name, str):
            raise FileFormatError("the pickle names a type by what is not text")
        return self._types.find(module, name)

    def _call(self, maker: object, arguments: object) -> object:
        if not isinstance(maker, Maker) or not isinstance(arguments, tuple):
            raise FileFormatError("the pickle calls what cannot be called")
        return self._types.call(maker, arguments)

    def _instance(self, items: list[object]) -> object:
        maker, *arguments = items or [None]
        return self._call(maker, tuple(arguments))

    def _build(self) -> None:
        state = self._pop()
        self._types.build(self._top(), state)


def _line_global(machine: Machine) -> Maker:
    module, name = machine._line(), machine._line()
    return machine._global(module.decode(), name.decode())


def _line_instance(machine: Machine) -> object:
    maker = _line_global(machine)
    return machine._call(maker, tuple(machine._pop_to_mark()))


def _long(machine: Machine, form: str) -> int:
    raw = machine._sized(form)
    if len(raw) > _MAX_LONG_BYTES:
        raise FileFormatError(f"the pickle has a whole number of {len(raw)} bytes")
    return int.from_bytes(raw, "little", signed=True)


def _protocol(machine: Machine) -> None:
    if (version := machine._number("<B")) > 5:
        raise FileFormatError(f"pickle protocol {version} is not known")


# Opcode -> the value that it puts on the stack.
_VALUES: dict[bytes, Callable[[Machine], object]] = {
    b"(": lambda m: _MARK,
    b"N": lambda m: None,
    b"\x88": lambda m: True,
    b"\x89": lambda m: False,
    b"I": Machine._text_int,
    b"L": Machine._text_int,
    b"J": lambda m: m._number("<i"),
    b"K": lambda m: m._number("<B"),
    b"M": lambda m: m._number("<H"),
    b"\x8a": lambda m: _long(m, "<B"),
    b"\x8b": lambda m: _long(m, "<I"),
    b"F": lambda m: float(m._line()),
    b"G": lambda m: struct.unpack(">d", m._take(8))[0],
    b"S": Machine._quoted,
    b"T": lambda m: m._sized("<I").decode("latin-1"),
    b"U": lambda m: m._sized("<B").decode("latin-1"),
    b"V": lambda m: m._line().decode("raw-unicode-escape"),
    b"X": lambda m: m._sized("<I").decode(errors="surrogatepass"),
    b"\x8c": lambda m: m._sized("<B").decode(errors="surrogatepass"),
    b"\x8d": lambda m: m._sized("<Q").decode(errors="surrogatepass"),
    b"B": lambda m: m._sized("<I"),
    b"C": lambda m: m._sized("<B"),
    b"\x8e": lambda m: m._sized("<Q"),
    b"\x96": lambda m: m._sized("<Q"),  # a bytearray: nobody here writes to it
    b"]": lambda m: [],
    b")": lambda m: (),
    b"}": lambda m: {},
    b"\x8f": lambda m: set(),
    b"l": Machine._pop_to_mark,
    b"t": lambda m: tuple(m._pop_to_mark()),
    b"\x85": lambda m: m._pop_many(1),
    b"\x86": lambda m: m._pop_many(2),
    b"\x87": lambda m: m._pop_many(3),
    b"d": lambda m: m._fill_dict({}, m._pop_to_mark()),
    b"2": Machine._top,
    b"g": lambda m: m._recall(int(m._line())),
    b"h": lambda m: m._recall(m._number("<B")),
    b"j": lambda m: m._recall(m._number("<I")),
    b"c": _line_global,
    b"\x93": lambda m: m._global(*m._pop_many(2)),
    b"R": lambda m: m._call(*m._pop_many(2)),
    b"\x81": lambda m: m._call(*m._pop_many(2)),
    b"i": _line_instance,
    b"o": lambda m: m._instance(m._pop_to_mark()),
    b"P": lambda m: m._types.persistent(m._line().decode()),
    b"Q": lambda m: m._types.persistent(m._pop()),
}

# Opcode -> what it does to what is there.
_ACTIONS: dict[bytes, Callable[[Machine], object]] = {
    b"\x80": _protocol,
    b"\x95": lambda m: m._take(8),  # the length of a frame: a hint for readers of streams
    b"0": lambda m: m._stack.pop() if m._stack else m._pop(),
    b"1": Machine._pop_to_mark,
    b"a": lambda m: m._extend_list([m._pop()]),
    b"e": lambda m: m._extend_list(m._pop_to_mark()),
    b"\x90": lambda m: m._fill_set(m._pop_to_mark()),
    b"s": lambda m: (items := list(m._pop_many(2)), m._fill_dict(m._top(), items)),
    b"u": lambda m: (items := m._pop_to_mark(), m._fill_dict(m._top(), items)),
    b"p": lambda m: m._store(int(m._line())),
    b"q": lambda m: m._store(m._number("<B")),
    b"r": lambda m: m._store(m._number("<I")),
    b"\x94": lambda m: m._store(len(m._memo)),
    b"b": Machine._build,
}
