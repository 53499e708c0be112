"""Joint positions of a BVH as Blender imports it: ``read_with_blender.py FILE OUT.json [STRIDE]``; needs bpy.

Import settings are Blender's own (scale 1, Y up, -Z forward), so the result is what a user sees. OUT.json holds
``names`` (J), ``xyz`` (frames, J, 3) of the bone heads in Blender's world (metres, Z up), ``frames``, and ``fps`` of
the scene.
"""

import json
import sys
from pathlib import Path

import bpy


def main(path: str, out: str, stride: str = "1") -> None:
    """Write the positions."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_anim.bvh(filepath=path, update_scene_fps=True)
    scene = bpy.context.scene
    armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    bones = list(armature.pose.bones)
    first, last = (round(frame) for frame in armature.animation_data.action.frame_range)  # Blender starts at frame 1
    xyz = []
    for frame in range(first, last + 1, int(stride)):
        scene.frame_set(frame)
        xyz.append([list(armature.matrix_world @ bone.head) for bone in bones])
    fps = scene.render.fps / scene.render.fps_base
    result = {"names": [bone.name for bone in bones], "xyz": xyz, "frames": last - first + 1, "fps": fps}
    Path(out).write_text(json.dumps(result), encoding="utf-8")


main(*sys.argv[1:])
