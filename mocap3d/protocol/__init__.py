"""Networks judged on a motion-data file: joins the stages, as ``pipeline.py`` joins those of a capture."""

from __future__ import annotations

from mocap3d.protocol.evaluate import LifterEvaluation, LifterProtocol, evaluate_lifter
from mocap3d.protocol.names import HUMAN36M_ACTIONS

__all__ = ["HUMAN36M_ACTIONS", "LifterEvaluation", "LifterProtocol", "evaluate_lifter"]
