"""``mocap3d convert`` between takes of AMASS and motion files, with a body model that the user brings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smpl_files import body_arrays, moving, write_npz
from typer.testing import CliRunner

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.cli import app
from mocap3d.motion.smpl import SmplModel, read_smpl_model, smpl_joints_m
from mocap3d.output import extensions, read
from mocap3d.output.amass import read_amass, write_amass


@pytest.fixture
def take(tmp_path: Path) -> tuple[SmplModel, Path]:
    """A body model below ``models``, and ``take.npz`` of it."""
    path = write_npz(tmp_path / "models/smplh/male/model.npz", body_arrays("smplh", shapes=10))
    model = read_smpl_model(path)
    truth = moving(model, frames=12)
    write_amass(truth.turned("Z", model.rest_joints_m(truth.betas)[0]), tmp_path / "take.npz")
    return model, tmp_path / "take.npz"


def run(*words: object) -> str:
    """Run the command; its error comes out."""
    done = CliRunner().invoke(app, ["convert", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def joints_of(path: Path, model: SmplModel) -> np.ndarray:
    """The model's joints in a motion file."""
    motion = read(path)
    assert isinstance(motion, Motion)
    names = motion.rig.skeleton.joint_names
    return forward(motion)[0][:, [names.index(name) for name in model.skeleton.joint_names]]


def test_a_take_becomes_a_motion_and_a_take_again(take: tuple[SmplModel, Path], tmp_path: Path) -> None:
    """Catches an option that is not handed on: model, gender, frames, axes."""
    model, source = take
    truth = read_amass(source)
    upright = truth.turned("Y", model.rest_joints_m(truth.betas)[0])
    expected = smpl_joints_m(upright, model)
    folder = tmp_path / "models"
    run(source, tmp_path / "a.bvh", "--body-model", folder, "--gender", "male", "--trim", "2:8")
    np.testing.assert_allclose(joints_of(tmp_path / "a.bvh", model), expected[2:8], atol=1e-4)
    run(tmp_path / "a.bvh", tmp_path / "again.npz", "--as", "smplh", "--body-model", folder / "smplh/male/model.npz")
    found = read_amass(tmp_path / "again.npz")
    np.testing.assert_allclose(smpl_joints_m(found, model), smpl_joints_m(truth, model)[2:8], atol=1e-4)
    assert (found.gender, found.up, found.fps) == ("male", "Z", truth.fps)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmplModel, Path]:
    """A body model without a surface, and ``take.npz`` of it beside it."""
    folder = tmp_path_factory.mktemp("bare")
    model = read_smpl_model(write_npz(folder / "SMPLH_MALE.npz", body_arrays("smplh", shapes=10, surface=False)))
    truth = moving(model, frames=8)
    write_amass(truth.turned("Z", model.rest_joints_m(truth.betas)[0]), folder / "take.npz")
    return model, folder / "take.npz"


@pytest.mark.parametrize("extension", extensions())
def test_a_take_in_every_format_and_back(bare: tuple[SmplModel, Path], tmp_path: Path, extension: str) -> None:
    """Catches a format that loses joints of a body of 52, its place or its axes, and one that leads nowhere."""
    model, source = bare
    path, models = tmp_path / f"a{extension}", source.with_name("SMPLH_MALE.npz")
    truth = read_amass(source)
    pelvis_m = model.rest_joints_m(truth.betas)[0]
    expected = smpl_joints_m(truth.turned("Y", pelvis_m), model)
    preset = ["--preset", "vrm"] if extension == ".vrma" else []  # which holds a humanoid and nothing else
    run(source, path, "--body-model", models, *preset)
    run(path, tmp_path / "back.npz", "--as", "smplh", "--body-model", models)
    found = read_amass(tmp_path / "back.npz")
    off_m = np.linalg.norm(smpl_joints_m(found.turned("Y", pelvis_m), model) - expected, axis=-1)
    assert (found.model, found.up, found.fps, len(found)) == ("smplh", "Z", truth.fps, 8)
    if not preset:
        there = read(path)
        if isinstance(there, Motion):
            np.testing.assert_allclose(joints_of(path, model), expected, atol=1e-4)
        assert off_m.max() < 0.002
    wrists = [model.skeleton.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("wrist", "ankle")]
    assert off_m[:, wrists].max() < 0.25  # a humanoid has other arms


