"""A person at rest as a BVH file, in the joint names of several programs; written with no code of mocap3d."""

from __future__ import annotations

# Part -> place in centimetres, Y up, facing +Z; the left side only. Thigh 45, shank 42: a stature of 87 / 0.491 cm.
PLACES = {
    "pelvis": (0, 98, 0), "spine": (0, 108, -1), "chest": (0, 128, -3), "neck": (0, 150, -1), "head": (0, 160, 1),
    "top": (0, 172, 2), "collar": (3, 147, 0), "shoulder": (19, 147, -1), "elbow": (48, 147, -1),
    "wrist": (74, 147, -1), "fingers": (90, 147, -1), "hip": (9, 95, 0), "knee": (9, 50, 1), "ankle": (9, 8, -1),
    "toe": (10, 2, 12), "tip": (10, 1, 18),
}  # fmt: skip
# Part -> parent; "top", "fingers" and "tip" are End Sites.
PARENTS = {
    "spine": "pelvis", "chest": "spine", "neck": "chest", "head": "neck", "top": "head", "collar": "chest",
    "shoulder": "collar", "elbow": "shoulder", "wrist": "elbow", "fingers": "wrist", "hip": "pelvis", "knee": "hip",
    "ankle": "knee", "toe": "ankle", "tip": "toe",
}  # fmt: skip
SIDED = ("collar", "shoulder", "elbow", "wrist", "fingers", "hip", "knee", "ankle", "toe", "tip")
ENDS = ("top", "fingers", "tip")

_ORDER = (
    "pelvis",
    "spine",
    "chest",
    "neck",
    "head",
    "collar",
    "shoulder",
    "elbow",
    "wrist",
    "hip",
    "knee",
    "ankle",
    "toe",
)
_NAMES = {
    "mixamo": "Hips Spine Spine1 Neck Head {S}Shoulder {S}Arm {S}ForeArm {S}Hand {S}UpLeg {S}Leg {S}Foot {S}ToeBase",
    "biovision": "Hips Chest Chest2 Neck Head {S}Collar {S}Shoulder {S}Elbow {S}Wrist {S}Hip {S}Knee {S}Ankle {S}Toe",
    "poser": "hip abdomen chest neck head {l}Collar {l}Shldr {l}ForeArm {l}Hand {l}Thigh {l}Shin {l}Foot {l}Toe",
    "unreal": "pelvis spine_01 spine_02 neck_01 head clavicle_{l} upperarm_{l} lowerarm_{l} hand_{l} thigh_{l} "
    "calf_{l} foot_{l} ball_{l}",
    "blender": "hips spine chest neck head shoulder.{L} upper_arm.{L} forearm.{L} hand.{L} thigh.{L} shin.{L} "
    "foot.{L} toe.{L}",
    "vrm": "hips spine chest neck head {s}Shoulder {s}UpperArm {s}LowerArm {s}Hand {s}UpperLeg {s}LowerLeg {s}Foot "
    "{s}Toes",
    "smpl": "Pelvis Spine1 Spine2 Neck Head {L}_Collar {L}_Shoulder {L}_Elbow {L}_Wrist {L}_Hip {L}_Knee {L}_Ankle "
    "{L}_Foot",
}
STYLES = tuple(_NAMES)


def place(part: str, side: str = "left") -> tuple[float, float, float]:
    x, y, z = PLACES[part]
    return (x if side == "left" else -x, y, z)


def name(style: str, part: str, side: str = "left") -> str:
    words = {"S": side.title(), "s": side, "l": side[0], "L": side[0].upper()}
    return ("mixamorig:" if style == "mixamo" else "") + _NAMES[style].split()[_ORDER.index(part)].format(**words)


def bvh_text(
    style: str = "mixamo", rows: list[dict[str, float]] | None = None, unit_cm: float = 1.0, fps: int = 30
) -> str:
    """A BVH file; a row maps "x y z" of the root (centimetres beside its place at rest) and joint names to degrees."""
    lines, joints = ["HIERARCHY"], []

    def write(part: str, side: str, depth: int) -> None:
        tab = "\t" * depth
        here, above = place(part, side), place(PARENTS[part], side) if part in PARENTS else (0, 0, 0)
        offset = " ".join(f"{(a - b) / unit_cm:.6f}" for a, b in zip(here, above, strict=True))
        if part in ENDS:
            lines.extend([f"{tab}End Site", f"{tab}{{", f"{tab}\tOFFSET {offset}", f"{tab}}}"])
            return
        joint = name(style, part, side)
        joints.append(joint)
        places = "Xposition Yposition Zposition " if part == "pelvis" else ""
        lines.extend([f"{tab}{'JOINT' if depth else 'ROOT'} {joint}", f"{tab}{{", f"{tab}\tOFFSET {offset}"])
        lines.append(f"{tab}\tCHANNELS {6 if places else 3} {places}Zrotation Yrotation Xrotation")
        for child, parent in PARENTS.items():
            if parent == part:
                for each in ("left", "right") if child in SIDED and part not in SIDED else (side,):
                    write(child, each, depth + 1)
        lines.append(f"{tab}}}")

    write("pelvis", "left", 0)
    rows = [{}] if rows is None else rows
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / fps:.6f}"]
    for row in rows:
        numbers = [(row.get(axis, 0.0) + at) / unit_cm for axis, at in zip("xyz", PLACES["pelvis"], strict=True)]
        for joint in joints:
            numbers += [row.get(f"{joint} {axis}", 0.0) for axis in "zyx"]
        lines.append(" ".join(f"{number:.6f}" for number in numbers))
    return "\n".join(lines) + "\n"
