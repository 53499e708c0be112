"""Pieces of calibrating by people: pairs of cameras, and the world around what they saw."""

from __future__ import annotations

from mocap3d.cameras.people.pairs import CameraPair, Seen, start_pair
from mocap3d.cameras.people.world import Placement, place_in_world, stature_m

__all__ = ["CameraPair", "Placement", "Seen", "place_in_world", "start_pair", "stature_m"]
