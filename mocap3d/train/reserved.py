"""Whom nobody may learn from or tune on."""

from __future__ import annotations

from collections.abc import Iterable

from mocap3d.base.errors import InputError

__all__ = ["CMU_RESERVED", "refuse_reserved"]

CMU_RESERVED = ("09", "49", "127", "135")  # for acceptance: never trained or tuned on


def refuse_reserved(subjects: Iterable[str]) -> None:
    """Refuse the subjects of CMU that are kept for acceptance.

    Raises:
        InputError: one of them is among these.
    """
    reserved = set(CMU_RESERVED) & set(subjects)
    if reserved:
        raise InputError(f"subjects {', '.join(sorted(reserved))} are reserved for acceptance")
