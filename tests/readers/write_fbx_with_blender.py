"""Import an FBX into Blender and export it again: ``write_fbx_with_blender.py IN.fbx OUT.fbx``; needs bpy.

Both with Blender's own settings: the result is what a user hands us who made a character there. The armature is scaled
by 100, bones point along their Y axis, and there are leaf bones.
"""

import sys

import bpy


def main(path: str, out: str) -> None:
    """Convert the file."""
    import addon_utils  # there once bpy is

    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon_utils.enable("io_scene_fbx", default_set=True)
    bpy.ops.wm.fbx_import(filepath=path)
    scene = bpy.context.scene
    actions = [action.frame_range for action in bpy.data.actions]
    scene.frame_start = round(min(first for first, _ in actions))
    scene.frame_end = round(max(last for _, last in actions))
    bpy.ops.export_scene.fbx(filepath=out, bake_anim_simplify_factor=0.0)


main(*sys.argv[1:])
