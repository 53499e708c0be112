"""Made-up body models in the true file formats of SMPL, SMPL-H and SMPL-X: nobody's body, everybody's layout.

The real models may not be given away, so the tests make their own: 6890 or 10475 vertices in rings around the bones of
a plain figure, joints that are regressed from them, blend shapes of shape and pose, skinning weights of four joints.
Names, shapes, types of number and kinds of container are those of the files of SMPL 1.0 and 1.1 (a pickle of Python 2
with chumpy's arrays), SMPL-H (``model.npz`` with 16 shapes, a pickle with chumpy's selections) and SMPL-X 1.1
(an NPZ in which dictionaries hide). The numbers are ours.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from mocap3d.base.smpl import SmplParameters
from mocap3d.motion.smpl import SmplModel, read_smpl_model, smpl_skeleton

__all__ = ["KINDS", "as_chumpy", "body_arrays", "made_model", "moving", "write_npz", "write_pkl"]

KINDS = {"smpl": (6890, 13776, 10), "smplh": (6890, 13776, 16), "smplx": (10475, 20908, 400)}
"""Vertices, triangles and columns of shapedirs of the true files."""

# A plain figure in T-pose, metres, +Y up, facing +Z: the left half and the middle.
_PLACES = {
    "pelvis": (0.00, -0.22, 0.00), "left_hip": (0.07, -0.31, 0.01), "spine1": (0.00, -0.10, -0.02),
    "left_knee": (0.11, -0.69, 0.00), "spine2": (0.00, 0.04, 0.01), "left_ankle": (0.08, -1.09, -0.03),
    "spine3": (0.00, 0.09, 0.02), "left_foot": (0.12, -1.15, 0.09), "neck": (0.00, 0.30, -0.01),
    "left_collar": (0.08, 0.21, -0.01), "head": (0.00, 0.38, 0.04), "left_shoulder": (0.20, 0.24, -0.02),
    "left_elbow": (0.46, 0.22, -0.05), "left_wrist": (0.71, 0.23, -0.05), "left_hand": (0.79, 0.22, -0.06),
    "jaw": (0.00, 0.36, 0.06), "left_eye": (0.03, 0.43, 0.11),
}  # fmt: skip
_FINGERS = {"index": 0.035, "middle": 0.01, "ring": -0.01, "pinky": -0.03, "thumb": 0.05}


def body_arrays(kind: str, *, seed: int = 0, shapes: int | None = None, surface: bool = True) -> dict[str, Any]:
    """The arrays of a model by the names of the files, as plain arrays, float64.

    Args:
        kind: "smpl", "smplh" or "smplx".
        seed: of the blend shapes.
        shapes: columns of shapedirs instead of the true number.
        surface: False leaves ``posedirs`` out, the largest of them.
    """
    vertices, triangles, true_shapes = KINDS[kind]
    rng = np.random.default_rng(seed)
    skeleton = smpl_skeleton(kind)
    joints = np.array([_place(name) for name in skeleton.joint_names])
    template, bone = _rings(joints, skeleton.parents, vertices, rng)
    regressor = np.zeros((len(joints), vertices))
    for j in range(len(joints)):
        ring = np.flatnonzero(bone == j)[:12]  # the first ring of each bone lies around its joint
        regressor[j, ring] = 1 / 12
    weights = np.zeros((vertices, len(joints)))
    parents = np.array([max(parent, 0) for parent in skeleton.parents])
    for share, joint in ((0.7, bone), (0.2, parents[bone]), (0.08, parents[parents[bone]]), (0.02, bone * 0)):
        np.add.at(weights, (np.arange(vertices), joint), share)
    first = np.arange(triangles) % (vertices - 13)
    kintree = np.array([[*skeleton.parents], range(len(joints))], dtype=np.int64)
    kintree[0, 0] = 2**32 - 1
    bends = rng.normal(size=(1, 3, 9 * (len(joints) - 1))) * 2e-3
    return {
        "v_template": template,
        "shapedirs": _shapes(template, shapes or true_shapes, rng),
        **({"posedirs": bends * np.sin(7 * template[:, :1, None])} if surface else {}),
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": kintree,
        "f": np.stack([first, first + 1, first + 12], axis=1).astype(np.uint32),
    }


@cache
def made_model(kind: str) -> SmplModel:
    """A model with ten coefficients of shape and without skin, through a file."""
    with TemporaryDirectory() as folder:
        path = write_npz(Path(folder) / f"{kind}_neutral.npz", body_arrays(kind, shapes=10, surface=False))
        return read_smpl_model(path, betas=10)


def moving(model: SmplModel, *, frames: int = 90, seed: int = 0, wild: float = 0.5) -> SmplParameters:
    """Smooth random movements of a person of random shape who turns all the way round; metres, +Y up, 30 fps."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None, None] / 30
    size = (len(model.skeleton), 3)
    poses = np.zeros((frames, *size))
    for _ in range(3):
        poses += rng.normal(size=size) * wild * np.sin(2 * np.pi * (t * rng.uniform(0.1, 1.0, size) + rng.random(size)))
    poses[:, 0] *= 3
    poses[:, 22:] *= 0.5
    return SmplParameters(
        poses_rotvec=poses,
        trans_m=np.cumsum(rng.normal(size=(frames, 3)) * 0.01, axis=0) + [0.0, 1.0, 0.0],
        betas=rng.normal(size=model.betas),
        gender=model.gender,
        fps=Fraction(30),
        up="Y",
    )


