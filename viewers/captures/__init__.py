"""Captures, motion files and camera files as the viewer's page shows them."""

from __future__ import annotations

from mocap3d.viewers.captures.shows import CaptureShow, MotionShow, RigShow, open_capture

__all__ = ["CaptureShow", "MotionShow", "RigShow", "open_capture"]
