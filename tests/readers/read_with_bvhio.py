"""Joint positions of a BVH as bvhio reads it: ``read_with_bvhio.py FILE OUT.json [STRIDE]``.

OUT.json holds ``names`` (J), ``xyz`` (frames, J, 3) in the file's unit and axes, and ``frames``.
"""

import json
import sys
from pathlib import Path

import bvhio


def main(path: str, out: str, stride: str = "1") -> None:
    """Write the positions."""
    frames = bvhio.readAsBvh(path).FrameCount
    root = bvhio.readAsHierarchy(path)
    joints = [joint for joint, _, _ in root.layout()]
    xyz = []
    for frame in range(0, frames, int(stride)):
        root.loadPose(frame)
        xyz.append([list(joint.PositionWorld) for joint in joints])
    result = {"names": [joint.Name for joint in joints], "xyz": xyz, "frames": frames}
    Path(out).write_text(json.dumps(result), encoding="utf-8")


main(*sys.argv[1:])
