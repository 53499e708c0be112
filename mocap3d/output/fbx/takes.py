"""The first animation in a file that moves anything: how long it lasts, at which rate, and what it moves."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import Mocap3dWarning
from mocap3d.output.fbx.keys import evaluate_curve
from mocap3d.output.fbx.scene import Item, Scene
from mocap3d.output.fbx.times import CUSTOM_RATE, RATES, frame_ticks

__all__ = ["Take", "file_rate"]

Floats = NDArray[np.float64]
Ticks = NDArray[np.int64]

_DEFAULT_RATE: Final = Fraction(30)  # what FBX means when it does not say
_LONGEST_TICKS: Final = 1 << 60
_FREE_VALUES: Final = 4_000_000  # frames x joints that any file may have, however few its keys are


def file_rate(settings: Item) -> Fraction:
    """Find the frames per second of a file, exactly."""
    mode = settings.integer("TimeMode", 0)
    if mode != CUSTOM_RATE:
        return RATES.get(mode, _DEFAULT_RATE)
    custom = settings.number("CustomFrameRate", -1.0)
    if not 1e-3 <= custom <= 1e6:
        message = f"{settings.path}: it has a frame rate of its own, but does not say which; 30 is used"
        warnings.warn(message, Mocap3dWarning, stacklevel=2)
        return _DEFAULT_RATE
    simple = Fraction(custom).limit_denominator(10_000)  # 143/7 was written as the float nearest to it
    return simple if float(simple) == custom else as_fps(custom)


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """The first animation of a file that moves anything; Mixamo's files begin with an empty one.

    Attributes:
        ticks: (T,) when its frames are.
        fps: frames per second.
        nodes: (id of a Model, property) -> the AnimationCurveNode that moves it.
        scene: where the curves are.
    """

    ticks: Ticks
    fps: Fraction
    nodes: dict[tuple[int, str], Item]
    scene: Scene

    @classmethod
    def first(cls, scene: Scene, joints: int, size: int) -> Take | None:
        """Find the first take that moves anything.

        Args:
            scene: the file.
            joints: how many will be evaluated.
            size: bytes of the file, which bound how long a take may claim to be.

        Returns:
            None when nothing in it moves.

        Raises:
            FileFormatError: times or rates that cannot be.
        """
        takes = ((stack, _curve_nodes(scene, stack)) for stack in scene.of_kind("AnimationStack"))
        stack, nodes = next(((stack, nodes) for stack, nodes in takes if nodes), (None, {}))
        if stack is None:
            return None
        fps = file_rate(scene.settings)
        start, stop = _span(scene, stack, list(nodes.values()))
        frames = round((stop - start) * fps / scene.ticks_per_s) + 1
        if frames * joints > max(_FREE_VALUES, size):
            raise stack.error(f"it claims to last {frames} frames, which a file of {size} bytes cannot hold")
        return cls(frame_ticks(frames, fps, first=start, per_second=scene.ticks_per_s), fps, nodes, scene)

    def values(self, model: Item, channel: str, default: float = 0.0) -> Floats:
        """Evaluate a property of three numbers at every frame: (T, 3), or (1, 3) when it stands still."""
        node = self.nodes.get((model.identity, channel))
        still = model.vector(channel, default)[None]
        if node is None:
            return still
        curves: list[Item | None] = [None, None, None]
        for child, axis in self.scene.below.get(node.identity, []):
            if child.kind == "AnimationCurve" and axis in ("d|X", "d|Y", "d|Z"):
                curves["XYZ".index(axis[-1])] = child
        result = np.empty((len(self.ticks), 3))
        for n, curve in enumerate(curves):
            result[:, n] = resting = node.number(f"d|{'XYZ'[n]}", still[0, n])
            if curve is not None:
                result[:, n] = evaluate_curve(curve, self.ticks, resting, self.scene.ticks_per_s)
        return result


def _curve_nodes(scene: Scene, stack: Item) -> dict[tuple[int, str], Item]:
    """Find what moves which property; of several layers the first that has it wins."""
    found: dict[tuple[int, str], Item] = {}
    hidden = 0
    for layer in scene.children(stack, "AnimationLayer"):
        for node in scene.children(layer, "AnimationCurveNode"):
            for model, channel in scene.above.get(node.identity, []):
                if model.kind == "Model" and channel.startswith("Lcl "):
                    hidden += found.setdefault((model.identity, channel), node) is not node
    if hidden:
        message = f"{scene.path}: {hidden} curves of further animation layers are left out; bake the layers into one"
        warnings.warn(message, Mocap3dWarning, stacklevel=2)
    return found


def _span(scene: Scene, stack: Item, nodes: list[Item]) -> tuple[int, int]:
    """First and last tick of a take: as it says itself, else from its first key to its last."""
    start, stop = stack.integer("LocalStart", 0), stack.integer("LocalStop", 0)
    if stop <= start:
        curves = [curve for node in nodes for curve in scene.children(node, "AnimationCurve")]
        times = [ticks for curve in curves if (ticks := curve.integers(curve.record, "KeyTime")).size]
        if times:
            start, stop = min(int(t.min()) for t in times), max(int(t.max()) for t in times)
    if not -_LONGEST_TICKS < start <= stop < _LONGEST_TICKS:
        raise stack.error("it begins and ends at times that cannot be")
    return start, stop
