"""The log of a training: a CSV file, and the learning curve as a picture."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path
from typing import Any

from mocap3d.base.errors import FileFormatError
from mocap3d.base.files import atomic_path

__all__ = ["draw_curve", "keep_rows", "read_rows", "write_row"]


def write_row(log: Path, row: dict[str, Any]) -> None:
    """Add a row to the log; the first one brings the names of the columns."""
    fresh = not log.exists() or log.stat().st_size == 0
    with log.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def read_rows(log: Path) -> list[dict[str, str]]:
    """The rows of a log; none if there is no such file. A last row that was cut off is left out.

    Raises:
        FileFormatError: not a table of numbers with a column "step".
    """
    if not log.is_file():
        return []
    try:
        with log.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if rows and None in rows[-1].values():
            rows.pop()
        for row in rows:
            row["step"] = str(int(row["step"]))
            _ = [float(value) for value in row.values()]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        raise FileFormatError(
            "not the log of a training, or damaged: move it away and go on without", path=log
        ) from None
    return rows


def keep_rows(log: Path, step: int, columns: Collection[str] = ()) -> None:
    """Drop what was logged after a step: the run goes on from there and will log it again.

    Args:
        log: the file.
        step: the last one to keep.
        columns: what will be logged.

    Raises:
        FileFormatError: not the log of a training, or one with other columns.
    """
    rows = read_rows(log)
    kept = [row for row in rows if int(row["step"]) <= step]
    if kept and columns and set(kept[0]) != set(columns):
        raise FileFormatError("has other columns than this training logs: move it away and go on without", path=log)
    if not log.is_file():
        return
    with atomic_path(log) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        if kept:
            writer = csv.DictWriter(file, kept[0])
            writer.writeheader()
            writer.writerows(kept)


def draw_curve(log: Path, picture: Path) -> None:
    """Draw loss and errors of a log over the steps, as PNG; without matplotlib nothing is drawn."""
    rows = read_rows(log)
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="mm", yscale="log")
    steps = [int(row["step"]) for row in rows]
    for column in (name for name in rows[0] if name.endswith("_mm")):
        label = column.removesuffix("_mm").replace("_", " ")
        axes.plot(steps, [float(row[column]) for row in rows], marker=".", label=label)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    with atomic_path(picture) as temporary:
        figure.savefig(temporary, format="png")
