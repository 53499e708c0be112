"""The table of results by action, as papers on Human3.6M print it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import reduce
from operator import add
from typing import Any, Final

from mocap3d.base.errors import InputError
from mocap3d.quality.tally import PoseScores, PoseTally

__all__ = ["ActionTable"]

# Field of PoseScores -> head of its column in Markdown, and on a terminal.
_HEADS: Final = {
    "mpjpe_mm": ("P1 MPJPE, mm", "P1"),
    "p_mpjpe_mm": ("P2 P-MPJPE, mm", "P2"),
    "n_mpjpe_mm": ("P3 N-MPJPE, mm", "P3"),
    "mpjve_mm": ("MPJVE, mm/frame at 50 Hz", "MPJVE"),
    "pck_percent": ("PCK@150 mm, %", "PCK"),
    "auc_percent": ("AUC 0-150 mm, %", "AUC"),
}
_LEGEND: Final = "P1 MPJPE, P2 P-MPJPE, P3 N-MPJPE: mm; MPJVE: mm per frame at 50 Hz; PCK at 150 mm, AUC: %"
_AVERAGE: Final = "average over actions"
_ALL_FRAMES: Final = "all frames together"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActionTable:
    """Errors by action.

    Attributes:
        tallies: action -> what was measured on all its takes, people and cameras together, in the order of the rows.
    """

    tallies: dict[str, PoseTally]

    def __post_init__(self) -> None:
        """Check that there is something."""
        if not self.tallies:
            raise InputError("a table of results needs at least one action")

    @property
    def rows(self) -> dict[str, PoseScores]:
        """Action -> errors: the mean over all joints of all its frames."""
        return {action: tally.scores for action, tally in self.tallies.items()}

    @property
    def average(self) -> PoseScores:
        """The unweighted mean of the rows: each action counts once, as in the field's tables."""
        return PoseScores.mean_of(list(self.rows.values()))

    @property
    def all_frames(self) -> PoseScores:
        """The mean over all frames of all actions: long actions count more."""
        return self._total.scores

    @property
    def frames(self) -> int:
        """How many frames were measured, each camera's counted."""
        return self._total.frames

    @property
    def _total(self) -> PoseTally:
        return reduce(add, self.tallies.values())

    def to_text(self) -> str:
        """The table in columns, for a terminal."""
        rows = list(self._cells(short=True))
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = []
        for name, *numbers in rows:
            cells = [name.ljust(widths[0]), *(n.rjust(w) for n, w in zip(numbers, widths[1:], strict=True))]
            lines.append("  ".join(cells).rstrip())
        ruled = "-" * max(map(len, lines))
        return "\n".join([lines[0], ruled, *lines[1:-2], ruled, *lines[-2:], "", _LEGEND])

    def to_markdown(self) -> str:
        """The same as a Markdown table."""
        head, *rows = self._cells(short=False)
        rule = ["---", *["---:"] * (len(head) - 1)]
        bold = [[cell and f"**{cell}**" for cell in row] if row[0] == _AVERAGE else row for row in rows]
        return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *bold])

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON: "actions" by name, "average" (unweighted), "all_frames", each with all errors."""
        actions = {name: {"frames": tally.frames, **asdict(tally.scores)} for name, tally in self.tallies.items()}
        total = {"frames": self.frames, **asdict(self.all_frames)}
        return {"actions": actions, "average": asdict(self.average), "all_frames": total}

    def _cells(self, *, short: bool) -> Iterator[Sequence[str]]:
        """The head, the actions, the average, the total, as text."""
        names = [item.name for item in fields(PoseScores)]

        def numbers(scores: PoseScores) -> list[str]:
            return [f"{getattr(scores, name):.{2 if name == 'mpjve_mm' else 1}f}" for name in names]

        yield ["action", "frames", *(_HEADS[name][short] for name in names)]
        for action, tally in self.tallies.items():
            yield [action, str(tally.frames), *numbers(tally.scores)]
        yield [_AVERAGE, "", *numbers(self.average)]
        yield [_ALL_FRAMES, str(self.frames), *numbers(self.all_frames)]
