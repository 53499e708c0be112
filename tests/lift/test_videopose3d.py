"""Checkpoints of VideoPose3D as lifters of ours, against a plain twin of that network written here.

No checkpoint of the authors can be had where these tests run: files of the same form are written with random weights.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17
from mocap3d.lift.lifter_weights import load_weights, save_weights
from mocap3d.lift.monocular import lift_pose2d
from mocap3d.lift.screen_encoding import encode_screen, px_to_screen
from mocap3d.lift.temporal import run_lifter
from mocap3d.lift.videopose3d import load_videopose3d


class Twin(nn.Module):
    """The network as its paper draws it: convolutions over time, one frame out of a window, or of each window."""

    def __init__(
        self, widths: tuple[int, ...], channels: int, causal: bool, points: int = 17, joints: int = 17
    ) -> None:
        super().__init__()
        self.widths, self.causal = widths, causal
        self.expand_conv = nn.Conv1d(2 * points, channels, widths[0], bias=False)
        self.expand_bn = nn.BatchNorm1d(channels)
        pairs = [(width, 1) for width in widths[1:]]
        kernels = [kernel for pair in pairs for kernel in pair]
        self.layers_conv = nn.ModuleList(nn.Conv1d(channels, channels, kernel, bias=False) for kernel in kernels)
        self.layers_bn = nn.ModuleList(nn.BatchNorm1d(channels) for _ in kernels)
        self.shrink = nn.Conv1d(channels, 3 * joints, 1)

    def forward(self, windows: Tensor, strided: bool) -> Tensor:
        """(N, window, 2P) -> (N, 3J): each layer leaps over as many frames as it sees, or leaves none out."""
        x, gap = windows.transpose(1, 2), 1
        for i, width in enumerate(self.widths):
            leap = {"stride": width} if strided else {"dilation": gap}
            convs = [self.expand_conv] if i == 0 else [self.layers_conv[2 * i - 2], self.layers_conv[2 * i - 1]]
            norms = [self.expand_bn] if i == 0 else [self.layers_bn[2 * i - 2], self.layers_bn[2 * i - 1]]
            y = torch.relu(norms[0](nn.functional.conv1d(x, convs[0].weight, **leap)))
            if i:
                y = torch.relu(norms[1](convs[1](y)))
                taken = width - 1 if self.causal else width // 2
                x = x[..., taken::width] + y if strided else x[..., taken * gap : taken * gap + y.shape[-1]] + y
            else:
                x = y
            gap *= width
        return self.shrink(x)[..., 0]


def twin(widths: tuple[int, ...], *, causal: bool = False, channels: int = 12, **changes: int) -> Twin:
    """A twin with random weights and with statistics that are not those of a fresh normalisation."""
    torch.manual_seed(3)
    network = Twin(widths, channels, causal, **changes).eval()
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm1d):
            norm.running_mean.normal_(0, 0.3)
            norm.running_var.uniform_(0.2, 2)
            nn.init.uniform_(norm.weight, 0.3, 1.5)
            nn.init.normal_(norm.bias, 0, 0.3)
    return network


def saved(network: Twin, path: Path, zipped: bool = True) -> Path:
    """A checkpoint with the keys of VideoPose3D's."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, amsgrad=True)
    state = {
        "epoch": 80,
        "lr": 4e-5,
        "random_state": np.random.RandomState(1234),
        "optimizer": optimizer.state_dict(),
        "model_pos": network.state_dict(),
    }
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    return path


def windows_of(features: np.ndarray[Any, Any], before: int, after: int) -> Tensor:
    """The window of every frame, ends repeated, one frame at a time."""
    last = len(features) - 1
    rows = [[features[min(max(t + k, 0), last)] for k in range(-before, after + 1)] for t in range(len(features))]
    return torch.tensor(np.array(rows), dtype=torch.float32)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("widths", [(1, 1, 1), (3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3, 3), (3, 1, 3)])
