"""Reading USD with UsdSkel, through OpenUSD.

Reference:
    UsdSkel schemas, https://openusd.org/release/api/_usd_skel__schemas.html
"""

from __future__ import annotations

import math
import os
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import FileFormatError
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import matrix_to_wxyz
from mocap3d.base.skeleton import ROOT, SEVERAL_ROOTS, Skeleton
from mocap3d.output.names import mirror_from_names, unique_names

if TYPE_CHECKING:
    from pxr import Usd

__all__ = ["read_stage"]

_Floats = NDArray[np.float64]

_BLOCK_FRAMES: Final = 512
_FRAMES_PER_SAMPLE: Final = 1000  # between keys that are set by hand; beyond it a time is broken
_FARTHEST: Final = 1e12  # beyond this a file is broken, whatever its unit
_RIGID: Final = 1e-3  # how far a joint's axes may be from unit length
_Y_UP_FROM_Z_UP: Final = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def read_stage(path: str | os.PathLike[str]) -> Motion:
    """Read the first skeleton of a USD file in this process: see ``read_usd``, which gives it one of its own.

    Raises:
        FileFormatError: it is no USD file, holds no skeleton, or joints that are scaled.
    """
    from pxr import Tf, Usd, UsdSkel

    try:
        stage = Usd.Stage.Open(str(path))
    except Tf.ErrorException:  # whose text cannot always be had
        raise FileFormatError("no USD file, or a broken one", path=Path(path)) from None
    try:
        found = next((prim for prim in stage.Traverse() if prim.IsA(UsdSkel.Skeleton)), None)
        if found is None:
            raise FileFormatError("no skeleton (UsdSkel) in it", path=Path(path))
        return _Reader(stage, UsdSkel.Skeleton(found), Path(path)).motion()
    except (Tf.ErrorException, TypeError):  # TypeError: an attribute of another type than the schema's
        raise FileFormatError("a broken USD file", path=Path(path)) from None


