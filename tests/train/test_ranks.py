from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import two_ranks
from bodies import motion_file, small_training

from mocap3d.base.errors import InputError
from mocap3d.train.lifter_run import LifterRun
from mocap3d.train.ranks import joined

STATISTICS = "running_"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What one process with the joined batch learned, and what each of two did."""
    folder = tmp_path_factory.mktemp("ranks")
    torch.multiprocessing.spawn(two_ranks.work, args=(str(folder),), nprocs=2)
    torch.set_default_dtype(torch.float64)
    try:
        alone = {
            kind: two_ranks.train(LifterRun.new(small_training(**two_ranks.SETTINGS)), slice(None), kind)
            for kind in two_ranks.KINDS
        }
    finally:
        torch.set_default_dtype(torch.float32)
    return alone, *(torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2))


@pytest.mark.parametrize("kind", two_ranks.KINDS)
def test_two_processes_equal_one_with_the_joined_batch(results, kind):
    """Catches gradients that are added up or clipped apart, statistics or an average of one half, a block left out."""
    alone, first, second = results[0][kind], results[1][kind], results[2][kind]
    assert first.keys() == alone.keys()
    begun = LifterRun.new(small_training(**two_ranks.SETTINGS)).model.state_dict()
    for name, tensor in alone.items():
        if not tensor.is_floating_point():
            continue  # how many batches a normalisation has seen is not looked at
        torch.testing.assert_close(first[name], tensor, atol=1e-6, rtol=0, msg=name)
        torch.testing.assert_close(second[name], tensor, atol=1e-6, rtol=0, msg=name)
    for layer in ("shrink", "blocks.0.point.linear"):
        learned = alone[f"model.{layer}.weight"] - begun[f"{layer}.weight"]
        assert float(learned.abs().max()) > 1e-3  # there was something to be equal about


def test_the_kinds_differ(results):
    """Catches windows that are not short, and statistics that are not frozen."""
    alone, _, _ = results
    name = "model.expand.norm.running_mean"
    assert float((alone["short"][name] - alone["whole"][name]).abs().max()) > 1e-3
    assert float(alone["frozen"][name].abs().max()) == 0


def test_separate_statistics_would_not_do(results):
    """Catches a comparison that nothing can fail."""
    alone, first, second = results
    name = "model.expand.norm.running_mean"
    assert float((first["separate"][name] - alone["whole"][name]).abs().max()) > 1e-3
    assert float((first["separate"][name] - second["separate"][name]).abs().max()) > 1e-3


def test_all_go_by_the_clock_of_the_first(results):
    """Catches processes that stop at different steps, of which one would wait forever."""
    _, first, second = results
    assert float(first["said"]["elapsed_s"]) == float(second["said"]["elapsed_s"]) == 10.0


def test_without_torchrun_a_process_is_alone(monkeypatch):
    """Catches a plain training that waits for others, or one that begins on a device that is not there."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined("cpu") as ranks:
        assert (ranks.rank, ranks.count, ranks.device) == (0, 1, "cpu")
        assert ranks.agreed(3.5) == 3.5
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="no CUDA device"), joined("cuda"):
            pass


TRAIN = """
import sys; sys.path[:0] = {paths!r}
from bodies import small_training
from mocap3d.train.lifter import train_lifter
train_lifter({data!r}, small_training(), {run!r}, workers=0)
"""


@pytest.mark.slow
def test_torchrun_trains(tmp_path):
    """Catches two processes that both write the log, or of which one never ends."""
    data, script = motion_file(tmp_path / "m.h5"), tmp_path / "train.py"
    script.write_text(TRAIN.format(paths=sys.path, data=str(data), run=str(tmp_path / "run")))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    subprocess.run(torchrun, check=True, timeout=600)
    assert (tmp_path / "run" / "lifter.npz").is_file()
    log = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == ["step", "6"]
