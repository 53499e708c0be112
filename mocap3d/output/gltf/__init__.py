"""glTF 2.0 in one binary file (GLB), VRM avatars and VRM animations (VRMA)."""

from __future__ import annotations

from mocap3d.output.gltf.reader import read_glb, read_glb_character, read_vrm_roles
from mocap3d.output.gltf.vrma import read_vrma, write_vrma
from mocap3d.output.gltf.writer import write_glb

__all__ = ["read_glb", "read_glb_character", "read_vrm_roles", "read_vrma", "write_glb", "write_vrma"]
