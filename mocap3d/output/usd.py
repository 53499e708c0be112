"""USD with UsdSkel: a skeleton, its animation and, if wanted, a skinned mesh; .usda (text), .usdc (binary), .usdz.

Written in metres, +Y up, one time code for each frame from 0 on, ``timeCodesPerSecond`` the frame rate. Joint paths are
made of ASCII identifiers, as every reader takes them; the true names stand in ``jointNames``. Rotations and places are
float32, as the schema has them. Tips are left out: UsdSkel has joints only.

Needs the extra mocap3d[usd] (usd-core), which reads the files. Of files that were tampered with, OpenUSD may not come
to an end (binary), or crash the process (text, 12 of 40,000 damaged files in a process of little memory): those of
strangers belong into a process of their own.

Reference:
    UsdSkel schemas, https://openusd.org/release/api/_usd_skel__schemas.html
"""

from __future__ import annotations

import math
import os
import re
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import FileFormatError, InputError, MissingExtraError
from mocap3d.base.files import atomic_path
from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.mesh import SkinnedMesh
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import matrix_to_wxyz, wxyz_continuous, wxyz_to_matrix
from mocap3d.base.skeleton import ROOT, SEVERAL_ROOTS, Skeleton
from mocap3d.output.names import mirror_from_names, unique_names

if TYPE_CHECKING:
    from pxr import Usd

__all__ = ["read_usd", "write_usd"]

_Floats = NDArray[np.float64]

_FORMATS: Final = (".usda", ".usdc", ".usd", ".usdz")
_FRAMES_PER_SAMPLE: Final = 1000  # between keys that are set by hand; beyond it a time is broken
_FARTHEST: Final = 1e12  # beyond this a file is broken, whatever its unit
_RIGID: Final = 1e-3  # how far a joint's axes may be from unit length
_Y_UP_FROM_Z_UP: Final = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def write_usd(motion: Motion, path: str | os.PathLike[str], *, mesh: SkinnedMesh | None = None) -> None:
    """Write a USD file; the extension chooses text, binary or package.

    Args:
        motion: what to write.
        path: the file; it appears whole or not at all.
        mesh: a surface that follows the joints.

    Raises:
        InputError: the extension is none of USD's, the mesh does not fit, or the file cannot be written.
        MissingExtraError: usd-core is not installed.
    """
    _require_usd()
    from pxr import UsdUtils

    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise InputError(f"{path}: USD files end in {', '.join(_FORMATS)}")
    if mesh is not None:
        mesh.check(motion.rig)
    with atomic_path(path) as temporary:
        if suffix != ".usdz":
            _write_stage(motion, temporary, mesh)
            return
        inside = temporary.with_suffix(".usdc")
        try:
            _write_stage(motion, inside, mesh)
            temporary.unlink(missing_ok=True)
            if not UsdUtils.CreateNewUsdzPackage(str(inside), str(temporary)):
                raise InputError(f"cannot write {path}: the package could not be made")
        finally:
            inside.unlink(missing_ok=True)


def read_usd(path: str | os.PathLike[str]) -> Motion:
    """Read the first skeleton of a USD file, and the animation that is bound to it.

    Sampled where the animation has its time samples, if they are evenly spaced, else at every time code. A skeleton
    without animation gives one frame, at rest.

    Raises:
        InputError: the file cannot be opened.
        FileFormatError: it is no USD file, holds no skeleton, or joints that are scaled.
        MissingExtraError: usd-core is not installed.
    """
    _require_usd()
    from pxr import Tf, Usd, UsdSkel

    if not os.path.isfile(path):
        raise InputError(f"there is no file {path}")
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


def _require_usd() -> None:
    if find_spec("pxr") is None:
        raise MissingExtraError("usd-core", "usd")


