"""Body models: files in the layouts of their makers, the forward pass against a slow twin, and what is refused."""

from __future__ import annotations

import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import assert_survives
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from smpl_files import KINDS, as_chumpy, body_arrays, made_model, moving, write_npz, write_pkl

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.safe_pickle import load_pickle
from mocap3d.base.smpl import SmplParameters
from mocap3d.motion.smpl import (
    SMPL_ROLES,
    is_smpl,
    read_smpl_model,
    smpl_joints_m,
    smpl_skeleton,
    smpl_vertices_m,
)


def twin(
    arrays: dict[str, Any], parameters: SmplParameters, vertices: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Joints and some vertices by the equations of the paper: one frame, one joint, one vertex at a time."""
    betas = parameters.betas
    shaped = arrays["v_template"] + sum(b * arrays["shapedirs"][:, :, n] for n, b in enumerate(betas))
    rest = arrays["J_regressor"] @ shaped
    parents = arrays["kintree_table"][0]
    all_joints, all_vertices = [], []
    for rotvec, trans in zip(np.array(parameters.poses_rotvec), parameters.trans_m, strict=True):
        turns = [Rotation.from_rotvec(v).as_matrix() for v in rotvec]
        chain: list[NDArray[np.float64]] = []
        for j, turn in enumerate(turns):
            step = np.eye(4)
            step[:3, :3] = turn
            step[:3, 3] = rest[j] - (rest[parents[j]] if j else 0)
            chain.append(chain[parents[j]] @ step if j else step)
        all_joints.append([m[:3, 3] + trans for m in chain])
        feature = np.concatenate([(turn - np.eye(3)).ravel() for turn in turns[1:]])
        placed = []
        for v in vertices:
            posed = shaped[v] + arrays["posedirs"][v] @ feature
            mixed = sum(
                w * (m[:3, :3] @ (posed - rest[j]) + m[:3, 3])
                for j, (w, m) in enumerate(zip(arrays["weights"][v], chain, strict=True))
            )
            placed.append(mixed + trans)
        all_vertices.append(placed)
    return np.array(all_joints), np.array(all_vertices)


def written(kind: str, folder: Path, arrays: dict[str, Any]) -> Path:
    """The file as the makers of that model write it."""
    if kind == "smpl":
        return write_pkl(folder / "basicmodel_f_lbs_10_207_0_v1.1.0.pkl", arrays)
    return write_npz(folder / ("female/model.npz" if kind == "smplh" else "SMPLX_FEMALE.npz"), arrays)


@pytest.mark.parametrize("kind", KINDS)
def test_the_true_layouts_give_the_bodies_of_the_paper(tmp_path: Path, kind: str) -> None:
    """Catches joints of the wrong parent, shape or place of the pelvis left out, blend shapes in the wrong order."""
    arrays = body_arrays(kind)
    model = read_smpl_model(written(kind, tmp_path, arrays), betas=10, surface=True)
    assert (model.kind, model.gender, model.betas) == (kind, "female", 10)
    parameters = moving(model, frames=3)
    some = np.arange(0, len(arrays["v_template"]), 997)
    joints, vertices = twin(arrays, parameters, some)
    np.testing.assert_allclose(smpl_joints_m(parameters, model), joints, atol=1e-12)
    np.testing.assert_allclose(smpl_vertices_m(parameters, model)[:, some], vertices, atol=1e-12)
    assert model.surface is not None
    np.testing.assert_array_equal(model.surface.triangles, arrays["f"])


@pytest.mark.parametrize(("protocol", "select"), [(0, False), (1, True), (2, True), (2, False), (4, True)])
def test_pickles_with_chumpy(tmp_path: Path, protocol: int, select: bool) -> None:
    """Catches files that only chumpy could open: sets beside arrays, selections, Python 2's names and strings."""
    arrays = body_arrays("smplh", shapes=3, surface=False)
    path = write_pkl(tmp_path / "SMPLH_MALE.pkl", arrays, protocol=protocol, select=select)
    model = read_smpl_model(path)
    assert (model.kind, model.gender) == ("smplh", "male")
    betas = np.array([1.0, -0.5, 2.0])
    expected = arrays["J_regressor"] @ (arrays["v_template"] + arrays["shapedirs"] @ betas)
    np.testing.assert_allclose(model.rest_joints_m(betas), expected, atol=1e-12)


def test_a_selection_takes_what_is_there(tmp_path: Path) -> None:
    """Catches a selection that reads memory which is not its array's, and one whose shape is a lie."""
    array = np.arange(6.0).reshape(2, 3)
    for idxs, shape, fine in (
        (np.array([5, 0]), (2, 1), True),
        (np.array([6]), (1,), False),
        (np.array([-1]), (1,), False),
        (np.array([0.0]), (1,), False),
        (np.array([1, 2]), (3,), False),
    ):
        with as_chumpy() as (Ch, Select):
            made = Select(Ch(array), idxs)
            made.preferred_shape = shape
            (tmp_path / "a.pkl").write_bytes(pickle.dumps(made, 2))
        if fine:
            np.testing.assert_array_equal(load_pickle(tmp_path / "a.pkl"), [[5.0], [0.0]])
        else:
            with pytest.raises(FileFormatError, match=r"a\.pkl"):
                load_pickle(tmp_path / "a.pkl")


@pytest.mark.parametrize(("columns", "shapes"), [(400, 300), (20, 10), (16, 16), (1, 1)])
def test_expressions_are_not_shape(tmp_path: Path, columns: int, shapes: int) -> None:
    """Catches a face that changes with the sixteenth coefficient of the body, or half the shapes lost."""
    arrays = body_arrays("smplx", shapes=columns, surface=False)
    model = read_smpl_model(write_npz(tmp_path / "SMPLX_NEUTRAL.npz", arrays), betas=1000)
    assert model.betas == shapes
    assert read_smpl_model(tmp_path / "SMPLX_NEUTRAL.npz").betas == min(16, shapes)


def test_the_right_file_of_a_folder(tmp_path: Path) -> None:
    """Catches the wrong sex, the wrong model, and AMASS's soft tissue taken for a body."""
    small = {kind: body_arrays(kind, shapes=2, surface=False) for kind in KINDS}
    write_npz(tmp_path / "dmpls/male/model.npz", {"eigvec": np.zeros(3)})
    for gender in ("male", "female", "neutral"):
        write_npz(tmp_path / f"smplh/{gender}/model.npz", small["smplh"])
    write_npz(tmp_path / "smplx/SMPLX_NEUTRAL.npz", small["smplx"])
    write_pkl(tmp_path / "SMPL_MALE.pkl", small["smpl"])
    for kind, gender in (("smplh", "male"), ("smplh", "neutral"), ("smplx", "neutral"), ("smpl", "male")):
        model = read_smpl_model(tmp_path, kind=kind, gender=gender)  # type: ignore[arg-type]
        assert (model.kind, model.gender) == (kind, gender)
    assert read_smpl_model(tmp_path / "smplx").kind == "smplx"
    for wanted in ({"kind": "smpl", "gender": "female"}, {"kind": "smplh"}):
        with pytest.raises(InputError, match=r"no female model of smpl .*there: SMPL_MALE|several body models"):
            read_smpl_model(tmp_path, **wanted)
    with pytest.raises(InputError, match=r"mano\.is\.tue\.mpg\.de"):
        read_smpl_model(tmp_path / "nowhere.npz")
    with pytest.raises(InputError, match="holds smplx, not smplh"):
        read_smpl_model(tmp_path / "smplx/SMPLX_NEUTRAL.npz", kind="smplh")


def changed(**changes: Any) -> dict[str, Any]:
    """A small model in which something is wrong; None leaves an array out."""
    arrays = {**body_arrays("smpl", shapes=2, surface=False), **changes}
    return {name: array for name, array in arrays.items() if array is not None}


WRONG = {
    "no template": {"v_template": None},
    "a template of text": {"v_template": np.array(["a"])},
    "a flat template": {"v_template": np.zeros(6890 * 3)},
    "no vertices": {"v_template": np.zeros((0, 3)), "shapedirs": np.zeros((0, 3, 2)), "J_regressor": np.zeros((24, 0))},
    "NaN": {"v_template": np.full((6890, 3), np.nan)},
    "infinity": {"shapedirs": np.full((6890, 3, 2), np.inf)},
    "no shapes": {"shapedirs": np.zeros((6890, 3, 0))},
    "flat shapes": {"shapedirs": np.zeros((20670, 10))},
    "shapes of others": {"shapedirs": np.zeros((10475, 3, 2))},
    "a dense regressor of others": {"J_regressor": np.zeros((24, 10475))},
    "no regressor": {"J_regressor": None},
    "23 joints": {"kintree_table": np.zeros((2, 23), dtype=np.int64)},
    "another tree": {"kintree_table": np.zeros((2, 24), dtype=np.int64)},
    "triangles beyond": {"f": np.array([[0, 1, 6890]])},
    "bends of others": {"posedirs": np.zeros((6890, 3, 9))},
    "weights of others": {"weights": np.zeros((6890, 52))},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_body_model_is_refused(tmp_path: Path, name: str) -> None:
    """Catches a body that would come out distorted, or an error of NumPy from deep inside."""
    path = write_npz(tmp_path / "SMPL_NEUTRAL.npz", changed(**WRONG[name]))
    with pytest.raises(FileFormatError, match="not a body model") as caught:
        read_smpl_model(path, surface=True)
    assert caught.value.path == path


class Reduced:
    """Pickles to a call."""

    def __reduce__(self) -> Any:
        return print, ("pwned",)


def test_hostile_and_damaged_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Catches code that runs when a stranger's model is read, and half a file that is taken for one."""
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"v_template": Reduced()}, 2))
    with pytest.raises(FileFormatError, match=r"print"):
        read_smpl_model(tmp_path / "a.pkl")
    assert capsys.readouterr().out == ""
    arrays = body_arrays("smpl", shapes=2, surface=False)
    whole = {".pkl": write_pkl(tmp_path / "SMPL_MALE.pkl", arrays), ".npz": write_npz(tmp_path / "b.npz", arrays)}
    for suffix, path in whole.items():
        content = path.read_bytes()
        for share in (0.0, 0.1, 0.5, 0.999):
            (tmp_path / f"cut{suffix}").write_bytes(content[: int(share * len(content))])
            with pytest.raises(FileFormatError, match="cut"):
                read_smpl_model(tmp_path / f"cut{suffix}")
    for made, name in (([1, 2], "list.pkl"), ({}, "empty.pkl")):
        (tmp_path / name).write_bytes(pickle.dumps(made, 2))
        with pytest.raises(FileFormatError, match="not a body model"):
            read_smpl_model(tmp_path / name)
    (tmp_path / "model.txt").write_text("v_template")
    with pytest.raises(InputError, match=r"\.pkl or \.npz"):
        read_smpl_model(tmp_path / "model.txt")


