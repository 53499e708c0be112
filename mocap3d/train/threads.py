"""How many threads torch computes with; the command line itself knows no torch."""

from __future__ import annotations

import torch

from mocap3d.base.errors import InputError

__all__ = ["use_threads"]


def use_threads(count: int) -> None:
    """Let torch compute with so many threads from now on.

    Raises:
        InputError: fewer than one.
    """
    if count < 1:
        raise InputError(f"torch needs at least one thread, got {count}")
    torch.set_num_threads(count)