def test_the_same_weights_give_the_same_joints(
    tmp_path: Path, widths: tuple[int, ...], causal: bool, zipped: bool
) -> None:
    """Catches taps in the wrong order, a residual from the wrong frame, normalisation folded wrong, another window."""
    network = twin(widths, causal=causal)
    weights = load_videopose3d(saved(network, tmp_path / "epoch_80.bin", zipped), causal=causal)
    window = int(np.prod(widths))
    assert (weights.meta.window, weights.meta.causal) == (window, causal)
    features = np.random.default_rng(0).normal(0, 0.5, (40, 34))
    windows = windows_of(features, window - 1 if causal else window // 2, 0 if causal else window // 2)
    ours = run_lifter(weights, features)
    with torch.inference_mode():
        for strided in (False, True):
            np.testing.assert_allclose(ours, network(windows, strided).numpy(), atol=1e-5)
    assert np.abs(ours).max() > 0.5
    assert np.abs(ours[:, :3]).max() > 0.01  # the root is an output like any other


def test_the_wrong_direction_is_seen(tmp_path: Path) -> None:
    """Catches a test above that would pass whatever ``causal`` did."""
    path = saved(twin((3, 3, 3)), tmp_path / "a.bin")
    features = np.random.default_rng(0).normal(0, 0.5, (40, 34))
    one, other = (run_lifter(load_videopose3d(path, causal=causal), features) for causal in (False, True))
    assert np.abs(one - other).max() > 0.1


def test_the_picture_is_two_wide() -> None:
    """Catches height and width mixed up, y divided by the height, and a picture that begins at 0."""
    camera = Camera.from_fov("a", (1000, 1002), 60)
    corners = np.array([[0.0, 0.0], [1000, 1002], [500, 501], [250, 0]])
    expected = [[-1, -1.002, 1], [1, 1.002, 1], [0, 0, 1], [-0.5, -1.002, 1]]
    np.testing.assert_allclose(px_to_screen(camera, corners), expected, atol=1e-12)


def test_features_stand_joint_by_joint_and_gaps_are_held() -> None:
    """Catches all x before all y, NaN that spreads through the network, and a gap that looks at later frames."""
    camera = Camera.from_fov("a", (200, 100), 60)
    xy_px = np.arange(4 * 17 * 2, dtype=float).reshape(4, 17, 2)
    full = encode_screen(px_to_screen(camera, xy_px), np.ones((4, 17))).features
    np.testing.assert_allclose(full[1, 4:6], xy_px[1, 2] / 100 - [1, 0.5])
    xy_px[1:3, 5] = np.nan  # seen before
    xy_px[:2, 7] = np.nan  # not seen before
    xy_px[3] = np.nan  # nothing seen
    holed = encode_screen(px_to_screen(camera, xy_px), np.ones((4, 17))).features.reshape(4, 17, 2)
    whole = full.reshape(4, 17, 2)
    np.testing.assert_allclose(holed[1:3, 5], whole[[0, 0], 5])
    np.testing.assert_allclose(holed[0, 7], np.delete(whole[0], 7, axis=0).mean(axis=0))
    np.testing.assert_allclose(holed[2, 7], whole[2, 7])
    np.testing.assert_allclose(holed[3], holed[2])
    assert np.isfinite(encode_screen(px_to_screen(camera, xy_px * np.nan), np.zeros((4, 17))).features).all()


def pose2d(frames: int = 30, fps: Fraction = Fraction(50), **changes: Any) -> Pose2D:
    """Points that wander through the picture."""
    t = np.arange(frames)[:, None, None] / float(fps)
    middle = np.random.default_rng(0).uniform([400, 100], [800, 600], (17, 2))
    xy_px = middle + 20 * np.sin(2 * t + np.arange(17)[:, None])
    fields = {"xy_px": xy_px, "confidence": np.ones((frames, 17)), "fps": fps, "skeleton": HUMAN36M_17}
    return Pose2D(**fields | changes)


@pytest.mark.parametrize("device", ["cpu", "torch"])
def test_lifting_pixels(tmp_path: Path, device: str) -> None:
    """Catches rays where the picture belongs, axes turned on the way out, and metres scaled at the default height."""
    camera = Camera(name="c", size_wh_px=(1280, 720), K=np.array([[900, 0, 700], [0, 900, 300], [0, 0, 1.0]]),
                    distortion=np.array([0.1, 0.0, 0.01, 0.0]))  # fmt: skip
    network = twin((3, 3, 3))
    weights = load_videopose3d(saved(network, tmp_path / "a.bin"))
    pose = pose2d()
    lifted = lift_pose2d(pose, camera, weights=weights, device="cpu" if device == "cpu" else "cpu:0")
    features = (pose.xy_px * 2 / 1280 - [1, 720 / 1280]).reshape(30, 34)
    with torch.inference_mode():
        expected = network(windows_of(features, 13, 13), strided=False).reshape(30, 17, 3).numpy()
    np.testing.assert_allclose(lifted.xyz_m - lifted.xyz_m[:, :1], expected - expected[:, :1], atol=2e-5)
    assert (lifted.skeleton, lifted.frame, lifted.fps) == (HUMAN36M_17, "camera", 50)


def test_other_frame_rates_are_resampled(tmp_path: Path) -> None:
    """Catches a network of 50 frames per second that sees a clip of 25 at double speed."""
    camera = Camera.from_fov("front", (1280, 720), 60)
    weights = load_videopose3d(saved(twin((3, 3)), tmp_path / "a.bin"))
    slow = lift_pose2d(pose2d(20, Fraction(25)), camera, weights=weights)
    fast = lift_pose2d(pose2d(39, Fraction(50)), camera, weights=weights)
    np.testing.assert_allclose(slow.xyz_m[2:-2], fast.xyz_m[4:-4:2], atol=0.01)


def test_coco_points_in(tmp_path: Path) -> None:
    """Catches weights for detected COCO points that claim to take the joints of Human3.6M."""
    path = saved(twin((3, 3)), tmp_path / "pretrained_h36m_detectron_coco.bin")
    meta = load_videopose3d(path, input_skeleton="coco-17").meta
    assert (meta.input_skeleton, meta.output_skeleton, meta.fps) == (COCO_17.name, HUMAN36M_17.name, 50)


def test_they_can_be_kept_in_our_own_format(tmp_path: Path) -> None:
    """Catches a field of the weights that does not survive the file (root, encoding, dilations of 0)."""
    weights = load_videopose3d(saved(twin((3, 1, 3)), tmp_path / "a.bin"))
    save_weights(weights, tmp_path / "a.npz")
    assert load_weights(tmp_path / "a.npz").meta == weights.meta


BAD = {
    "no model_pos": ({"epoch": 1}, "model_pos"),
    "a list": ([1, 2], "model_pos"),
    "another network": ({"model_pos": {"fc.weight": torch.ones(2, 2)}}, "expand_conv.weight"),
    "not finite": ({"model_pos": {"expand_conv.weight": torch.full((4, 34, 3), torch.nan)}}, "finite"),
}


@pytest.mark.parametrize("name", BAD)
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    """Catches a KeyError, and a network that runs on weights that are not its own."""
    content, message = BAD[name]
    torch.save(content, tmp_path / "bad.bin")
    with pytest.raises(FileFormatError, match=message) as caught:
        load_videopose3d(tmp_path / "bad.bin")
    assert caught.value.path == tmp_path / "bad.bin"


def test_other_shapes_are_refused(tmp_path: Path) -> None:
    """Catches five taps taken for three, HumanEva's 15 joints taken for 17, and layers that do not fit each other."""
    cases = [(twin((5, 3)), "5 taps"), (twin((3, 3), joints=15), "45 numbers"), (twin((3, 3), points=15), "30 numbers")]
    for network, message in cases:
        with pytest.raises(FileFormatError, match=message):
            load_videopose3d(saved(network, tmp_path / "a.bin"))
    network = twin((3, 3))
    network.layers_conv[1] = nn.Conv1d(12, 12, 3, bias=False)
    with pytest.raises(FileFormatError, match="do not fit"):
        load_videopose3d(saved(network, tmp_path / "a.bin"))
    network = twin((3, 3))
    network.expand_bn = nn.BatchNorm1d(7)
    with pytest.raises(FileFormatError, match="expand_bn"):
        load_videopose3d(saved(network, tmp_path / "a.bin"))
    with pytest.raises(InputError, match="no skeleton"):
        load_videopose3d(saved(twin((3, 3)), tmp_path / "a.bin"), input_skeleton="nobody")
