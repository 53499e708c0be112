"""`mocap3d view`: what it serves, says and refuses, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from results_files import write_results


def command(*arguments: object) -> list[str]:
    """The words that start it."""
    return [sys.executable, "-m", "mocap3d", "view", *map(str, arguments), "--no-browser"]


def run(*arguments: object) -> tuple[int, str, str]:
    """Run it to its end."""
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(tmp_path, how):
    """Catches a wrong address, a server that Ctrl-C does not end, or that ends with a traceback."""
    files = [write_results(tmp_path / f"{name}.h5", takes=[("S9", "a_1", 5)], cameras=1) for name in "ab"]
    with subprocess.Popen(command(*files), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            (address,) = [word for word in process.stdout.readline().split() if word.startswith("http://127.0.0.1:")]
            with urlopen(f"{address}api/shows", timeout=10) as answer:
                assert json.load(answer) == [{"id": "0", "kind": "results", "name": "a.h5, b.h5"}]
        finally:
            process.send_signal(how)
        out, errors = process.communicate(timeout=20)
    assert process.returncode == (0 if how == signal.SIGINT else 143)
    assert (out, errors) == ("", "closed\n" if how == signal.SIGINT else "")


def test_what_cannot_be_shown_is_said(tmp_path):
    """Catches a server that starts with a missing, unsuitable or damaged file, or an error that names none."""
    cut = write_results(tmp_path / "cut.h5", takes=[("S9", "a_1", 5)], cameras=1)
    cut.write_bytes(cut.read_bytes()[:3000])
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    for path, words in [(tmp_path / "gone.h5", "there is no file"), (text, "notes.txt"), (cut, "cut.h5")]:
        code, out, errors = run(path)
        assert (code, out) == (1, "")
        assert errors.startswith("error: ")
        assert words in errors
        assert "Traceback" not in errors


def test_a_port_that_is_taken_is_said(tmp_path):
    """Catches a traceback when two viewers want one port."""
    path = write_results(tmp_path / "a.h5", takes=[("S9", "a_1", 5)], cameras=1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, errors = run(path, "--port", taken.getsockname()[1])
    assert code == 1
    assert "--port" in errors


def test_every_option_is_explained():
    """Catches a new option that only --help knows."""
    import typer

    from mocap3d.cli import app

    view = typer.main.get_command(app).commands["view"]
    text = (Path(__file__).resolve().parents[2] / "docs" / "view.md").read_text(encoding="utf-8")
    options = {max([*parameter.opts, *parameter.secondary_opts], key=len) for parameter in view.params}
    assert not [option for option in options if option.startswith("--") and f"`{option}`" not in text]
