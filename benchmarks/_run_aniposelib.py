"""One measured run of aniposelib's triangulation, in an environment of its own: prints one JSON line.

    python _run_aniposelib.py VIEWS.npz SHARE

VIEWS.npz holds xy_px (C, N, 2), K, cam_from_world and size_wh_px of C cameras without distortion; what is found is
written beside it as found.npz. ``triangulate_ransac`` gets one point of SHARE. Processor seconds; what JAX compiles, it
compiles before.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def main() -> None:
    """Run over the views named on the command line."""
    import cv2
    import numpy as np
    from aniposelib.cameras import Camera, CameraGroup

    cv2.setNumThreads(1)
    path, share = Path(sys.argv[1]), int(sys.argv[2])
    views = np.load(path)
    cameras = [
        Camera(matrix=K, size=tuple(size), rvec=cv2.Rodrigues(pose[:3, :3])[0][:, 0], tvec=pose[:3, 3], name=str(n))
        for n, (K, size, pose) in enumerate(
            zip(views["K"], views["size_wh_px"].tolist(), views["cam_from_world"], strict=True)
        )
    ]
    group = CameraGroup(cameras)
    points = views["xy_px"]
    group.triangulate(points)  # compiles
    start = time.process_time()
    simple = group.triangulate(points)
    simple_s = time.process_time() - start
    some = points[:, : max(points.shape[1] // share, 1)]
    group.triangulate_ransac(some)
    start = time.process_time()
    ransac = group.triangulate_ransac(some)[0]
    ransac_s = time.process_time() - start
    np.savez(path.with_name("found.npz"), simple=simple, ransac=ransac)
    print(json.dumps({"simple_s": simple_s, "ransac_s": ransac_s}))


if __name__ == "__main__":
    main()
