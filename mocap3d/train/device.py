"""Which device torch computes on, asked before any work begins."""

from __future__ import annotations

import re

import torch

from mocap3d.base.errors import InputError

__all__ = ["check_device"]


def check_device(device: str) -> None:
    """Refuse a device that is not there.

    Args:
        device: "cpu", "cuda", or "cuda:1" and so on.

    Raises:
        InputError: another name, or there is no such CUDA device here.
    """
    match = re.fullmatch(r"cpu|cuda(?::(\d{1,3}))?", device)
    if match is None:
        raise InputError(f"the device must be cpu, cuda or cuda:NUMBER, not {device!r}")
    if device == "cpu":
        return
    if not torch.cuda.is_available():
        raise InputError(f"there is no CUDA device for --device {device}")
    if int(match[1] or 0) >= torch.cuda.device_count():
        raise InputError(f"there is no {device}: torch sees {torch.cuda.device_count()} CUDA devices")
