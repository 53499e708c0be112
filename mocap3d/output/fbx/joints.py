"""Which nodes of a scene are joints, and how they stand at rest and over time, in metres and Y-up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError
from mocap3d.base.rotations import matrix_to_wxyz, project_to_so3, wxyz_rotate, wxyz_to_matrix
from mocap3d.base.skeleton import ROOT
from mocap3d.output.fbx.scene import Item, Scene
from mocap3d.output.fbx.takes import Take
from mocap3d.output.fbx.transforms import Placement, local_placement

__all__ = ["JointTree", "bind_matrices", "find_joints", "rigid", "world_from_file"]

Floats = NDArray[np.float64]

_BONES = ("LimbNode", "Limb", "Root")
_IGNORES_SCALE = 2  # InheritType of bones that keep their size in a scaled parent


@dataclass(frozen=True, slots=True, eq=False)
class JointTree:
    """The joints of a scene.

    Attributes:
        items: J nodes, parents first.
        parents: J joint indices, ``ROOT`` for those that stand in the world.
        above: of each of the latter, the nodes between the scene and it that are no joints, topmost first.
        world: world_from_file: metres, Y up, facing +Z.
    """

    items: tuple[Item, ...]
    parents: tuple[int, ...]
    above: dict[int, tuple[Item, ...]]
    world: Placement

    def placements(self, take: Take | None) -> Iterator[tuple[Floats, Floats]]:
        """Place each joint in its parent (those without one in the world), at rest or over time.

        Yields:
            place_m (T, 3) and wxyz (T, 4) of a joint; T is 1 where nothing moves.
        """
        units: list[_Unit] = []
        for j, (item, parent) in enumerate(zip(self.items, self.parents, strict=True)):
            local = local_placement(item, take)
            if parent != ROOT:
                yield local.place * units[parent].inside_m, local.wxyz
                units.append(units[parent].below(item, local.scale))
                continue
            whole, unit = self.world, _Unit(self.world.scale, 1.0)
            for node in (*self.above[j], item):
                step = local if node is item else local_placement(node, take)
                whole = whole.then(step, unit.inside_m)
                unit = unit.below(node, step.scale)
            units.append(unit)
            yield whole.place, whole.wxyz


@dataclass(frozen=True, slots=True)
class _Unit:
    """How long the unit is inside a node.

    Attributes:
        inside_m: metres.
        own: the factor in that which is the node's own scale.
    """

    inside_m: float
    own: float

    def below(self, item: Item, scale: float) -> _Unit:
        """The unit inside a child: of its parent's scale some bones keep only where they stand in it."""
        ignores = item.integer("InheritType", 1) == _IGNORES_SCALE
        return _Unit(self.inside_m * scale / (self.own if ignores else 1.0), scale)


def world_from_file(settings: Item) -> Placement:
    """Read axes and unit of a file: metres, +Y up, +X to its right-hand side, +Z to its front.

    Raises:
        FileFormatError: axes that are none, or left-handed ones.
    """
    axes = np.zeros((3, 3))
    for row, (name, default) in enumerate((("CoordAxis", 0), ("UpAxis", 1), ("FrontAxis", 2))):
        axis, sign = settings.integer(name, default), settings.integer(f"{name}Sign", 1)
        if axis not in (0, 1, 2) or sign not in (-1, 1):
            raise settings.error(f"{name} must be an axis 0..2 and its sign 1 or -1, got {axis} and {sign}")
        axes[row, axis] = sign
    if abs(np.linalg.det(axes)) < 0.5 or np.linalg.det(axes) < 0:
        raise settings.error("the axes must be three different, right-handed ones; export with a standard axis system")
    unit_cm = settings.number("UnitScaleFactor", 1.0)
    if not 1e-9 < unit_cm < 1e9:
        raise settings.error(f"UnitScaleFactor must be above 0, got {unit_cm:g}")
    return Placement(np.zeros((1, 3)), matrix_to_wxyz(axes)[None], unit_cm / 100)


