"""FBX, Autodesk's binary format: bones, animation, skinned meshes."""

from __future__ import annotations

__all__: list[str] = []
