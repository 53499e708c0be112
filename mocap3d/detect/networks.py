"""The shipped 2D networks, ready to run: ONNX Runtime on the CPU, torch on CUDA, one decoding for both.

network = open_network("movenet_thunder")
xy_px, confidence = network.joints(crop)      # crop: uint8 RGB (256, 256, 3)
heatmaps = network.maps(crop).joints          # (64, 64, 17)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap3d import weights
from mocap3d.base.errors import InputError
from mocap3d.detect.heatmaps import FoundPeople, HeadMaps, Maps, decode_people, decode_person

__all__ = ["NETWORKS", "HeatmapNetwork", "Run", "check_image", "open_network"]

NETWORKS: dict[str, int | None] = {"movenet_thunder": 256, "movenet_lightning": 192, "movenet_multipose": None}
"""Name -> side in pixels of its square input; None takes any size whose sides are multiples of 32."""

Run = Callable[[NDArray[np.uint8]], dict[str, Maps]]


class HeatmapNetwork:
    """One network on one device. Not to be shared between threads that run at the same time."""

    def __init__(self, name: str, run: Run) -> None:
        """Use ``open_network``."""
        self.name = name
        self.side_px = NETWORKS[name]
        self._run = run

    def maps(self, image: NDArray[np.uint8]) -> HeadMaps:
        """Run the network on one picture.

        Args:
            image: (H, W, 3) uint8 RGB, of the network's own size.

        Raises:
            InputError: another type or size.
        """
        check_image(image)
        h, w = image.shape[:2]
        if self.side_px is not None and (h, w) != (self.side_px, self.side_px):
            raise InputError(f"{self.name} takes pictures of {self.side_px} x {self.side_px} pixels, got {w} x {h}")
        if h % 32 or w % 32:
            raise InputError(f"{self.name} takes sides that are multiples of 32 pixels, got {w} x {h}")
        outputs = self._run(np.ascontiguousarray(image[None]))
        return HeadMaps.from_outputs({name: values[0] for name, values in outputs.items()})

    def joints(self, crop: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find the person in the middle of a crop.

        Returns:
            (17, 2) pixels of the crop and (17,) confidences, COCO-17.

        Raises:
            InputError: not a crop of the network's size.
        """
        return decode_person(self.maps(crop))

    def people(self, image: NDArray[np.uint8]) -> FoundPeople:
        """Find up to six people (movenet_multipose only).

        Raises:
            InputError: not a picture for this network, or a network that finds no people.
        """
        return decode_people(self.maps(image))


def open_network(name: str, *, device: str = "cpu", threads: int = 1) -> HeatmapNetwork:
    """Open a shipped network.

    Args:
        name: one of ``NETWORKS``.
        device: "cpu" runs ONNX Runtime; "cuda" (or "cuda:1" ..) runs torch and needs the extra ``torch``.
        threads: CPU threads of this network. Several sessions of one thread each beat one session of several.

    Raises:
        InputError: an unknown name or device, or no CUDA device is there.
        MissingExtraError: "cuda" without torch.
    """
    if name not in NETWORKS:
        raise InputError(f"no 2D network is called {name!r}; there are: {', '.join(NETWORKS)}")
    if threads < 1:
        raise InputError(f"threads must be at least 1, got {threads}")
    if device == "cpu":
        return HeatmapNetwork(name, _onnx_runtime(name, threads))
    if device.split(":")[0] == "cuda":
        return HeatmapNetwork(name, _torch(name, device))
    raise InputError(f'device must be "cpu" or "cuda", got {device!r}')


def check_image(image: Any) -> None:
    """Refuse anything but a picture.

    Raises:
        InputError: not (H, W, 3) uint8, or empty.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"a picture must be an array uint8 (H, W, 3) in RGB order, got {got}")
    if 0 in image.shape:
        raise InputError(f"a picture must have at least one pixel, got shape {image.shape}")


def _onnx_runtime(name: str, threads: int) -> Run:
    """Fixed threads, one after the other, deterministic kernels: the same picture gives the same bits."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(weights.path(name), options, providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]

    def run(images: NDArray[np.uint8]) -> dict[str, Maps]:
        return dict(zip(outputs, session.run(outputs, {"image": images}), strict=True))

    return run


def _torch(name: str, device: str) -> Run:
    from mocap3d.nets.movenet import load_movenet, run_movenet

    network = load_movenet(name, device)
    return lambda images: run_movenet(network, images)
