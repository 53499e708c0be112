"""The conversion of TF.js graphs, on a graph small enough to be computed by hand."""

from __future__ import annotations

import base64
import json
import math

import numpy as np
import pytest
from mocap3d.data_prep.tfjs import read_tfjs, to_onnx

from mocap3d.base.errors import FileFormatError


def text(value: str) -> str:
    """A string as TF.js stores it."""
    return base64.b64encode(value.encode()).decode()


def convolution(op: str, name: str, source: str, stride: int, fused: list[str]) -> dict:
    """A node of the graph; it reads NAME_w and, when biased, NAME_b."""
    inputs = [source, f"{name}_w"] + ([f"{name}_b"] if "BiasAdd" in fused else [])
    attributes = {
        "strides": {"list": {"i": ["1", str(stride), str(stride), "1"]}},
        "padding": {"s": text("SAME")},
        "fused_ops": {"list": {"s": [text(f) for f in fused]}},
    }
    return {"name": name, "op": op, "input": inputs, "attr": attributes}


@pytest.fixture
def model_file(tmp_path):
    """Pixels -> 3x3 convolution of stride 2, ReLU6 -> depthwise -> doubled -> added to itself -> sigmoid."""
    rng = np.random.default_rng(3)
    arrays = {
        "a_w": rng.normal(0, 0.5, (3, 3, 3, 4)),
        "a_b": rng.normal(0, 1, 4),
        "b_w": rng.normal(0, 0.5, (3, 3, 4, 1)),
    }
    half_pixel = {"half_pixel_centers": {"b": True}, "align_corners": {"b": False}}
    nodes = [
        {"name": "pixels", "op": "Placeholder"},
        convolution("_FusedConv2D", "a", "pixels", 2, ["BiasAdd", "Relu6"]),
        convolution("DepthwiseConv2dNative", "b", "a", 1, []),
        {"name": "size", "op": "Shape", "input": ["b"]},
        {"name": "c", "op": "ResizeBilinear", "input": ["b", "size"], "attr": half_pixel},
        {"name": "d", "op": "AddV2", "input": ["c", "c:0"]},
        {"name": "e", "op": "Sigmoid", "input": ["d", "^a"]},
    ]
    nodes += [{"name": name, "op": "Const"} for name in arrays]
    specs = [
        {"name": name, "shape": list(array.shape), "dtype": "float32", "quantization": {"dtype": "float16"}}
        for name, array in arrays.items()
    ]
    document = {
        "format": "graph-model",
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["part1.bin", "part2.bin"], "weights": specs}],
    }
    data = b"".join(array.astype("<f2").tobytes() for array in arrays.values())
    (tmp_path / "part1.bin").write_bytes(data[:101])  # shards break anywhere
    (tmp_path / "part2.bin").write_bytes(data[101:])
    (tmp_path / "model.json").write_text(json.dumps(document))
    return tmp_path / "model.json"


def run(model, image: np.ndarray) -> dict[str, np.ndarray]:
    """Run an ONNX model."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": image}), strict=True))


def convert(path, outputs):
    """With weights named as in TF.js, in capitals."""
    return to_onnx(
        read_tfjs(path),
        image_node="pixels",
        pixel_scale=2 / 255,
        outputs=outputs,
        rename=str.upper,
        metadata={"k": "v"},
    )


def same_convolution(image, kernel, bias, stride, depthwise):
    """TensorFlow's definition of SAME, one product at a time."""
    h, w, _ = image.shape
    kh, kw, _, count = kernel.shape
    count = kernel.shape[2] if depthwise else count
    out_h, out_w = math.ceil(h / stride), math.ceil(w / stride)
    top = max((out_h - 1) * stride + kh - h, 0) // 2
    left = max((out_w - 1) * stride + kw - w, 0) // 2
    out = np.zeros((out_h, out_w, count))
    for y, x, c in np.ndindex(out.shape):
        total = bias[c]
        for ky, kx, ci in np.ndindex(kernel.shape[:3]):
            if depthwise and ci != c:
                continue
            iy, ix = y * stride + ky - top, x * stride + kx - left
            if 0 <= iy < h and 0 <= ix < w:
                total += image[iy, ix, ci] * kernel[ky, kx, ci, 0 if depthwise else c]
        out[y, x, c] = total
    return out


def test_converted_graph_computes_what_tensorflow_defines(model_file):
    """Catches kernels transposed, SAME padded on the wrong side at stride 2, ReLU for ReLU6, and shards cut wrongly."""
    image = np.random.default_rng(0).integers(0, 256, (1, 8, 12, 3), dtype=np.uint8)
    outputs = run(convert(model_file, {"a": "first", "b": "second", "e": "last"}), image)
    weights = read_tfjs(model_file).weights
    normalised = image[0] * float(np.float16(2 / 255)) - 1
    first = same_convolution(normalised, weights["a_w"], weights["a_b"], 2, False).clip(0, 6)
    second = same_convolution(first, weights["b_w"], np.zeros(4), 1, True)
    np.testing.assert_allclose(outputs["first"][0], first, atol=1e-5)
    np.testing.assert_allclose(outputs["second"][0], second, atol=1e-5)
    assert outputs["last"].shape == (1, 8, 12, 4)
    # Doubled with half-pixel centres: output 2k + 1 lies a quarter of the way from k to k + 1, in both directions.
    y, x = 2, 3
    wanted = np.array([0.75, 0.25]) @ second[y : y + 2, x : x + 2].transpose(2, 0, 1) @ np.array([0.75, 0.25])
    np.testing.assert_allclose(outputs["last"][0, 2 * y + 1, 2 * x + 1], 1 / (1 + np.exp(-2 * wanted)), atol=1e-5)


def test_weights_stay_float16_and_casts_are_folded(model_file, tmp_path):
    """Catches files of twice the size, and casts that cost time in every frame."""
    import onnx
    import onnxruntime

    model = convert(model_file, {"e": "last"})
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert stored["A_W"] == stored["A_B"] == stored["B_W"] == onnx.TensorProto.FLOAT16
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    casts = [node for node in onnx.load(tmp_path / "optimised.onnx").graph.node if node.op_type == "Cast"]
    assert len(casts) == 1  # that of the image


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(format="layers-model"), "graph-model"),
        (lambda d: d["modelTopology"]["node"][5].update(op="Einsum"), "Einsum"),
        (lambda d: d["modelTopology"]["node"][4]["attr"].update(align_corners={"b": True}), "half-pixel"),
        (lambda d: d["weightsManifest"][0]["weights"][0].update(quantization={"dtype": "uint8"}), "uint8"),
        (lambda d: d["weightsManifest"][0]["weights"][0].update(shape=[3, 3, 3, 5]), "end inside"),
        (lambda d: d["weightsManifest"][0]["weights"].pop(), "no array"),
    ],
)
def test_what_is_not_understood_is_refused(model_file, change, says):
    """Catches a graph converted into something that runs and is wrong."""
    document = json.loads(model_file.read_text())
    change(document)
    model_file.write_text(json.dumps(document))
    with pytest.raises(FileFormatError, match=says):
        convert(model_file, {"e": "last"})