def test_a_thousand_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    """Catches any other exception, from whichever array of a small model the damage is in."""
    rng = np.random.default_rng(3)
    arrays = {
        "v_template": rng.normal(size=(30, 3)),
        "shapedirs": rng.normal(size=(30, 3, 2)),
        "posedirs": np.zeros((30, 3, 207), dtype=np.int8),
        "J_regressor": np.full((24, 30), 1 / 30),
        "weights": np.full((30, 24), 1 / 24, dtype=np.float32),
        "kintree_table": np.array([smpl_skeleton("smpl").parents, range(24)]),
        "f": np.array([[0, 1, 2]], dtype=np.uint32),
    }
    seeds = [write_pkl(tmp_path / "SMPL_MALE.pkl", arrays), tmp_path / "SMPL_MALE.npz"]
    np.savez(seeds[1], **arrays)

    def read(path: Path) -> object:
        return read_smpl_model(path, surface=True)

    for seed in seeds:
        read(seed)
    assert_survives(read, seeds, tmp_path, count=1000)


def test_coefficients_that_a_model_lacks_are_left_out() -> None:
    """Catches AMASS's sixteen coefficients refused by a body of ten, and missing ones taken for something."""
    model = made_model("smpl")
    ten = np.arange(10.0)
    np.testing.assert_array_equal(model.rest_joints_m(np.append(ten, [5.0] * 6)), model.rest_joints_m(ten))
    np.testing.assert_array_equal(model.rest_joints_m(ten[:2]), model.rest_joints_m(np.append(ten[:2], np.zeros(8))))
    with pytest.raises(InputError, match="betas"):
        model.rest_joints_m([[1.0]])


