"""Damaged copies of files, the same ones for the same seed: what every parser must survive.

Half of the changes do not know what a file holds (bits, blocks, ends), the others look for what parsers trip over:
numbers in text, and lengths, counts and floats in binary.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from random import Random

__all__ = ["mutations"]

_NUMBER = re.compile(rb"[-+]?\d[\d.]*(?:[eE][-+]?\d+)?")
_NEAR = 200  # bytes searched for a number, so that large files cost no more than small ones
_TEXT_EXTREMES = (
    b"0", b"-0", b"-1", b"1e308", b"-1e308", b"1e309", b"1e-320", b"1e999999999", b"nan", b"NaN", b"inf", b"-Infinity",
    b"127", b"128", b"255", b"256", b"65535", b"65536", b"2147483647", b"2147483648", b"-2147483649", b"4294967296",
    b"9223372036854775807", b"18446744073709551616", b"1000000000", b"0x10", b"1_000", b"1,5", b"--1", b"1.2.3", b"",
    b"9" * 40, b"9" * 400, b"0." + b"0" * 400 + b"1", "\u0663".encode(), b"1e", b".", b"-",
)  # fmt: skip
_WHOLE_EXTREMES = (0, 1, 2**7 - 1, 2**7, 2**8 - 1, 2**15 - 1, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_WHOLE_EXTREMES += (2**32, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
_FLOAT_EXTREMES = (0.0, -0.0, 1e-45, 1e38, -1e38, 1e300, 5e-324, float("nan"), float("inf"), float("-inf"))
_WORDS = (b"{", b"}", b"[", b"]", b'"', b"\\", b"<", b">", b",", b":", b"\n", b"\r", b"\r\n", b"\t", b" ", b"\0",
          b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\x1a", b"\xc3", b"\xed\xa0\x80", b"null", b"true", b"%s",
          b"../../x", b"\xe2\x80\xae", b"[" * 2000, b"{" * 2000, b'{"a":' * 2000)  # fmt: skip


def mutations(data: bytes, count: int, seed: int, start: int = 0) -> Iterator[bytes]:
    """Make damaged copies of a file: each has one to six changes, is not the original, and at most twice as long.

    Flipped bits, bytes put in, taken out, repeated or exchanged, ends cut off, blocks swapped, numbers in text and in
    binary made extreme. Copy n depends on ``data``, ``seed`` and n only.

    Args:
        data: the file; empty data gets bytes put in.
        count: how many.
        seed: another one gives other copies.
        start: the number of the first copy.
    """
    longest = 2 * len(data) + 64
    for n in range(start, start + count):
        rng = Random(f"{seed} {n}")
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
            rng.choice(_CHANGES)(changed, rng)
        del changed[longest:]
        if changed == data:
            changed.append(rng.randrange(256))
        yield bytes(changed)


def _flip(data: bytearray, rng: Random) -> None:
    for _ in range(rng.choice((1, 1, 8))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: Random) -> None:
    start, stop = _stretch(data, rng, 16)
    data[start:stop] = rng.randbytes(stop - start)


def _insert(data: bytearray, rng: Random) -> None:
    at = rng.randint(0, len(data))
    data[at:at] = rng.choice(_WORDS) if rng.random() < 0.7 else rng.randbytes(rng.randint(1, 16))


def _delete(data: bytearray, rng: Random) -> None:
    start, stop = _stretch(data, rng, rng.choice((1, 8, 64, 4096)))
    del data[start:stop]


def _duplicate(data: bytearray, rng: Random) -> None:
    start, stop = _stretch(data, rng, rng.choice((8, 64, 4096)))
    data[stop:stop] = data[start:stop]


def _copy_over(data: bytearray, rng: Random) -> None:
    start, stop = _stretch(data, rng, 64)
    at = rng.randint(0, len(data))
    data[at : at + stop - start] = data[start:stop]


def _truncate(data: bytearray, rng: Random) -> None:
    near_end = rng.random() < 0.3
    del data[rng.randint(max(0, len(data) - 64) if near_end else 0, len(data)) :]


def _swap_blocks(data: bytearray, rng: Random) -> None:
    a, b, c = sorted(rng.randint(0, len(data)) for _ in range(3))
    if rng.random() < 0.7:  # neighbours of some lines, not of half the file
        size = rng.choice((8, 64, 512))
        a, c = max(a, b - size), min(c, b + size)
    data[a:c] = data[b:c] + data[a:b]


def _swap_lines(data: bytearray, rng: Random) -> None:
    ends = []
    at = rng.randint(0, len(data))
    while len(ends) < 3 and (at := data.find(b"\n", at) + 1) > 0:
        ends.append(at)
    if len(ends) == 3:
        a, b, c = ends
        data[a:c] = data[b:c] + data[a:b]


def _extreme_text(data: bytearray, rng: Random) -> None:
    at = rng.randint(0, len(data))
    found = _NUMBER.search(data, at, at + _NEAR)
    if found is None:
        found = _NUMBER.search(data, 0, _NEAR)
    if found is not None:
        start, stop = found.span()
        data[start:stop] = rng.choice(_TEXT_EXTREMES)


def _extreme_whole(data: bytearray, rng: Random) -> None:
    size = rng.choice((1, 2, 4, 8))
    value = rng.choice(_WHOLE_EXTREMES) + rng.choice((0, 0, -1, 1, len(data)))
    _put(data, rng, (value % 256**size).to_bytes(size, rng.choice(("little", "big"))))


def _extreme_float(data: bytearray, rng: Random) -> None:
    value = rng.choice(_FLOAT_EXTREMES)
    form = rng.choice(("<f", ">f", "<d", ">d"))
    small = abs(value) < 3e38 or value != value or abs(value) == float("inf")
    _put(data, rng, struct.pack(form if small else form.replace("f", "d"), value))


def _nudge(data: bytearray, rng: Random) -> None:
    """Add a little to a byte: counts and lengths that are off by one."""
    if data:
        at = rng.randrange(min(len(data), 512) if rng.random() < 0.4 else len(data))
        data[at] = (data[at] + rng.choice((-2, -1, 1, 2))) % 256


def _put(data: bytearray, rng: Random, value: bytes) -> None:
    """Overwrite, aligned as numbers in files mostly are, and often in the header."""
    limit = min(len(data), 512) if rng.random() < 0.4 else len(data)
    at = rng.randint(0, limit)
    if rng.random() < 0.7:
        at -= at % len(value)
    data[at : at + len(value)] = value


def _stretch(data: bytearray, rng: Random, longest: int) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.randint(1, longest))


_CHANGES = (_flip, _overwrite, _insert, _delete, _duplicate, _copy_over, _truncate, _swap_blocks, _swap_lines)
_CHANGES += (_extreme_text, _extreme_text, _extreme_whole, _extreme_float, _nudge)
