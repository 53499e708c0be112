"""Decimal numbers in text <-> float64 arrays, vectorised: a long BVH holds millions of them.

Reading: a number such as ``-12.345678`` is two runs of at most eight digits. Each run is loaded as one 64-bit word and
turned into an integer by three multiplications; mantissa / 10^decimals is then the correctly rounded float64, because
both are exact. Anything else that is a number (exponents, more digits) goes through NumPy's own text conversion.

Writing: fixed-point; a number is rounded to an integer, which is looked up four digits at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError

__all__ = ["BadNumberError", "Numbers", "format_rows", "parse_numbers"]

Words = NDArray[np.uint64]
Places = NDArray[np.int64]

_BLOCK_BYTES = 1 << 18  # a block and its arrays stay in the processor's cache
_PAD = b" " * 8  # so that eight bytes can be loaded before the first number
_BLANKS = b" \t\r\n\f\v"
_ASCII_ZEROS = np.uint64(0x3030303030303030)
_KEEP_LAST = np.array([(0xFFFFFFFFFFFFFFFF << (8 * (8 - n))) & 0xFFFFFFFFFFFFFFFF for n in range(9)], dtype=np.uint64)
_POWERS = 10 ** np.arange(17, dtype=np.int64)
_EXACT = 2**53  # integers up to here are float64 without rounding
_NUMBER_BYTES = np.isin(np.arange(256), np.frombuffer(b"0123456789+-.eE", dtype=np.uint8))


class BadNumberError(ValueError):
    """A word in the text is no finite number.

    Attributes:
        word: the word, shortened.
        offset: where it starts, in bytes.
    """

    def __init__(self, word: bytes, offset: int) -> None:
        """Keep the word and its place."""
        self.word = word[:40].decode("latin-1")
        self.offset = offset
        super().__init__(f"{self.word!r} at byte {offset} is no finite number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """All numbers of a text, and how many stand on each line.

    Attributes:
        values: (N,) in the order of the text.
        line_counts: how many numbers each line holds, lines without numbers left out; they sum to N.
    """

    values: NDArray[np.float64]
    line_counts: NDArray[np.int64]


def parse_numbers(text: bytes, start: int = 0) -> Numbers:
    """Read every number in ``text[start:]``; blanks, tabs, CR and LF separate them, CR and LF end lines.

    Raises:
        BadNumberError: a word is not a finite decimal number.
    """
    values: list[NDArray[np.float64]] = []
    breaks: list[Places] = []  # how many numbers come before each line end
    count = 0
    for offset, block in _blocks(text, start):
        try:
            numbers, before_break = _parse_block(block)
        except BadNumberError as error:
            raise BadNumberError(error.word.encode("latin-1"), error.offset + offset - len(_PAD)) from None
        values.append(numbers)
        breaks.append(before_break + count)
        count += len(numbers)
    line_counts: Places = np.diff(np.concatenate([[0], *breaks, [count]]).astype(np.int64)).astype(np.int64)
    return Numbers(values=np.concatenate([np.zeros(0), *values]), line_counts=line_counts[line_counts > 0])


def _blocks(text: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Cut the text after blanks into padded blocks."""
    while start < len(text):
        stop = min(start + _BLOCK_BYTES, len(text))
        while stop < len(text) and text[stop - 1] not in _BLANKS:
            stop += 1
        yield start, _PAD + text[start:stop] + b" "
        start = stop


def _parse_block(block: bytes) -> tuple[NDArray[np.float64], Places]:
    """Parse one padded block; also count the numbers before each CR or LF."""
    chars = np.frombuffer(block, dtype=np.uint8)
    blank = (chars == 32) | ((chars >= 9) & (chars <= 13))
    edges = np.flatnonzero(blank[1:] != blank[:-1]) + 1
    starts, ends = edges[0::2], edges[1::2]
    line_ends = np.flatnonzero((chars == 10) | (chars == 13))
    first = chars[starts]
    negative = first == 45
    digits = starts + (negative | (first == 43))
    dots = _dots(chars, starts, ends)

    # Little-endian words: the last character is the highest byte, so the digits of a run are its last n bytes.
    words: Words = np.ndarray((len(block) - 7,), dtype="<u8", buffer=block, strides=(1,))
    whole_size, part_size = dots - digits, np.maximum(ends - dots - 1, 0)
    simple = (whole_size >= 0) & (whole_size <= 8) & (part_size <= 8) & (whole_size + part_size > 0)
    whole, whole_good = _digits_to_int(words[dots - 8], np.clip(whole_size, 0, 8))
    part, part_good = _digits_to_int(words[ends - 8], np.minimum(part_size, 8))
    scale = _POWERS[np.minimum(part_size, 8)]
    mantissa = whole * scale + part
    values = mantissa / scale
    np.negative(values, out=values, where=negative)
    hard = np.flatnonzero(~(simple & whole_good & part_good & (mantissa <= _EXACT)))
    if hard.size:
        values[hard] = _parse_hard(block, chars, starts[hard], ends[hard])
    return values, np.searchsorted(starts, line_ends)


