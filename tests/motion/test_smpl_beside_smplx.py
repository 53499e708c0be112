"""Our bodies beside those of the makers' package, where somebody has installed it: `pip install mocap3d[smplx]`.

Its licence allows non-commercial research only, so no lock file has it, and nothing of mocap3d needs it.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from smpl_files import KINDS, body_arrays, moving, write_npz

from mocap3d.motion.smpl import read_smpl_model, smpl_joints_m, smpl_vertices_m

FILES = {"smpl": "SMPL_NEUTRAL.pkl", "smplh": "SMPLH_NEUTRAL.npz", "smplx": "SMPLX_NEUTRAL.npz"}


@pytest.mark.parametrize("kind", KINDS)
def test_joints_and_skin_are_those_of_the_package(tmp_path: Path, kind: str) -> None:
    """Catches an equation that we and our own twin misread in the same way."""
    smplx = pytest.importorskip("smplx", reason="smplx is not installed; its licence is for research only")
    import torch

    arrays = body_arrays(kind)
    path = tmp_path / FILES[kind]
    if kind == "smpl":  # the package unpickles
        path.write_bytes(pickle.dumps(arrays, 2))
    else:
        marks = {"lmk_faces_idx": np.zeros(51, dtype=np.int64), "lmk_bary_coords": np.full((51, 3), 1 / 3)}
        write_npz(path, arrays | marks)
    model = read_smpl_model(path, betas=10, surface=True)
    truth = moving(model, frames=4)
    options = {"num_betas": 10, "batch_size": 4, "dtype": torch.float64, "gender": "neutral", "ext": path.suffix[1:]}
    if kind != "smpl":
        options |= {"use_pca": False, "flat_hand_mean": True}
    body = smplx.create(str(path), model_type=kind, **options)
    parts = torch.tensor(np.array(truth.poses_rotvec)).reshape(4, -1)
    pose = {"global_orient": parts[:, :3], "body_pose": parts[:, 3 : 72 if kind == "smpl" else 66]}
    if kind == "smplx":
        pose |= {"jaw_pose": parts[:, 66:69], "leye_pose": parts[:, 69:72], "reye_pose": parts[:, 72:75]}
    if kind != "smpl":
        pose |= {"left_hand_pose": parts[:, -90:-45], "right_hand_pose": parts[:, -45:]}
    betas = torch.tensor(np.tile(truth.betas[:10], (4, 1)))
    with torch.inference_mode():
        made = body(betas=betas, transl=torch.tensor(np.array(truth.trans_m)), **pose)
    joints_m = made.joints.numpy()[:, : len(model.skeleton)]
    # The package adds 1e-8 to angles.
    np.testing.assert_allclose(smpl_joints_m(truth, model), joints_m, atol=1e-6)
    np.testing.assert_allclose(smpl_vertices_m(truth, model), made.vertices.numpy(), atol=1e-6)
