"""The nodes of a glTF: who hangs on whom, and where each stands in its parent.

Nodes are walked in lists, never by recursion: a hierarchy may be as deep as the file is long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.rotations import matrix_to_wxyz, project_to_so3, wxyz_to_matrix
from mocap3d.base.skeleton import ROOT
from mocap3d.output.gltf.record import Record

__all__ = ["Nodes", "read_nodes"]

Floats = NDArray[np.float64]

_SHEAR: Final = 1e-3  # how far the axes of a matrix may be from right angles
_SMALLEST_SCALE, _LARGEST_SCALE = 1e-9, 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """All N nodes of a file.

    Attributes:
        records: their JSON.
        parents: of each; ``ROOT`` for those at the top.
        in_scene: those of the scene that is shown, parents first.
        local_m: (N, 3) place in the parent.
        local_wxyz: (N, 4) rotation parent_from_node.
        scales: (N, 3); where one is not positive or a matrix is sheared, NaN.
    """

    records: list[Record]
    parents: list[int]
    in_scene: list[int]
    local_m: Floats
    local_wxyz: Floats
    scales: Floats
    _known: dict[int, Floats] = field(default_factory=lambda: {ROOT: np.eye(4)})  # world_from_node

    def names(self, nodes: list[int]) -> list[str]:
        """List what nodes are called; nothing where they have no name."""
        return [self.records[n].text("name") for n in nodes]

    def uniform_scale(self, node: int) -> float:
        """Read the scale of a node.

        Raises:
            FileFormatError: it differs by axis, or mirrors, so that no body of rigid bones is meant.
        """
        scale = self.scales[node]
        if not np.ptp(scale) <= _SHEAR * np.abs(scale).max():
            raise self.records[node].error(
                "it is scaled by axis, sheared or mirrored; apply the scale and export again"
            )
        return float(scale.mean())

    def world_matrix(self, node: int) -> Floats:
        """Multiply the static matrices from the top down to a node: (4, 4) world_from_node."""
        path = []
        while node not in self._known:
            path.append(node)
            node = self.parents[node]
        matrix = self._known[node]
        for below in reversed(path):
            local = np.eye(4)
            local[:3, :3] = wxyz_to_matrix(self.local_wxyz[below]) * self.uniform_scale(below)
            local[:3, 3] = self.local_m[below]
            matrix = self._known[below] = matrix @ local
        return matrix


def read_nodes(root: Record) -> Nodes:
    """Read every node and find those that the scene shows.

    The scene is the one that the file names, else the first, else all nodes that have no parent.

    Raises:
        FileFormatError: a node with two parents, a cycle, or numbers that make no transform.
    """
    records = root.records("nodes")
    if not records:
        raise root.error("there are no nodes")
    children = [record.indices("children", len(records)) for record in records]
    parents = [ROOT] * len(records)
    for n, below in enumerate(children):
        for child in below:
            if parents[child] != ROOT or child == n:
                raise records[child].error("a node can hang on one other node only")
            parents[child] = n
    scenes = root.records("scenes")
    shown = root.index("scene", len(scenes)) or 0
    tops = scenes[shown].indices("nodes", len(records)) if scenes else [n for n, p in enumerate(parents) if p == ROOT]
    for n in tops:
        if parents[n] != ROOT:
            raise records[n].error("it is at the top of a scene and yet hangs on another node")
    transforms = [_transform(record) for record in records]
    return Nodes(
        records=records,
        parents=parents,
        in_scene=_parents_first(tops, children),  # a cycle has no top, so that it is never walked
        local_m=np.array([t[0] for t in transforms]),
        local_wxyz=np.array([t[1] for t in transforms]),
        scales=np.array([t[2] for t in transforms]),
    )


def _parents_first(tops: list[int], children: list[list[int]]) -> list[int]:
    order: list[int] = []
    waiting = tops[::-1]
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting.extend(reversed(children[node]))
    return order


def _transform(record: Record) -> tuple[Floats, Floats, Floats]:
    """Read (3,) place, (4,) rotation and (3,) scale, from three fields or from a matrix."""
    if record.has("matrix"):
        return _decomposed(record)
    x, y, z, w = record.numbers("rotation", (0.0, 0.0, 0.0, 1.0))
    wxyz = np.array([w, x, y, z])
    length = float(np.linalg.norm(wxyz))
    if not 0.5 < length < 2:
        raise record.error(f"rotation must be a unit quaternion, its length is {length:g}")
    if abs(length - 1) > 1e-9:  # written as float32; what was written exactly stays as it is
        wxyz = wxyz / length
    scale = np.array(record.numbers("scale", (1.0, 1.0, 1.0)))
    usable = ((scale >= _SMALLEST_SCALE) & (scale <= _LARGEST_SCALE)).all()
    return np.array(record.numbers("translation", (0.0, 0.0, 0.0))), wxyz, scale if usable else np.full(3, np.nan)


def _decomposed(record: Record) -> tuple[Floats, Floats, Floats]:
    identity = tuple(np.eye(4).reshape(-1).tolist())
    matrix = np.array(record.numbers("matrix", identity)).reshape(4, 4).T  # glTF stores column after column
    if not np.array_equal(matrix[3], [0, 0, 0, 1]):
        raise record.error("the last row of its matrix must be 0 0 0 1")
    scale = np.linalg.norm(matrix[:3, :3], axis=0)
    broken = matrix[:3, 3], np.array([1.0, 0.0, 0.0, 0.0]), np.full(3, np.nan)
    if not ((scale >= _SMALLEST_SCALE) & (scale <= _LARGEST_SCALE)).all():
        return broken
    axes = matrix[:3, :3] / scale
    if np.abs(axes.T @ axes - np.eye(3)).max() > _SHEAR or np.linalg.det(axes) < 0:
        return broken
    return matrix[:3, 3], matrix_to_wxyz(project_to_so3(axes)), scale
