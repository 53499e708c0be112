from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mocap3d import weights
from mocap3d.base.errors import InputError, MissingExtraError
from mocap3d.detect.heatmaps import HeadMaps, decode_person
from mocap3d.detect.networks import open_network
from mocap3d.nets.movenet import MoveNet, load_movenet, read_initialisers, run_movenet

PICTURES = Path(__file__).parents[1] / "detect" / "pictures"


def read(name: str, h: int, w: int) -> np.ndarray:
    """The upper left h x w pixels of a picture, RGB, black below it."""
    picture = cv2.imread(str(PICTURES / name))[:h, :w, ::-1]
    image = np.zeros((h, w, 3), np.uint8)
    image[: len(picture)] = picture
    return image


@pytest.mark.parametrize(
    ("name", "picture", "h", "w"),
    [
        ("movenet_thunder", "woman.png", 256, 256),
        ("movenet_thunder", "man.png", 256, 256),
        ("movenet_lightning", "woman.png", 192, 192),
        ("movenet_lightning", "man.png", 192, 192),
        ("movenet_multipose", "two_people_256.png", 160, 256),
    ],
)
def test_torch_and_onnx_runtime_agree_on_real_pictures(name, picture, h, w):
    """Catches any layer of the readable network that differs from the published graph."""
    image = read(picture, h, w)
    torch_maps = run_movenet(load_movenet(name), image[None])
    onnx_maps = open_network(name).maps(image)
    assert len(torch_maps) == (6 if name == "movenet_multipose" else 4)
    for head, values in torch_maps.items():
        expected = getattr(onnx_maps, head).reshape(values[0].shape)
        # Probabilities to 1e-4; places, up to 64 cells, to 1e-4 of the largest: float32 sums in another order.
        atol = 1e-4 * max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(values[0], expected, atol=atol, rtol=0, err_msg=head)
    if name != "movenet_multipose":
        maps = HeadMaps.from_outputs({head: values[0] for head, values in torch_maps.items()})
        np.testing.assert_allclose(decode_person(maps)[0], open_network(name).joints(image)[0], atol=1e-4)


def test_a_batch_is_its_pictures():
    """Catches a network that mixes the pictures of a batch."""
    network = load_movenet("movenet_lightning")
    images = np.stack([read("woman.png", 192, 192), read("man.png", 192, 192)])
    together = run_movenet(network, images)
    for n in range(2):
        alone = run_movenet(network, images[n : n + 1])
        np.testing.assert_allclose(together["joints"][n], alone["joints"][0], atol=1e-5)


def test_every_parameter_comes_from_the_file():
    """Catches a layer that keeps its random weights, or weights of the file that nobody reads."""
    arrays = read_initialisers(weights.path("movenet_thunder"))
    stored = {name for name, array in arrays.items() if array.dtype == np.float16}
    network = load_movenet("movenet_thunder")
    assert set(network.state_dict()) == stored
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_can_be_trained():
    """Catches an in-place operation that breaks the gradient: research starts from this module."""
    network = MoveNet(0.35, {"centre": 1, "joints": 17})
    maps = network(torch.zeros(2, 64, 32, 3))
    assert maps["joints"].shape == (2, 16, 8, 17)
    sum(values.sum() for values in maps.values()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_refuses_wrong_input():
    """Catches a picture in (B, 3, H, W), a size off the grid, an unknown name, and a device that is not there."""
    network = MoveNet(0.35, {"centre": 1, "joints": 17})
    for shape in ((1, 3, 64, 64), (1, 60, 64, 3)):
        with pytest.raises(InputError, match="32"):
            network(torch.zeros(shape))
    with pytest.raises(InputError, match="movenet_thunder"):
        load_movenet("resnet")
    with pytest.raises(InputError, match="device"):
        load_movenet("movenet_lightning", "nonsense")


def test_without_onnx_the_extra_is_named(monkeypatch):
    """Catches a bare ModuleNotFoundError where torch is installed and the package onnx is not."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"mocap3d\[torch\]"):
        read_initialisers(weights.path("movenet_thunder"))


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["movenet_thunder", "movenet_lightning", "movenet_multipose"])
def test_cuda_gives_the_maps_of_the_cpu(name):
    """Catches TF32 convolutions, whose errors are a hundred times larger."""
    image = read("woman.png", 192, 192) if name == "movenet_lightning" else read("woman.png", 256, 256)
    cpu, cuda = (run_movenet(load_movenet(name, device), image[None]) for device in ("cpu", "cuda"))
    for head, values in cuda.items():
        atol = 1e-4 * max(1.0, float(np.abs(cpu[head]).max()))
        np.testing.assert_allclose(values, cpu[head], atol=atol, rtol=0, err_msg=head)
