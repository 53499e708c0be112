from __future__ import annotations

import re

import pytest

from mocap3d import weights
from mocap3d.base.errors import FileFormatError, InputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of weights with one network whose card is right."""
    (tmp_path / "net.npz").write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, SHA-256 of "abc"
    (tmp_path / "net.md").write_text(f"# A network\n\n* sha256: `{digest}`\n")
    monkeypatch.setattr(weights, "_FOLDER", tmp_path)
    weights.path.cache_clear()
    yield tmp_path
    weights.path.cache_clear()


def test_every_shipped_network_is_the_one_on_its_card():
    """Catches weights committed without their card, or changed after it was written."""
    assert {"movenet_thunder", "movenet_lightning", "movenet_multipose"} <= set(weights.names())
    for name in weights.names():
        assert weights.path(name).stat().st_size > 0
        assert "licence" in weights.card(name).lower()
        assert re.search(r"[Tt]rain", weights.card(name))


def test_finds_a_file_by_name(folder):
    """Catches a loader that knows one extension only."""
    assert weights.path("net") == folder / "net.npz"
    assert weights.names() == ("net",)


def test_a_damaged_file_is_refused(folder):
    """Catches a truncated download or a file of a version-control stand-in that runs as noise."""
    (folder / "net.npz").write_bytes(b"abd")
    with pytest.raises(FileFormatError, match="damaged"):
        weights.path("net")


def test_a_card_without_checksum_is_refused(folder):
    """Catches a check that passes because there is nothing to check."""
    (folder / "net.md").write_text("# A network\n")
    with pytest.raises(FileFormatError, match="sha256"):
        weights.path("net")
    (folder / "net.md").unlink()
    with pytest.raises(FileFormatError, match="card"):
        weights.path("net")


def test_an_unknown_name_lists_the_known(folder):
    """Catches a path outside of the folder and a message that leaves one guessing."""
    for name in ("nets", "../net", ""):
        with pytest.raises(InputError, match="net"):
            weights.path(name)
