"""Networks that VideoPose3D trained, as lifters of ours: its ``.bin`` checkpoints, read without torch.

Their arithmetic is ours (``temporal.py``): a convolution of three taps is one matrix over three frames side by side.
Batch normalisation is folded in as always. What differs is said by fields of the weights: the input is the picture
2 wide (``screen_encoding.py``), the root is among the outputs, and 50 frames per second.

Reference:
    Pavllo et al., 3D human pose estimation in video with temporal convolutions (VideoPose3D), CVPR 2019;
    https://github.com/facebookresearch/VideoPose3D.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.safe_pickle import load_torch
from mocap3d.base.skeletons import HUMAN36M_17, skeleton_named
from mocap3d.lift.encoding import SCREEN_NORMALISED
from mocap3d.lift.lifter_weights import LifterMeta, LifterWeights

__all__ = ["load_videopose3d"]

_FPS = Fraction(50)
_EPSILON = 1e-5  # of torch's batch normalisation
# The checkpoint tells no error per joint: these follow from the published mean of 46.8 mm over three axes.
_STD_M = 0.03
_STD_UNSEEN_M = 0.10
# Height of nobody in particular: at the height that lifting assumes by default, the output is the network's.
_STATURE_M = 1.70
_LICENCE = "CC BY-NC 4.0 (VideoPose3D); trained on Human3.6M, for academic use only"

_State = dict[str, NDArray[Any]]


def load_videopose3d(
    path: str | Path, *, causal: bool = False, input_skeleton: str = HUMAN36M_17.name
) -> LifterWeights:
    """Read a checkpoint of VideoPose3D, such as ``pretrained_h36m_cpn.bin``.

    Args:
        path: the file that VideoPose3D's ``run.py`` saved; its key ``model_pos`` is used.
        causal: whether it was trained with ``--causal``; the file does not say.
        input_skeleton: order of the 2D joints that it was trained on: "human36m-17", or "coco-17" for
            ``pretrained_h36m_detectron_coco.bin``.

    Returns:
        The lifter: 17 joints of Human3.6M in metres, the root among them and not quite at the origin.

    Raises:
        InputError: there is no such file, or no such skeleton.
        FileFormatError: it is no checkpoint of VideoPose3D, its layers are not of one or three taps, or its joints are
            not 17 of Human3.6M.
    """
    path = Path(path)
    inputs = 2 * len(skeleton_named(input_skeleton))
    checkpoint = load_torch(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    try:
        arrays, dilations = _network(_model_pos(checkpoint), inputs)
        meta = LifterMeta(
            architecture="temporal-residual",
            channels=len(arrays["expand.bias"]),
            dilations=dilations,
            causal=causal,
            encoding=SCREEN_NORMALISED,
            fps=_FPS,
            input_skeleton=input_skeleton,
            output_skeleton=HUMAN36M_17.name,
            stature_m=_STATURE_M,
            std_m=(_STD_M,) * len(HUMAN36M_17),
            std_unseen_m=(_STD_UNSEEN_M,) * len(HUMAN36M_17),
            licence=_LICENCE,
            trained={"by": "VideoPose3D", "file": path.name, "sha256": sha256},
            root="predicted",
        )
        return LifterWeights(meta=meta, arrays=arrays, sha256=sha256)
    except InputError as error:
        raise FileFormatError(str(error), path=path) from None


def _model_pos(checkpoint: object) -> _State:
    """The arrays of the position network."""
    state = checkpoint.get("model_pos") if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict) or not all(isinstance(array, np.ndarray) for array in state.values()):
        raise FileFormatError("not a checkpoint of VideoPose3D: it has no 'model_pos' with the state of a network")
    return state


def _network(state: _State, inputs: int) -> tuple[dict[str, NDArray[np.float32]], tuple[int, ...]]:
    """All arrays by our names, and the dilation of each layer of taps."""
    weight, bias, taps = _layer(state, "expand_conv", "expand_bn")
    if len(weight) != taps * inputs:
        raise FileFormatError(
            f"the network takes {len(weight) // taps} numbers per frame, not the {inputs} of the input skeleton: "
            "choose input_skeleton='coco-17' or 'human36m-17' by what it was trained on"
        )
    arrays = {"expand.weight": weight, "expand.bias": bias}
    dilations, reach = [taps // 2], taps
    for i in range(sum(name.startswith("layers_conv.") for name in state) // 2):
        weight, bias, taps = _layer(state, f"layers_conv.{2 * i}", f"layers_bn.{2 * i}")
        arrays |= {f"block{i}.wide.weight": weight, f"block{i}.wide.bias": bias}
        dilations.append(reach if taps == 3 else 0)
        reach *= taps
        weight, bias, _ = _layer(state, f"layers_conv.{2 * i + 1}", f"layers_bn.{2 * i + 1}")
        arrays |= {f"block{i}.point.weight": weight, f"block{i}.point.bias": bias}
    return arrays | _shrink(state), tuple(dilations)


def _layer(state: _State, conv: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """One convolution with its normalisation folded in: (taps * inputs, outputs), (outputs), and how many taps."""
    kernel = _floats(state, f"{conv}.weight", 3)  # (outputs, inputs, taps)
    outputs, _, taps = kernel.shape
    if taps not in (1, 3):
        raise FileFormatError(f"{conv} has {taps} taps; only networks of filter width 1 or 3, not --dense, are known")
    names = ("weight", "bias", "running_mean", "running_var")
    weight, bias, mean, variance = (_floats(state, f"{norm}.{name}", 1) for name in names)
    if not {len(weight), len(bias), len(mean), len(variance)} == {outputs} or (variance < 0).any():
        raise FileFormatError(f"{norm} does not fit {conv}")
    gain = weight / np.sqrt(variance + _EPSILON)
    folded = (kernel.transpose(2, 1, 0) * gain).reshape(-1, outputs)  # tap by tap, as `temporal.py` lays frames
    return folded.astype(np.float32), (bias - mean * gain).astype(np.float32), taps


def _shrink(state: _State) -> dict[str, NDArray[np.float32]]:
    """The last layer by our names."""
    weight, bias = _floats(state, "shrink.weight", 3), _floats(state, "shrink.bias", 1)
    if weight.shape[2] != 1 or not len(weight) == len(bias) == 3 * len(HUMAN36M_17):
        raise FileFormatError(f"the network puts out {len(bias)} numbers, not the 51 of Human3.6M's 17 joints")
    return {"shrink.weight": weight[..., 0].T.astype(np.float32), "shrink.bias": bias.astype(np.float32)}


def _floats(state: _State, name: str, axes: int) -> NDArray[np.float64]:
    """One array of the state, of so many axes and all finite."""
    array = state.get(name)
    if array is None:
        raise FileFormatError(f"'model_pos' has no {name!r}: not a network of VideoPose3D")
    if array.ndim != axes or array.dtype.kind != "f" or not np.isfinite(array).all():
        raise FileFormatError(f"{name!r} must be finite numbers on {axes} axes, got {array.dtype} {array.shape}")
    return array.astype(np.float64)
