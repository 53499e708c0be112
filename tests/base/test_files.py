"""Atomic writing: all of a file or nothing. TOML that people write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import atomic_path, read_toml


def test_a_finished_file_replaces_the_old_one(tmp_path: Path) -> None:
    """Catches a rename that is forgotten, and a temporary file left behind."""
    target = tmp_path / "walk.bvh"
    target.write_text("old")
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".bvh"
        assert temporary.parent == tmp_path
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["walk.bvh"]


def test_a_crash_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """Catches half a file under the final name."""
    target = tmp_path / "walk.bvh"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["walk.bvh"]


def test_permissions_are_those_of_any_other_file(tmp_path: Path) -> None:
    """Catches results that only their owner can read, since mkstemp makes private files."""
    with atomic_path(tmp_path / "a.bin") as temporary:
        temporary.write_bytes(b"x")
    (tmp_path / "plain.bin").write_bytes(b"x")
    assert os.stat(tmp_path / "a.bin").st_mode == os.stat(tmp_path / "plain.bin").st_mode


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    """Catches an OSError traceback for a folder that is missing, or is a file, or a target that is a folder."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for target in (tmp_path / "missing" / "a.bvh", tmp_path / "file" / "a.bvh", tmp_path / "folder"):
        with pytest.raises(InputError, match=f"cannot write {target}"), atomic_path(target):
            pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_a_name_without_folder_goes_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a temporary file on another disk, from where nothing can be renamed."""
    monkeypatch.chdir(tmp_path)
    with atomic_path("out.txt") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "out.txt").read_text() == "x"


def test_a_name_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    """Catches a temporary name that is longer than the target's, and so too long."""
    longest = os.pathconf(tmp_path, "PC_NAME_MAX")
    for name in ("a" * (longest - 4) + ".bvh", "ä" * ((longest - 5) // 2) + ".json"):
        with atomic_path(tmp_path / name) as temporary:
            temporary.write_text("x")
        assert (tmp_path / name).read_text() == "x"
    with pytest.raises(InputError, match="cannot write"), atomic_path(tmp_path / ("a" * longest + ".bvh")) as temporary:
        temporary.write_text("x")
    assert len(list(tmp_path.iterdir())) == 2


def test_toml_of_an_editor_that_marks_its_bytes(tmp_path: Path) -> None:
    """Catches "not a TOML file" for what Windows' editor saved as UTF-8 with a byte order mark."""
    file = tmp_path / "board.toml"
    file.write_bytes(b"\xef\xbb\xbfname = 'T\xc3\xbcr'\r\n")
    assert read_toml(file) == {"name": "Tür"}


@pytest.mark.parametrize("data", [b"a = ", b"\xff\xfe", b"a = " + b"[" * 5000, b"a = " + b"9" * 5000, b"a = 1\na = 2"])
def test_no_toml_is_said_with_the_file(tmp_path: Path, data: bytes) -> None:
    """Catches tracebacks of the parser: bad syntax, UTF-16, deep nesting, a number of 5000 digits, a key twice."""
    file = tmp_path / "points.toml"
    file.write_bytes(data)
    with pytest.raises(FileFormatError, match=r"points\.toml.*not a TOML file"):
        read_toml(file, "points")


def test_toml_that_cannot_be_read(tmp_path: Path) -> None:
    """Catches a traceback for a missing file, a folder, a name that cannot be, and a video read whole as a map."""
    for path in (tmp_path / "none.toml", tmp_path, f"{tmp_path}/a\0b.toml"):
        with pytest.raises(InputError, match="cannot read the bone map"):
            read_toml(path, "bone map")
    (tmp_path / "dance.mp4").write_bytes(bytes(2_000_000))
    with pytest.raises(FileFormatError, match="a bone map has at most 1000000 bytes"):
        read_toml(tmp_path / "dance.mp4", "bone map")