def find_joints(scene: Scene) -> JointTree:
    """Find the skeleton: bones, nodes that a skin follows, and what stands between them.

    A file without any of these, as some capture programs write, has a skeleton of its Null nodes.

    Raises:
        FileFormatError: there is none, or nodes hang under themselves.
    """
    models, above = _parents_first(scene)
    bones = {item.identity for item in models if item.sort in _BONES}
    for cluster in scene.of_kind("Deformer", "Cluster"):
        bones |= {item.identity for item in scene.children(cluster, "Model")}
    if not bones:
        bones = {item.identity for item in models if item.sort == "Null"}
    chosen = _with_between(models, above, bones)
    if not chosen:
        raise FileFormatError("the file has no skeleton: no bones, no skin, no Null nodes", path=scene.path)
    index = {model: j for j, model in enumerate(chosen)}
    parents, outside = [], {}
    for model in chosen:
        parents.append(index.get(above[model], ROOT))
        if parents[-1] == ROOT:
            outside[len(parents) - 1] = tuple(models[n] for n in _upwards(above, model))[::-1]
    return JointTree(tuple(models[n] for n in chosen), tuple(parents), outside, world_from_file(scene.settings))


def _upwards(above: list[int], model: int) -> Iterator[int]:
    while (model := above[model]) != ROOT:
        yield model


def _parents_first(scene: Scene) -> tuple[list[Item], list[int]]:
    """List the nodes so that parents come first, and for each its parent in this list.

    The order of the file is kept where it is such an order; otherwise they are listed depth first.
    """
    everything = scene.of_kind("Model")
    waiting = [(item, ROOT) for item in reversed(everything) if not scene.parents(item, "Model")]
    models: list[Item] = []
    above: list[int] = []
    seen: set[int] = set()
    while waiting:
        item, parent = waiting.pop()
        if item.identity in seen:
            raise item.error("it hangs under several nodes")
        seen.add(item.identity)
        waiting += [(child, len(models)) for child in reversed(scene.children(item, "Model"))]
        models.append(item)
        above.append(parent)
    if len(models) < len(everything):
        lost = next(item for item in everything if item.identity not in seen)
        raise lost.error("it hangs under itself")
    place = {item.identity: n for n, item in enumerate(everything)}
    parent_of = {
        place[item.identity]: place[models[parent].identity]
        for item, parent in zip(models, above, strict=True)
        if parent != ROOT
    }
    if all(parent < child for child, parent in parent_of.items()):
        return everything, [parent_of.get(n, ROOT) for n in range(len(everything))]
    return models, above


def _with_between(models: list[Item], above: list[int], bones: set[int]) -> list[int]:
    """List bones and what has bones both above and below."""
    is_bone = [item.identity in bones for item in models]
    over, under = [False] * len(models), list(is_bone)
    for n, parent in enumerate(above):
        over[n] = parent != ROOT and (is_bone[parent] or over[parent])
    for n in range(len(models) - 1, -1, -1):
        if under[n] and above[n] != ROOT:
            under[above[n]] = True
    return [n for n in range(len(models)) if is_bone[n] or (over[n] and under[n])]


def bind_matrices(scene: Scene) -> dict[int, Floats]:
    """Read where nodes stood when they were bound: id -> world_from_node (4, 4), in the unit and axes of the file.

    What a skin says goes before what a pose says.

    Raises:
        FileFormatError: a matrix without 16 finite numbers.
    """
    found: dict[int, Floats] = {}
    for cluster in scene.of_kind("Deformer", "Cluster"):
        for model in scene.children(cluster, "Model"):
            matrix = cluster.floats(cluster.record, "TransformLink", 16).reshape(4, 4).T
            found.setdefault(model.identity, matrix)
    for pose in scene.of_kind("Pose", "BindPose"):
        for node in tuple(pose.record.children or ()):
            if node.name == "PoseNode":
                values = [child.values[0] for child in node.children or () if child.name == "Node" and child.values]
                matrix = pose.floats(node, "Matrix", 16).reshape(4, 4).T
                if values and isinstance(values[0], np.integer):
                    found.setdefault(int(values[0]), matrix)
    return found


def rigid(item: Item, matrix: Floats, world: Placement) -> tuple[Floats, Floats]:
    """Turn world_from_node of a file into place_m (3,) and wxyz (4,), leaving its scale out.

    Raises:
        FileFormatError: the matrix is flat or mirrored.
    """
    axes = matrix[:3, :3]
    size = np.linalg.norm(axes, axis=0)
    if not (size > 1e-9).all() or np.linalg.det(axes / size) < 1e-3:
        raise item.error("its bind matrix is flat or mirrored")
    turned = wxyz_to_matrix(world.wxyz[0]) @ project_to_so3(axes / size)
    return wxyz_rotate(world.wxyz[0], matrix[:3, 3] * world.scale), matrix_to_wxyz(turned)
