"""People of the CMU motion capture as the solver should find them: joints, their own rig, true rotations, contacts.

Written apart from mocap3d: only the ASF reader and the types are shared. Forward kinematics are loops over SciPy
rotations. The AMC's 30 bones become the 22 joints of the humanoid at the same places:

    spine       where the lowest bone of the back begins (CMU's root, a hand above the hip joints)
    chest       end of upperback; the two bones below it become one, which costs up to 4 mm when the back bends
    upperChest  end of thorax; neck: end of lowerneck (C7); head: end of upperneck (base of the skull)

In the T-pose of the rig the legs hang straight down, elbows bend forwards, the foot lies as it stands (its bone falls
by 20 degrees, the mean of these people), and the head is turned so that a person's median gaze is 8 degrees down, as
that of people who look ahead (``GAZE_DEG``: of CMU's head bone, degrees above the horizon, all frames of a person).
"""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from mocap3d.data_prep.acclaim import Bone, read_asf
from scipy.spatial.transform import Rotation

from mocap3d.base.pose import Pose3D
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.skeletons import HUMANOID_22, LIFTER_20

METRES = 0.0254 / 0.45
FILE_FPS = 120
FOOT_PITCH = np.radians(20.0)
GAZE_DEG = {"01": -17, "02": -2, "03": -41, "05": -33, "14": -24, "16": -19, "17": -23, "29": -26}
LEVEL_GAZE_DEG = -8
HEEL_PER_TOE = 1 / 3
SLOW_MPS, LOW_M, SHORTEST_S = 0.15, 0.05, 0.1
SIDES = (("left", "l"), ("right", "r"))
# Joint of LIFTER_20 -> the ASF bone that ends there, or the joint (tip) of the rig that lies there.
ENDS = {
    **{"pelvis": "root", "spine": "upperback", "thorax": "lowerneck", "neck": "upperneck", "head": "head"},
    **{f"{side}_{joint}": f"{x}{bone}" for side, x in SIDES for joint, bone in (
        ("hip", "hipjoint"), ("knee", "femur"), ("ankle", "tibia"), ("toe", "toes"),
        ("shoulder", "clavicle"), ("elbow", "humerus"), ("wrist", "wrist"),
    )},
}  # fmt: skip
ON_RIG = {
    **{"spine": "chest", "thorax": "neck", "neck": "head", "head": "headTop"},
    **{f"{side}_{joint}": f"{side}{bone}" for side, _ in SIDES for joint, bone in (
        ("hip", "UpperLeg"), ("knee", "LowerLeg"), ("ankle", "Foot"), ("toe", "ToesTip"),
        ("shoulder", "UpperArm"), ("elbow", "LowerArm"), ("wrist", "Hand"),
    )},
}  # fmt: skip

