"""Motion files as programs read them that we did not write: three.js, pybvh, bvhio, Blender."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion

READERS = Path(__file__).resolve().parents[1] / "readers"


def read_with(reader: str, path: Path, out: Path, fps: object, stride: int = 1) -> dict[str, object]:
    """Let another program read a file; see tests/readers."""
    blender = os.environ.get("MOCAP3D_BLENDER_PYTHON", "")
    command = {
        "three": ["node", READERS / "read_bvh.mjs", path, str(fps)],
        "pybvh": [sys.executable, READERS / "read_with_pybvh.py", path],
        "bvhio": [sys.executable, READERS / "read_with_bvhio.py", path],
        "blender": [blender, READERS / "read_with_blender.py", path],
    }[reader]
    done = subprocess.run([*map(str, command), str(out), str(stride)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(out.read_text(encoding="utf-8"))


def y_up(xyz: np.ndarray) -> np.ndarray:
    """Blender's axes -> ours: it turned the file so that +Y became +Z, and +Z became -Y."""
    return np.stack([xyz[..., 0], xyz[..., 2], -xyz[..., 1]], axis=-1)


def assert_same_joints(motion: Motion, theirs: dict[str, object], stride: int, tolerance_m: float) -> None:
    """Compare names, number of frames and positions."""
    world_m, _ = forward(motion)
    assert theirs["names"] == list(motion.rig.skeleton.joint_names)
    assert theirs["frames"] == len(motion)
    np.testing.assert_allclose(theirs["xyz"], world_m[::stride], rtol=0, atol=tolerance_m)
