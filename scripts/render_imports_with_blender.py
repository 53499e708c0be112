"""A picture of what Blender's own importers make of files: one lane each, the same frames, bodies or bones.

    PYTHON_WITH_BPY scripts/render_imports_with_blender.py walk.fbx walk.glb walk.bvh picture.png [--samples 48]

docs/blender.png is what this makes of ``mocap3d demo`` (walk.fbx walk.glb walk.bvh), reduced to 256 colours.

Every file is imported with the settings that Blender offers. A file with a mesh is drawn as its mesh, one without as
its bones, which Blender shows in its window but never renders. The name of each file lies on the floor.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import bpy
from mathutils import Matrix, Vector
from render_with_blender import FLAT, look_at, material, stage

IMPORTERS = {
    ".bvh": bpy.ops.import_anim.bvh,
    ".fbx": bpy.ops.wm.fbx_import,
    ".glb": bpy.ops.import_scene.gltf,
    ".usda": bpy.ops.wm.usd_import,
}
LANE_M = 1.35
MOMENTS = (0.33, 0.64, 0.97)  # of the length of the clip
# A bone as Blender draws it, one unit long along Y: two tips, four corners.
BONE = [Vector(v) for v in ((0, 0, 0), (1, 1, 1), (-1, 1, 1), (-1, 1, -1), (1, 1, -1), (0, 10, 0))]
FACES = [(0, 2, 1), (0, 3, 2), (0, 4, 3), (0, 1, 4), (5, 1, 2), (5, 2, 3), (5, 3, 4), (5, 4, 1)]


def load(path: Path) -> tuple[bpy.types.Object, list[bpy.types.Object]]:
    """Import a file beside those already there: its armature and the meshes on it."""
    before = set(bpy.data.objects)
    IMPORTERS[path.suffix](filepath=str(path))
    new = [thing for thing in bpy.data.objects if thing not in before]
    armature = next(thing for thing in new if thing.type == "ARMATURE")
    bodies = [thing for thing in new if thing.type == "MESH" and thing.find_armature() == armature]
    for thing in new:
        thing.hide_render = True
    return armature, bodies


def bones(armature: bpy.types.Object) -> tuple[list[Vector], list[tuple[int, ...]]]:
    """The bones as they stand now."""
    vertices: list[Vector] = []
    faces: list[tuple[int, ...]] = []
    for bone in armature.pose.bones:
        at = armature.matrix_world @ bone.matrix @ Matrix.Scale(bone.length / 10, 4)
        faces += [tuple(corner + len(vertices) for corner in face) for face in FACES]
        vertices += [at @ vertex for vertex in BONE]
    return vertices, faces


def add(name: str, vertices: list[Vector], faces: list[tuple[int, ...]], look: list[bpy.types.Material]) -> None:
    """Add a thing that stands still."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], faces)
    for one in look:
        mesh.materials.append(one)
    bpy.context.collection.objects.link(bpy.data.objects.new(name, mesh))


def lane(path: Path, aside: Vector) -> list[Vector]:
    """Import a file and leave copies of it at the moments; returns where their joints are."""
    armature, bodies = load(path)
    first, last = armature.animation_data.action.frame_range
    places = []
    for moment in MOMENTS:
        frame = first + (last - first) * moment
        bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
        if bodies:
            seen = bodies[0].evaluated_get(bpy.context.evaluated_depsgraph_get())
            copy = bpy.data.objects.new(path.name, bpy.data.meshes.new_from_object(seen))
            copy.matrix_world = Matrix.Translation(aside) @ bodies[0].matrix_world
            bpy.context.collection.objects.link(copy)
        else:
            vertices, faces = bones(armature)
            look = [material("bone", (0.85, 0.45, 0.05), roughness=0.5)]
            add(path.name, [vertex + aside for vertex in vertices], faces, look)
        places += [armature.matrix_world @ bone.head + aside for bone in armature.pose.bones]
    return places


def label(text: str, place: Vector, along: Vector) -> None:
    """Write on the floor, level in the eyes of the camera of ``look_at``."""
    curve = bpy.data.curves.new(text, "FONT")
    curve.body, curve.size = text, 0.3
    curve.materials.append(material("label", (0.02, 0.02, 0.02), roughness=0.9))
    thing = bpy.data.objects.new(text, curve)
    thing.location = (place.x, place.y, 0.01)
    right = Vector((0.9 * along.x - 0.45 * along.y, 0.9 * along.y + 0.45 * along.x))
    thing.rotation_euler = (0, 0, math.atan2(right.y, right.x))
    bpy.context.collection.objects.link(thing)


def main() -> None:
    """Read the arguments, import, render."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("png", type=Path)
    parser.add_argument("--samples", type=int, default=48)
    options = parser.parse_args()

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    points, along, aside = [], Vector((1, 0, 0)), Vector((0, 0, 0))
    for n, path in enumerate(options.files):
        places = lane(path, aside * n * LANE_M)
        if n == 0:  # which way it goes; the others walk beside it
            per_frame = len(places) // len(MOMENTS)
            along = ((places[-per_frame] - places[0]) * FLAT).normalized()
            aside = Vector((-along.y, along.x, 0))
        points += places
        end = places[-per_frame] * FLAT + along * 0.55
        label(path.name, end, along)
        points.append(end + along * 1.3)
    points += [point * FLAT for point in points] + [point + Vector((0, 0, 0.25)) for point in points]
    stage(0.0, points[0])
    look_at(points, along)
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", options.samples, True
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 1080, 500, 100
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.render.dither_intensity = 0.0  # noise makes a PNG large
    scene.render.filepath = str(options.png.resolve())
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    main()
