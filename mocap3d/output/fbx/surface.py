"""The mesh objects of an FBX: a node, its geometry and materials, and a skin that binds it to the bones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.mesh import SkinnedMesh
from mocap3d.output.fbx.bones import Bones
from mocap3d.output.fbx.document import ROOT_ID, Objects, properties
from mocap3d.output.fbx.records import Record, Value

__all__ = ["add_mesh", "column_major", "node_properties"]

Floats = NDArray[np.float64]


def node_properties(place: Floats, *more: tuple[Value, ...]) -> Record:
    """Properties of a node at ``place`` (3), unturned and unscaled. InheritType 1: transforms multiply as matrices."""
    return properties(
        *more,
        ("RotationActive", "bool", "", "", 1),
        ("InheritType", "enum", "", "", 1),
        ("DefaultAttributeIndex", "int", "Integer", "", 0),
        ("Lcl Translation", "Lcl Translation", "", "A", *map(float, place)),
        ("Lcl Rotation", "Lcl Rotation", "", "A", 0.0, 0.0, 0.0),
        ("Lcl Scaling", "Lcl Scaling", "", "A", 1.0, 1.0, 1.0),
    )


def column_major(matrix: Floats) -> Floats:
    """Spell a_from_b (4, 4) as FBX does, 16 numbers column by column."""
    return np.ascontiguousarray(matrix.T).ravel()


def add_mesh(objects: Objects, mesh: SkinnedMesh, bones: Bones, models: list[np.int64]) -> np.int64:
    """Add a mesh that stands at the origin.

    Args:
        objects: where it goes.
        mesh: what to add.
        bones: that it follows.
        models: ids of the bones' nodes.

    Returns:
        The id of its node.

    Raises:
        InputError: it follows joints that are not written, or has an impossible name.
    """
    mesh.check(bones.motion.rig)
    if ((mesh.joints < bones.dropped) & (mesh.weights > 0)).any():
        raise InputError(f"mesh {mesh.name!r} follows the synthetic root of several roots, which no FBX has")
    for name in (mesh.name, *(material.name for material in mesh.materials)):
        if "\x00" in name:
            raise InputError(f"an FBX cannot hold the name {name!r}: it has a zero character")
    geometry = objects.add("Geometry", mesh.name, "Mesh", _geometry(mesh, bones.unit_m))
    about = (Record("Version", (232,)), node_properties(np.zeros(3)))
    tail = (Record("Shading", (True,)), Record("Culling", ("CullingOff",)))
    model = objects.add("Model", mesh.name, "Mesh", (*about, *tail))
    objects.connect(model, ROOT_ID)
    objects.connect(geometry, model)
    for material in mesh.materials:  # in this order: polygons point to them by number
        colour = (float(part) for part in material.rgb)
        rows = properties(("DiffuseColor", "Color", "", "A", *colour), ("DiffuseFactor", "Number", "", "A", 1.0))
        children = (Record("Version", (102,)), Record("ShadingModel", ("lambert",)), Record("MultiLayer", (0,)), rows)
        objects.connect(objects.add("Material", material.name, "", children), model)
    _add_skin(objects, mesh, bones, models, geometry)
    return model


def _geometry(mesh: SkinnedMesh, unit_m: float) -> Iterator[Record]:
    corners = mesh.triangles.astype(np.int32)
    polygons = corners.copy()
    polygons[:, 2] = ~corners[:, 2]  # the last corner of a polygon is negated bit by bit
    yield Record("GeometryVersion", (124,))
    yield Record("Vertices", ((mesh.vertices_m / unit_m).ravel(),))
    yield Record("PolygonVertexIndex", (polygons.ravel(),))
    normals = Record("Normals", (mesh.normals[corners.ravel()].ravel(),))
    yield _layer_element("LayerElementNormal", 101, "ByPolygonVertex", "Direct", normals)
    smooth = Record("Smoothing", (np.ones(len(corners), dtype=np.int32),))  # Unreal complains where there is none
    yield _layer_element("LayerElementSmoothing", 102, "ByPolygon", "Direct", smooth)
    mapping, of_polygon = "ByPolygon", mesh.material.astype(np.int32)
    if len(mesh.materials) == 1:
        mapping, of_polygon = "AllSame", np.zeros(1, dtype=np.int32)
    yield _layer_element("LayerElementMaterial", 101, mapping, "IndexToDirect", Record("Materials", (of_polygon,)))
    elements = [
        Record("LayerElement", (), (Record("Type", (kind,)), Record("TypedIndex", (0,))))
        for kind in ("LayerElementNormal", "LayerElementSmoothing", "LayerElementMaterial")
    ]
    yield Record("Layer", (0,), (Record("Version", (100,)), *elements))


def _layer_element(name: str, version: int, mapping: str, reference: str, content: Record) -> Record:
    head = (
        Record("Version", (version,)),
        Record("Name", ("",)),
        Record("MappingInformationType", (mapping,)),
        Record("ReferenceInformationType", (reference,)),
    )
    return Record(name, (0,), (*head, content))


def _add_skin(objects: Objects, mesh: SkinnedMesh, bones: Bones, models: list[np.int64], geometry: np.int64) -> None:
    """Add the skin, and a cluster for each joint: three.js and FBX2glTF know only bones that have one."""
    children = (Record("Version", (101,)), Record("Link_DeformAcuracy", (50.0,)))  # so misspelt in the format
    skin = objects.add("Deformer", f"{mesh.name} skin", "Skin", children)
    objects.connect(skin, geometry)
    for bone, joint in enumerate(bones.joint_of):
        cluster = objects.add(
            "Deformer", bones.names[bone], "Cluster", _cluster(mesh, bones, bone, joint), of="SubDeformer"
        )
        objects.connect(cluster, skin)
        objects.connect(models[bone], cluster)


def _cluster(mesh: SkinnedMesh, bones: Bones, bone: int, joint: int) -> Iterator[Record]:
    weights = np.where(mesh.joints == joint, mesh.weights, 0.0).sum(axis=1)
    vertices = np.flatnonzero(weights)
    world_from_bone = bones.matrix(bone)
    bone_from_mesh: Floats = np.asarray(np.linalg.inv(world_from_bone), dtype=np.float64)  # when it was bound
    yield Record("Version", (100,))
    yield Record("UserData", ("", ""))
    if vertices.size:
        yield Record("Indexes", (vertices.astype(np.int32),))
        yield Record("Weights", (weights[vertices],))
    yield Record("Transform", (column_major(bone_from_mesh),))
    yield Record("TransformLink", (column_major(world_from_bone),))