# Joint of the rig -> the ASF bone that it turns with.
SOURCES = {
    **{"hips": "root", "chest": "thorax", "upperChest": "lowerneck", "neck": "upperneck", "head": "head"},
    **{f"{side}{joint}": f"{x}{bone}" for side, x in SIDES for joint, bone in (
        ("UpperLeg", "femur"), ("LowerLeg", "tibia"), ("Foot", "foot"), ("Toes", "toes"),
        ("Shoulder", "clavicle"), ("UpperArm", "humerus"), ("LowerArm", "wrist"), ("Hand", "hand"),
    )},
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Take:
    """A clip of one person.

    Attributes:
        name: as CMU numbers it, "02_01".
        fps: frames per second.
        rig: the person's own bones, left and right as they are.
        wxyz: (T, 22, 4) true local rotations; root_m: (T, 3) true path of the hips.
        joints_m: (T, 20, 3) LIFTER_20 straight from the AMC.
        contacts: (T, 4) 0 or 1, by the rule of ``standing``.
    """

    name: str
    fps: int
    rig: Rig
    wxyz: np.ndarray
    root_m: np.ndarray
    joints_m: np.ndarray
    contacts: np.ndarray

    def pose(self, std_m: float = 0.005) -> Pose3D:
        """What a perfect lifter would say."""
        return pose_of(self.joints_m, self.fps, std_m)

    def noisy(self, noise_m: float = 0.02, dropped: float = 0.2, seed: int = 0) -> Pose3D:
        """The joints with white noise on every coordinate, and a share of them gone."""
        rng = np.random.default_rng(seed)
        joints_m = self.joints_m + rng.normal(0, noise_m, self.joints_m.shape)
        joints_m[rng.random(joints_m.shape[:2]) < dropped] = np.nan
        return pose_of(joints_m, self.fps, noise_m)


def pose_of(joints_m: np.ndarray, fps: int, std_m: float) -> Pose3D:
    """Joints of LIFTER_20 in the world; NaN is not seen."""
    seen = np.isfinite(joints_m).all(axis=-1)
    return Pose3D(
        xyz_m=joints_m, confidence=seen.astype(float), std_m=np.full(seen.shape, std_m), views=seen.astype(int),
        fps=Fraction(fps), skeleton=LIFTER_20, frame="world",
    )  # fmt: skip


def read_takes(archive: Path, clips: Mapping[str, tuple[float, float]], fps: int = 30) -> dict[str, Take]:
    """Read parts of clips, {name: (start, seconds)}, from the tar file of CMU subjects (or a folder of them)."""
    wanted = {f"{name}.amc" for name in clips} | {f"{name.split('_')[0]}.asf" for name in clips}
    texts: dict[str, str] = {}
    if archive.is_dir():
        texts = {path.name: path.read_text("latin-1") for path in archive.rglob("*.a[sm][fc]") if path.name in wanted}
    else:
        with tarfile.open(archive) as tar:
            for member in tar:
                if Path(member.name).name in wanted:
                    texts[Path(member.name).name] = tar.extractfile(member).read().decode("latin-1")
                    if len(texts) == len(wanted):
                        break
    takes = {}
    for name, (start, seconds) in clips.items():
        bones = bones_of(texts[f"{name.split('_')[0]}.asf"])
        step = FILE_FPS // fps
        frames = range(round(start * FILE_FPS), round((start + seconds) * FILE_FPS), step)
        root, angles = amc_frames(texts[f"{name}.amc"], bones, frames)
        takes[name] = take_of(name, fps, bones, root, angles)
    return takes


def all_clips(archive: Path, fps: int) -> Iterator[Take]:
    """Every clip of the archive, at few frames per second."""
    texts = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            path = Path(member.name)
            if path.suffix in (".asf", ".amc"):
                texts[path] = tar.extractfile(member).read().decode("latin-1")
    for path in sorted(path for path in texts if path.suffix == ".amc"):
        bones = bones_of(texts[path.with_name(f"{path.stem.split('_')[0]}.asf")])
        root, angles = amc_frames(texts[path], bones, range(0, len(texts[path]), FILE_FPS // fps))
        yield take_of(path.stem, fps, bones, root, angles)


def bones_of(text: str) -> tuple[Bone, ...]:
    """The skeleton of an ASF text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.asf"
        path.write_text(text, encoding="latin-1")
        return read_asf(path)


def amc_frames(text: str, bones: tuple[Bone, ...], frames: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
    """Root (T, 3) and angles (T, bones, 3) in degrees about x, y, z, of frames counted from 0."""
    wanted, index = set(frames), {bone.name: i for i, bone in enumerate(bones)}
    root, angles, current = [], [], -1
    for line in text.splitlines():
        if line.strip().isdigit():
            current += 1
            if current in wanted:
                root.append(np.zeros(3))
                angles.append(np.zeros((len(bones), 3)))
        elif current in wanted:
            name, *words = line.split()
            values = [float(word) for word in words]
            if name == "root":
                root[-1][:], values = values[:3], values[3:]
            angles[-1][index[name], list(bones[index[name]].channels)] = values
    return np.array(root), np.array(angles)


def fk_asf(bones: tuple[Bone, ...], root: np.ndarray, angles: np.ndarray) -> tuple[dict, dict]:
    """Where bones end (metres), and how they are turned from their rest; both by name."""
    ends, turns = {}, {}
    for i, bone in enumerate(bones):
        axis, turn = Rotation.from_matrix(bone.axis), Rotation.from_euler("xyz", angles[:, i], degrees=True)
        turns[bone.name], ends[bone.name] = axis * turn * axis.inv(), root * METRES
        if bone.parent >= 0:
            parent = bones[bone.parent].name
            turns[bone.name] = turns[parent] * turns[bone.name]
            ends[bone.name] = ends[parent] + turns[bone.name].apply(bone.offset * METRES)
    return ends, turns


def fk_rig(rig: Rig, wxyz: np.ndarray, root_m: np.ndarray) -> tuple[dict, dict]:
    """Where joints and tips of a rig are (T, 3), and how joints are turned in the world; both by name."""
    places, turns = {}, {}
    for j, (name, parent) in enumerate(zip(rig.skeleton.joint_names, rig.skeleton.parents, strict=True)):
        local = Rotation.from_quat(wxyz[:, j][:, [1, 2, 3, 0]])
        if parent < 0:
            places[name], turns[name] = np.array(root_m), local
        else:
            above = rig.skeleton.joint_names[parent]
            places[name] = places[above] + turns[above].apply(rig.offsets_m[j].copy())
            turns[name] = turns[above] * local
    for tip in rig.tips:
        above = rig.skeleton.joint_names[tip.parent]
        places[tip.name] = places[above] + turns[above].apply(tip.offset_m.copy())
    return places, turns


def soles_of(rig: Rig, wxyz: np.ndarray, root_m: np.ndarray) -> np.ndarray:
    """(T, 4, 3) left heel, left toe tip, right heel, right toe tip.

    The heel lies as deep below the ankle as the tip of the toes at rest, and a third as far behind it as that is ahead.
    """
    places, turns = fk_rig(rig, wxyz, root_m)
    points = []
    for side in ("left", "right"):
        tip = next(tip for tip in rig.tips if tip.name == f"{side}ToesTip").offset_m
        ahead = rig.offsets_m[HUMANOID_22.index(f"{side}Toes")] + tip
        heel = np.array([0.0, ahead[1], -HEEL_PER_TOE * ahead[2]])
        points += [places[f"{side}Foot"] + turns[f"{side}Foot"].apply(heel), places[f"{side}ToesTip"]]
    return np.stack(points, axis=1)


def standing(soles_m: np.ndarray, fps: int) -> np.ndarray:
    """Which sole points stand, (T, 4): 1 where a point is slower than 0.15 m/s and less than 5 cm above its lowest.

    Speed is the central difference; the lowest is the 5th percentile of that point's height over the clip; what lasts
    less than 0.1 s does not count.
    """
    speed = np.linalg.norm(np.gradient(soles_m, axis=0), axis=-1) * fps
    low = soles_m[..., 1] < np.percentile(soles_m[..., 1], 5, axis=0) + LOW_M
    stands = (speed < SLOW_MPS) & low
    for column in stands.T:
        edges = np.flatnonzero(np.diff(np.r_[0, column.astype(int), 0]))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            if stop - start < SHORTEST_S * fps:
                column[start:stop] = False
    return stands.astype(float)


def take_of(name: str, fps: int, bones: tuple[Bone, ...], root: np.ndarray, angles: np.ndarray) -> Take:
    """Put the angles of an AMC on a rig of the person's own."""
    ends, turns = fk_asf(bones, root, angles)
    offset = {bone.name: bone.offset * METRES for bone in bones}
    rest = _rest_turns(offset, GAZE_DEG[name.split("_")[0]])
    world = {joint: turns[bone] * rest.get(joint, Rotation.identity()) for joint, bone in SOURCES.items()}
    back = ends["upperback"] - ends["root"]
    rig = _rig(offset, rest, float(np.median(np.linalg.norm(back, axis=-1))))
    middle = turns["lowerback"] * Rotation.from_rotvec((turns["lowerback"].inv() * turns["upperback"]).as_rotvec() / 2)
    world["spine"] = _aimed(middle, rig.offsets_m[HUMANOID_22.index("chest")], back)
    wxyz = np.zeros((len(root), 22, 4))
    for j, (joint, parent) in enumerate(zip(HUMANOID_22.joint_names, HUMANOID_22.parents, strict=True)):
        local = world[joint] if parent < 0 else world[HUMANOID_22.joint_names[parent]].inv() * world[joint]
        wxyz[:, j] = local.as_quat()[:, [3, 0, 1, 2]]
    joints_m = np.zeros((len(root), 20, 3))
    for j, joint in enumerate(LIFTER_20.joint_names[:-1]):
        joints_m[:, j] = ends[ENDS[joint]]
    joints_m[:, -1] = (ends["upperneck"] + ends["head"]) / 2 + world["head"].apply([0, 0, 0.2])  # the face
    root_m = (ends["lhipjoint"] + ends["rhipjoint"]) / 2
    contacts = standing(soles_of(rig, wxyz, root_m), fps)
    return Take(name=name, fps=fps, rig=rig, wxyz=wxyz, root_m=root_m, joints_m=joints_m, contacts=contacts)


def _rest_turns(offset: dict[str, np.ndarray], gaze_deg: float) -> dict[str, Rotation]:
    """How the bones of the ASF are turned in the T-pose of the rig, by joint; not turned where it says nothing."""
    rest = {"head": Rotation.from_euler("x", gaze_deg - LEVEL_GAZE_DEG, degrees=True)}
    for side, x in SIDES:
        thigh, foot = offset[f"{x}femur"], offset[f"{x}foot"]
        leg = Rotation.from_euler("z", np.arctan2(thigh[0], -thigh[1]))
        falls = -np.arctan2(foot[1], np.hypot(foot[0], foot[2]))
        rest |= dict.fromkeys((f"{side}UpperLeg", f"{side}LowerLeg", f"{side}Toes"), leg)
        rest[f"{side}Foot"] = leg * Rotation.from_euler("x", falls - FOOT_PITCH)
        rest[f"{side}UpperArm"] = Rotation.from_euler("x", -30, degrees=True)  # CMU's elbows bend forwards and up
    return rest


def _rig(offset: dict[str, np.ndarray], rest: dict[str, Rotation], back_m: float) -> Rig:
    """The person's bones, turned into the T-pose."""
    middle = (offset["lhipjoint"] + offset["rhipjoint"]) / 2
    back = offset["lowerback"] + offset["upperback"]
    at = {"hips": np.zeros(3), "spine": -middle, "chest": back / np.linalg.norm(back) * back_m}
    at |= {"upperChest": offset["thorax"], "neck": offset["lowerneck"], "head": offset["upperneck"]}
    tips = [("headTop", "head", rest["head"].inv().apply(offset["head"]))]
    for side, x in SIDES:
        at |= {f"{side}Shoulder": np.zeros(3), f"{side}UpperArm": offset[f"{x}clavicle"]}
        at |= {f"{side}LowerArm": offset[f"{x}humerus"], f"{side}Hand": offset[f"{x}radius"] + offset[f"{x}wrist"]}
        at |= {f"{side}UpperLeg": offset[f"{x}hipjoint"] - middle}
        for joint, parent, bone in (
            ("LowerLeg", "UpperLeg", "femur"),
            ("Foot", "LowerLeg", "tibia"),
            ("Toes", "Foot", "foot"),
        ):
            at[f"{side}{joint}"] = rest[f"{side}{parent}"].inv().apply(offset[f"{x}{bone}"])
        tips.append((f"{side}HandTip", f"{side}Hand", offset[f"{x}hand"] + offset[f"{x}fingers"]))
        tips.append((f"{side}ToesTip", f"{side}Toes", rest[f"{side}Toes"].inv().apply(offset[f"{x}toes"])))
    leg = ("UpperLeg", "LowerLeg", "Foot", "Toes")
    at["hips"][1] = -np.mean([sum(at[f"{side}{bone}"][1] for bone in leg) for side, _ in SIDES])
    return Rig(
        skeleton=HUMANOID_22,
        offsets_m=np.array([at[name] for name in HUMANOID_22.joint_names]),
        rest_wxyz=np.tile([1.0, 0.0, 0.0, 0.0], (22, 1)),
        tips=tuple(Tip(name=name, parent=HUMANOID_22.index(parent), offset_m=at_m) for name, parent, at_m in tips),
    )


def _aimed(turn: Rotation, axis: np.ndarray, target: np.ndarray) -> Rotation:
    """Turn rotations (T) on by the shortest arc that brings an axis of the bone to targets (T, 3)."""
    now = turn.apply(axis / np.linalg.norm(axis))
    target = target / np.linalg.norm(target, axis=-1, keepdims=True)
    across = np.cross(now, target)
    sin = np.linalg.norm(across, axis=-1, keepdims=True)
    angle = np.arctan2(sin, np.sum(now * target, axis=-1, keepdims=True))
    return Rotation.from_rotvec(across / np.maximum(sin, 1e-12) * angle) * turn


def tumbled(take: Take, axis: np.ndarray, turns: float) -> Take:
    """Turn a person about the hips while the clip plays: a cartwheel, a somersault; nobody stands any more."""
    frames = len(take.root_m)
    about = Rotation.from_rotvec(np.linspace(0, 2 * np.pi * turns, frames)[:, None] * np.asarray(axis, dtype=float))
    root = take.root_m[:, None]
    joints = np.stack([about.apply(joint) for joint in (take.joints_m - root).swapaxes(0, 1)], axis=1) + root
    wxyz = take.wxyz.copy()
    wxyz[:, 0] = (about * Rotation.from_quat(wxyz[:, 0][:, [1, 2, 3, 0]])).as_quat()[:, [3, 0, 1, 2]]
    return replace(take, name=f"{take.name} tumbled", wxyz=wxyz, joints_m=joints, contacts=np.zeros((frames, 4)))
