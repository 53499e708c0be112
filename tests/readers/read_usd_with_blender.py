"""Joints and vertices of a USD file as Blender imports it: ``read_usd_with_blender.py FILE OUT.json``; needs bpy.

OUT.json holds ``names`` (J), ``xyz`` (frames, J, 3) of the bone heads in Blender's world (metres, Z up), ``vertices``
(frames, V, 3) of the first skinned mesh, ``frames``, and ``fps`` of the scene.
"""

import json
import sys
from pathlib import Path

import bpy


def main(path: str, out: str) -> None:
    """Write the positions."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.usd_import(filepath=path, set_frame_range=True)
    scene = bpy.context.scene
    armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    bodies = [thing for thing in bpy.data.objects if thing.type == "MESH" and thing.find_armature() == armature]
    xyz, vertices = [], []
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        xyz.append([list(armature.matrix_world @ bone.head) for bone in armature.pose.bones])
        if bodies:
            body = bodies[0].evaluated_get(bpy.context.evaluated_depsgraph_get())
            vertices.append([list(body.matrix_world @ vertex.co) for vertex in body.data.vertices])
    result = {
        "names": [bone.name for bone in armature.pose.bones],
        "xyz": xyz,
        "vertices": vertices,
        "frames": len(xyz),
        "fps": scene.render.fps / scene.render.fps_base,
    }
    Path(out).write_text(json.dumps(result), encoding="utf-8")


main(*sys.argv[1:])
