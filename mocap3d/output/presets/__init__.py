"""What other programs want of a body: names, axes, units, rest pose, root bone; one small file each."""

from __future__ import annotations

__all__: list[str] = []
