"""A figure that walks on the floor along +Z, made of plain trigonometry: the truth that tests compare with.

Feet stand still while planted, the pelvis glides, knees bend forwards. Nothing of mocap3d but the names of the joints
is used.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

BODY = "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax neck head"
ARMS = "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist left_toe right_toe face"
JOINTS = tuple(f"{BODY} {ARMS}".split())
ANKLE_M, THIGH_M, SHIN_M, FOOT_M = 0.07, 0.42, 0.42, 0.20


def walk(seconds: float = 4.0, fps: float = 30, speed_mps: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """(T, 20, 3) joints in metres, +Y up, and (T, 2) whether the left and the right foot stand."""
    step_s = 0.5
    frames = [_pose(n / fps, speed_mps, step_s) for n in range(round(seconds * fps))]
    return np.array([joints for joints, _ in frames]), np.array([planted for _, planted in frames])


def _pose(t: float, speed: float, step_s: float) -> tuple[list[np.ndarray], list[bool]]:
    z = speed * t
    pelvis = np.array([0.0, 0.86 + 0.015 * np.cos(2 * np.pi * t / step_s), z])
    at = {"pelvis": pelvis, "spine": pelvis + [0, 0.22, 0], "thorax": pelvis + [0, 0.5, 0.02]}
    at |= {"neck": pelvis + [0, 0.6, 0.05], "head": pelvis + [0, 0.78, 0.05], "face": pelvis + [0, 0.69, 0.25]}
    planted = []
    for side, sign, phase in (("left", 1, 0.0), ("right", -1, 1.0)):
        hip = pelvis + [sign * 0.09, 0, 0]
        ankle, stands = _ankle(t / step_s + phase, speed * step_s)
        ankle = ankle + np.array([sign * 0.09, 0, -phase * speed * step_s])
        planted.append(stands)
        at |= {f"{side}_hip": hip, f"{side}_ankle": ankle, f"{side}_knee": _knee(hip, ankle)}
        at[f"{side}_toe"] = ankle + [sign * 0.03, -ANKLE_M, FOOT_M]
        swing = 0.5 * np.sin(np.pi * (t / step_s + phase))
        shoulder = pelvis + [sign * 0.18, 0.46, 0.01]
        elbow = shoulder + 0.28 * np.array([0, -np.cos(swing), -np.sin(swing)])
        wrist = elbow + 0.25 * np.array([0, -np.cos(swing - 0.5), -np.sin(swing - 0.5)])
        at |= {f"{side}_shoulder": shoulder, f"{side}_elbow": elbow, f"{side}_wrist": wrist}
    return [at[name] for name in JOINTS], planted


def _ankle(steps: float, stride: float) -> tuple[np.ndarray, bool]:
    """Stands during the first half of a cycle of two steps, swings two strides ahead during the second."""
    cycle, part = divmod(steps, 2.0)
    start = (2 * cycle + 0.5) * stride  # under the pelvis in the middle of the stance
    if part < 1.0:
        return np.array([0.0, ANKLE_M, start]), True
    along = (1 - np.cos(np.pi * (part - 1))) / 2
    return np.array([0.0, ANKLE_M + 0.1 * np.sin(np.pi * (part - 1)), start + 2 * stride * along]), False


def _knee(hip: np.ndarray, ankle: np.ndarray) -> np.ndarray:
    """Where two bones meet, in front."""
    leg = ankle - hip
    length = min(float(np.linalg.norm(leg)), THIGH_M + SHIN_M - 1e-3)
    along = (THIGH_M**2 - SHIN_M**2 + length**2) / (2 * length)
    out = np.sqrt(THIGH_M**2 - along**2)
    direction = leg / np.linalg.norm(leg)
    forward = np.array([0.0, 0.0, 1.0]) - direction * direction[2]
    return hip + direction * along + forward / np.linalg.norm(forward) * out


FPS = Fraction(30)
