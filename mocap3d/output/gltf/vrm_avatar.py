"""VRM avatars (.vrm), versions 0.x and 1.0: the file says which node is which bone of the humanoid, whatever its name.

References:
    VRM Consortium, "VRM 0.0" and "VRMC_vrm-1.0", humanoid.
    https://github.com/vrm-c/vrm-specification
"""

from __future__ import annotations

from typing import Final

from mocap3d.output.gltf.nodes import Nodes
from mocap3d.output.gltf.record import Record

__all__ = ["avatar_bones"]

_EXTENSIONS: Final = ("VRMC_vrm", "VRM")  # of version 1.0, of 0.x


def avatar_bones(root: Record, nodes: Nodes) -> dict[str, int]:
    """Read which node is which bone: bone -> node, empty for files that are no avatars.

    Raises:
        FileFormatError: what is said is no table of bones (1.0), or no list of them (0.x).
    """
    extensions = root.record("extensions")
    found = [extensions.record(name) for name in _EXTENSIONS] if extensions is not None else []
    human = next((one.record("humanoid") for one in found if one is not None), None)
    if human is None:
        return {}
    if isinstance(human.fields.get("humanBones"), list):
        rows = [(row.text("bone"), row) for row in human.records("humanBones")]
    else:
        table = human.needed("humanBones")
        rows = [(bone, table.needed(bone)) for bone in table.fields]
    said = {bone: row.index("node", len(nodes.records)) for bone, row in rows}
    return {bone: node for bone, node in said.items() if node is not None}
