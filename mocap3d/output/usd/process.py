"""A process in which OpenUSD reads files: what a damaged file does to it, it does not do to the program.

The process gets a line of JSON for each file, leaves what it read as NPZ, and answers with a line. It limits its own
processor time and memory by the size of the file, where the system can (POSIX); its parent waits only so long.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, cast

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.motion import Motion
from mocap3d.output.archive import read_npz
from mocap3d.output.usd.reader import read_stage
from mocap3d.output.usd.writer import require_usd

__all__ = ["UsdProcess", "read_usd"]

_SECONDS, _SECONDS_PER_MIB = 10.0, 10.0  # of processor time; a file of 60 MiB takes seven
_MIB, _MIB_PER_MIB = 1024.0, 100.0  # of memory, beyond what OpenUSD takes for itself
_PATIENCE: Final = 10.0  # seconds on the clock for each of processor time: the machine may be busy
_START: Final = "import sys; sys.path[:] = sys.argv[1:]; from mocap3d.output.usd.worker import serve; serve()"


def read_usd(path: str | os.PathLike[str]) -> Motion:
    """Read the first skeleton of a USD file, and the animation that is bound to it, in a process of its own.

    Sampled where the animation has its time samples, if they are evenly spaced, else at every time code. A skeleton
    without animation gives one frame, at rest.

    Raises:
        InputError: the file cannot be opened.
        FileFormatError: it is no USD file, holds no skeleton, or joints that are scaled; or OpenUSD crashed, or needed
            far more time or memory than a file of its size can need.
        MissingExtraError: usd-core is not installed.
    """
    with UsdProcess() as process:
        return process.read(path)


class UsdProcess:
    """Reads USD files one after another in one process, which is started when it is needed and replaced when it dies.

    Args:
        seconds: processor time for a file; None goes by its size.
    """

    def __init__(self, *, seconds: float | None = None) -> None:
        """Start nothing yet."""
        require_usd()
        self._seconds = seconds
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> UsdProcess:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the process."""
        self.close()

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def read(self, path: str | os.PathLike[str]) -> Motion:
        """Read a file, as ``read_usd`` does.

        Raises:
            InputError: the file cannot be opened.
            FileFormatError: it cannot be read.
        """
        if not os.path.isfile(path):
            raise InputError(f"there is no file {path}")
        if getattr(sys, "frozen", False) or not sys.executable:  # there is no interpreter to start
            return read_stage(path)
        mib = os.path.getsize(path) / 2**20
        seconds = self._seconds or _SECONDS + _SECONDS_PER_MIB * mib
        with tempfile.TemporaryDirectory(prefix="mocap3d-") as folder:
            found = Path(folder) / "motion.npz"
            request = {"path": os.path.abspath(path), "to": str(found), "seconds": seconds}
            answer = self._ask(request | {"mib": _MIB + _MIB_PER_MIB * mib}, _PATIENCE * (seconds + 1))
            if answer is None:
                message = "OpenUSD crashed over it, or took far longer than a file of its size can take"
                raise FileFormatError(message, path=Path(path))
            if answer["error"] is not None:
                raise FileFormatError(answer["error"], path=Path(path))
            return read_npz(found)

    def _ask(self, request: dict[str, Any], patience: float) -> dict[str, Any] | None:
        """Send a request and wait for the answer; None when the process dies over it, or has to be ended."""
        process = self._started()
        timer = threading.Timer(patience, process.kill)
        timer.start()
        try:
            requests, answers = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
            with contextlib.suppress(OSError):  # it is dead: there is no answer either
                requests.write(json.dumps(request) + "\n")
                requests.flush()
            line = answers.readline()
        finally:
            timer.cancel()
        answer: dict[str, Any] | None = json.loads(line) if line.endswith("\n") else None
        if answer is None or answer["last"]:
            self.close()
        return answer

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, *(entry for entry in sys.path if entry)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env={**os.environ, "PXR_WORK_THREAD_LIMIT": "1", "PYTHONIOENCODING": "utf-8"},
            )
        return self._process
