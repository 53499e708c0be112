"""From a training run, finished or not, to a weights file."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mocap3d.base.skeletons import skeleton_named
from mocap3d.lift.lifter_weights import TRAJECTORY_OUTPUTS, LifterMeta, LifterWeights, save_weights
from mocap3d.nets.temporal import TemporalLifter
from mocap3d.train.lifter_data import MotionBank
from mocap3d.train.lifter_eval import held_out_views, measure
from mocap3d.train.lifter_settings import LifterSettings
from mocap3d.train.run_folder import CHECKPOINT, fitting, read_checkpoint

__all__ = [
    "STD_FLOOR_M",
    "export_lifter",
    "export_run",
    "lifter_of",
    "network_for",
]

_SOFT_GAIN = 0.02
STD_FLOOR_M = 0.005  # the root is exact by definition; a user of weights 1 / std**2 must not divide by that


def network_for(settings: LifterSettings) -> TemporalLifter:
    """A new network as the settings want it."""
    meta = _meta(settings)
    network = TemporalLifter(
        inputs=meta.inputs,
        outputs=meta.outputs,
        channels=settings.channels,
        dilations=settings.dilations,
        causal=settings.causal,
        direct=settings.direct,
        dropout=settings.dropout,
    )
    if settings.begins_short:  # the last block joins late, and softly
        torch.nn.init.constant_(network.blocks[-1].point.norm.weight, _SOFT_GAIN)  # type: ignore[union-attr, arg-type]
    return network


def lifter_of(network: TemporalLifter) -> Callable[[NDArray[np.floating]], NDArray[np.floating]]:
    """A network as a function from features (T, F) to numbers (T, O), through torch, ends repeated."""

    @torch.inference_mode()
    def lift(features: NDArray[np.floating]) -> NDArray[np.floating]:
        padded = np.pad(features.astype(np.float32), (network.margins, (0, 0)), mode="edge")
        device = network.shrink.weight.device
        lifted: NDArray[np.floating] = network(torch.from_numpy(padded)[None].to(device))[0].float().cpu().numpy()
        return lifted

    return lift


def export_run(data: Path | str, run_dir: Path | str, out: Path | str) -> Path:
    """Measure the last checkpoint of a run on the held-out people and write it as a weights file.

    Args:
        data: the motion-data file that it is trained on.
        run_dir: the run.
        out: the NPZ file to write.

    Raises:
        InputError: there is no checkpoint, or the file cannot be written.
        FileFormatError: the checkpoint is damaged, or of something else.
    """
    checkpoint = Path(run_dir) / CHECKPOINT
    state = read_checkpoint(checkpoint, ("settings", "average", "step", "elapsed_s"))
    with fitting(checkpoint):
        settings = LifterSettings.from_plain(state["settings"])
        network = network_for(settings)
        network.load_state_dict(state["average"])
        trained = {"steps": int(state["step"]), "minutes": float(state["elapsed_s"]) / 60}
    skeleton = skeleton_named(settings.examples.joints)
    people = MotionBank.read(Path(data), frozenset(settings.held_out), skeleton)
    views = held_out_views(people, settings.examples)
    measured = measure(views, lifter_of(network.eval()))
    stature_m = MotionBank.read(Path(data), frozenset(settings.subjects), skeleton).stature_m
    export_lifter(network, settings, measured, stature_m, trained, Path(out))
    return Path(out)


def export_lifter(
    network: TemporalLifter,
    settings: LifterSettings,
    measured: dict[str, Any],
    stature_m: float,
    trained: dict[str, Any],
    out: Path,
) -> None:
    """Write a network as a weights file, its normalisation folded in.

    Args:
        network: the trained network.
        settings: of the training.
        measured: what `lifter_eval.measure` says about it; its ``std_m`` become the expected errors, and what the
            network says about the root's is multiplied by ``distance_std_ratio``: a network is too sure of itself.
        stature_m: of the people that it learned from.
        trained: how long it was trained; JSON values.
        out: the NPZ file.
    """
    seen_m, unseen_m = np.array(measured["std_m"]), np.array(measured["std_unseen_m"])
    std_m = np.maximum(np.where(np.isfinite(seen_m), seen_m, unseen_m), STD_FLOOR_M)
    unseen_m = np.where(np.isfinite(unseen_m), np.maximum(unseen_m, std_m), 2 * std_m)
    meta = replace(
        _meta(settings),
        stature_m=round(stature_m, 3),
        std_m=tuple(round(float(value), 4) for value in std_m),
        std_unseen_m=tuple(round(float(value), 4) for value in unseen_m),
        trained={**trained, "settings": asdict(settings), "held_out": _scalars(measured)},
    )
    arrays = {name: array.numpy() for name, array in network.folded_arrays().items()}
    ratio = measured["distance_std_ratio"]
    if math.isfinite(ratio) and ratio > 0:
        arrays["shrink.bias"][3 * (len(std_m) - 1) + TRAJECTORY_OUTPUTS - 1] += math.log(ratio)
    save_weights(LifterWeights(meta=meta, arrays=arrays), out)


def _meta(settings: LifterSettings) -> LifterMeta:
    """What the settings alone say about a lifter."""
    examples, unknown = settings.examples, (math.nan,) * len(skeleton_named(settings.examples.joints))
    return LifterMeta(
        architecture="temporal-residual",
        channels=settings.channels,
        dilations=settings.dilations,
        causal=settings.causal,
        encoding=examples.encoding,
        fps=Fraction(examples.fps),
        input_skeleton=examples.points,
        output_skeleton=examples.joints,
        stature_m=math.nan,
        std_m=unknown,
        std_unseen_m=unknown,
        licence=settings.licence,
        trained={},
        direct=settings.direct,
        trajectory=True,
        contacts=settings.contacts,
    )


def _scalars(measured: dict[str, Any]) -> dict[str, Any]:
    """The single figures; the expected errors have fields of their own."""
    return {key: value for key, value in measured.items() if isinstance(value, (int, float)) and math.isfinite(value)}
