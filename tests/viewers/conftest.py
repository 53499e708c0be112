"""A browser for the viewer's tests, which notes what the page says and asks for."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
# WebGL in software as a Chromium without a graphics card does it; --use-angle=swiftshader as well would put the whole
# page together in software OpenGL, which takes three times as long.
CHROMIUM_FLAGS = ("--enable-unsafe-swiftshader", "--no-sandbox", "--disable-gpu-sandbox")


def skip_unless_ci(reason: str) -> None:
    """Skip for want of something that every CI machine must have."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI nothing may be missing: {reason}")
    pytest.skip(reason)


@dataclass
class Watched:
    """A page of the browser with everything it complained about and asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def listen(self, message: Any) -> None:
        """Note what the page complains of; that taking a screenshot makes the GPU wait is nothing of the page's."""
        if message.type in ("error", "warning") and "GPU stall due to ReadPixels" not in message.text:
            self.complaints.append(message.text)

    def wait_for(self, expression: str, seconds: float = 30) -> Any:
        """Ask until an expression is true (the page's own policy forbids playwright's ``wait_for_function``)."""
        end = time.monotonic() + seconds
        while not (value := self.page.evaluate(expression)):
            assert time.monotonic() < end, f"never true: {expression}; the page complained: {self.complaints}"
            self.page.wait_for_timeout(20)
        return value

    def check(self) -> None:
        """Fail if the page complained or asked anybody but this machine."""
        away = [
            url for url in self.requests if urlsplit(url).scheme not in ("data", "blob", "file")
            and urlsplit(url).hostname != "127.0.0.1"
        ]  # fmt: skip
        assert (self.complaints, away) == ([], [])


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium that draws in software, for all tests."""
    program = os.environ.get("MOCAP3D_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        skip_unless_ci("there is no chromium; `scripts/system-packages browser` brings it")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        skip_unless_ci("playwright is not installed; the extra `test` brings it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def browser_page(chromium: Any) -> Iterator[Watched]:
    """A fresh page, 1280x720, dark; afterwards it must not have complained nor asked anybody but this machine."""
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, color_scheme="dark")
    watched = Watched(context.new_page())
    watched.page.set_default_timeout(30_000)
    watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    watched.page.on("console", watched.listen)
    watched.page.on("request", lambda request: watched.requests.append(request.url))
    yield watched
    context.close()
    watched.check()


@pytest.fixture
def serving() -> Iterator[Callable[[Sequence[Any]], str]]:
    """A function that serves shows and says where; the servers end with the test."""
    from mocap3d.viewers.server import ViewerServer

    running = []

    def begin(shows: Sequence[Any]) -> str:
        server = ViewerServer(shows)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        running.append((server, thread))
        return server.url

    yield begin
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def drawing() -> str:
    """How pictures are drawn here without a display."""
    from mocap3d.viewers.render.canvas import working_platform

    from mocap3d.base.errors import InputError, MissingExtraError

    try:
        return working_platform()
    except (InputError, MissingExtraError) as error:
        skip_unless_ci(str(error))
        raise
