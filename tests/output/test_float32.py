"""Formats of four-byte numbers say where they become coarse."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from fuzzing import example

from mocap3d import output
from mocap3d.base.errors import Mocap3dWarning
from mocap3d.base.motion import Motion


@pytest.mark.parametrize("suffix", [".c3d", ".fbx", ".glb", ".usdc", ".vrma"])
def test_a_body_at_the_other_end_of_a_city_is_written_with_a_warning(suffix, tmp_path):
    """Catches places that are silently rounded to a centimetre, and a warning about what is exact to 1e-5 m."""
    motion = example(2)
    near = replace(motion, root_m=motion.root_m + [158.0, 0, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        output.write(near, tmp_path / f"near{suffix}")
    found = output.read(tmp_path / f"near{suffix}")
    hips_m = found.root_m if isinstance(found, Motion) else found.xyz_m[:, found.skeleton.index("hips")]
    np.testing.assert_allclose(hips_m, near.root_m, rtol=0, atol=1e-5)
    with pytest.warns(Mocap3dWarning, match=r"200[12] m away.* rounded by 0\.12 mm"):
        output.write(replace(motion, root_m=motion.root_m + [0, 2000.0, 0]), tmp_path / f"far{suffix}")


@pytest.mark.parametrize("suffix", [".bvh", ".csv", ".json", ".npz", ".trc"])
def test_what_is_exact_anywhere_warns_of_nothing(suffix, tmp_path):
    """Catches a warning that people learn to ignore."""
    motion = example(2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        output.write(replace(motion, root_m=motion.root_m + [2000.0, 0, 0]), tmp_path / f"far{suffix}")