def _write_stage(motion: Motion, path: Path, mesh: SkinnedMesh | None) -> None:
    from pxr import Usd, UsdGeom, UsdSkel

    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(float(motion.fps))
    stage.SetFramesPerSecond(float(motion.fps))
    stage.GetRootLayer().customLayerData = {"framesPerSecond": str(motion.fps)}  # the rate as a fraction
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(len(motion) - 1)
    root = UsdSkel.Root.Define(stage, "/Character")
    stage.SetDefaultPrim(root.GetPrim())
    skeleton = UsdSkel.Skeleton.Define(stage, "/Character/Skeleton")
    animation = UsdSkel.Animation.Define(stage, "/Character/Skeleton/Animation")
    joints = _written(motion.rig)
    _write_skeleton(skeleton, motion.rig, joints)
    _write_animation(animation, motion, joints, skeleton.GetJointsAttr().Get())
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    if mesh is not None:
        _write_mesh(stage, mesh, joints, skeleton)
    stage.GetRootLayer().Save()


def _written(rig: Rig) -> list[int]:
    """The joints that are written: all but the synthetic one that several roots hang on."""
    first = rig.skeleton.joint_names[0] == SEVERAL_ROOTS and len(rig.skeleton) > 1
    return list(range(int(first), len(rig.skeleton)))


def _write_skeleton(skeleton: Any, rig: Rig, joints: list[int]) -> None:
    from pxr import Vt

    paths: dict[int, str] = {}
    taken: set[str] = set()
    for j in joints:
        parent = paths.get(rig.skeleton.parents[j])
        own = _identifier(rig.skeleton.joint_names[j])
        paths[j] = _unique(own if parent is None else f"{parent}/{own}", taken)
    rest_m, rest_wxyz = rest_pose(rig)
    rest = _matrices(rest_wxyz, rest_m)
    local = _matrices(rig.rest_wxyz, rig.offsets_m)
    roots = [j for j in joints if rig.skeleton.parents[j] not in joints]
    local[roots] = rest[roots]
    skeleton.CreateJointsAttr([paths[j] for j in joints])
    skeleton.CreateJointNamesAttr([rig.skeleton.joint_names[j] for j in joints])
    skeleton.CreateBindTransformsAttr(Vt.Matrix4dArray.FromNumpy(rest[joints]))
    skeleton.CreateRestTransformsAttr(Vt.Matrix4dArray.FromNumpy(local[joints]))


def _write_animation(animation: Any, motion: Motion, joints: list[int], paths: Any) -> None:
    from pxr import Vt

    rig = motion.rig
    animation.CreateJointsAttr(paths)
    animation.CreateScalesAttr(Vt.Vec3hArray.FromNumpy(np.ones((len(joints), 3), np.float16)))
    turns = np.roll(wxyz_continuous(motion.local_wxyz[:, joints]), -1, axis=-1).astype(np.float32)  # USD keeps xyzw
    places = rig.offsets_m if motion.local_m is None else motion.local_m
    moved = np.array(np.broadcast_to(places, (len(motion), *rig.offsets_m.shape)))
    moved[:, 0] = motion.root_m
    if joints[0]:  # what the synthetic root does goes into the roots, which stand in the world
        turns, moved = _without_synthetic_root(motion, moved, turns)
    rotations, translations = animation.CreateRotationsAttr(), animation.CreateTranslationsAttr()
    for frame in range(len(motion)):
        rotations.Set(Vt.QuatfArray.FromNumpy(turns[frame]), frame)
    still = (moved == moved[:1]).all()
    for frame in range(1 if still else len(motion)):
        values = Vt.Vec3fArray.FromNumpy(moved[frame, joints].astype(np.float32))
        translations.Set(values) if still else translations.Set(values, frame)


def _without_synthetic_root(
    motion: Motion, moved: _Floats, turns: NDArray[np.float32]
) -> tuple[NDArray[np.float32], _Floats]:
    world_m, world_wxyz = forward(motion)
    for j, parent in enumerate(motion.rig.skeleton.parents):
        if parent == 0:
            moved[:, j] = world_m[:, j]
            turns[:, j - 1] = np.roll(wxyz_continuous(world_wxyz[:, j]), -1, axis=-1)
    return turns, moved


