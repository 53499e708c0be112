"""What the tests share: where real data lies, how hypothesis searches, who may be skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
IN_CI = os.environ.get("CI") == "true"

# No deadline and no complaint about slowness: a busy machine is not a bug. CI draws the same examples in every run.
settings.register_profile(
    "mocap3d", deadline=None, max_examples=40, derandomize=IN_CI, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mocap3d")


def skip_unless_ci(reason: str) -> None:
    """Skip a test for want of something that every CI machine must have."""
    if IN_CI:
        pytest.fail(f"in CI nothing may be missing: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings: $MOCAP3D_DATA, or ../shared/data beside the repository."""
    folder = Path(os.environ.get("MOCAP3D_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        skip_unless_ci(f"no shared data at {folder}; set MOCAP3D_DATA")
    return folder


@pytest.fixture(scope="session")
def blender_python() -> Path:
    """The Python that can ``import bpy``; `make test-blender` sets it."""
    python = Path(os.environ.get("MOCAP3D_BLENDER_PYTHON", ""))
    if not python.is_file():
        skip_unless_ci("MOCAP3D_BLENDER_PYTHON names no Python with bpy; run `make test-blender`")
    return python


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked ``cuda`` where there is no CUDA device; torch is imported only to ask that."""
    on_cuda = [item for item in items if item.get_closest_marker("cuda")]
    if not on_cuda:
        return
    import torch

    if not torch.cuda.is_available():
        for item in on_cuda:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
