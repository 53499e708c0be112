"""Small lifters with random weights, for tests that do not care what they lift."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mocap3d.lift.lifter_weights import LifterMeta, LifterWeights, array_shapes


def random_lifter(*, causal: bool = False, channels: int = 24, seed: int = 0, **changes: object) -> LifterWeights:
    """A lifter of 27 frames, COCO-17 in, LIFTER_20 out, that says nothing sensible."""
    fields = {
        "architecture": "temporal-residual",
        "channels": channels,
        "dilations": (1, 3, 9),
        "causal": causal,
        "encoding": "hip-rays-1",
        "fps": Fraction(30),
        "input_skeleton": "coco-17",
        "output_skeleton": "lifter-20",
        "stature_m": 1.7,
        "std_m": (0.005, *[0.05] * 19),
        "std_unseen_m": (0.005, *[0.15] * 19),
        "licence": "CC0-1.0",
        "trained": {"steps": 0},
    }
    rng = np.random.default_rng(seed)
    meta = LifterMeta(**{**fields, **changes})
    arrays = {
        name: rng.normal(0, 0.6 / np.sqrt(shape[0]), shape).astype(np.float32)
        for name, shape in array_shapes(meta).items()
    }
    return LifterWeights(meta=meta, arrays=arrays)
