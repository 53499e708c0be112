"""How fast is a lifter when it lifts: a clip in NumPy, a clip in bf16, and frame by frame?

    python benchmarks/lifter_infer.py [--frames 2000] [--repeats 5] [--json]

Random weights of 1024 channels, 34 numbers in and 51 out (17 joints each), windows of 81 and 243 frames. Beside them
stands what people would use instead: the same network as VideoPose3D's evaluation runs it, dilated convolutions and
batch normalisation in torch, not folded, eager, float32, the whole clip in one pass; and for live use the same network
over the last window, anew for every frame. Everything runs in turns in one process on all cores, or with the
threads that OMP_NUM_THREADS says, which all of them obey; medians of the repeats.

The difference that bf16 makes is measured on the shipped lifter and the joints that the demo clip gives (or
``--clip``), played to and fro for a thousand frames, in millimetres per joint. In the JSON line a key without a number
of frames is the window at which mocap3d is least ahead.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from _common import Figure, json_line, peak_memory_mib, progress, table
from numpy.typing import NDArray
from torch import Tensor, nn

import mocap3d
from mocap3d import examples
from mocap3d.base.pose import Pose2D
from mocap3d.lift.lifter_weights import LifterMeta, LifterWeights, array_shapes, load_weights
from mocap3d.lift.monocular import lift_pose2d
from mocap3d.lift.streaming import StreamingLifter, multiply_adds
from mocap3d.lift.temporal import run_lifter
from mocap3d.nets.lifter_on_device import FoldedLifter

CHANNELS, INPUTS, OUTPUTS = 1024, 34, 51
DILATIONS = {81: (1, 3, 9, 27), 243: (1, 3, 9, 27, 81)}

Seconds = dict[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=2000, help="of the clip")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--windows", type=int, nargs="+", choices=sorted(DILATIONS), default=sorted(DILATIONS))
    parser.add_argument("--clip", type=Path, help="video whose joints tell what bf16 changes (default: the demo clip)")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args(arguments)
    rows, live_rows, figures = [], [], []
    with torch.inference_mode():
        for window in options.windows:
            progress(f"{window} frames")
            weights = random_weights(DILATIONS[window])
            clip = medians(whole_clip(weights, options.frames), options.repeats)
            live = medians(frame_by_frame(weights), 3 * options.repeats)
            rows += clip_rows(window, options.frames, clip)
            live_rows += stream_rows(window, weights.meta, live)
            figures += figures_of(window, options.frames, clip, live, weights.meta)
    print(table(["a clip", "frames/s", "times eager"], rows))
    print("\n" + table(["frame by frame", "ms a frame", "times dilated", "multiply-adds (millions)"], live_rows))
    mean_mm, worst_mm = bf16_difference_mm(options.clip)
    print(f"\nbf16 moves joints by {mean_mm:.3f} mm on average, {worst_mm:.2f} mm at most (shipped lifter).")
    print(f"Peak memory {peak_memory_mib():.0f} MiB.")
    if options.json:
        print(json_line("lifter_infer", [*worst(figures), *figures]))
    return 0


def random_weights(dilations: tuple[int, ...]) -> LifterWeights:
    """A lifter of VideoPose3D's size, joints of Human3.6M in and out, that says nothing sensible."""
    meta = LifterMeta(
        architecture="temporal-residual",
        channels=CHANNELS,
        dilations=dilations,
        causal=False,
        encoding="screen-normalised",
        fps=Fraction(50),
        input_skeleton="human36m-17",
        output_skeleton="human36m-17",
        stature_m=1.7,
        std_m=(0.05,) * 17,
        std_unseen_m=(0.1,) * 17,
        licence="none",
        trained={},
        root="predicted",
    )
    rng = np.random.default_rng(0)
    shapes = array_shapes(meta).items()
    arrays = {name: (rng.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32) for name, shape in shapes}
    return LifterWeights(meta=meta, arrays=arrays)


