"""Joints and skinned vertices of an FBX as Blender imports it: ``read_fbx_with_blender.py FILE OUT.json [IMPORTER]``.

IMPORTER is ``new`` (Blender 5's, built on ufbx) or ``old`` (the Python add-on). Settings are Blender's own, so the
result is what a user sees. OUT.json holds ``names`` (J), ``xyz`` (frames, J, 3) of the bone heads and ``vertices``
(frames, V, 3) or [], in Blender's world (metres, Z up), ``frames``, and ``fps`` of the scene. Needs bpy.
"""

import json
import sys
from pathlib import Path

import bpy


def main(path: str, out: str, importer: str = "new") -> None:
    """Write the positions."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if importer == "old":
        import addon_utils  # there once bpy is

        addon_utils.enable("io_scene_fbx", default_set=True)
        bpy.ops.import_scene.fbx(filepath=path)
    else:
        bpy.ops.wm.fbx_import(filepath=path)
    scene = bpy.context.scene
    armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    meshes = [thing for thing in bpy.data.objects if thing.type == "MESH"]
    bones = list(armature.pose.bones)
    first, last = (round(frame) for frame in armature.animation_data.action.frame_range)
    xyz, vertices = [], []
    for frame in range(first, last + 1):
        scene.frame_set(frame)
        xyz.append([list(armature.matrix_world @ bone.head) for bone in bones])
        for thing in meshes:
            deformed = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
            vertices.append([list(thing.matrix_world @ vertex.co) for vertex in deformed.data.vertices])
    fps = scene.render.fps / scene.render.fps_base
    names = [bone.name for bone in bones]
    result = {"names": names, "xyz": xyz, "vertices": vertices, "frames": last - first + 1, "fps": fps}
    Path(out).write_text(json.dumps(result), encoding="utf-8")


main(*sys.argv[1:])
