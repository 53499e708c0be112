"""What the benchmarks share: the machine's name, peak memory, tables, and the JSON line. Standard library only.

It also runs in the environments of the programs that we compare with.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Figure", "json_line", "machine", "peak_memory_mib", "progress", "table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured quantity, ours beside that of what people would use instead.

    Attributes:
        key: its name in the JSON line.
        ours: our value.
        against: the other's, in the same unit.
        higher_is_better: frames per second, or else seconds, bytes and millimetres.
    """

    key: str
    ours: float
    against: float
    higher_is_better: bool = False

    @property
    def ratio(self) -> float:
        """Above 1 we are better."""
        return self.ours / self.against if self.higher_is_better else self.against / self.ours


def json_line(name: str, figures: Sequence[Figure]) -> str:
    """One line for machines: name, machine, figures, against, ratio; each key stands in all three."""
    line = {
        "name": name,
        "machine": machine(),
        "figures": {figure.key: round(figure.ours, 4) for figure in figures},
        "against": {figure.key: round(figure.against, 4) for figure in figures},
        "ratio": {figure.key: round(figure.ratio, 4) for figure in figures},
    }
    return json.dumps(line)


def machine() -> str:
    """Processor, usable cores, system and Python, in words."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cpu}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def peak_memory_mib() -> float:
    """The most memory this process has held (resident), MiB.

    Linux says it per program in VmHWM. ``ru_maxrss`` there starts from what the parent held when it forked, and is
    asked only where /proc is not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns: the first to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(w) if n == 0 else cell.rjust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        return f"| {' | '.join(cells)} |"

    rule = [("-" * w) if n == 0 else "-" * (w - 1) + ":" for n, w in enumerate(widths)]
    return "\n".join([line(head), line(rule), *(line(row) for row in rows)])


def progress(message: str) -> None:
    """Tell the person who waits; standard output is for results."""
    print(message, file=sys.stderr, flush=True)