def write_pkl(path: Path, arrays: dict[str, Any], *, protocol: int = 2, select: bool = False) -> Path:
    """Write a model as SMPL's and SMPL-H's makers did: with chumpy, sparse matrices and Python 2's names."""
    sparse = scipy.sparse.csc_matrix(arrays["J_regressor"])
    with as_chumpy() as (Ch, Select):
        chumpy = {name: Ch(arrays[name]) for name in ("v_template", "posedirs", "weights") if name in arrays}
        dirs = arrays["shapedirs"]
        chosen = np.arange(dirs.size).reshape(dirs.shape)
        chumpy["shapedirs"] = Select(Ch(dirs), chosen) if select else Ch(dirs)
        model = {
            **arrays,
            **chumpy,
            "J_regressor": sparse,
            "J_regressor_prior": sparse,
            "J": arrays["J_regressor"] @ arrays["v_template"],
            "bs_style": "lbs",
            "bs_type": "lrotmin",
            "weights_prior": arrays["weights"],
            "vert_sym_idxs": np.arange(len(arrays["weights"])),
            "pose_training_info": {},
        }
        path.write_bytes(pickle.dumps(model, protocol))
    return path


def write_npz(path: Path, arrays: dict[str, Any]) -> Path:
    """Write a model as SMPL-H's ``model.npz`` and SMPL-X's files are; dictionaries hide in arrays of objects."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hands = {f"hands_mean{side}": np.full(45, 0.1) for side in "lr"}
    hands |= {f"hands_components{side}": np.eye(45) for side in "lr"}
    np.savez(
        path,
        **arrays,
        **hands,
        joint2num=np.array({"Pelvis": 0}, dtype=object),
        bs_style=np.array("lbs"),
        allow_pickle=True,
    )
    return path


@contextmanager
def as_chumpy() -> Iterator[tuple[Any, Any]]:
    """Two classes that pickle as chumpy 0.70's ``Ch`` and ``Select`` do, under its names, while the block lasts.

    Beside its content a chumpy array keeps the names of what has changed (a set) and its switches.
    """

    class Ch:
        def __init__(self, x: NDArray[Any]) -> None:
            self.__dict__ = {"_dirty_vars": {"x"}, "_itr": None, "_make_dense": False, "_make_sparse": False}
            self.__dict__ |= {"_depends_on_deps": {}, "x": x}

    class Select(Ch):
        def __init__(self, a: Any, idxs: NDArray[Any]) -> None:
            super().__init__(idxs)
            del self.__dict__["x"]
            self.__dict__ |= {"idxs": idxs.ravel(), "a": a, "preferred_shape": idxs.shape}

    modules = {name: ModuleType(name) for name in ("chumpy", "chumpy.ch", "chumpy.reordering")}
    for made, module in ((Ch, "chumpy.ch"), (Select, "chumpy.reordering")):
        made.__module__, made.__qualname__ = module, made.__name__
        setattr(modules[module], made.__name__, made)
    sys.modules.update(modules)
    try:
        yield Ch, Select
    finally:
        for name in modules:
            del sys.modules[name]


def _place(joint: str) -> tuple[float, float, float]:
    """Where a joint of any of the models is."""
    if joint.startswith("right_"):
        x, y, z = _place("left_" + joint.removeprefix("right_"))
        return -x, y, z
    for finger, z in _FINGERS.items():
        if joint.startswith(f"left_{finger}"):
            return 0.76 + 0.03 * int(joint[-1]), 0.22, z - 0.05
    return _PLACES[joint]


def _rings(
    joints: NDArray[np.float64], parents: tuple[int, ...], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rings of twelve vertices along the bones, the first around the joint itself, and the bone of each vertex.

    Every ring is symmetrical about its centre, so that the first one's mean is the joint.
    """
    places, bones = [], []
    angle = np.arange(12) * np.pi / 6
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    j = step = 0
    while 12 * len(places) < count:
        centre = joints[j] + (joints[max(parents[j], 0)] - joints[j]) * 0.7 * (step % 7) / 7
        axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        places.append(centre + 0.04 * ring @ axes)
        bones.append(np.full(12, j))
        j, step = (0, step + 1) if j + 1 == len(joints) else (j + 1, step)
    return np.concatenate(places)[:count], np.concatenate(bones)[:count]


def _shapes(template: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(V, 3, count) smooth fields that shrink with their number; the first is stature, the second girth.

    Of several hundred only twenty are there, and the others 0: nobody asks for more, and time counts.
    """
    fields = np.zeros((*template.shape, count))
    fields[..., 0] = 0.04 * template
    if count > 1:
        fields[..., 1] = 0.03 * template * [1.0, -0.3, 1.0]
    for n in range(2, min(count, 20)):
        waves, phases = rng.normal(size=(3, 3)) * 4, rng.uniform(0, 6, 3)
        fields[..., n] = 0.02 / n**0.5 * np.sin(template @ waves + phases)
    return fields
