"""One measured run of MediaPipe Pose, in an environment of its own: prints one JSON line.

What people would write: OpenCV reads, ``Pose.process`` follows the person, world landmarks are collected. Imports are
not counted; loading the network is.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    """Run over the video named on the command line."""
    import cv2
    import mediapipe
    import numpy as np
    from _common import peak_memory_mib

    Pose, PoseLandmark = mediapipe.solutions.pose.Pose, mediapipe.solutions.pose.PoseLandmark
    start, cpu = time.perf_counter(), time.process_time()
    reading, landmarks, frames = 0.0, [], 0
    capture = cv2.VideoCapture(sys.argv[1])
    with Pose(static_image_mode=False, model_complexity=1) as pose:
        while True:
            before = time.perf_counter()
            ok, picture = capture.read()
            reading += time.perf_counter() - before
            if not ok:
                break
            frames += 1
            found = pose.process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).pose_world_landmarks
            missing = [[float("nan")] * 3] * len(PoseLandmark)
            landmarks.append([[p.x, p.y, p.z] for p in found.landmark] if found else missing)
    capture.release()
    seen = int(np.isfinite(np.array(landmarks)).all(axis=(1, 2)).sum())
    wall = time.perf_counter() - start
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
