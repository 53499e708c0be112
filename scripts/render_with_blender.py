"""A picture of a BVH as Blender reads it: several poses along the way, on a floor, in the light.

    PYTHON_WITH_BPY scripts/render_with_blender.py walk.bvh walk.png [--poses 6] [--scale 1] [--samples 48]

Cycles on the CPU, so it needs no display and no graphics card. The body is drawn from the joints alone: tapered limbs,
melted into one skin; how thick they are is guessed from the names of the joints.
"""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path

import bpy
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Matrix, Vector

# Radius at a joint in metres for a person of 1.75 m: the first pattern found in the lower-case name counts.
RADII = (
    ("finger|thumb|index|middle|ring|pinky", 0.012), ("hand|wrist", 0.032), ("forearm|lowerarm|elbow|radius", 0.04),
    ("shoulder|clav|collar", 0.06), ("arm|humerus|shldr", 0.05), ("toe|ball", 0.03), ("foot|ankle", 0.042),
    ("upleg|upperleg|thigh|femur|hipjoint", 0.082), ("leg|shin|calf|knee|tibia", 0.058), ("head", 0.055),
    ("neck", 0.056), ("trunk", 0.078), ("chest|spine|torso|abdomen", 0.105), ("", 0.1),
)  # fmt: skip
FLAT = Vector((1, 1, 0))
LAST, FIRST = (0.85, 0.13, 0.04), (0.10, 0.28, 0.50)  # linear colours of the last and the first pose


def load(path: Path, scale: float) -> bpy.types.Object:
    """Import the BVH into an empty scene with Blender's own importer."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_anim.bvh(filepath=str(path), global_scale=scale)
    armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    armature.hide_render = True
    return armature


def limbs_at(armature: bpy.types.Object, frame: int) -> list[tuple[str, str, Vector, Vector]]:
    """List (joint, next joint or "", place, place) in the world for each bone and each tip."""
    bpy.context.scene.frame_set(frame)
    world = armature.matrix_world
    limbs = []
    for bone in armature.pose.bones:
        limbs += [(bone.name, child.name, world @ bone.head, world @ child.head) for child in bone.children]
        if not bone.children:
            limbs.append((bone.name, "", world @ bone.head, world @ bone.tail))
    return limbs + trunk({bone.name: world @ bone.head for bone in armature.pose.bones})


def trunk(places: dict[str, Vector]) -> list[tuple[str, str, Vector, Vector]]:
    """Fill the trunk between the upper arms and the thighs, where a skeleton has but a spine."""
    found = [
        next((at for name, at in places.items() if re.search(f"(?i)(^|[^a-z]){side}.*({part})$", name)), None)
        for side in ("left", "right") for part in ("upperarm|(?<!fore)arm", "upperleg|upleg|thigh")
    ]  # fmt: skip
    if None in found:
        return []
    left_arm, left_leg, right_arm, right_leg = found
    left, right = left_arm.lerp(right_arm, 0.27), right_arm.lerp(left_arm, 0.27)
    low_left, low_right = left_leg.lerp(left, 0.12), right_leg.lerp(right, 0.12)
    return [
        ("trunk", "trunk", a, b)
        for a, b in ((left, low_left), (right, low_right), (left, right), (low_left, low_right))
    ]


def radius(name: str) -> float:
    """Guess how thick a body is at a joint."""
    return next(value for pattern, value in RADII if re.search(pattern, name.lower()))


def body(limbs: list[tuple[str, str, Vector, Vector]], size: float, colour: tuple[float, float, float]) -> None:
    """Add one figure: spheres along every limb, melted together by a voxel remesh."""
    mesh = bpy.data.meshes.new("body")
    vertices: list[Vector] = []
    faces: list[tuple[int, ...]] = []
    ball = _ball()
    for start_name, end_name, start, end in limbs:
        first, last = radius(start_name) * size, radius(end_name or start_name) * size * (1 if end_name else 0.8)
        if "head" in start_name.lower() and not end_name:  # an egg instead of a stick
            up = (end - start).normalized() * size
            first, last, start, end = 0.082 * size, 0.098 * size, start + up * 0.055, start + up * 0.125
        steps = max(2, math.ceil((end - start).length / (0.25 * min(first, last))))
        for step in range(steps + 1):
            t = step / steps
            bulge = 1 + 0.12 * math.sin(math.pi * t)
            place = Matrix.Translation(start.lerp(end, t)) @ Matrix.Scale((first + (last - first) * t) * bulge, 4)
            faces += [tuple(corner + len(vertices) for corner in face) for face in ball[1]]
            vertices += [place @ vertex for vertex in ball[0]]
    mesh.from_pydata(vertices, [], faces)
    figure = bpy.data.objects.new("body", mesh)
    bpy.context.collection.objects.link(figure)
    remesh = figure.modifiers.new("melt", "REMESH")
    remesh.mode, remesh.voxel_size, remesh.use_smooth_shade = "VOXEL", 0.011 * size, True
    smooth = figure.modifiers.new("smooth", "SMOOTH")
    smooth.iterations = 14
    mesh.materials.append(material("body", colour, roughness=0.45))


def _ball() -> tuple[list[Vector], list[tuple[int, ...]]]:
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=2, radius=1)
    ball = bpy.context.object
    result = ([v.co.copy() for v in ball.data.vertices], [tuple(p.vertices) for p in ball.data.polygons])
    bpy.data.objects.remove(ball)
    return result


def material(name: str, colour: tuple[float, float, float], roughness: float) -> bpy.types.Material:
    """Make a plain material."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1)
    shader.inputs["Roughness"].default_value = roughness
    return made