class Eager(nn.Module):
    """The network as it is published: convolutions along time, normalisations not folded, dropout that does nothing."""

    def __init__(self, weights: LifterWeights) -> None:
        super().__init__()
        first, *self.dilations = weights.meta.dilations
        self.expand = self._layer(weights, "expand", first)
        blocks = enumerate(self.dilations)
        self.wide = nn.ModuleList(self._layer(weights, f"block{i}.wide", dilation) for i, dilation in blocks)
        self.point = nn.ModuleList(self._layer(weights, f"block{i}.point", 0) for i in range(len(self.dilations)))
        self.shrink = nn.Conv1d(CHANNELS, OUTPUTS, 1)
        shrink = {"weight": weights.arrays["shrink.weight"].T[..., None], "bias": weights.arrays["shrink.bias"]}
        self.shrink.load_state_dict({name: torch.from_numpy(values) for name, values in shrink.items()})

    @staticmethod
    def _layer(weights: LifterWeights, name: str, dilation: int) -> nn.Sequential:
        taps, matrix = 3 if dilation else 1, weights.arrays[f"{name}.weight"]
        conv = nn.Conv1d(len(matrix) // taps, CHANNELS, taps, dilation=max(dilation, 1), bias=False)
        norm = nn.BatchNorm1d(CHANNELS)
        with torch.no_grad():
            kernel = matrix.reshape(taps, -1, CHANNELS).transpose(2, 1, 0)
            conv.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
            norm.bias.copy_(torch.from_numpy(weights.arrays[f"{name}.bias"]))
        return nn.Sequential(conv, norm, nn.ReLU(), nn.Dropout(0.25))

    def forward(self, x_BFT: Tensor) -> Tensor:
        """(B, F, T) -> (B, O, T - (window - 1))."""
        x_BCT = self.expand(x_BFT)
        for wide, point, dilation in zip(self.wide, self.point, self.dilations, strict=True):
            x_BCT = x_BCT[..., dilation:-dilation] + point(wide(x_BCT))
        outputs: Tensor = self.shrink(x_BCT)
        return outputs


def whole_clip(weights: LifterWeights, frames: int) -> dict[str, Callable[[], NDArray[np.floating]]]:
    """Each way to lift one clip, ends repeated. They are checked to say the same."""
    features = np.random.default_rng(1).normal(size=(frames, INPUTS)).astype(np.float32)
    margin = (weights.meta.window - 1) // 2
    padded = np.pad(features, ((margin, margin), (0, 0)), mode="edge")
    eager = Eager(weights).eval()
    meta, steps = weights.meta, {}
    for precision in ("float32", "bf16"):
        steps[precision] = FoldedLifter(weights.arrays, dilations=meta.dilations, causal=False, precision=precision)
    ways = {
        "eager": lambda: eager(torch.from_numpy(padded).T[None])[0].T.numpy(),
        "NumPy": lambda: run_lifter(weights, features),
        "torch float32": lambda: steps["float32"](torch.from_numpy(padded)).numpy(),
        "torch bf16": lambda: steps["bf16"](torch.from_numpy(padded)).numpy(),
    }
    truth = ways["eager"]()
    for name, tolerance in (("NumPy", 1e-4), ("torch float32", 1e-4), ("torch bf16", 5e-2)):
        error = np.abs(ways[name]() - truth).mean() / np.abs(truth).mean()
        if error > tolerance:
            raise RuntimeError(f"{name} differs from the published form by {error:.1e}")
    return ways


def frame_by_frame(weights: LifterWeights) -> dict[str, Callable[[], NDArray[np.floating]]]:
    """Live use: state kept, or the last window anew; each function says about one frame."""
    features = np.random.default_rng(2).normal(size=(weights.meta.window, INPUTS)).astype(np.float32)
    stream, eager = StreamingLifter(weights), Eager(weights).eval()
    for frame in features:
        stream.push(frame)

    def streaming() -> NDArray[np.floating]:
        output = stream.push(features[0])
        if output is None:
            raise RuntimeError("a stream that has seen a whole window must answer")
        return output

    return {"dilated": lambda: eager(torch.from_numpy(features).T[None])[0].numpy(), "streaming": streaming}


def medians(ways: dict[str, Callable[[], NDArray[np.floating]]], repeats: int) -> Seconds:
    """Median seconds of each way, taken in turns so that a busy machine is busy for all of them."""
    for way in ways.values():
        way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    gc.disable()
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    gc.enable()
    return {name: float(np.median(values)) for name, values in seconds.items()}


def clip_rows(window: int, frames: int, seconds: Seconds) -> list[list[str]]:
    """Rows of the first table."""
    return [
        [f"{window} frames, {name}", f"{frames / value:.0f}", f"{seconds['eager'] / value:.2f}"]
        for name, value in seconds.items()
    ]


def stream_rows(window: int, meta: LifterMeta, seconds: Seconds) -> list[list[str]]:
    """Rows of the second table; the strided form is counted and not timed."""
    counted = multiply_adds(meta)
    return [
        [
            f"{window} frames, {name}",
            f"{1000 * seconds[name]:.1f}" if name in seconds else "",
            f"{seconds['dilated'] / seconds[name]:.1f}" if name in seconds else "",
            f"{count / 1e6:.1f}",
        ]
        for name, count in (
            ("dilated", counted.dilated),
            ("strided", counted.strided),
            ("streaming", counted.streaming),
        )
    ]


def figures_of(window: int, frames: int, clip: Seconds, live: Seconds, meta: LifterMeta) -> list[Figure]:
    """Frames per second of a clip, seconds per live frame, millions of multiply-adds."""
    counted = multiply_adds(meta)

    def rate(key: str, name: str) -> Figure:
        ours, against = frames / clip[name], frames / clip["eager"]
        return Figure(key=f"{key}_{window}", ours=ours, against=against, higher_is_better=True)

    return [
        rate("numpy_vs_eager", "NumPy"),
        rate("bf16_vs_eager", "torch bf16"),
        Figure(key=f"stream_vs_dilated_{window}", ours=live["streaming"], against=live["dilated"]),
        Figure(
            key=f"stream_vs_strided_multiply_adds_{window}",
            ours=counted.streaming / 1e6,
            against=counted.strided / 1e6,
        ),
    ]


def worst(figures: Sequence[Figure]) -> list[Figure]:
    """Each key without its number of frames: the window at which we are least ahead."""
    found: dict[str, Figure] = {}
    for figure in sorted(figures, key=lambda figure: -figure.ratio):
        key = figure.key.rpartition("_")[0]
        found[key] = replace(figure, key=key)
    return list(found.values())


def bf16_difference_mm(clip: Path | None) -> tuple[float, float]:
    """Mean and largest distance of a joint from where float32 puts it, the joints being those of a video."""
    progress("bf16 on joints of a video")
    path = examples.path("walk.mp4") if clip is None else clip
    captured = mocap3d.capture(path)
    found = []
    for performance in captured.performances:
        pose = to_and_fro(performance.pose2d)
        exact, rounded = (
            lift_pose2d(pose, captured.cameras[0], weights=load_weights(), precision=precision).xyz_m
            for precision in ("float32", "bf16")
        )
        found.append(1000 * np.linalg.norm(rounded - exact, axis=-1).ravel())
    distances_mm = np.concatenate(found)
    return float(distances_mm.mean()), float(distances_mm.max())


def to_and_fro(pose: Pose2D) -> Pose2D:
    """A clip of at least a thousand frames, forwards and backwards: long clips are multiplied in another way."""
    count = len(pose.xy_px)
    at = np.resize(np.concatenate([np.arange(count), np.arange(count)[::-1]]), max(count, 1000))
    return replace(pose, xy_px=pose.xy_px[at], confidence=pose.confidence[at])


if __name__ == "__main__":
    raise SystemExit(main())
