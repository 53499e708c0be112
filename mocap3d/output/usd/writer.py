"""Writing USD with UsdSkel, through OpenUSD: a skeleton, its animation, a skinned mesh.

Reference:
    UsdSkel schemas, https://openusd.org/release/api/_usd_skel__schemas.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError, MissingExtraError
from mocap3d.base.files import atomic_path
from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.mesh import SkinnedMesh
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import trimmed
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import wxyz_continuous, wxyz_to_matrix
from mocap3d.base.skeleton import SEVERAL_ROOTS
from mocap3d.output.float32 import farthest_m, warn_if_far

if TYPE_CHECKING:
    from pxr import Usd

__all__ = ["require_usd", "write_usd"]

_Floats = NDArray[np.float64]

_FORMATS: Final = (".usda", ".usdc", ".usd", ".usdz")
_BLOCK_FRAMES: Final = 512


def write_usd(motion: Motion, path: str | os.PathLike[str], *, mesh: SkinnedMesh | None = None) -> None:
    """Write a USD file; the extension chooses text, binary or package.

    Args:
        motion: what to write.
        path: the file; it appears whole or not at all.
        mesh: a surface that follows the joints.

    Raises:
        InputError: the extension is none of USD's, the mesh does not fit, or the file cannot be written.
        MissingExtraError: usd-core is not installed.

    Warns:
        Mocap3dWarning: something moves so far that the format's four-byte numbers cannot place it to 1e-5 m.
    """
    require_usd()
    from pxr import UsdUtils

    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise InputError(f"{path}: USD files end in {', '.join(_FORMATS)}")
    if mesh is not None:
        mesh.check(motion.rig)
    warn_if_far(path, farthest_m(motion))
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


def require_usd() -> None:
    """Make sure that OpenUSD is there.

    Raises:
        MissingExtraError: it is not.
    """
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

    animation.CreateJointsAttr(paths)
    animation.CreateScalesAttr(Vt.Vec3hArray.FromNumpy(np.ones((len(joints), 3), np.float16)))
    rotations, translations = animation.CreateRotationsAttr(), animation.CreateTranslationsAttr()
    moving = _moves(motion, joints)
    for start, turns, places in _blocks(motion, joints):
        for frame, (turn, place) in enumerate(zip(turns, places, strict=True), start):
            rotations.Set(Vt.QuatfArray.FromNumpy(turn), frame)
            if moving:
                translations.Set(Vt.Vec3fArray.FromNumpy(place), frame)
            elif frame == 0:
                translations.Set(Vt.Vec3fArray.FromNumpy(place))


def _moves(motion: Motion, joints: list[int]) -> bool:
    """Whether any joint may change its place in its parent."""
    arrays = [motion.root_m, motion.local_m, motion.local_wxyz[:, 0] if joints[0] else None]
    return any(array is not None and bool((array != array[:1]).any()) for array in arrays)


def _blocks(motion: Motion, joints: list[int]) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]:
    """Yield the first frame, (T, J, 4) turns as xyzw, as USD has them, and (T, J, 3) places of some frames."""
    last = None
    for start in range(0, len(motion), _BLOCK_FRAMES):
        wxyz, at_m = _local(trimmed(motion, start, min(start + _BLOCK_FRAMES, len(motion))), bool(joints[0]))
        wxyz = wxyz[:, joints] if last is None else np.concatenate([last, wxyz[:, joints]])
        wxyz = wxyz_continuous(wxyz)[0 if last is None else 1 :]
        last = wxyz[-1:]
        yield start, np.roll(wxyz, -1, axis=-1).astype(np.float32), at_m[:, joints].astype(np.float32)


def _local(motion: Motion, synthetic: bool) -> tuple[_Floats, _Floats]:
    """Turns and places of joints in their parents; where a synthetic root holds several, of those in the world."""
    offsets_m = motion.rig.offsets_m if motion.local_m is None else motion.local_m
    at_m = np.array(np.broadcast_to(offsets_m, (len(motion), *motion.rig.offsets_m.shape)))
    at_m[:, 0] = motion.root_m
    if not synthetic:
        return motion.local_wxyz, at_m
    wxyz, (world_m, world_wxyz) = motion.local_wxyz.copy(), forward(motion)
    roots = [j for j, parent in enumerate(motion.rig.skeleton.parents) if parent == 0]
    wxyz[:, roots], at_m[:, roots] = world_wxyz[:, roots], world_m[:, roots]
    return wxyz, at_m


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
