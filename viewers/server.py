"""The server of the viewer's page: 127.0.0.1 only, nothing but the page and the shows that were given.

| Address | Answer |
|---|---|
| ``/`` | the page |
| ``/app/NAME`` | a file of the page |
| ``/api/shows`` | ``[{"id", "kind", "name"}]`` |
| ``/api/shows/ID`` | the manifest |
| ``/api/shows/ID/data/ARRAY?from=0&to=500`` | float32, little endian |
| ``/api/shows/ID/tables/NAME`` | JSON |
| ``/api/shows/ID/pictures/CAMERA/FRAME.jpg`` | a picture |
| ``/api/shows/ID/downloads/NAME`` | a file to keep |

No name is ever made a path: each is looked up among those that exist. The Host header must be the server's own, or a
page of somewhere else could read along by giving its own name this machine's address (DNS rebinding).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from socketserver import TCPServer
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from mocap3d.viewers.show import Show

from mocap3d.base.errors import InputError, Mocap3dError

__all__ = ["MOST_ROWS", "ViewerServer", "serve"]

MOST_ROWS: Final = 20_000
"""Frames per answer: what bounds the memory of one."""

_PAGE: Final = Path(__file__).parent / "web" / "dist"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_JSON: Final = "application/json"
_BINARY: Final = "application/octet-stream"


class _Refused(Exception):
    """An answer that is no content."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class ViewerServer(ThreadingHTTPServer):
    """Serves shows until it is shut down; a context manager that closes port and shows.

    Raises:
        InputError: the port is taken, or the page was not built.
    """

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, shows: Sequence[Show], *, port: int = 0) -> None:
        """Listen on 127.0.0.1; port 0 is any that is free."""
        self.shows = dict(zip(map(str, range(len(shows))), shows, strict=True))
        self.page = {file.name: file for file in _PAGE.glob("*") if file.suffix in _TYPES} if _PAGE.is_dir() else {}
        if "index.html" not in self.page:
            raise InputError(f"the viewer's page is not in {_PAGE}: run `npm ci && npm run build` in {_PAGE.parent}")
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise InputError(f"cannot listen on port {port} ({error}); choose another with --port") from None

    @property
    def url(self) -> str:
        """The address to open."""
        return f"http://127.0.0.1:{self.server_port}/"

    @property
    def hosts(self) -> tuple[str, str]:
        """What the Host header may say."""
        return f"127.0.0.1:{self.server_port}", f"localhost:{self.server_port}"

    def server_bind(self) -> None:
        """Bind without asking the network what this machine is called, as the base class would."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a browser goes away in the middle of an answer."""

    def server_close(self) -> None:
        """Close the port, then the shows."""
        super().server_close()
        for show in self.shows.values():
            show.close()


def serve(
    shows: Sequence[Show], *, port: int = 0, open_browser: bool = False, tell: Callable[[str], None] | None = None
) -> None:
    """Serve the viewer's page until the program is interrupted.

    Args:
        shows: what to look at.
        port: 0 takes any that is free.
        open_browser: show the page in the user's browser.
        tell: is given the address, once the page can be opened.

    Raises:
        InputError: the port is taken.
    """
    with ViewerServer(shows, port=port) as server:
        if tell is not None:
            tell(server.url)
        if open_browser:
            import webbrowser

            webbrowser.open(server.url)
        server.serve_forever(poll_interval=0.2)


class _Handler(BaseHTTPRequestHandler):
    server: ViewerServer
    protocol_version = "HTTP/1.1"
    server_version = "mocap3d"
    sys_version = ""
    timeout = 60  # an idle connection ends

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""

    def do_GET(self) -> None:
        """Answer, or say why not."""
        try:
            self._check_host()
            self._answer()
        except _Refused as refused:
            self._refuse(refused.status, str(refused))
        except LookupError:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing of that name")
        except Mocap3dError as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the browser went away
        except Exception as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, f"a bug of mocap3d: {type(error).__name__}: {error}")

    do_HEAD = do_GET

    def _not_allowed(self) -> None:
        self.close_connection = True  # whatever body there is stays unread
        self._send(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"only GET and HEAD", {"Allow": "GET, HEAD"})

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _not_allowed

    def _check_host(self) -> None:
        named = self.headers.get_all("Host") or []
        if len(named) != 1 or named[0].lower() not in self.server.hosts:
            raise _Refused(HTTPStatus.FORBIDDEN, f"this page is at {self.server.url} only")

    def _answer(self) -> None:
        if not self.path.startswith("/"):
            raise LookupError  # the address of somebody else, as proxies are asked
        address = urlsplit(self.path)
        try:
            steps = [unquote(step, errors="strict") for step in address.path.split("/")[1:]]
        except UnicodeDecodeError:
            raise LookupError from None
        if steps == [""]:
            self._file("index.html")
        elif steps[0] == "app" and len(steps) == 2:
            self._file(steps[1])
        elif steps == ["api", "shows"]:
            self._json([{"id": key, "kind": show.kind, "name": show.name} for key, show in self.server.shows.items()])
        elif steps[:2] == ["api", "shows"] and len(steps) > 2:
            self._of_show(self.server.shows[steps[2]], steps[3:], address.query)
        else:
            raise LookupError

    def _of_show(self, show: Show, steps: list[str], query: str) -> None:
        match steps:
            case []:
                self._json(show.manifest())
            case ["data", array]:
                self._send(HTTPStatus.OK, _BINARY, show.rows(array, *_range(query)))
            case ["tables", name]:
                self._json(show.table(name))
            case ["pictures", camera, file] if re.fullmatch(r"[0-9]{1,9}\.jpg", file, re.ASCII):
                self._send(HTTPStatus.OK, "image/jpeg", show.picture(camera, int(file[:-4])))
            case ["downloads", name]:
                self._download(*show.download(name))
            case _:
                raise LookupError

    def _file(self, name: str) -> None:
        file = self.server.page[name]
        self._send(HTTPStatus.OK, _TYPES[file.suffix], file.read_bytes())

    def _json(self, content: Any) -> None:
        self._send(HTTPStatus.OK, _JSON, json.dumps(content, allow_nan=False).encode())

    def _download(self, name: str, content: bytes | Path) -> None:
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
        self._send(HTTPStatus.OK, _BINARY, content, headers)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self._send(status, "text/plain; charset=utf-8", message.encode())

    def _send(
        self, status: HTTPStatus, kind: str, content: bytes | Path, headers: dict[str, str] | None = None
    ) -> None:
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(size), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            with content.open("rb") if isinstance(content, Path) else BytesIO(content) as stream:
                shutil.copyfileobj(stream, self.wfile)


def _range(query: str) -> tuple[int, int]:
    """``from=0&to=500`` as numbers."""
    given = parse_qs(query)
    texts = [given.get(key, [""]) for key in ("from", "to")]
    if not all(len(text) == 1 and re.fullmatch(r"[0-9]{1,9}", text[0], re.ASCII) for text in texts):
        raise _Refused(HTTPStatus.BAD_REQUEST, "say which rows: ?from=0&to=500")
    start, stop = (int(text[0]) for text in texts)
    if not start <= stop <= start + MOST_ROWS:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"from must not be after to, nor {MOST_ROWS} rows before it")
    return start, stop
