"""Several people in one file, as programs see them that we did not write."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from fbx_readers import see_with
from foreign_readers import READERS

from mocap3d import output
from mocap3d.base.kinematics import forward
from mocap3d.base.mesh import deform, joined
from mocap3d.base.motion_edits import split, together
from mocap3d.base.rotations import rotvec_to_wxyz, wxyz_multiply
from mocap3d.output.mannequin import mannequin
from mocap3d.output.presets import roles


@pytest.fixture(scope="module")
def duo(wild_motion):
    """Two people, one of whom comes later and stands elsewhere, turned."""
    first = replace(wild_motion, fps=Fraction(30))
    turn = rotvec_to_wxyz(np.array([0.0, 2.0, 0.0]))
    local_wxyz = first.local_wxyz[:40].copy()
    local_wxyz[:, 0] = wxyz_multiply(turn, local_wxyz[:, 0])
    second = replace(first, local_wxyz=local_wxyz, root_m=first.root_m[:40] + [2.0, 0, 1], start_frame=10)
    return {"anna": first, "ben": second}


def expected(people):
    """Names and (T, J, 3) places of all, from each person's own motion: who is not there yet stands still."""
    frames = max(one.start_frame + len(one) for one in people.values())
    names, places = [], []
    for name, one in people.items():
        names += [f"{name}:{joint}" for joint in one.rig.skeleton.joint_names]
        index = (np.arange(frames) - one.start_frame).clip(0, len(one) - 1)
        places.append(forward(one)[0][index])
    return names, np.concatenate(places, axis=1)


def assert_theirs(people, names, xyz_m, tolerance_m=1e-5):
    """Compare what a program saw, in any order, and with or without joints of its own making."""
    wanted, places = expected(people)
    assert set(wanted) <= set(names)
    order = [names.index(name) for name in wanted]
    np.testing.assert_allclose(np.asarray(xyz_m)[:, order], places, rtol=0, atol=tolerance_m)


def test_fbx_by_ufbx(duo, tmp_path):
    """Catches people who stand in each other, and one who moves with the other's root."""
    output.write(duo, tmp_path / "duo.fbx")
    seen = see_with("ufbx", tmp_path / "duo.fbx", together(duo))
    assert seen.frames in (None, 60)
    assert_theirs(duo, seen.names, seen.xyz_m)


def test_glb_by_three_js_and_the_validator(duo, tmp_path):
    """Catches the same, and a file that is not valid because two people share a scene."""
    output.write(duo, tmp_path / "duo.glb", mesh=two_bodies(duo))
    out = tmp_path / "out.json"
    subprocess.run(["node", READERS / "read_gltf.mjs", tmp_path / "duo.glb", "30", out, "1"], check=True)
    theirs = json.loads(out.read_text())
    assert theirs["frames"] == 60
    assert_theirs(duo, theirs["names"], theirs["xyz"])
    np.testing.assert_allclose(theirs["vertices"], deform(two_bodies(duo), together(duo)), rtol=0, atol=1e-5)
    subprocess.run(["node", READERS / "validate_gltf.mjs", tmp_path / "duo.glb", out], check=True)
    issues = json.loads(out.read_text())["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0)


def test_usd_by_openusd(duo, tmp_path):
    """Catches the same; and bodies that follow each other's bones."""
    from pxr import Usd, UsdGeom, UsdSkel

    mesh = two_bodies(duo)
    output.write(duo, tmp_path / "duo.usdc", mesh=mesh)
    stage = Usd.Stage.Open(str(tmp_path / "duo.usdc"))
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode(), stage.GetTimeCodesPerSecond()) == (0, 59, 30)
    skeleton = next(UsdSkel.Skeleton(prim) for prim in stage.Traverse() if prim.IsA(UsdSkel.Skeleton))
    surface = next(UsdGeom.Mesh(prim) for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh))
    cache = UsdSkel.Cache()
    cache.Populate(UsdSkel.Root.Find(surface.GetPrim()), Usd.PrimDefaultPredicate)
    query = cache.GetSkelQuery(skeleton)
    names = list(skeleton.GetJointNamesAttr().Get())
    skinned_m = deform(mesh, together(duo))
    places = []
    for frame in range(60):
        places.append([matrix.ExtractTranslation() for matrix in query.ComputeJointSkelTransforms(frame)])
        points = surface.GetPointsAttr().Get()
        transforms = query.ComputeSkinningTransforms(frame)
        assert cache.GetSkinningQuery(surface.GetPrim()).ComputeSkinnedPoints(transforms, points, frame)
        np.testing.assert_allclose(np.array(points), skinned_m[frame], rtol=0, atol=1e-5)
    assert_theirs(duo, names, np.array(places))


def test_bvh_has_a_root_for_each(duo, tmp_path):
    """Catches a second ROOT that is lost, or joints of the same name in one file."""
    output.write(duo, tmp_path / "duo.bvh")
    assert (tmp_path / "duo.bvh").read_text().count("ROOT ") == 2
    found = split(output.read(tmp_path / "duo.bvh"))
    assert list(found) == ["anna", "ben"]
    names = [f"{name}:{joint}" for name, one in found.items() for joint in one.rig.skeleton.joint_names]
    assert_theirs(duo, names, np.concatenate([forward(one)[0] for one in found.values()], axis=1), 1e-4)


def two_bodies(people):
    """A mannequin for each, following the joints that they have in the common file."""
    bodies = [mannequin(one.rig, roles(one.rig, None)) for one in people.values()]
    return joined(bodies, [1, 1 + len(people["anna"].rig.skeleton)])
