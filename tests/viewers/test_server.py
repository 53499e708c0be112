"""The viewer's server: who may ask, what is answered, and what is never given away."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from mocap3d.viewers import server as server_module
from mocap3d.viewers.server import MOST_ROWS, ViewerServer

from mocap3d import FileFormatError, InputError

HOSTILE = '<img src=x onerror="alert(1)">"\r\nSet-Cookie: a=b'


class MadeUp:
    """A show whose names are as bad as names can be."""

    kind = "results"
    name = HOSTILE

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.closed = False

    def manifest(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name}

    def rows(self, array: str, start: int, stop: int) -> bytes:
        if array != "a.0":
            raise KeyError(array)
        return bytes(4 * (stop - start))

    def table(self, name: str) -> dict[str, Any]:
        if name == "damaged":
            raise FileFormatError("it is damaged", path="x.h5")
        return {"name": {"t": HOSTILE}[name]}

    def picture(self, camera: str, frame: int) -> bytes:
        return {"left camera/../..": b"\xff\xd8jpeg"}[camera] + str(frame).encode()

    def download(self, name: str) -> tuple[str, bytes | Path]:
        return {"memory": (HOSTILE, b"12345"), "file": ("walk é.bvh", self.folder / "kept.bvh")}[name]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def show(tmp_path):
    (tmp_path / "kept.bvh").write_bytes(b"HIERARCHY" * 100_000)
    (tmp_path / "secret.txt").write_text("secret")
    return MadeUp(tmp_path)


@pytest.fixture
def ask(show, serving):
    """Ask with raw control over path, method and headers: (status, headers, body)."""
    port = int(serving([show]).rsplit(":", 1)[1].strip("/"))

    def asked(path: str, method: str = "GET", host: str | None = None, **headers: str):
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": host or f"127.0.0.1:{port}", **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    asked.port = port
    return asked


def test_routes(ask):
    """Catches an address of the table that answers something else."""
    assert b'<script src="/app/viewer.js">' in ask("/")[2]
    assert ask("/app/viewer.js")[1]["Content-Type"].startswith("text/javascript")
    assert json.loads(ask("/api/shows")[2]) == [{"id": "0", "kind": "results", "name": HOSTILE}]
    assert json.loads(ask("/api/shows/0")[2])["name"] == HOSTILE
    assert ask("/api/shows/0/data/a.0?from=2&to=5")[2] == bytes(12)
    assert json.loads(ask("/api/shows/0/tables/t")[2]) == {"name": HOSTILE}
    assert ask("/api/shows/0/pictures/left%20camera%2F..%2F../7.jpg")[2] == b"\xff\xd8jpeg7"
    assert ask("/api/shows/0/downloads/file")[2] == b"HIERARCHY" * 100_000


def test_every_answer_is_guarded(ask):
    """Catches an answer that a browser might run as a script, keep, or show to another site."""
    for path in ("/", "/app/viewer.js", "/api/shows", "/api/shows/0/downloads/memory", "/nothing"):
        headers = ask(path)[1]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"unsafe|\*|https?:", policy)
        assert not [name for name in headers if name.startswith("Access-Control")]
        assert "Python" not in headers.get("Server", "")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "127.0.0.1", "127.0.0.1:1",
     "0.0.0.0:{port}", "[::1]:{port}", "localhost.evil.example:{port}", "127.0.0.1:{port}@evil.example",
     "2130706433:{port}", " "],
)  # fmt: skip
def test_other_names_for_this_machine_are_refused(ask, host):
    """Catches DNS rebinding: a page of elsewhere that gives its own name this machine's address reads everything."""
    status, _, body = ask("/api/shows", host=host.format(port=ask.port))
    assert status == 403
    assert HOSTILE[:4].encode() not in body


def test_host_must_be_there_once(ask):
    """Catches an old or forged request without a Host, or with two."""
    for lines in (b"", b"Host: 127.0.0.1:%d\r\nHost: evil.example\r\n" % ask.port):
        with socket.create_connection(("127.0.0.1", ask.port), timeout=10) as connection:
            connection.sendall(b"GET /api/shows HTTP/1.1\r\n" + lines + b"Connection: close\r\n\r\n")
            assert b" 403 " in connection.makefile("rb").readline()


