"""A made-up Human3.6M: a person who walks in a circle, written in every file format in which people hold the data set.

The geometry is worked out here, bone by bone, and shares nothing with the readers but the table of bone lengths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cdflib
import h5py
import numpy as np
from mocap3d.data_prep.human36m_expmap import OFFSETS_MM
from mocap3d.data_prep.human36m_names import DISCARDED, official_name, takes
from scipy.spatial.transform import Rotation

from mocap3d.base.skeletons import HUMAN36M_32

SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
CAMERAS = ("54138969", "55011271", "58860488", "60457274")
NAMES = HUMAN36M_32.joint_names
COPIES = {("S5", f"{action}_{n}") for action in ("discussion", "smoking", "sittingdown", "posing") for n in (1, 2)}
FPS = 50
THIGH_MM, SHANK_MM = 442.894612, 454.206447


@dataclass(frozen=True)
class Walk:
    """Joints (T, 32, 3) in mm, +Y up, standing ankles at 0, and how each bone is turned (column vectors)."""

    xyz_mm: np.ndarray
    world_from_bone: np.ndarray


def walk(frames: int = 60, radius_mm: float = 900.0, speed: float = 0.9, start: float = 0.0, tilt_deg: float = 20.0):
    """Walk in a circle. The pelvis leans by ``tilt_deg``, the head by 10 degrees; feet stand half of the time, flat."""
    walks = [_pose(start + t / FPS, radius_mm, speed, tilt_deg) for t in range(frames)]
    return Walk(np.stack([xyz for xyz, _ in walks]), np.stack([turn for _, turn in walks]))


def _yaw(angle: float) -> np.ndarray:
    return Rotation.from_rotvec([0, angle, 0]).as_matrix()


def _on_circle(angle: float, radius_mm: float, side_mm: float) -> np.ndarray:
    """A point beside the circle at the height 0; people go along +Z at the angle 0, their left is +X."""
    return _yaw(angle) @ [radius_mm + side_mm, 0.0, 0.0] - [radius_mm, 0.0, 0.0]


def _pose(time: float, radius_mm: float, speed: float, tilt_deg: float) -> tuple[np.ndarray, np.ndarray]:
    rate = -speed * 1000 / radius_mm  # radians per second; at -X of the axis one goes along +Z
    angle = rate * time
    heading = _yaw(angle)
    turn = dict.fromkeys(NAMES, heading)
    turn["pelvis"] = heading @ Rotation.from_euler("x", tilt_deg, degrees=True).as_matrix()
    turn["neck"] = heading @ Rotation.from_euler("x", -10, degrees=True).as_matrix()
    pelvis = _on_circle(angle, radius_mm, 0.0) + [0, 850.0, 0]
    for side, sign in (("left", 1), ("right", -1)):
        swing = Rotation.from_euler("x", sign * 25 * np.sin(2 * np.pi * time), degrees=True).as_matrix()
        turn[f"{side}_clavicle"] = heading @ Rotation.from_euler("z", -sign * 90, degrees=True).as_matrix()
        arm = heading @ swing @ Rotation.from_euler("z", 180, degrees=True).as_matrix()
        for part in ("shoulder", "elbow", "wrist", "hand_base", "thumb", "wrist_end", "hand_tip"):
            turn[f"{side}_{part}"] = arm
        hip = pelvis + turn["pelvis"] @ OFFSETS_MM[NAMES.index(f"{side}_hip")]
        ankle, foot = _foot(time, side, rate, radius_mm)
        turn[f"{side}_hip"], turn[f"{side}_knee"] = _leg(hip, ankle, heading)
        turn[f"{side}_ankle"] = turn[f"{side}_toe_base"] = turn[f"{side}_toe"] = foot
    xyz, turns = np.empty((32, 3)), np.stack([turn[name] for name in NAMES])
    xyz[0] = pelvis
    for j, parent in enumerate(HUMAN36M_32.parents[1:], start=1):
        xyz[j] = xyz[parent] + turns[parent] @ OFFSETS_MM[j]
    return xyz, turns


def _foot(time: float, side: str, rate: float, radius_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """The ankle, and how the foot is turned: half a second standing, half a second swinging, the sides in turn."""
    shifted = time + (0.5 if side == "left" else 0.0)
    step, phase = int(np.floor(shifted)), shifted % 1.0
    lift = max(phase - 0.5, 0.0) * 2  # 0 while standing, to 1 at the end of the swing
    smooth = lift - np.sin(2 * np.pi * lift) / (2 * np.pi)
    angle = rate * (step + 0.25 + smooth - (0.5 if side == "left" else 0.0))
    ankle = _on_circle(angle, radius_mm, 90.0 if side == "left" else -90.0)
    return ankle + [0, 60 * np.sin(np.pi * lift) ** 2, 0], _yaw(angle)


def _leg(hip: np.ndarray, ankle: np.ndarray, heading: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How thigh and shank are turned so that the leg reaches the ankle, the knee ahead."""
    down = ankle - hip
    reach = min(float(np.linalg.norm(down)), THIGH_MM + SHANK_MM - 1e-6)
    down = down / np.linalg.norm(down)
    side = heading @ [1.0, 0, 0]
    ahead = np.cross(side, down) * -1.0
    ahead /= np.linalg.norm(ahead)
    if ahead @ (heading @ [0, 0, 1.0]) < 0:
        ahead = -ahead
    bend = np.arccos((THIGH_MM**2 + reach**2 - SHANK_MM**2) / (2 * THIGH_MM * reach))
    knee = hip + THIGH_MM * (np.cos(bend) * down + np.sin(bend) * ahead)
    return tuple(
        _hanging((start - end) / np.linalg.norm(start - end), ahead) for start, end in ((hip, knee), (knee, ankle))
    )


