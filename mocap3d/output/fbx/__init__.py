"""FBX, Autodesk's binary format: bones, animation, skinned meshes."""

from mocap3d.output.fbx.reader import read_fbx, read_fbx_character
from mocap3d.output.fbx.writer import write_fbx

__all__ = ["read_fbx", "read_fbx_character", "write_fbx"]
