"""Write the tables of docs/conventions.md that come from the code: frames, skeletons, conversions between skeletons.

With ``--check`` nothing is changed, and the exit code is 1 when the page is out of date.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

from mocap3d.base import skeletons
from mocap3d.base.conversions import conversion, declared_targets
from mocap3d.base.frames import FRAMES
from mocap3d.base.skeleton import Skeleton

PAGE = Path(__file__).resolve().parents[1] / "docs" / "conventions.md"

FRAME_USERS = {
    "world": "mocap3d, glTF",
    "z-up": "ROS and much of robotics",
    "blender": "Blender",
    "unity": "Unity",
    "unreal": "Unreal Engine, an actor in the world",
    "opencv": "OpenCV; here a person who faces the camera",
}
SKELETON_USERS = {
    "coco-17": "COCO keypoints; MoveNet and most 2D networks",
    "coco-toes-19": "what several cameras tell: COCO-17, and toe tips that the lifter adds",
    "human36m-17": "Human3.6M as it is evaluated",
    "human36m-32": "Human3.6M, all joints of its files",
    "mpii-16": "MPII Human Pose",
    "lsp-14": "Leeds Sports Pose",
    "flic-9": "FLIC, upper bodies",
    "ai-challenger-14": "AI Challenger 2017",
    "posetrack-15": "PoseTrack 2017",
    "posetrack18-17": "PoseTrack 2018 and 2021",
    "body-25": "OpenPose BODY_25",
    "blazepose-33": "MediaPipe BlazePose",
    "lifter-20": "what the lifter puts out: Human3.6M-17, toe tips, a point in front of the face",
    "humanoid-22": "what animation is written on: VRM bone names",
}


def main() -> None:
    """Parse the command line, write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 when out of date")
    check = parser.parse_args().check
    old = PAGE.read_text(encoding="utf-8")
    new = filled(old)
    if check and old != new:
        sys.exit(f"{PAGE.name} is out of date: run python scripts/skeleton_table.py")
    if not check:
        PAGE.write_text(new, encoding="utf-8")


def filled(page: str) -> str:
    """Put each table between its two marks."""
    tables: dict[str, Callable[[], str]] = {
        "frames": frame_table,
        "skeletons": skeleton_table,
        "joints": joint_lists,
        "conversions": conversion_table,
    }
    for name, make in tables.items():
        begin, end = f"<!-- {name}: generated -->\n", f"\n<!-- {name}: end -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            sys.exit(f"{PAGE.name} needs the two marks of the table {name!r} once")
        page = page[: page.index(begin)] + begin + make() + page[page.index(end) :]
    return page


def frame_table() -> str:
    """Name, left, up, forward, handedness."""
    rows = [
        (f"`{f.name}`", f.left, f.up, f.forward, "right" if f.is_right_handed else "left", FRAME_USERS[f.name])
        for f in FRAMES.values()
    ]
    return _table(("frame", "left", "up", "forward", "handed", "used by"), rows)


def skeleton_table() -> str:
    """Name, constant, number of joints, root."""
    constants = {value: name for name, value in vars(skeletons).items() if isinstance(value, Skeleton)}
    rows = [
        (f"`{s.name}`", f"`{constants[s]}`", str(len(s)), s.joint_names[s.root], _yes(s.is_parents_first), user)
        for s, user in _skeletons()
    ]
    return _table(("name", "constant", "joints", "root", "parents first", "what it is"), rows)


def joint_lists() -> str:
    """All joints of each skeleton in order."""
    return "\n".join(f"* `{s.name}`: {' '.join(s.joint_names)}" for s, _ in _skeletons())


def conversion_table() -> str:
    """One row per declared pair: which joints are stand-ins, which are missing."""
    rows = []
    for source, _ in _skeletons():
        for name in declared_targets(source):
            found = conversion(source, skeletons.SKELETONS[name])
            rows.append((f"`{source.name}`", f"`{name}`", _joints(found.approximations), _joints(found.missing)))
    return _table(("from", "to", "stand-ins", "missing"), rows)


def _skeletons() -> list[tuple[Skeleton, str]]:
    return [(skeleton, SKELETON_USERS[name]) for name, skeleton in skeletons.SKELETONS.items()]


def _joints(names: tuple[str, ...] | dict[str, str]) -> str:
    """Names with left and right taken together."""
    stems = [re.sub("^(left|right)_", "", name) for name in names]
    both = [f"{stem}s" if stems.count(stem) == 2 else name for stem, name in zip(stems, names, strict=True)]
    return ", ".join(dict.fromkeys(both)).replace("_", " ") or "none"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
