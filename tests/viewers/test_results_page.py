"""The page of results, driven in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mocap3d.viewers.results import ResultsShow


def test_page_opens(browser_page: Any, serving: Any) -> None:
    """Catches a page that does not start."""
    browser_page.page.goto(serving([ResultsShow([Path("a.h5")])]))
    browser_page.wait_for("window.mocap3d?.stage.drawn > 0")