def test_the_skin_and_presets(take: tuple[SmplModel, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Catches the mannequin on a body that has a skin, no word about its licence, presets that see unknown joints."""
    model, source = take
    output = run(source, tmp_path / "a.glb", "--body-model", tmp_path / "models", "--mesh")
    assert "licence" in output + "".join(capfd.readouterr())
    from mocap3d.output.gltf import read_glb_character

    _, mesh, _ = read_glb_character(tmp_path / "a.glb")
    assert mesh is not None
    assert len(mesh.triangles) == 13776
    run(source, tmp_path / "b.fbx", "--body-model", tmp_path / "models", "--preset", "mixamo")
    motion = read(tmp_path / "b.fbx")
    assert isinstance(motion, Motion)
    assert "mixamorig:LeftForeArm" in motion.rig.skeleton.joint_names
    bones = [forward(motion)[0], joints_of(tmp_path / "a.glb", model)]
    ends = [[motion.rig.skeleton.index(f"mixamorig:{name}") for name in ("LeftForeArm", "LeftHand")],
            [model.skeleton.index(name) for name in ("left_elbow", "left_wrist")]]  # fmt: skip
    ours, theirs = (xyz[:, b] - xyz[:, a] for xyz, (a, b) in zip(bones, ends, strict=True))
    cosine = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosine.min() > 0.999
    run(tmp_path / "b.fbx", tmp_path / "c.npz", "--as", "smplh", "--body-model", tmp_path / "models")
    found, truth = read_amass(tmp_path / "c.npz"), read_amass(source)
    places = [smpl_joints_m(take, model) for take in (found, truth)]
    forearms = [p[:, model.skeleton.index("left_wrist")] - p[:, model.skeleton.index("left_elbow")] for p in places]
    cosine = (forearms[0] * forearms[1]).sum(axis=1) / np.prod([np.linalg.norm(f, axis=1) for f in forearms], axis=0)
    assert cosine.min() > 0.97
    ways = [np.diff(p[[0, -1]][:, 1:3].mean(axis=1), axis=0) for p in places]  # of the middle between the hips
    np.testing.assert_allclose(*ways, atol=0.03)


def test_what_cannot_be_done_is_said(take: tuple[SmplModel, Path], tmp_path: Path) -> None:
    """Catches a take without a model that fails like a broken file, instead of telling where models come from."""
    _, source = take
    models = tmp_path / "models"
    with pytest.raises(InputError, match=r"parameters of smplh.*--body-model.*research.*mano\.is\.tue\.mpg\.de"):
        run(source, tmp_path / "a.bvh")
    with pytest.raises(InputError, match=r"no female model of smplh.*there: smplh/male/model\.npz"):
        run(source, tmp_path / "a.bvh", "--body-model", models, "--gender", "female")
    with pytest.raises(InputError, match="in metres"):
        run(source, tmp_path / "a.bvh", "--body-model", models, "--unit", "0.01")
    run(source, tmp_path / "a.bvh", "--body-model", models)
    with pytest.raises(InputError, match=r"--as smplx needs parameters of smplx"):
        run(tmp_path / "a.bvh", tmp_path / "b.npz", "--as", "smplx")
    with pytest.raises(InputError, match=r"AMASS's \.npz, not \.bvh"):
        run(source, tmp_path / "b.bvh", "--as", "smplh", "--body-model", models)
    with pytest.raises(InputError, match="leave --preset and --mesh out"):
        run(tmp_path / "a.bvh", tmp_path / "b.npz", "--as", "smplh", "--body-model", models, "--mesh")
    for option, value in (("--body-model", models), ("--gender", "male")):
        with pytest.raises(InputError, match=f"{option} is for takes of AMASS"):
            run(tmp_path / "a.bvh", tmp_path / "b.glb", option, value)
    for words in (["--as", "mano"], ["--gender", "other"]):
        done = CliRunner().invoke(app, ["convert", str(source), str(tmp_path / "c.npz"), *words])
        assert done.exit_code == 2
