"""A TF.js graph model (model.json and its weight shards) -> an ONNX model, for plain convolution networks.

Only what such networks are made of is understood: convolutions with folded batch norm, ReLU and ReLU6, sums,
bilinear resizing by two and sigmoids. Anything else is refused by name. The reading half needs NumPy alone; the
writing half needs the package ``onnx``. Weights are stored as float16, the precision of the TF.js file, and cast to
float32 inside the graph: ONNX Runtime folds the casts when it opens the file.

Format: https://github.com/tensorflow/tfjs/tree/master/tfjs-converter (``graph-model``, weightsManifest).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, MissingExtraError

if TYPE_CHECKING:
    import onnx

__all__ = ["TfjsModel", "TfjsNode", "read_tfjs", "to_onnx"]

_OPSET = 18
_IR_VERSION = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class TfjsNode:
    """One operation of the graph: its TensorFlow op, the nodes it reads, its attributes as they stand in the JSON."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def ints(self, key: str) -> list[int]:
        """A list-of-integers attribute, [] when it is absent."""
        return [int(value) for value in self.attributes.get(key, {}).get("list", {}).get("i", [])]

    def text(self, key: str) -> str:
        """A string attribute (base64 in the JSON), "" when it is absent."""
        return base64.b64decode(self.attributes.get(key, {}).get("s", "")).decode()

    def texts(self, key: str) -> list[str]:
        """A list-of-strings attribute, [] when it is absent."""
        return [base64.b64decode(s).decode() for s in self.attributes.get(key, {}).get("list", {}).get("s", [])]

    def flag(self, key: str) -> bool:
        """A boolean attribute, False when it is absent."""
        return bool(self.attributes.get(key, {}).get("b", False))


@dataclass(frozen=True, slots=True, kw_only=True)
class TfjsModel:
    """A graph and its constants, both by TensorFlow name."""

    nodes: Mapping[str, TfjsNode]
    weights: Mapping[str, NDArray[Any]]


def read_tfjs(path: str | Path) -> TfjsModel:
    """Read ``model.json`` and the weight files that it names, which lie beside it.

    Raises:
        FileFormatError: not a graph model, a quantisation other than float16, or weights of the wrong length.
    """
    path = Path(path)
    document = json.loads(path.read_text())
    if document.get("format") != "graph-model":
        raise FileFormatError(f"must be a TF.js graph-model, is {document.get('format')!r}", path=path)
    nodes = {}
    for entry in document["modelTopology"]["node"]:
        inputs = tuple(name.split(":")[0] for name in entry.get("input", []) if not name.startswith("^"))
        nodes[entry["name"]] = TfjsNode(
            name=entry["name"], op=entry["op"], inputs=inputs, attributes=entry.get("attr", {})
        )
    weights: dict[str, NDArray[Any]] = {}
    for group in document["weightsManifest"]:
        data = b"".join((path.parent / name).read_bytes() for name in group["paths"])
        weights |= _split_weights(data, group["weights"], path)
    return TfjsModel(nodes=nodes, weights=weights)


def _split_weights(data: bytes, specs: list[dict[str, Any]], path: Path) -> dict[str, NDArray[Any]]:
    """Cut one shard group into its arrays; float16 stays float16."""
    arrays, start = {}, 0
    for spec in specs:
        stored = spec.get("quantization", {}).get("dtype", spec["dtype"])
        if stored not in ("float16", "float32", "int32"):
            raise FileFormatError(f"{spec['name']} is stored as {stored}; only float16, float32, int32", path=path)
        dtype = np.dtype(stored).newbyteorder("<")
        count = int(np.prod(spec["shape"], dtype=np.int64))
        if start + count * dtype.itemsize > len(data):
            raise FileFormatError(f"the weights end inside {spec['name']}", path=path)
        arrays[spec["name"]] = np.frombuffer(data, dtype, count, start).reshape(spec["shape"])
        start += count * dtype.itemsize
    if start != len(data):
        raise FileFormatError(f"{len(data) - start} bytes of weights belong to no array", path=path)
    return arrays


def to_onnx(
    model: TfjsModel,
    *,
    image_node: str,
    pixel_scale: float,
    outputs: Mapping[str, str],
    rename: Callable[[str], str],
    metadata: Mapping[str, str],
) -> onnx.ModelProto:
    """Convert the part of the graph between the normalised image and the given nodes.

    The ONNX model takes ``image``, uint8 RGB (N, H, W, 3), normalises it as ``image * pixel_scale - 1`` and returns
    each output as float32 (N, h, w, C).

    Args:
        model: the TF.js graph.
        image_node: the node that holds the normalised image; the walk back from the outputs stops there.
        pixel_scale: stored as float16, under the name ``pixel_scale``.
        outputs: TF.js node -> name of the ONNX output.
        rename: TF.js weight -> name of the ONNX initialiser.
        metadata: stored with the model.

    Raises:
        FileFormatError: the graph holds an operation that is not understood.
        MissingExtraError: the package ``onnx`` is not installed.
    """
    graph = _OnnxGraph(model, rename)
    graph.add_image(image_node, pixel_scale)
    for node in outputs:
        graph.add_with_ancestors(node)
    return graph.finish(outputs, metadata)