def _hanging(up: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Axes of a bone whose y axis points ``up`` and whose z axis is about ``ahead``."""
    side = np.cross(up, ahead)
    side /= np.linalg.norm(side)
    return np.stack([side, up, np.cross(side, up)], axis=1)


# --- files ------------------------------------------------------------------------------------------------------------


def expmap_rows(motion: Walk) -> np.ndarray:
    """(T, 99) as in the text form: row-vector matrices relative to the parent, the root to the frame before."""
    R = np.swapaxes(motion.world_from_bone, -1, -2)  # p_row @ R
    R = R @ R[0, 0].T  # the first pelvis becomes the frame
    origin = (motion.xyz_mm[:, 0] - motion.xyz_mm[0, 0]) @ np.swapaxes(motion.world_from_bone, -1, -2)[0, 0].T
    rows = np.zeros((len(R), 99))
    for t in range(1, len(R)):
        rows[t, :3] = (origin[t] - origin[t - 1]) @ R[t - 1, 0].T
        rows[t, 3:6] = Rotation.from_matrix(R[t, 0] @ R[t - 1, 0].T).as_rotvec()
    for j, parent in enumerate(HUMAN36M_32.parents[1:], start=1):
        local = R[:, j] @ np.swapaxes(R[:, parent], -1, -2)
        rows[:, 3 + 3 * j : 6 + 3 * j] = Rotation.from_matrix(local).as_rotvec()
    return rows


def room_mm(xyz_mm: np.ndarray) -> np.ndarray:
    """Our axes to those of Human3.6M's room, where z points up: (x, y, z) becomes (x, -z, y)."""
    return np.stack([xyz_mm[..., 0], -xyz_mm[..., 2], xyz_mm[..., 1]], axis=-1)


def write_text(path: Path, motion: Walk) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, expmap_rows(motion), fmt="%.7f", delimiter=",")