def test_localhost_is_a_right_name(ask):
    """Catches a page that does not open under the name that people type."""
    assert ask("/api/shows", host=f"LOCALHOST:{ask.port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_only_reading(ask, method):
    """Catches a method that changes something, or that answers the question whether others may."""
    status, headers, body = ask("/api/shows", method=method)
    assert status in (405, 501)
    assert not [name for name in headers if name.startswith("Access-Control")]
    assert HOSTILE[:4].encode() not in body


def test_a_question_for_the_head_gets_no_body(ask):
    """Catches a body after HEAD, which the next request on the connection would be taken for."""
    status, headers, body = ask("/app/viewer.js", method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == len(ask("/app/viewer.js")[2])


TRAVERSALS = [
    "/../secret.txt", "/app/../secret.txt", "/app/..%2fsecret.txt", "/app/%2e%2e/secret.txt",
    "/app/%2e%2e%2fsecret.txt",
    "/app/..%5csecret.txt", "/app/..\\secret.txt", "/app/%252e%252e%252fsecret.txt", "/app//etc/passwd",
    "/app/%2fetc%2fpasswd", "/app/..%c0%afsecret.txt", "/app/%ff", "/app/viewer.js%00.html", "/app/viewer.js/..",
    "/app/.", "/app/", "/app", "//etc/passwd", "/etc/passwd", "/app/package.json", "/app/../../server.py",
    "/app/\u202e.js",
    "/api/shows/../shows/0", "/api/shows/1", "/api/shows/-1", "/api/shows/0/", "/api/shows/0/downloads/..%2fsecret.txt",
    "/api/shows/0/downloads/", "/api/shows/0/downloads/secret.txt", "/api/shows/0/pictures/x/1.jpg",
    "/api/shows/0/pictures/left%20camera/1.png", "/api/shows/0/data/..%2f..?from=0&to=1", "/api",
    "/api/shows/0/manifest",
    "http://evil.example/api/shows", "*",
]  # fmt: skip


@pytest.mark.parametrize("path", TRAVERSALS)
def test_nothing_but_what_was_given(ask, path):
    """Catches a name that becomes a path: files beside the page, above it, or anywhere."""
    with socket.create_connection(("127.0.0.1", ask.port), timeout=10) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{ask.port}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("utf-8"))
        status, _, rest = connection.makefile("rb").read().partition(b"\r\n")
    assert status.split()[1] in (b"404", b"400"), status
    assert b"secret" not in rest
    assert b"root:" not in rest


@pytest.mark.parametrize(
    "query",
    ["", "?from=0", "?from=a&to=2", "?from=-1&to=2", "?from=3&to=2", f"?from=0&to={MOST_ROWS + 1}", "?from=0&to=1e3",
     "?from=0&from=1&to=2", "?from=%D9%A3&to=%D9%A4", "?from=0&to=99999999999999999999"],
)  # fmt: skip
def test_rows_must_be_asked_for_rightly(ask, query):
    """Catches a question that would bring the whole file into memory, or a traceback."""
    assert ask(f"/api/shows/0/data/a.0{query}")[0] == 400


def test_names_of_downloads_stay_in_their_header(ask):
    """Catches a name that adds a header of its own, or ends the quotes."""
    _, headers, body = ask("/api/shows/0/downloads/memory")
    assert "Set-Cookie" not in headers
    assert re.fullmatch(r"attachment; filename\*=UTF-8''[\w%.~-]+", headers["Content-Disposition"])
    assert body == b"12345"


def test_damage_is_told_in_plain_text(ask):
    """Catches a broken connection instead of the reason, or a reason that is run as HTML."""
    status, headers, body = ask("/api/shows/0/tables/damaged")
    assert (status, body) == (422, b"x.h5: it is damaged")
    assert headers["Content-Type"].startswith("text/plain")


def test_a_failure_ends_one_answer_only(ask, show, monkeypatch):
    """Catches a server that dies, or prints a traceback into the user's terminal, over one bad answer."""
    monkeypatch.setattr(show, "manifest", lambda: 1 / 0)
    status, _, body = ask("/api/shows/0")
    assert (status, body[:14]) == (500, b"a bug of mocap")
    assert ask("/api/shows")[0] == 200


def test_listens_on_this_machine_only(show):
    """Catches a server that the whole network can reach."""
    with ViewerServer([show]) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"
        assert server.url == f"http://127.0.0.1:{server.server_port}/"
    assert show.closed


def test_a_port_that_is_taken(show):
    """Catches a traceback when two viewers want one port."""
    with ViewerServer([show]) as server, pytest.raises(InputError, match="--port"):
        ViewerServer([show], port=server.server_port)


def test_a_page_that_was_not_built(show, monkeypatch, tmp_path):
    """Catches an empty page from a checkout without dist/."""
    monkeypatch.setattr(server_module, "_PAGE", tmp_path / "dist")
    with pytest.raises(InputError, match="npm run build"):
        ViewerServer([show])


def test_page_asks_nobody_else():
    """Catches an address of another machine in what the page is built from, or a script or style inside its HTML."""
    page = Path(server_module.__file__).parent / "web" / "dist"
    html = (page / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|<script>|<style|\son\w+=|style=", html)
    assert re.findall(r"<script[^>]*>", html) == ['<script src="/app/viewer.js">']


def test_source_of_the_page_makes_no_markup_from_data():
    """Catches the ways in which a name could become markup or code."""
    sources = Path(server_module.__file__).parent / "web" / "src"
    banned = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|javascript:"
    assert not [file.name for file in sources.glob("*.js") if re.search(banned, file.read_text(encoding="utf-8"))]


def test_nothing_is_said_when_a_browser_goes_away(tmp_path):
    """Catches tracebacks in the user's terminal when a tab is closed in the middle of an answer."""
    code = (
        "import socket, struct, threading, time\n"
        "from mocap3d.viewers.server import ViewerServer\n"
        "class Big:\n"
        "    kind, name = 'results', 'big'\n"
        "    def download(self, name): return 'x', bytes(30_000_000)\n"
        "    def close(self): pass\n"
        "with ViewerServer([Big()]) as server:\n"
        "    threading.Thread(target=server.serve_forever, daemon=True).start()\n"
        "    s = socket.create_connection(server.server_address)\n"
        "    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
        "    s.sendall(b'GET /api/shows/0/downloads/x HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n' % server.hosts[0].encode())\n"
        "    s.recv(100); s.close(); time.sleep(0.3)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
