"""Four cameras, one person: is what we capture from each of them the same motion?"""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.mark.slow
def test_four_views_agree_better_than_a_mean_pose(shared_data, monkeypatch):
    """Catches a lifter that says the same of everybody, views confused left and right, and a second person captured."""
    monkeypatch.syspath_prepend(FOLDER)
    agreement = importlib.import_module("agreement")
    views = agreement.capture_views(shared_data / agreement.FOLDER)
    seen = np.isfinite(views.motion_m).all(axis=(2, 3))
    assert seen.shape == (4, 100)
    assert (seen.mean(axis=1) > 0.95).all()
    lags = agreement.find_lags(views.cameras, views.xy_px, views.confidence)
    scores = {score.title: score for score in agreement.compare(views, lags)}
    for title in ("motion, every frame aligned", "lifted, every frame aligned", "motion, a clip turned once"):
        assert scores[title].ours.mean() < scores[title].mean_pose.mean(), title
