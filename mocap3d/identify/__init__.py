"""Who is who: people followed through a shot, the wanted ones chosen, their 2D joints repaired."""

from __future__ import annotations
