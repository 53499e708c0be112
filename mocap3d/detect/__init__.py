"""Frames -> people's 2D joints: heatmap networks, their decoding, crops, finding and following people."""

from __future__ import annotations

from mocap3d.detect.people import Detections, DetectorSettings, PeopleDetector

__all__ = ["Detections", "DetectorSettings", "PeopleDetector"]
