"""Decimal numbers in text <-> float64 arrays, vectorised: a long BVH holds millions of them.

Reading: a number such as ``-12.345678`` is two runs of at most eight digits. Each run is loaded as one 64-bit word and
turned into an integer by three multiplications; mantissa / 10^decimals is then the correctly rounded float64, because
both are exact. Anything else that is a number (exponents, more digits) goes through NumPy's own text conversion.

Writing: fixed-point; a number is rounded to an integer, which is looked up four digits at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError

__all__ = ["BadNumberError", "Numbers", "format_rows", "keep_freed_memory", "parse_numbers"]

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]
Places = NDArray[np.int64]

_BLOCK_BYTES = 1 << 18  # a block and its arrays stay in the processor's cache
_PAD = b" " * 16  # so that sixteen bytes can be loaded before the first end
_BLANKS = (b" ", b"\t", b"\r", b"\n", b"\f", b"\v")
_ASCII_ZEROS = np.uint64(0x3030303030303030)
_ABOVE_9 = np.uint64(0x7676767676767676)  # added to a byte above 9 it reaches
_HIGH_BITS = np.uint64(0x8080808080808080)
_64 = np.uint64(64)
_POWERS = 10 ** np.arange(17, dtype=np.int64)
_LONGEST_IN_ARRAY = 64
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


def parse_numbers(text: bytes | BinaryIO, start: int = 0, stop: int | None = None) -> Numbers:
    """Read the numbers of ``text[start:stop]``; blanks, tabs, CR and LF separate them, CR and LF end lines.

    Args:
        text: bytes, or a file, which is read block by block.
        start: where the first number may begin.
        stop: where the text ends; None is the end of ``text``.

    Raises:
        BadNumberError: a word is not a finite decimal number.
    """
    file = BytesIO(text) if isinstance(text, bytes) else text
    stop = file.seek(0, os.SEEK_END) if stop is None else stop
    keep_freed_memory()
    values: Floats = np.empty(0)
    breaks: list[Places] = []  # how many numbers come before each line end
    count = 0
    for offset, block in _blocks(file, start, stop):
        try:
            numbers, before_break = _parse_block(block)
        except BadNumberError as error:
            raise BadNumberError(error.word.encode("latin-1"), error.offset + offset - len(_PAD)) from None
        breaks.append(before_break + count)
        if count + len(numbers) > len(values):  # room for the rest of the text, should it go on like this
            share = (count + len(numbers)) / (offset + len(block) - start)
            values, shorter = np.empty(int(1.5 * count + 1.02 * share * (stop - start)) + len(numbers)), values
            values[:count] = shorter[:count]
        values[count : count + len(numbers)] = numbers
        count += len(numbers)
    line_counts: Places = np.diff(np.concatenate([[0], *breaks, [count]]).astype(np.int64)).astype(np.int64)
    return Numbers(values=values[:count], line_counts=line_counts[line_counts > 0])


def keep_freed_memory() -> None:
    """Let the C library keep what one block of numbers frees for the next one.

    glibc gives large pieces back to the system at once and takes them anew, page by page, which takes longer than the
    work on them; but it keeps pieces as large as the largest one that was ever freed, up to 32 MiB. Elsewhere this
    does nothing.
    """
    np.empty(1 << 21)  # 16 MiB that nobody touches


def _blocks(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """Cut the text after blanks into padded blocks whose length is a multiple of eight."""
    file.seek(start)
    word = b""  # the beginning of a word that the last block ended in
    while start < stop:
        text = file.read(min(_BLOCK_BYTES, stop - start - len(word)))
        cut = 0
        for blank in _BLANKS:
            cut = text.rfind(blank, cut) + 1 or cut
        if not text or start + len(word) + len(text) >= stop:
            cut = len(text)
        elif not cut:
            word += text
            continue
        size = len(word) + cut
        yield start, b"".join((_PAD, word, memoryview(text)[:cut], b" " * (8 + -size % 8)))
        if not text:
            return  # the file has become shorter
        start, word = start + size, text[cut:]


def _parse_block(block: bytes) -> tuple[Floats, Places]:
    """Parse one padded block; also count the numbers before each CR or LF."""
    chars = np.frombuffer(block, dtype=np.uint8)
    blank = chars - np.uint8(9) <= 4
    blank |= chars == 32
    blanks = np.flatnonzero(blank)[len(_PAD) - 1 :]
    starts, ends = blanks[:-1] + 1, blanks[1:]
    filled = ends > starts
    if not filled.all():
        starts, ends = starts[filled], ends[filled]
    after = chars[blanks]
    line_ends = blanks[(after == 10) | (after == 13)]
    first = chars[starts]
    negative = first == 45
    part_size = _decimals(chars, starts, ends)
    whole_size = ends - starts
    whole_size -= part_size + 1
    whole_size -= negative | (first == 43)
    x = _words(block, ends, part_size)
    part_size = np.maximum(part_size, 0)
    good = _keep_last(x, whole_size, part_size)
    whole, part = _digits_to_int(x)
    scale = _POWERS[np.minimum(part_size, 8)]
    whole *= scale
    whole += part
    values = whole / scale
    values.view(np.uint64)[...] |= negative.astype(np.uint64) << np.uint64(63)
    good &= whole <= _EXACT
    if not good.all():
        hard = ~good
        values[hard] = _parse_hard(block, chars, starts[hard], ends[hard])
    return values, np.searchsorted(starts, line_ends)


def _decimals(chars: NDArray[np.uint8], starts: Places, ends: Places) -> Places:
    """Count the characters behind the decimal point of each number, -1 without a point.

    Of several points in a word the last counts; the others are left to be refused.
    """
    if not starts.size:
        return starts
    guess = int(ends[0] - starts[0]) - 1 - chars[starts[0] : ends[0]].tobytes().rfind(b".")
    if guess < min(8, ends[0] - starts[0]) and bool(np.all(chars[ends - (guess + 1)] == 46)):  # mostly all have as many
        return np.array([guess])
    dots = np.flatnonzero(chars == 46)
    found = ends.copy()
    found[np.searchsorted(starts, dots, side="right") - 1] = dots
    return ends - found - 1


def _words(block: bytes, ends: Places, part_size: Places) -> Words:
    """Load the eight characters before each decimal point and the eight before each end, (2, N).

    Little-endian: the last character is the highest byte. Only words at multiples of eight are loaded, three for each
    number, and shifted into place; NumPy makes 0 of a shift by 64 or more, also of one "below zero".
    """
    aligned: Words = np.frombuffer(block, dtype="<u8")
    index = ends >> 3
    bits = ((ends & 7) << 3).view(np.uint64)
    rest = _64 - bits
    words = np.empty((2, len(ends)), dtype=np.uint64)
    before_dot, last = words
    near = aligned[index - 1]
    before_last = near << rest
    near >>= bits
    rest_of_last = aligned[index]
    rest_of_last <<= rest
    np.bitwise_or(near, rest_of_last, out=last)
    far = aligned[index - 2]
    far >>= bits
    before_last |= far
    dropped = ((part_size + 1) << 3).view(np.uint64)
    np.left_shift(last, dropped, out=before_dot)
    if part_size.max(initial=0) >= 8:
        before_dot |= before_last << (dropped - _64)
    before_last >>= _64 - dropped
    before_dot |= before_last
    return words


def _keep_last(words: Words, whole_size: Places, part_size: Places) -> NDArray[np.bool_]:
    """Turn the digits of (2, N) words from ASCII into numbers, in place, and what stands before them into zeros.

    Returns:
        (N,) whether both words of a number hold digits only, not none and at most eight.
    """
    words ^= _ASCII_ZEROS
    for word, size in zip(words, (whole_size, part_size), strict=True):
        surplus = _64 - (size << 3).view(np.uint64)
        word >>= surplus
        word <<= surplus
    above = words + _ABOVE_9
    above |= words
    above &= _HIGH_BITS
    good: NDArray[np.bool_] = (above[0] | above[1]) == 0
    smallest, largest = whole_size.min(initial=0), max(whole_size.max(initial=0), part_size.max(initial=0))
    if smallest < 0 or largest > 8 or not np.all(part_size):
        good &= (whole_size >= 0) & (whole_size <= 8) & (part_size <= 8) & (whole_size + part_size > 0)
    return good


def _digits_to_int(x: Words) -> Places:
    """Read eight digits, one a byte, as a decimal number; in place."""
    # Neighbours are joined: 8 digits -> 4 numbers below 100 -> 2 below 10^4 -> 1 below 10^8.
    x *= np.uint64(10 * 2**8 + 1)
    x >>= np.uint64(8)
    x &= np.uint64(0x00FF00FF00FF00FF)
    x *= np.uint64(100 * 2**16 + 1)
    x >>= np.uint64(16)
    x &= np.uint64(0x0000FFFF0000FFFF)
    x *= np.uint64(10000 * 2**32 + 1)
    x >>= np.uint64(32)
    return x.view(np.int64)


def _parse_hard(block: bytes, chars: NDArray[np.uint8], starts: Places, ends: Places) -> NDArray[np.float64]:
    """Convert the numbers that are not two short runs of digits; refuse what is no number."""
    bad_before = np.concatenate([[0], np.cumsum(~_NUMBER_BYTES[chars])])  # "nan", "1_000" and "0x1" stop here
    bad = np.flatnonzero(bad_before[ends] != bad_before[starts])
    if bad.size:
        raise BadNumberError(block[starts[bad[0]] : ends[bad[0]]], int(starts[bad[0]]))
    words = [block[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    try:
        if (ends - starts).max() > _LONGEST_IN_ARRAY:  # an array of words gives each as much room as the longest needs
            raise ValueError
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
    for column in range(width):  # column by column, as rows of a few bytes are slow to copy
        text[:, column + (1 if column < whole else 2)] = digits[:, column]
    text[:, whole + 1] = ord(".")
    text[:, -1] = ord(" ")
    text.reshape(*rows.shape, -1)[:, -1, -1] = ord("\n")

    keep = np.ones(text.shape, dtype=np.bool_)
    keep[:, 0] = scaled < 0
    for column in range(whole - 1):  # leading zeros
        keep[:, 1 + column] = numbers >= 10 ** (width - 1 - column)
    return text.ravel().compress(keep.ravel()).tobytes()


def _ascii_digits(numbers: Places, width: int) -> NDArray[np.uint8]:
    """Spell integers as (N, width) characters with leading zeros."""
    groups = -(-width // 4)
    text = np.empty((numbers.size, groups), dtype=_FOUR_DIGITS.dtype)
    rest = numbers
    for group in range(groups - 1, 0, -1):
        higher = rest // 10000
        text[:, group] = _FOUR_DIGITS[rest - higher * 10000]
        rest = higher
    text[:, 0] = _FOUR_DIGITS[rest]
    return text.view(np.uint8).reshape(numbers.size, 4 * groups)[:, -width:]


_FOUR_DIGITS = np.array([f"{n:04d}".encode() for n in range(10000)], dtype="S4").view(np.uint32)
