"""What a wheel puts into site-packages, and whether the lists in pyproject.toml are complete."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"mocap3d": "mocap3d", "data_prep": "mocap3d.data_prep", "viewers": "mocap3d.viewers"}
DATA_FOLDERS = {
    "mocap3d/weights": "mocap3d/weights",
    "mocap3d/examples": "mocap3d/examples",
    "viewers/web/dist": "mocap3d/viewers/web/dist",
}


def packages_on_disk() -> set[str]:
    """Each folder that holds Python files, by the name under which it is installed."""
    found = set()
    for folder, installed in FOLDERS.items():
        for file in (ROOT / folder).rglob("*.py"):
            found.add(".".join([installed, *file.parent.relative_to(ROOT / folder).parts]))
    return found


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names inside a wheel built from a copy of the sources (a build leaves folders behind)."""
    sources = tmp_path_factory.mktemp("sources")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, sources / folder, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in ("pyproject.toml", "LICENSE", "NOTICE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, sources)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*pip, "-w", "dist", "."], cwd=sources, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (sources / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_every_package_is_listed() -> None:
    """Catches a new folder that works in the checkout and is missing from the wheel."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert sorted(settings["packages"]) == sorted(packages_on_disk()), "adjust [tool.setuptools] packages"


def test_a_wheel_holds_nothing_but_mocap3d(wheel_names: list[str]) -> None:
    """Catches `viewers`, `data_prep` or `tests` as top-level names in everybody's site-packages."""
    tops = {name.split("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mocap3d"}


def test_a_wheel_holds_every_module_and_the_data(wheel_names: list[str]) -> None:
    """Catches an SDK that imports in the checkout and fails after `pip install`: no weights, no clip, no py.typed."""
    expected = {"mocap3d/py.typed"}
    for folder, installed in FOLDERS.items():
        for file in (ROOT / folder).rglob("*.py"):
            expected.add("/".join([*installed.split("."), *file.relative_to(ROOT / folder).parts]))
    for folder, installed in DATA_FOLDERS.items():
        data = [file for file in (ROOT / folder).glob("*") if file.is_file()]
        assert data, folder
        expected.update(f"{installed}/{file.name}" for file in data)
    assert not expected - set(wheel_names)
    assert any(name.endswith("/licenses/NOTICE") for name in wheel_names)


def test_the_folders_are_imported_under_one_name(tmp_path: Path) -> None:
    """Catches an installation after which `import viewers` works too and makes a second copy of each module."""
    code = (
        "import importlib.util as u, mocap3d.data_prep, mocap3d.viewers\n"
        "print([name for name in ('viewers', 'data_prep') if u.find_spec(name)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env={"PATH": ""}, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize("lock", sorted(file.name for file in (ROOT / "locks").glob("*.txt")))
def test_lock_files_pin_everything_and_name_no_host(lock: str) -> None:
    """Catches an open version, or the address of one machine's package index in a file that all machines use."""
    lines = (ROOT / "locks" / lock).read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    pins = [line for line in lines if not line.startswith((" ", "#"))]
    assert not [pin for pin in pins if not re.match(r"[a-z0-9_.-]+==[0-9][0-9a-z.]*( \\)?$", pin)]


def test_torch_is_not_in_the_core_and_leads_the_test_lock() -> None:
    """Catches gigabytes of CUDA in `make demo`, and a lock that only one machine's "+cpu" build can satisfy."""
    core, test = ((ROOT / "locks" / name).read_text(encoding="utf-8") for name in ("core.txt", "test.txt"))
    assert not re.search(r"^(torch|nvidia|triton|cuda)", core, re.MULTILINE)
    assert test.splitlines()[0] == "torch==2.13.0"
    assert not re.search(r"^(nvidia|triton|cuda)", test, re.MULTILINE)


def test_npm_lock_names_no_host() -> None:
    """Catches the registry address of the machine that made the lock file."""
    for folder in ("tests/readers", "viewers/web"):
        assert '"resolved"' not in (ROOT / folder / "package-lock.json").read_text(encoding="utf-8")
