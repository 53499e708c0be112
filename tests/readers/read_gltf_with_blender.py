"""Joints and vertices of a GLB as Blender imports it: ``read_gltf_with_blender.py FILE FPS OUT.json [AGAIN.glb]``.

The scene is set to the rate first, since Blender's importer places keys by the scene's rate and does not change it.
(Its glTF add-on takes that to be ``fps * fps_base``, while Blender itself plays ``fps / fps_base``: for 29.97 the base
must be 0.999 here.) OUT.json holds ``names`` (J), ``xyz`` (frames, J, 3) of the bone heads in Blender's world (metres,
Z up), ``vertices`` (frames, V, 3) of the first skinned mesh, and ``frames``. With AGAIN.glb, Blender also exports what
it read.
"""

import json
import sys
from fractions import Fraction
from pathlib import Path

import bpy


def main(path: str, rate: str, out: str, again: str = "") -> None:
    """Write the positions."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    fps = Fraction(rate)
    scene = bpy.context.scene
    scene.render.fps = round(fps)
    scene.render.fps_base = float(fps) / round(fps)
    bpy.ops.import_scene.gltf(filepath=path)
    armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    bodies = [thing for thing in bpy.data.objects if thing.type == "MESH" and thing.find_armature() == armature]
    first, last = (round(frame) for frame in armature.animation_data.action.frame_range)
    xyz, vertices = [], []
    for frame in range(first, last + 1):
        scene.frame_set(frame)
        xyz.append([list(armature.matrix_world @ bone.head) for bone in armature.pose.bones])
        if bodies:
            body = bodies[0].evaluated_get(bpy.context.evaluated_depsgraph_get())
            vertices.append([list(body.matrix_world @ vertex.co) for vertex in body.data.vertices])
    names = [bone.name for bone in armature.pose.bones]
    result = {"names": names, "xyz": xyz, "vertices": vertices, "frames": last - first + 1}
    Path(out).write_text(json.dumps(result), encoding="utf-8")
    if again:
        scene.frame_start, scene.frame_end = first, last
        for thing in [thing for thing in bpy.data.objects if thing.type == "MESH" and thing not in bodies]:
            bpy.data.objects.remove(thing)  # the shape that the importer draws bones with
        bpy.ops.export_scene.gltf(filepath=again, export_optimize_animation_size=False)


main(*sys.argv[1:])