def _write_mesh(stage: Usd.Stage, mesh: SkinnedMesh, joints: list[int], skeleton: Any) -> None:
    from pxr import Gf, Sdf, UsdGeom, UsdShade, UsdSkel, Vt

    path = f"/Character/{_identifier(mesh.name)}"
    surface = UsdGeom.Mesh.Define(stage, path)
    points = Vt.Vec3fArray.FromNumpy(mesh.vertices_m.astype(np.float32))
    surface.CreatePointsAttr(points)
    surface.CreateExtentAttr(UsdGeom.PointBased.ComputeExtent(points))
    surface.CreateFaceVertexCountsAttr(Vt.IntArray(len(mesh.triangles), 3))
    surface.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(mesh.triangles.astype(np.int32).ravel()))
    surface.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(mesh.normals.astype(np.float32)))
    surface.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    surface.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    binding = UsdSkel.BindingAPI.Apply(surface.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1))
    followed = np.maximum(mesh.joints - joints[0], 0).astype(np.int32)
    binding.CreateJointIndicesPrimvar(False, mesh.joints.shape[1]).Set(Vt.IntArray.FromNumpy(followed.ravel()))
    weights = Vt.FloatArray.FromNumpy(mesh.weights.astype(np.float32).ravel())
    binding.CreateJointWeightsPrimvar(False, mesh.joints.shape[1]).Set(weights)
    taken: set[str] = set()
    for n, material in enumerate(mesh.materials):
        name = _unique(_identifier(material.name), taken)
        look = UsdShade.Material.Define(stage, f"/Character/Materials/{name}")
        shader = UsdShade.Shader.Define(stage, f"/Character/Materials/{name}/Surface")
        shader.CreateIdAttr("UsdPreviewSurface")
        shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).Set(Gf.Vec3f(*material.rgb))
        look.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
        faces = np.flatnonzero(mesh.material == n).astype(np.int32)
        part = UsdGeom.Subset.CreateGeomSubset(
            surface, name, UsdGeom.Tokens.face, Vt.IntArray.FromNumpy(faces), UsdShade.Tokens.materialBind
        )
        UsdShade.MaterialBindingAPI.Apply(part.GetPrim()).Bind(look)


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
        """All frames."""
        codes, fps = self.times()
        local = np.stack([self.local(code) for code in codes])
        rest = self.local(None)
        several = len(self.roots) > 1
        count = len(self.topology) + several
        matrices, rest_matrices = (np.tile(np.eye(4), (*m.shape[:-3], count, 1, 1)) for m in (local, rest))
        matrices[:, several:], rest_matrices[several:] = local, rest
        local_m = matrices[..., 3, :3] * self.metres
        offsets_m = rest_matrices[..., 3, :3] * self.metres
        inner = not np.allclose(local_m[:, 1:], offsets_m[1:], rtol=0, atol=1e-6)
        return Motion(
            rig=Rig(skeleton=self.tree(), offsets_m=offsets_m, rest_wxyz=self.turns(rest_matrices)),
            fps=fps,
            local_wxyz=self.turns(matrices),
            root_m=local_m[:, 0],
            local_m=local_m if inner else None,
        )

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


def _matrices(wxyz: _Floats, at_m: _Floats) -> _Floats:
    """(J, 4, 4) transforms in rows, as USD has them."""
    found = np.tile(np.eye(4), (len(wxyz), 1, 1))
    found[:, :3, :3] = np.swapaxes(wxyz_to_matrix(wxyz), -1, -2)
    found[:, 3, :3] = at_m
    return found


def _identifier(name: str) -> str:
    from pxr import Tf

    return str(Tf.MakeValidIdentifier(name))


def _unique(name: str, taken: set[str]) -> str:
    """The name, or with a number behind it if somebody has it."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found
