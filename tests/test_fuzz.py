"""The fuzzer finds what it is there for: an error that is not ours, an endless loop, a crash, a hunger for memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parent / "support"
FUZZ = Path(__file__).resolve().parents[1] / "scripts" / "fuzz"

PROGRAM = """
import os, runpy, sys, warnings, zlib
sys.path.insert(0, {support!r})
import fuzzing
from mocap3d.base.errors import FileFormatError

def read(path):
    kind = zlib.crc32(path.read_bytes()) % 60
    if kind == 0:
        raise KeyError("a bug")
    if kind == 1:
        while True:
            pass
    if kind == 2:
        bytearray(2**30)
    if kind == 3:
        os.abort()
    if kind == 4:
        warnings.warn("overflow", RuntimeWarning)
    if kind > 30:
        raise FileFormatError("refused", path=path)

sys.modules["bad_reader"] = sys.modules["__main__"]
make = lambda folder: (folder / "seed.txt").write_text("1 2 3 " * 50)
fuzzing.FORMATS["bad"] = fuzzing.Format("bad_reader:read", ".txt", make)
sys.argv = ["fuzz", "bad", "--count", "300", "--seconds", "0.2", "--mib", "300", "--workers", "1", "-o", {output!r}]
runpy.run_path({fuzz!r}, run_name="__main__")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the fuzzer limits processes as Linux does")
def test_each_kind_of_finding_is_told_and_its_file_kept(tmp_path):
    """Catches a fuzzer that finds nothing because it looks for nothing, and one that ends at the first crash."""
    program = PROGRAM.format(support=str(SUPPORT), fuzz=str(FUZZ), output=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    for what in ("KeyError at", "TooLong at", "MemoryError at", "crash: SIGABRT", "RuntimeWarning at"):
        assert what in done.stdout
    counts = re.search(r"(\d+) read, (\d+) refused, (\d+) found", done.stdout)
    assert sum(map(int, counts.groups())) == 300
    assert len(list(tmp_path.glob("*.txt"))) == 2 * 5  # a file and a story each
