"""Cameras: reading video, noticing cuts and moving cameras, reading and writing camera files."""

from __future__ import annotations
