"""Joint positions of a BVH as pybvh reads it: ``read_with_pybvh.py FILE OUT.json [STRIDE]``.

OUT.json holds ``names`` (J), ``xyz`` (frames, J, 3) in the file's unit and axes, and ``frames``.
"""

import json
import sys
from pathlib import Path

import pybvh


def main(path: str, out: str, stride: str = "1") -> None:
    """Write the positions."""
    bvh = pybvh.read_bvh_file(path)
    xyz = bvh.joint_positions()[:: int(stride)]
    result = {"names": list(bvh.joint_names), "xyz": xyz.tolist(), "frames": bvh.frame_count}
    Path(out).write_text(json.dumps(result), encoding="utf-8")


main(*sys.argv[1:])
