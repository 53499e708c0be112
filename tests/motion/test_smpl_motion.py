"""SMPL parameters as motions: joints and skin in files are those of the body model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smpl_files import KINDS, body_arrays, made_model, moving, write_npz

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import forward, rest_pose, tip_positions
from mocap3d.base.mesh import deform
from mocap3d.motion.smpl import (
    fit_smpl,
    read_smpl_model,
    smpl_joints_m,
    smpl_mesh,
    smpl_rig,
    smpl_to_motion,
    smpl_vertices_m,
)
from mocap3d.output import read_bvh, write_bvh
from mocap3d.output.amass import read_amass, write_amass


@pytest.mark.parametrize("kind", KINDS)
def test_a_take_of_amass_through_bvh(tmp_path: Path, kind: str) -> None:
    """Catches a body that lies on its back, a pelvis at the wrong place, joints exchanged on the way through files."""
    model = made_model(kind)
    truth = moving(model, frames=20)
    pelvis_m = model.rest_joints_m(truth.betas)[0]
    write_amass(truth.turned("Z", pelvis_m), tmp_path / "take.npz")
    motion = smpl_to_motion(read_amass(tmp_path / "take.npz"), model)
    write_bvh(motion, tmp_path / "take.bvh")
    found = read_bvh(tmp_path / "take.bvh")
    joints_m, _ = forward(found)
    order = [found.rig.skeleton.index(name) for name in model.skeleton.joint_names]
    np.testing.assert_allclose(joints_m[:, order], smpl_joints_m(truth, model), atol=1e-4)
    assert (len(found), found.fps) == (20, 30)
    again = fit_smpl(found, model)
    np.testing.assert_allclose(smpl_joints_m(again, model), smpl_joints_m(truth, model), atol=1e-4)


def test_the_rig_stands_on_the_floor_and_ends_in_points_of_the_skin(tmp_path: Path) -> None:
    """Catches a rest pose below the floor, sides exchanged, and ends of bones that do not follow the shape."""
    path = write_npz(tmp_path / "SMPLH_MALE.npz", body_arrays("smplh", shapes=10, surface=False))
    model = read_smpl_model(path)
    betas = np.array([2.0, -1.0, 0.5])
    rig = smpl_rig(model, betas)
    rest_m, _ = rest_pose(rig)
    marks = {tip.name: rest_m[tip.parent] + tip.offset_m for tip in rig.tips}
    assert set(marks) == {"headTop", "leftHandTip", "rightHandTip", "leftToesTip", "rightToesTip"}
    assert {rig.skeleton.joint_names[tip.parent] for tip in rig.tips} >= {"head", "left_middle3", "right_foot"}
    arrays = body_arrays("smplh", shapes=10, surface=False)
    shaped = arrays["v_template"] + arrays["shapedirs"][..., :3] @ betas
    shaped[:, 1] -= shaped[np.argmin(arrays["v_template"][:, 1]), 1]
    np.testing.assert_allclose(marks["headTop"], shaped[np.argmax(arrays["v_template"][:, 1])], atol=0.01)
    assert marks["leftHandTip"][0] > 0.7 > -0.7 > marks["rightHandTip"][0]
    assert marks["leftToesTip"][0] > 0 > marks["rightToesTip"][0]
    assert 0 < min(marks["leftToesTip"][1], marks["rightToesTip"][1]) < 0.1
    assert min(marks["leftToesTip"][2], marks["rightToesTip"][2]) > 0.1
    truth = moving(made_model("smplh"), frames=3)
    assert tip_positions(smpl_to_motion(truth, made_model("smplh"))).shape == (3, 5, 3)


def test_the_skin_goes_along(tmp_path: Path) -> None:
    """Catches a skin that is bound to another rest pose than the rig's, or to the wrong joints."""
    arrays = body_arrays("smpl", shapes=10)
    arrays["posedirs"][:] = 0  # what files cannot carry
    model = read_smpl_model(write_npz(tmp_path / "SMPL_NEUTRAL.npz", arrays), surface=True)
    truth = moving(model, frames=3)
    mesh = smpl_mesh(model, truth.betas)
    np.testing.assert_allclose(deform(mesh, smpl_to_motion(truth, model)), smpl_vertices_m(truth, model), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-9)
    assert mesh.vertices_m[:, 1].min() > -0.02
    with pytest.raises(InputError, match="surface=True"):
        smpl_mesh(made_model("smpl"), truth.betas)
    with pytest.raises(InputError, match="parameters of smpl need"):
        smpl_to_motion(truth, made_model("smplx"))
