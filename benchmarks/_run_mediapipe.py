"""One measured run of MediaPipe Pose, in an environment of its own: prints one JSON line.

    python _run_mediapipe.py VIDEO [LANDMARKS.npz]

What people would write: OpenCV reads, ``Pose.process`` follows the person, world landmarks are collected. Imports are
not counted; loading the network is.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    """Run over the video named on the command line; keep what was found in the file named after it."""
    import cv2
    import mediapipe
    import numpy as np
    from _common import peak_memory_mib

    Pose, PoseLandmark = mediapipe.solutions.pose.Pose, mediapipe.solutions.pose.PoseLandmark
    start, cpu = time.perf_counter(), time.process_time()
    reading, landmarks, shown, frames = 0.0, [], [], 0
    capture = cv2.VideoCapture(sys.argv[1])
    with Pose(static_image_mode=False, model_complexity=1) as pose:
        while True:
            before = time.perf_counter()
            ok, picture = capture.read()
            reading += time.perf_counter() - before
            if not ok:
                break
            frames += 1
            found = pose.process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
            missing = [[float("nan")] * 3] * len(PoseLandmark)
            world, flat = found.pose_world_landmarks, found.pose_landmarks
            landmarks.append([[p.x, p.y, p.z] for p in world.landmark] if world else missing)
            shown.append([[p.x, p.y, p.visibility] for p in flat.landmark] if flat else missing)
    capture.release()
    seen = int(np.isfinite(np.array(landmarks)).all(axis=(1, 2)).sum())
    wall = time.perf_counter() - start
    if len(sys.argv) > 2:
        np.savez(sys.argv[2], world_m=np.array(landmarks), xy_of_size_and_visibility=np.array(shown))
    result = {
        "frames": frames,
        "seen": seen,
        "seconds": wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mib": peak_memory_mib(),
        "steps": {"reading": reading, "pose": wall - reading},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
