"""Results of `mocap3d evaluate` as the viewer's page shows them."""

from __future__ import annotations

from mocap3d.viewers.results.shows import ResultsShow, is_results

__all__ = ["ResultsShow", "is_results"]