def write_cdf(path: Path, joints_mm: np.ndarray) -> None:
    """A pose file as the official ones: one record of the variable Pose, (T, 96) float32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = joints_mm.reshape(1, len(joints_mm), math.prod(joints_mm.shape[1:])).astype(np.float32)
    with cdflib.cdfwrite.CDF(path, delete=True) as file:
        spec = {"Variable": "Pose", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": flat.shape[1:]}
        file.write_var({**spec, "Compress": 6}, var_data=flat)


def write_h5(path: Path, joints_mm: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["3D_positions"] = joints_mm.reshape(len(joints_mm), math.prod(joints_mm.shape[1:])).T.astype(np.float32)


def write_npz_3d(path: Path, people: dict) -> None:
    """Subject -> official name -> (T, 32, 3) metres, Z up, as VideoPose3D pickles them."""
    np.savez_compressed(path, positions_3d=np.array(people, dtype=object))


def write_npz_2d(path: Path, people: dict, joints: int, symmetry: Sequence[Sequence[int]]) -> None:
    """Subject -> official name -> four arrays of pixels, as VideoPose3D pickles them."""
    metadata = {"layout_name": "h36m", "num_joints": joints, "keypoints_symmetry": [list(side) for side in symmetry]}
    np.savez_compressed(path, positions_2d=np.array(people, dtype=object), metadata=np.array(metadata, dtype=object))


def write_video(path: Path, frames: int, size_wh: tuple[int, int] = (64, 48)) -> None:
    """A grey video that gets brighter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream("libx264", rate=Fraction(FPS))
        stream.width, stream.height, stream.pix_fmt = *size_wh, "yuv420p"
        for t in range(frames):
            picture = np.full((size_wh[1], size_wh[0], 3), 40 + 4 * t % 200, np.uint8)
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        sink.mux(stream.encode())


# --- data sets --------------------------------------------------------------------------------------------------------


def everyone(subjects: Sequence[str] = SUBJECTS) -> list[tuple[str, str]]:
    """(subject, take) of the whole data set."""
    return [(subject, take) for subject in subjects for take in takes()]


def walk_of(subject: str, take: str, frames: int) -> Walk:
    """Each take is another walk, short as it may be."""
    number = SUBJECTS.index(subject) * 30 + takes().index(take)
    return walk(frames, radius_mm=700.0 + 2 * number, start=0.013 * number)


def official_folder(folder: Path, frames: int = 8, subjects: Sequence[str] = SUBJECTS) -> Path:
    """``D3_Positions`` as downloaded and unpacked; S1 spells two actions in its own way."""
    for subject, take in everyone(subjects):
        name = official_name(subject, take)
        if subject == "S1":
            name = name.replace("Photo", "TakingPhoto").replace("WalkDog", "WalkingDog")
        joints_mm = room_mm(walk_of(subject, take, frames).xyz_mm)
        write_cdf(folder / subject / "MyPoseFeatures" / "D3_Positions" / f"{name}.cdf", joints_mm)
    return folder


def h5_folder(folder: Path, frames: int = 8, subjects: Sequence[str] = SUBJECTS) -> Path:
    for subject, take in everyone(subjects):
        path = folder / subject / "MyPoses" / "3D_positions" / f"{official_name(subject, take)}.h5"
        write_h5(path, room_mm(walk_of(subject, take, frames).xyz_mm))
    return folder


def npz_folder(folder: Path, frames: int = 8, subjects: Sequence[str] = SUBJECTS) -> Path:
    people: dict = {}
    for subject, take in everyone(subjects):
        if (subject, take) not in DISCARDED:
            joints_m = room_mm(walk_of(subject, take, frames).xyz_mm) / 1000
            people.setdefault(subject, {})[official_name(subject, take)] = joints_m.astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    write_npz_3d(folder / "data_3d_h36m.npz", people)
    return folder


def text_folder(folder: Path, frames: int = 60, subjects: Sequence[str] = SUBJECTS) -> Path:
    for subject, take in everyone(subjects):
        if (subject, take) not in COPIES:
            write_text(folder / subject / f"{take}.txt", walk_of(subject, take, frames))
    return folder
