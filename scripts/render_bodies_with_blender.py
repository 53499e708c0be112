"""A picture of one motion on several bodies: a row of files with meshes for each moment.

    PYTHON_WITH_BPY scripts/render_bodies_with_blender.py a.glb b.glb c.glb bodies.png [--moments 0.2 0.6]

Every file is imported by Blender's own importer; the bodies are moved beside each other, their names lie in front.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import bpy
from mathutils import Matrix, Vector
from render_imports_with_blender import load
from render_with_blender import look_at, material, stage

GAP_M = 1.25


def places(armature: bpy.types.Object) -> list[Vector]:
    """Where the joints are now."""
    return [armature.matrix_world @ bone.head for bone in armature.pose.bones]


Body = tuple[Path, bpy.types.Object, list[bpy.types.Object]]


def row(bodies: list[Body], moment: float, depth: float) -> list[Vector]:
    """Leave a copy of every body as it is at a moment; returns where their joints are."""
    joints: list[Vector] = []
    for n, (path, armature, meshes) in enumerate(bodies):
        first, last = armature.animation_data.action.frame_range
        frame = first + (last - first) * moment
        bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
        at = places(armature)
        middle = sum(at, Vector()) / len(at)
        aside = Matrix.Translation(Vector((n * GAP_M - middle.x, depth - middle.y, 0)))
        for mesh in meshes:
            seen = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
            copy = bpy.data.objects.new(path.stem, bpy.data.meshes.new_from_object(seen))
            copy.matrix_world = aside @ mesh.matrix_world
            bpy.context.collection.objects.link(copy)
        joints += [aside @ place for place in at]
    return joints


def label(text: str, x: float, depth: float) -> None:
    """A name on the floor in front of a body."""
    bpy.ops.object.text_add(location=(x, depth - 0.62, 0.005))
    name = bpy.context.object
    name.data.body, name.data.size, name.data.align_x = text, 0.2, "CENTER"
    name.data.materials.append(material("label", (0.02, 0.02, 0.02), roughness=0.9))


def main() -> None:
    """Read the command line, import, render."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--moments", type=float, nargs="+", default=[0.5])
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=640)
    parser.add_argument("--turn", type=float, default=0.0, help="degrees the camera stands aside of the front")
    options = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bodies = [(path, *load(path)) for path in options.files]
    joints: list[Vector] = []
    for n, moment in enumerate(options.moments):
        joints += row(bodies, moment, depth=n * 1.9)
    for n, path in enumerate(options.files):
        label(path.stem, n * GAP_M, 0.0)
    stage(0.0, Vector((len(bodies) * GAP_M / 2, 0, 0)))
    joints += [Vector((n * GAP_M, -0.7, 0)) for n in range(len(bodies))]
    angle = math.radians(options.turn - 26.6)  # look_at stands that much ahead of the side of a way
    look_at(joints, Vector((math.cos(angle), math.sin(angle), 0)))
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", options.samples, True
    scene.render.resolution_x, scene.render.resolution_y = options.width, options.height
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.render.dither_intensity = 0.0  # noise makes a PNG large
    scene.render.filepath = str(options.picture.resolve())
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    main()