class _OnnxGraph:
    """An ONNX graph that grows node by node; tensors inside are (N, C, H, W) and keep their TensorFlow names."""

    def __init__(self, model: TfjsModel, rename: Callable[[str], str]) -> None:
        try:
            import onnx
        except ImportError as error:
            raise MissingExtraError("onnx", "convert") from error
        self._onnx = onnx
        self._model = model
        self._rename = rename
        self._nodes: list[onnx.NodeProto] = []
        self._initialisers: dict[str, onnx.TensorProto] = {}
        self._done: set[str] = set()

    def add_image(self, name: str, pixel_scale: float) -> None:
        """uint8 (N, H, W, 3) -> normalised float32 (N, 3, H, W), under the name of a TF.js node."""
        self._node("Transpose", ["image"], "image/planes", perm=[0, 3, 1, 2])
        self._node("Cast", ["image/planes"], "image/float32", to=self._onnx.TensorProto.FLOAT)
        self._node("Mul", ["image/float32", self._float16("pixel_scale", np.float16(pixel_scale))], "image/scaled")
        self._node("Sub", ["image/scaled", self._constant("one", np.float32(1.0))], name)
        self._done.add(name)

    def add_with_ancestors(self, name: str) -> None:
        """Add a node after everything that it reads (depth first, without recursion)."""
        stack = [name]
        while stack:
            node = self._model.nodes[stack[-1]]
            # The second input of a resize is its size, computed by nodes that are not needed: see _double.
            inputs = node.inputs[:1] if node.op == "ResizeBilinear" else node.inputs
            missing = [i for i in inputs if i not in self._done and i not in self._model.weights]
            if missing:
                stack += missing
            else:
                if node.name not in self._done:
                    self._add(node)
                    self._done.add(node.name)
                stack.pop()

    def finish(self, outputs: Mapping[str, str], metadata: Mapping[str, str]) -> onnx.ModelProto:
        """Close the graph: outputs become (N, h, w, C)."""
        helper, types = self._onnx.helper, self._onnx.TensorProto
        for node, output in outputs.items():
            self._node("Transpose", [node], output, perm=[0, 2, 3, 1])
        image = helper.make_tensor_value_info("image", types.UINT8, ["N", "H", "W", 3])
        infos = [helper.make_tensor_value_info(o, types.FLOAT, ["N", "h", "w", None]) for o in outputs.values()]
        graph = helper.make_graph(self._nodes, "network", [image], infos, list(self._initialisers.values()))
        model: onnx.ModelProto = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="mocap3d",
        )
        helper.set_model_props(model, dict(metadata))
        self._onnx.checker.check_model(model)
        return model

    def _add(self, node: TfjsNode) -> None:
        match node.op:
            case "_FusedConv2D" | "FusedDepthwiseConv2dNative" | "DepthwiseConv2dNative":
                self._convolution(node)
            case "AddV2":
                self._node("Add", list(node.inputs), node.name)
            case "Sigmoid":
                self._node("Sigmoid", list(node.inputs), node.name)
            case "ResizeBilinear":
                self._double(node)
            case _:
                raise FileFormatError(f"{node.name}: operation {node.op} is not understood")

    def _convolution(self, node: TfjsNode) -> None:
        kernel, fused = self._model.weights[node.inputs[1]], node.texts("fused_ops")
        groups = 1
        if "epthwise" in node.op:  # (h, w, C, 1) -> (C, 1, h, w)
            groups = kernel.shape[2]
            kernel = kernel.transpose(2, 3, 0, 1)
        else:  # (h, w, C_in, C_out) -> (C_out, C_in, h, w)
            kernel = kernel.transpose(3, 2, 0, 1)
        inputs = [node.inputs[0], self._float16(self._rename(node.inputs[1]), kernel)]
        if "BiasAdd" in fused:
            inputs.append(self._float16(self._rename(node.inputs[2]), self._model.weights[node.inputs[2]]))
        activation = [f for f in fused if f != "BiasAdd"]
        size, stride = list(kernel.shape[2:]), node.ints("strides")[1]
        convolved = f"{node.name}/convolved" if activation else node.name
        pads = _same_pads(size[0], stride) if node.text("padding") == "SAME" else [0, 0, 0, 0]
        self._node("Conv", inputs, convolved, strides=[stride] * 2, kernel_shape=size, group=groups, pads=pads)
        match activation:
            case []:
                pass
            case ["Relu"]:
                self._node("Relu", [convolved], node.name)
            case ["Relu6"]:
                bounds = [self._constant("zero", np.float32(0.0)), self._constant("six", np.float32(6.0))]
                self._node("Clip", [convolved, *bounds], node.name)
            case _:
                raise FileFormatError(f"{node.name}: activation {activation} is not understood")

    def _double(self, node: TfjsNode) -> None:
        """Twice the height and width; every resize of a feature pyramid is by two."""
        if node.flag("align_corners") or not node.flag("half_pixel_centers"):
            raise FileFormatError(f"{node.name}: only half-pixel bilinear resizing is understood")
        factors = self._constant("double", np.array([1, 1, 2, 2], np.float32))
        mode = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        self._node("Resize", [node.inputs[0], "", factors], node.name, **mode)

    def _node(self, op: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(self._onnx.helper.make_node(op, inputs, [output], **attributes))

    def _constant(self, name: str, value: NDArray[Any] | np.generic) -> str:
        array = np.ascontiguousarray(value).reshape(np.shape(value))
        self._initialisers.setdefault(name, self._onnx.numpy_helper.from_array(array, name))
        return name

    def _float16(self, name: str, value: NDArray[Any] | np.generic) -> str:
        """Store float16 and return the name of its float32 twin."""
        twin = f"{name}/float32"
        if name not in self._initialisers:
            self._constant(name, value.astype(np.float16))
            self._node("Cast", [name], twin, to=self._onnx.TensorProto.FLOAT)
        return twin


def _same_pads(size: int, stride: int) -> list[int]:
    """TensorFlow's SAME for sides that are multiples of the stride: [top, left, bottom, right]."""
    total = max(size - stride, 0)
    before = total // 2  # the odd one goes to the bottom and the right
    return [before, before, total - before, total - before]