def test_parameters_of_another_model_are_refused() -> None:
    """Catches 24 rotations put on a body of 52 joints."""
    parameters = moving(made_model("smpl"), frames=1)
    for place in (smpl_joints_m, smpl_vertices_m):
        with pytest.raises(InputError, match="parameters of smpl need"):
            place(parameters, made_model("smplh"))
    with pytest.raises(InputError, match="surface=True"):
        smpl_vertices_m(parameters, made_model("smpl"))


def test_skeletons() -> None:
    """Catches joints in another order than the model files', which every fit and file relies on."""
    parents = "-1 0 0 0 1 2 3 4 5 6 7 8 9 9 9 12 13 14 16 17 18 19"
    for kind, rest in {
        "smpl": "20 21",
        "smplh": "20 22 23 20 25 26 20 28 29 20 31 32 20 34 35 21 37 38 21 40 41 21 43 44 21 46 47 21 49 50",
        "smplx": "15 15 15 20 25 26 20 28 29 20 31 32 20 34 35 20 37 38 21 40 41 21 43 44 21 46 47 21 49 50 21 52 53",
    }.items():
        skeleton = smpl_skeleton(kind)
        assert skeleton.parents == tuple(map(int, f"{parents} {rest}".split()))
        assert is_smpl(skeleton)
        assert set(SMPL_ROLES.values()) == set(skeleton.joint_names[:22])
    assert smpl_skeleton("smplh").joint_names[22:25] == ("left_index1", "left_index2", "left_index3")
    with pytest.raises(InputError, match="smpl, smplh, smplx"):
        smpl_skeleton("mano")


def test_turned_parameters_place_the_turned_body() -> None:
    """Catches the pelvis of an AMASS take that swings about the origin when its axes change."""
    model = made_model("smplh")
    parameters = moving(model, frames=4)
    turned = parameters.turned("Z", model.rest_joints_m(parameters.betas)[0])
    x, y, z = np.moveaxis(smpl_joints_m(parameters, model), -1, 0)
    np.testing.assert_allclose(smpl_joints_m(turned, model), np.stack([x, -z, y], axis=-1), atol=1e-12)
    assert turned.fps == Fraction(30)
