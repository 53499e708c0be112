from __future__ import annotations

import numpy as np
import pytest
import torch
from bodies import small_training

from mocap3d.lift.lifter_weights import load_weights
from mocap3d.lift.temporal import run_lifter
from mocap3d.train.lifter_eval import joints_of
from mocap3d.train.lifter_export import export_lifter, lifter_of, network_for

MEASURED = {
    "std_m": [0.0, *[0.04] * 19],
    "std_unseen_m": [float("nan"), 0.01, *[0.2] * 18],
    "mpjpe_m": 0.05,
    "distance_std_ratio": 2.0,
    "frames": 9,
}


def trained(causal, dilations):
    """A network whose statistics, input scaling and every weight are its own."""
    settings = small_training(causal=causal, dilations=dilations, channels=12)
    torch.manual_seed(3)
    network = network_for(settings)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith(("running_var", "spread")):
                tensor.uniform_(0.5, 2)
            elif tensor.is_floating_point():
                tensor.normal_(0, 0.2)
    return network.eval(), settings


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dilations", [(0, 0), (1, 3), (1, 3, 9)])
def test_what_is_exported_is_what_was_trained(causal, dilations, tmp_path):
    """Catches a fold that loses statistics or scaling, and a direct path or residual from another frame."""
    network, settings = trained(causal, dilations)
    export_lifter(network, settings, MEASURED, 1.81, {"steps": 1}, tmp_path / "w.npz")
    features = np.random.default_rng(0).normal(size=(40, 69)).astype(np.float32)
    expected = lifter_of(network)(features).copy()
    expected[:, 60] += np.log(2)  # what the network says about its distance's error
    found = run_lifter(load_weights(tmp_path / "w.npz"), features)
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(found, expected, atol=0.004 * np.abs(expected).max())  # the file has half precision
    assert joints_of(found, settings.examples).shape == (40, 20, 3)


def test_a_lifter_that_never_said_how_sure_it_is_is_left_alone(tmp_path):
    """Catches a NaN among the weights."""
    network, settings = trained(False, (1, 3))
    export_lifter(network, settings, MEASURED | {"distance_std_ratio": float("nan")}, 1.81, {}, tmp_path / "w.npz")
    assert np.isfinite(load_weights(tmp_path / "w.npz").arrays["shrink.bias"]).all()


def test_a_joint_that_was_never_seen_is_as_unsure_as_unseen(tmp_path):
    """Catches a training whose end cannot be written: expected errors that are NaN are refused."""
    network, settings = trained(False, (1, 3))
    never = {"std_m": [0.0, float("nan"), *[0.04] * 18], "std_unseen_m": [float("nan"), 0.3, *[0.2] * 18]}
    export_lifter(network, settings, MEASURED | never, 1.81, {}, tmp_path / "w.npz")
    meta = load_weights(tmp_path / "w.npz").meta
    assert (meta.std_m[:3], meta.std_unseen_m[:3]) == ((0.005, 0.3, 0.04), (0.01, 0.3, 0.2))


def test_the_file_says_what_it_is(tmp_path):
    """Catches expected errors of zero or NaN, which weights 1 / std**2 would make infinite, and lost figures."""
    network, settings = trained(True, (1, 3))
    export_lifter(network, settings, MEASURED, 1.81, {"steps": 7, "minutes": 0.1}, tmp_path / "w.npz")
    meta = load_weights(tmp_path / "w.npz").meta
    assert meta.std_m == (0.005, *[0.04] * 19)
    assert meta.std_unseen_m == (0.01, 0.04, *[0.2] * 18)  # unknown: twice; never less than when seen
    assert (meta.window, meta.causal, meta.contacts, meta.trajectory) == (9, True, True, True)
    assert meta.stature_m == 1.81
    assert meta.trained["steps"] == 7
    assert meta.trained["held_out"] == {"mpjpe_m": 0.05, "distance_std_ratio": 2.0, "frames": 9}
    assert meta.trained["settings"]["channels"] == 12
