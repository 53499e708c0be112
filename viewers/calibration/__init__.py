"""A calibration as one HTML page."""

from __future__ import annotations

from mocap3d.viewers.calibration.report import write_calibration_report

__all__ = ["write_calibration_report"]
