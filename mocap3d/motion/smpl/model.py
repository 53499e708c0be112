"""The body models SMPL, SMPL-H and SMPL-X, read from the files that their makers give away.

The files have a licence of their own, for non-commercial scientific research, and cannot be shipped (docs/smpl.md): a
user brings them. Nothing of chumpy, PyTorch or the package ``smplx`` is needed. Pickles go through
``base/safe_pickle.py``, which runs nothing that a file says.

Fitting and converting need the joints only, a few kilobytes: the joint regressor is applied once, when the file is
read. The surface, up to 200 MB of blend shapes, is kept on demand.

Source: Loper et al., "SMPL: A Skinned Multi-Person Linear Model", SIGGRAPH Asia 2015; Romero et al., "Embodied Hands",
SIGGRAPH Asia 2017; Pavlakos et al., "Expressive Body Capture", CVPR 2019.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.checks import as_floats
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.safe_pickle import load_npz, load_pickle
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.smpl import SMPL_MODELS
from mocap3d.motion.smpl.files import WHERE_TO_GET, find_model_file, gender_of
from mocap3d.motion.smpl.skeletons import smpl_skeleton

__all__ = ["LANDMARKS", "Gender", "SmplModel", "SmplSurface", "read_smpl_model"]

Floats = NDArray[np.float64]
Gender = Literal["neutral", "female", "male"]

LANDMARKS: Final = ("headTop", "leftHandTip", "rightHandTip", "leftToesTip", "rightToesTip", "leftSole", "rightSole")
"""Vertices that every model keeps, with or without its surface: the ends of bones, and what stands on the floor."""

_BETAS: Final = 16  # what AMASS holds
_SHAPES_OF_X: Final = 300  # of SMPL-X's 400 columns; the others are expressions of the face
_OLD_X: Final = (20, 10)  # SMPL-X 1.0 has so many columns, so many of them shape


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SmplSurface:
    """The skin of a body model.

    Attributes:
        template_m: (V, 3) vertices of the average body at rest.
        per_beta_m: (V, 3, B) how each coefficient of shape moves them.
        per_pose_m: (V, 3, 9 (K - 1)) how the rotation matrices of all joints but the root move them, less the identity.
        weights: (V, K) how much each vertex follows each joint.
        triangles: (F, 3) vertices.
    """

    template_m: Floats
    per_beta_m: Floats
    per_pose_m: Floats
    weights: Floats
    triangles: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SmplModel:
    """A body model: where its joints are, as a function of shape.

    Attributes:
        kind: "smpl", "smplh" or "smplx".
        gender: of the people it was learned from.
        joints_m: (K, 3) joints of the average body at rest: a T-pose, +Y up, facing +Z.
        joints_per_beta_m: (K, 3, B) how each coefficient of shape moves them.
        landmarks_m: (7, 3) the vertices of `LANDMARKS`.
        landmarks_per_beta_m: (7, 3, B) how shape moves them.
        surface: the skin, or None when it was not asked for.
    """

    kind: str
    gender: Gender
    joints_m: Floats
    joints_per_beta_m: Floats
    landmarks_m: Floats
    landmarks_per_beta_m: Floats
    surface: SmplSurface | None = None

    @property
    def skeleton(self) -> Skeleton:
        """Names and tree of the K joints."""
        return smpl_skeleton(self.kind)

    @property
    def betas(self) -> int:
        """How many coefficients of shape there are."""
        return int(self.joints_per_beta_m.shape[2])

    def rest_joints_m(self, betas: ArrayLike) -> Floats:
        """(K, 3) joints of the body of that shape at rest; coefficients that the model lacks are left out."""
        return np.asarray(self.joints_m + self.joints_per_beta_m @ self.known_betas(betas))

    def rest_landmarks_m(self, betas: ArrayLike) -> dict[str, Floats]:
        """The `LANDMARKS` of the body of that shape at rest, (3,) each."""
        places = self.landmarks_m + self.landmarks_per_beta_m @ self.known_betas(betas)
        return dict(zip(LANDMARKS, places, strict=True))

    def known_betas(self, betas: ArrayLike) -> Floats:
        """(B,) the coefficients that the model has, 0 where none are given.

        Raises:
            InputError: not numbers of shape (any,).
        """
        given = as_floats("betas", betas, (None,))[: self.betas]
        return np.concatenate([given, np.zeros(self.betas - len(given))])


def read_smpl_model(
    path: str | os.PathLike[str],
    *,
    kind: str | None = None,
    gender: Gender | None = None,
    betas: int = _BETAS,
    surface: bool = False,
) -> SmplModel:
    """Read a body model from a file, or find it in a folder by the names that the makers gave.

    Args:
        path: a ``.pkl`` or ``.npz``; or a folder, such as one with ``smplh/male/model.npz`` or ``SMPL_NEUTRAL.pkl``.
        kind: "smpl", "smplh" or "smplx"; a folder may hold several. None: whatever it is.
        gender: likewise; None takes that of the file's name, or else "neutral".
        betas: keep at most so many coefficients of shape.
        surface: keep the skin as well as the joints.

    Raises:
        InputError: there is no such file, or it is of another kind; the message says where the models come from.
        FileFormatError: it is no such model, is damaged, or holds what no model needs.
    """
    if kind is not None:
        smpl_skeleton(kind)  # that there is such a model
    if betas < 1:
        raise InputError(f"a body needs one coefficient of shape or more, got betas={betas}")
    path = Path(path)
    if path.is_dir():
        path = find_model_file(path, kind, gender)
    elif not path.is_file():
        raise InputError(f"no such body model: {path}. {WHERE_TO_GET}")
    if path.suffix.lower() not in (".npz", ".pkl"):
        raise InputError(f"{path}: body models are .pkl or .npz files. {WHERE_TO_GET}")
    content = load_npz(path) if path.suffix.lower() == ".npz" else load_pickle(path)
    found: Any = gender or gender_of(path) or "neutral"
    try:
        model = _model(content, found, betas, surface=surface)
    except InputError as error:
        raise FileFormatError(f"not a body model: {error}", path=path) from None
    if kind not in (None, model.kind):
        raise InputError(f"{path} holds {model.kind}, not {kind}. {WHERE_TO_GET}")
    return model


def _model(content: object, gender: Gender, betas: int, *, surface: bool) -> SmplModel:
    if not isinstance(content, dict):
        raise InputError(f"a dictionary is needed, this is of type {type(content).__name__}")
    template = _floats(content, "v_template", (None, 3))
    vertices = len(template)
    kind = _kind(content)
    joints = len(smpl_skeleton(kind))
    regressor = _regressor(content, (joints, vertices))
    shapes = _shapes(content, vertices, kind, betas)
    marks = _landmarks(template)
    return SmplModel(
        kind=kind,
        gender=gender,
        joints_m=_locked(regressor @ template),
        joints_per_beta_m=_locked((regressor @ shapes.reshape(vertices, -1)).reshape(joints, 3, -1)),
        landmarks_m=_locked(template[marks]),
        landmarks_per_beta_m=_locked(shapes[marks]),
        surface=_surface(content, template, shapes, joints) if surface else None,
    )


def _surface(content: Mapping[str, object], template: Floats, shapes: Floats, joints: int) -> SmplSurface:
    triangles = _floats(content, "f", (None, 3))
    if triangles.size and not (triangles.min() >= 0 and triangles.max() < len(template)):
        raise InputError("f names vertices that there are not")
    indices = triangles.astype(np.int64)
    indices.setflags(write=False)
    weights = _floats(content, "weights", (len(template), joints))
    return SmplSurface(
        template_m=template,
        per_beta_m=shapes,
        per_pose_m=_floats(content, "posedirs", (len(template), 3, 9 * (joints - 1))),
        weights=weights,
        triangles=indices,
    )


def _kind(content: Mapping[str, object]) -> str:
    """The model that has this tree of joints."""
    table = _floats(content, "kintree_table", (2, None))
    kind = SMPL_MODELS.get(table.shape[1])
    if kind is None:
        known = ", ".join(f"{count} ({name})" for count, name in SMPL_MODELS.items())
        raise InputError(f"it has {table.shape[1]} joints; known are {known}")
    if tuple(table[0, 1:]) != smpl_skeleton(kind).parents[1:]:
        raise InputError(f"kintree_table is not the tree of {kind}")
    return kind


def _regressor(content: Mapping[str, object], shape: tuple[int, int]) -> Any:
    """(K, V), sparse or dense: the joints as means of vertices."""
    regressor = cast(Any, content.get("J_regressor"))
    if not hasattr(regressor, "tocsr"):
        return _floats(content, "J_regressor", shape)
    if regressor.shape != shape:
        raise InputError(f"J_regressor must have the shape {shape}, got {regressor.shape}")
    as_floats("J_regressor", regressor.data, (None,))
    return regressor.tocsr()


def _shapes(content: Mapping[str, object], vertices: int, kind: str, betas: int) -> Floats:
    """(V, 3, B) the columns of shapedirs that are shape; SMPL-X goes on with expressions of the face."""
    columns = content.get("shapedirs")
    if not isinstance(columns, np.ndarray) or columns.ndim != 3 or not columns.shape[2]:
        return _floats(content, "shapedirs", (vertices, 3, betas))  # says what is wrong
    old = kind == "smplx" and columns.shape[2] == _OLD_X[0]
    count = min(betas, _OLD_X[1] if old else _SHAPES_OF_X, columns.shape[2])
    return _floats({"shapedirs": columns[:, :, :count]}, "shapedirs", (vertices, 3, count))


def _landmarks(template: Floats) -> list[int]:
    """The vertices of `LANDMARKS`: the outermost ones of the average body; the left is at +X."""
    if not len(template):
        raise InputError("there are no vertices")
    x, y, z = template.T
    low = y < y.min() + 0.1 * np.ptp(y)  # the feet

    def outermost(value: Floats, among: NDArray[np.bool_]) -> int:
        return int(np.argmax(np.where(among, value, -np.inf)))

    everywhere = np.ones(len(template), dtype=bool)
    return [
        outermost(y, everywhere),
        outermost(x, everywhere),
        outermost(-x, everywhere),
        outermost(z, low & (x > 0)),
        outermost(z, low & (x < 0)),
        outermost(-y, x > 0),
        outermost(-y, x < 0),
    ]


def _floats(content: Mapping[str, object], name: str, shape: tuple[int | None, ...]) -> Floats:
    """An array of finite numbers, as float64."""
    if name not in content:
        raise InputError(f"there is no {name}")
    array = content[name]
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise InputError(f"{name} must be an array of numbers")
    checked = as_floats(name, array, shape)
    if np.isnan(checked.min(initial=0.0)):
        raise InputError(f"{name} holds NaN")
    return checked


def _locked(array: Any) -> Floats:
    locked = np.ascontiguousarray(array, dtype=np.float64)
    locked.setflags(write=False)
    return locked