class _Reader:
    """One skeleton of a stage, on its way to a motion."""

    def __init__(self, stage: Usd.Stage, skeleton: Any, path: Path) -> None:
        from pxr import UsdGeom, UsdSkel

        self.stage, self.skeleton, self.path = stage, skeleton, path
        self.metres = UsdGeom.GetStageMetersPerUnit(stage)
        self.z_up = UsdGeom.GetStageUpAxis(stage) == UsdGeom.Tokens.z
        self.query = UsdSkel.Cache().GetSkelQuery(skeleton)
        if not self.query or not 0 < self.metres < math.inf:
            raise self.error("its skeleton or its unit is broken")
        self.topology = self.query.GetTopology()
        self.roots = [j for j in range(len(self.topology)) if self.topology.GetParent(j) < 0]
        if not self.roots:
            raise self.error("its skeleton has no joints")

    def error(self, message: str) -> FileFormatError:
        """An error of this file."""
        return FileFormatError(message, path=self.path)

    def motion(self) -> Motion:
        """All frames, made some at a time."""
        codes, fps = self.times()
        rest = self.with_synthetic(self.local(None))
        offsets_m = rest[:, 3, :3] * self.metres
        wxyz, local_m = np.empty((len(codes), len(rest), 4)), np.empty((len(codes), len(rest), 3))
        inner = False
        for start in range(0, len(codes), _BLOCK_FRAMES):
            block = slice(start, start + _BLOCK_FRAMES)
            matrices = self.with_synthetic(np.stack([self.local(code) for code in codes[block]]))
            wxyz[block], local_m[block] = self.turns(matrices), matrices[..., 3, :3] * self.metres
            inner = inner or not np.allclose(local_m[block, 1:], offsets_m[1:], rtol=0, atol=1e-6)
        wxyz.flags.writeable = local_m.flags.writeable = False
        return Motion(
            rig=Rig(skeleton=self.tree(), offsets_m=offsets_m, rest_wxyz=self.turns(rest)),
            fps=fps,
            local_wxyz=wxyz,
            root_m=local_m[:, 0],
            local_m=local_m if inner else None,
        )

    def with_synthetic(self, matrices: _Floats) -> _Floats:
        """(..., J, 4, 4) transforms; several roots get one above them, which does nothing."""
        if len(self.roots) == 1:
            return matrices
        still = np.broadcast_to(np.eye(4), (*matrices.shape[:-3], 1, 4, 4))
        return np.concatenate([still, matrices], axis=-3)

    def times(self) -> tuple[list[float], Fraction]:
        """Time codes to read, and how many of them a second has."""
        per_second = self.stage.GetTimeCodesPerSecond()
        animation = self.query.GetAnimQuery()
        codes = list(animation.GetJointTransformTimeSamples()) if animation else []
        if not 0 < per_second < math.inf or not all(map(math.isfinite, codes)):
            raise self.error("its time codes are broken")
        if len(codes) < 2:
            return codes or [0.0], self.rate(per_second)
        steps = np.diff(codes)
        if not np.allclose(steps, steps[0], rtol=0, atol=1e-6 * max(abs(codes[0]), abs(codes[-1]), 1.0)):
            first, last = math.floor(codes[0]), math.ceil(codes[-1])
            if last - first > _FRAMES_PER_SAMPLE * len(codes):
                raise self.error(f"{len(codes)} time samples lie {last - first} time codes apart")
            codes, steps = [float(code) for code in range(first, last + 1)], np.ones(1)
        return codes, self.rate(per_second / float(np.median(steps)))

    def rate(self, per_second: float) -> Fraction:
        """Frames per second as a fraction: the one that we wrote, if it is this rate, else the simplest."""
        text = str(self.stage.GetRootLayer().customLayerData.get("framesPerSecond", ""))
        written = Fraction(text) if re.fullmatch(r"\d{1,15}(/[1-9]\d{0,14})?", text) else None
        if written is not None and math.isclose(float(written), per_second, rel_tol=1e-9):
            return written
        return as_fps(round(per_second, 6))

    def local(self, code: float | None) -> _Floats:
        """(J, 4, 4) parent_from_joint, rows as USD has them; of roots world_from_joint. None is the rest pose."""
        from pxr import UsdGeom

        matrices = self.query.ComputeJointLocalTransforms(0 if code is None else code, atRest=code is None)
        if not matrices:
            raise self.error("its joints have no transforms")
        found = np.array(matrices, dtype=np.float64)
        world = np.array(
            UsdGeom.XformCache(0 if code is None else code).GetLocalToWorldTransform(self.skeleton.GetPrim())
        )
        if not (np.abs(found) < _FARTHEST).all() or not (np.abs(world) < _FARTHEST).all():  # nor NaN
            raise self.error("a joint's transform is beyond any measure")
        scale = float(np.cbrt(abs(np.linalg.det(world[:3, :3]))))
        if scale == 0:
            raise self.error("its skeleton is flat")
        found[:, 3, :3] *= scale
        world[:3, :3] /= scale
        if self.z_up:
            world[:, :3] = world[:, :3] @ _Y_UP_FROM_Z_UP.T
        found[self.roots] = found[self.roots] @ world
        return found

    def turns(self, matrices: _Floats) -> _Floats:
        """Unit quaternions of transforms; refuses scaled joints."""
        axes = matrices[..., :3, :3]
        if not np.allclose(np.linalg.norm(axes, axis=-1), 1, atol=_RIGID) or (np.linalg.det(axes) < 0).any():
            raise self.error("joints that are scaled or mirrored cannot be read")
        return matrix_to_wxyz(np.swapaxes(axes, -1, -2))

    def tree(self) -> Skeleton:
        """Names and parents; several roots hang on a synthetic one."""
        count, several = len(self.topology), len(self.roots) > 1
        paths = [str(path) for path in self.query.GetJointOrder()]
        given = [str(name) for name in self.skeleton.GetJointNamesAttr().Get() or ()]
        names = given if len(given) == count else [path.rsplit("/", 1)[-1] for path in paths]
        names = list(unique_names(names))
        parents = [self.topology.GetParent(j) for j in range(count)]
        if several:
            names = [SEVERAL_ROOTS, *names]
            parents = [ROOT, *(parent + 1 for parent in parents)]
        if any(parent >= j for j, parent in enumerate(parents)):
            raise self.error("its skeleton lists a joint before its parent")
        mirror = mirror_from_names(names)
        return Skeleton(name=self.path.stem, joint_names=tuple(names), parents=tuple(parents), mirror=mirror)
