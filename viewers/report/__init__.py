"""A captured clip as one HTML page that opens from disk."""

from __future__ import annotations

from mocap3d.viewers.report.page import write_report

__all__ = ["write_report"]