def stage(floor_z: float, centre: Vector) -> None:
    """Add floor, sun and sky."""
    bpy.ops.mesh.primitive_plane_add(size=400, location=(round(centre.x), round(centre.y), floor_z))
    floor = material("floor", (0.5, 0.5, 0.5), roughness=0.8)
    bpy.context.object.data.materials.append(floor)
    nodes, links = floor.node_tree.nodes, floor.node_tree.links
    tiles = nodes.new("ShaderNodeTexChecker")  # squares of one metre
    tiles.inputs["Color1"].default_value, tiles.inputs["Color2"].default_value = (
        (0.40, 0.43, 0.46, 1),
        (0.46, 0.49, 0.52, 1),
    )
    tiles.inputs["Scale"].default_value = 1.0
    links.new(nodes.new("ShaderNodeTexCoord").outputs["Object"], tiles.inputs["Vector"])
    links.new(tiles.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    bpy.ops.object.light_add(type="SUN", rotation=(math.radians(48), math.radians(8), math.radians(-35)))
    bpy.context.object.data.energy, bpy.context.object.data.angle = 3.2, math.radians(6)
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.80, 0.87, 0.95, 1)
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.75
    bpy.context.scene.world = world


def trail(points: list[Vector], floor_z: float, size: float) -> None:
    """Draw the way of the hips on the floor."""
    curve = bpy.data.curves.new("trail", "CURVE")
    curve.dimensions, curve.bevel_depth = "3D", 0.008 * size
    line = curve.splines.new("POLY")
    line.points.add(len(points) - 1)
    for point, place in zip(line.points, points, strict=True):
        point.co = (place.x, place.y, floor_z + 0.004, 1)
    curve.materials.append(material("trail", LAST, roughness=0.6))
    bpy.context.collection.objects.link(bpy.data.objects.new("trail", curve))


def look_at(points: list[Vector], along: Vector) -> None:
    """Place the camera beside the way, a little in front and above, so far off that all is in view."""
    scene = bpy.context.scene
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    bpy.context.collection.objects.link(camera)
    scene.camera, camera.data.lens = camera, 60
    low, high = (Vector(pick(p[axis] for p in points) for axis in range(3)) for pick in (min, max))
    centre = (low + high) / 2
    along = along.normalized()
    side = Vector((along.y, -along.x, 0))
    direction = (side * 0.9 + along * 0.45 + Vector((0, 0, 0.22))).normalized()
    camera.rotation_euler = direction.to_track_quat("Z", "Y").to_euler()
    distance = 1.0
    for _ in range(400):
        camera.location = centre + direction * distance
        bpy.context.view_layer.update()
        seen = [world_to_camera_view(scene, camera, point) for point in points]
        if all(0.05 < s.x < 0.95 and 0.09 < s.y < 0.91 and s.z > 0 for s in seen):
            return
        distance *= 1.03


def way_of(armature: bpy.types.Object) -> list[Vector]:
    """Follow the root through all frames."""
    first, last = (round(frame) for frame in armature.animation_data.action.frame_range)
    return [limbs_at(armature, frame)[0][2] for frame in range(first, last + 1)]


def moves(path: list[Vector], size: float) -> bool:
    """Tell whether the figure goes so far that its poses do not hide each other."""
    return ((path[-1] - path[0]) * FLAT).length > size


def figures(armature: bpy.types.Object, count: int) -> tuple[list[Vector], float, float]:
    """Add the poses; return their joints, the height of the floor and the size of the body in units of 1.75 m."""
    first, last = (round(frame) for frame in armature.animation_data.action.frame_range)
    poses = [limbs_at(armature, round(first + (last - first) * n / max(count - 1, 1))) for n in range(count)]
    heights = [[place.z for _, _, *places in limbs for place in places] for limbs in poses]
    size = max(max(pose) - min(pose) for pose in heights) / 1.75
    lowest = min(map(min, heights))
    floor_z = 0.0 if abs(lowest) < 0.15 * size else lowest - 0.03 * size
    if not moves(way_of(armature), size):  # side by side, as in a film strip
        shifts = [Vector((n * 0.9 * size, 0, 0)) for n in range(count)]
        poses = [[(a, b, p + by, q + by) for a, b, p, q in limbs] for limbs, by in zip(poses, shifts, strict=True)]
    for n, limbs in enumerate(poses):
        late = n / max(count - 1, 1)
        body(limbs, size, tuple(a + (b - a) * late for a, b in zip(FIRST, LAST, strict=True)))
    return [place for limbs in poses for _, _, *places in limbs for place in places], floor_z, size


def main() -> None:
    """Read the arguments, build the scene, render."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bvh", type=Path)
    parser.add_argument("png", type=Path)
    parser.add_argument("--poses", type=int, default=6)
    parser.add_argument("--scale", type=float, default=1.0, help="metres per unit of the file")
    parser.add_argument("--samples", type=int, default=48)
    options = parser.parse_args()

    armature = load(options.bvh, options.scale)
    points, floor_z, size = figures(armature, options.poses)
    path = way_of(armature)
    if moves(path, size):
        trail(path, floor_z, size)
    stage(floor_z, points[0])
    points += [Vector((point.x, point.y, floor_z)) for point in points]
    look_at(points, (path[-1] - path[0]) * FLAT if moves(path, size) else Vector((1, 0, 0)))

    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", options.samples, True
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 1280, 640, 100
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.render.filepath = str(options.png.resolve())
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    main()