def _dots(chars: NDArray[np.uint8], starts: Places, ends: Places) -> Places:
    """Find the decimal point of each number, its end where there is none (a second point is left to be refused)."""
    dots = np.flatnonzero(chars == 46)
    if len(dots) == len(starts) and bool(np.all((dots >= starts) & (dots < ends))):
        return dots
    found = ends.copy()
    found[np.searchsorted(starts, dots, side="right") - 1] = dots
    return found


def _digits_to_int(words: Words, sizes: Places) -> tuple[Places, NDArray[np.bool_]]:
    """Read the last ``sizes`` (0 to 8) characters of each word as a decimal number; also tell which were all digits."""
    x = (words ^ _ASCII_ZEROS) & _KEEP_LAST[sizes]
    high_bits = np.uint64(0x8080808080808080)
    good = (((x + np.uint64(0x7676767676767676)) | x) & high_bits) == 0  # a byte above 9 reaches its high bit
    # Neighbours are joined: 8 digits -> 4 numbers below 100 -> 2 below 10^4 -> 1 below 10^8.
    x = ((x & np.uint64(0x0F0F0F0F0F0F0F0F)) * np.uint64(10 * 2**8 + 1)) >> np.uint64(8)
    x = ((x & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(100 * 2**16 + 1)) >> np.uint64(16)
    x = ((x & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(10000 * 2**32 + 1)) >> np.uint64(32)
    return x.astype(np.int64), good


def _parse_hard(block: bytes, chars: NDArray[np.uint8], starts: Places, ends: Places) -> NDArray[np.float64]:
    """Convert the numbers that are not two short runs of digits; refuse what is no number."""
    bad_before = np.concatenate([[0], np.cumsum(~_NUMBER_BYTES[chars])])  # "nan", "1_000" and "0x1" stop here
    bad = np.flatnonzero(bad_before[ends] != bad_before[starts])
    if bad.size:
        raise BadNumberError(block[starts[bad[0]] : ends[bad[0]]], int(starts[bad[0]]))
    words = [block[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    try:
        values = np.array(words, dtype=np.bytes_).astype(np.float64)
    except ValueError:
        values = np.array([_float_or_nan(word) for word in words])
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise BadNumberError(words[bad[0]], int(starts[bad[0]]))
    return values


def _float_or_nan(word: bytes) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")


def format_rows(rows: NDArray[np.float64], decimals: int) -> bytes:
    """Write an array as fixed-point text, one line a row, one blank between numbers; there is no ``-0.000``.

    Args:
        rows: (T, C) finite values.
        decimals: digits behind the point, 1 to 12.

    Raises:
        InputError: a value has more than 15 digits at this precision.
    """
    scaled = np.rint(rows.ravel() * 10.0**decimals)
    if scaled.size and np.abs(scaled).max() > _EXACT:
        raise InputError(f"a value of {np.abs(rows).max():g} cannot be written with {decimals} decimals; use fewer")
    numbers = np.abs(scaled).astype(np.int64)
    width = max(len(str(int(numbers.max(initial=0)))), decimals + 1)
    digits = _ascii_digits(numbers, width)
    whole = width - decimals

    text = np.empty((numbers.size, width + 3), dtype=np.uint8)  # sign, whole digits, point, decimals, separator
    text[:, 0] = ord("-")
    text[:, 1 : whole + 1] = digits[:, :whole]
    text[:, whole + 1] = ord(".")
    text[:, whole + 2 : -1] = digits[:, whole:]
    text[:, -1] = ord(" ")
    text.reshape(*rows.shape, -1)[:, -1, -1] = ord("\n")

    keep = np.ones(text.shape, dtype=np.bool_)
    keep[:, 0] = scaled < 0
    for column in range(whole - 1):  # leading zeros
        keep[:, 1 + column] = numbers >= 10 ** (width - 1 - column)
    return text[keep].tobytes()


def _ascii_digits(numbers: Places, width: int) -> NDArray[np.uint8]:
    """Spell integers as (N, width) characters with leading zeros."""
    groups = -(-width // 4)
    text = np.empty((numbers.size, groups), dtype=_FOUR_DIGITS.dtype)
    rest = numbers
    for group in range(groups - 1, 0, -1):
        rest, four = rest // 10000, rest % 10000
        text[:, group] = _FOUR_DIGITS[four]
    text[:, 0] = _FOUR_DIGITS[rest]
    return text.view(np.uint8).reshape(numbers.size, 4 * groups)[:, -width:]


_FOUR_DIGITS = np.array([f"{n:04d}".encode() for n in range(10000)], dtype="S4").view(np.uint32)
