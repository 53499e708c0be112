"""What runs in the process that reads USD files; see ``process.py``."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from mocap3d.base.errors import Mocap3dError
from mocap3d.output.archive import write_npz
from mocap3d.output.usd.reader import read_stage

__all__ = ["serve"]


def serve() -> None:
    """Answer requests on standard input until it ends, or something happens after which nothing can be relied on.

    A request is a line of JSON: ``path`` to read, ``to`` write as NPZ, ``seconds`` of processor time, ``mib`` of
    memory. The answer is a line: ``error`` is None or a message, ``last`` says whether the process ends.
    """
    import pxr.UsdSkel  # noqa: F401 - what OpenUSD takes for itself does not count

    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # libraries talk
    for line in sys.stdin:
        answer = _answer(json.loads(line))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if answer["last"]:
            return


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    path = request["path"]
    try:
        _limit(request["seconds"], request["mib"])
        write_npz(read_stage(path), request["to"])
    except Mocap3dError as error:
        return {"error": str(error).removeprefix(f"{path}: "), "last": False}
    except Exception as error:  # of a damaged file; in this process only
        return {"error": f"a broken USD file ({type(error).__name__})", "last": True}
    return {"error": None, "last": False}


def _limit(seconds: float, mib: float) -> None:
    """Let this process take so much more time and memory than it has now, where the system can do it."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime + seconds) + 1
    _set_soft(resource.RLIMIT_CPU, until)
    _set_soft(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
        _set_soft(resource.RLIMIT_AS, pages * resource.getpagesize() + int(mib * 2**20))


def _set_soft(which: int, limit: int) -> None:
    import resource

    hard = resource.getrlimit(which)[1]
    resource.setrlimit(which, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
