"""glTF 2.0 in one binary file (GLB), and VRM animations (VRMA)."""

from __future__ import annotations

__all__: list[str] = []
