from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mocap3d.base.errors import InputError, MissingExtraError
from mocap3d.detect.networks import NETWORKS, open_network

PICTURES = Path(__file__).parent / "pictures"
MIRROR = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]  # COCO-17, written out


def read(name: str) -> np.ndarray:
    """A picture of one person, 256 x 256 RGB."""
    return np.ascontiguousarray(cv2.imread(str(PICTURES / name))[..., ::-1])


@pytest.mark.parametrize("name", ["woman.png", "man.png"])
def test_a_mirrored_person_has_mirrored_joints(name):
    """Catches left and right swapped, a shifted grid, or a half-pixel error in the decoding."""
    network, image = open_network("movenet_thunder"), read(name)
    xy_px, confidence = network.joints(image)
    mirrored_px, mirrored_confidence = network.joints(np.ascontiguousarray(image[:, ::-1]))
    sure = (confidence > 0.4) & (mirrored_confidence[MIRROR] > 0.4)
    assert sure.sum() >= 8
    back_px = mirrored_px[MIRROR] * [-1, 1] + [255, 0]
    assert np.abs(back_px - xy_px)[sure].max() < 8
    assert np.abs(np.median((back_px - xy_px)[sure], axis=0)).max() < 1.5


def test_the_man_raises_his_hands_and_stands_on_his_feet():
    """Catches joints in another order than COCO-17."""
    xy_px, _ = open_network("movenet_thunder").joints(read("man.png"))
    height = xy_px[:, 1]
    assert height[9] < height[5]  # left wrist above left shoulder
    assert height[10] < height[6]
    assert max(height[[5, 6]]) < min(height[[11, 12]])
    assert max(height[[11, 12]]) < min(height[[13, 14]])
    assert max(height[[13, 14]]) < min(height[[15, 16]])
    assert (xy_px[[5, 7, 9, 11, 13, 15], 0] > xy_px[[6, 8, 10, 12, 14, 16], 0]).all()  # he faces us: his left is right


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_picture_gives_the_same_bits(name):
    """Catches kernels whose sums depend on timing."""
    image = np.random.default_rng(0).integers(0, 256, (192, 192, 3), dtype=np.uint8)
    side = NETWORKS[name] or 192
    image = np.resize(image, (side, side, 3))
    first, again = open_network(name).maps(image), open_network(name).maps(image)
    np.testing.assert_array_equal(first.joints, again.joints)
    np.testing.assert_array_equal(first.centre, again.centre)


def test_multipose_takes_any_multiple_of_32():
    """Catches a graph frozen at one size."""
    network = open_network("movenet_multipose")
    for h, w in ((32, 32), (64, 256)):
        assert network.maps(np.zeros((h, w, 3), np.uint8)).joints.shape == (h // 4, w // 4, 17)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((256, 256), np.uint8), "uint8"),
        (np.zeros((256, 256, 3), np.float32), "float32"),
        (np.zeros((256, 256, 4), np.uint8), "256, 4"),
        (np.zeros((0, 256, 3), np.uint8), "at least one pixel"),
        (np.zeros((192, 192, 3), np.uint8), "256 x 256"),
        ([[0]], "list"),
    ],
)
def test_refuses_what_is_not_its_picture(image, says):
    """Catches gray, float or RGBA pictures that would run and give nonsense."""
    with pytest.raises(InputError, match=says):
        open_network("movenet_thunder").maps(image)


def test_refuses_sides_that_are_not_multiples_of_32():
    """Catches a network that answers on a grid that does not fit its picture."""
    with pytest.raises(InputError, match="32"):
        open_network("movenet_multipose").maps(np.zeros((100, 64, 3), np.uint8))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "movenet"}, "movenet_thunder"),
        ({"name": "movenet_thunder", "device": "tpu"}, "device"),
        ({"name": "movenet_thunder", "threads": 0}, "threads"),
    ],
)
def test_refuses_unknown_options(arguments, says):
    """Catches a misspelt option that is silently ignored."""
    with pytest.raises(InputError, match=says):
        open_network(**arguments)


def test_cuda_without_torch_names_the_extra(monkeypatch):
    """Catches a bare ModuleNotFoundError on the installation that game studios have."""
    monkeypatch.delitem(sys.modules, "mocap3d.nets.movenet", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it fails
    with pytest.raises(MissingExtraError, match=r"mocap3d\[torch\]"):
        open_network("movenet_thunder", device="cuda")


def test_cuda_without_a_device_is_refused():
    """Catches torch's own assertion leaking out."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(InputError, match='device="cpu"'):
        open_network("movenet_thunder", device="cuda")


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["movenet_thunder", "movenet_lightning"])
def test_cuda_gives_the_joints_of_the_cpu(name):
    """Catches TF32 or half precision that moves joints."""
    side = NETWORKS[name]
    image = cv2.resize(read("woman.png"), (side, side))
    cpu, cuda = open_network(name), open_network(name, device="cuda")
    np.testing.assert_allclose(cuda.maps(image).joints, cpu.maps(image).joints, atol=1e-4)
    np.testing.assert_allclose(cuda.joints(image)[0], cpu.joints(image)[0], atol=1e-2)
