"""Takes of made-up videos, and a lifter that is right but for a smooth error."""

from __future__ import annotations

import pytest
from filmed_takes import Films

from mocap3d.calibration import seen, starts


@pytest.fixture
def films(monkeypatch):
    """Videos without pictures; see ``filmed_takes``."""
    made = Films()
    made.install(monkeypatch, seen, starts)
    return made
