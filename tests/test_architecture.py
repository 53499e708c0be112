"""Who may import whom, and other rules of the house that can be read off the sources.

The sources are parsed, never imported, so a wrong arrow is found inside a function that no test calls as well.
docs/architecture.md says why the arrows point as they do.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 450

STAGES = {"cameras", "detect", "identify", "lift", "motion", "output", "quality", "understand"}
SHARED = {"base", "nets", "weights"}

# Room -> the rooms it may import besides itself. "" is `mocap3d` itself, whose names are everybody's except the rooms'
# that it is made of. A room that is missing here fails, so that a new one is a decision.
MAY_IMPORT: dict[str, set[str]] = {
    "base": set(),
    "weights": {"base"},
    "examples": {"base"},
    "nets": {"base", "weights"},
    **dict.fromkeys(STAGES, SHARED),
    "clip": {"base", "motion", "output", "quality", "stages"},  # a clip saves itself
    "solving": STAGES | SHARED | {"clip"},
    "watching": STAGES | SHARED,
    "take": STAGES | SHARED | {"watching"},
    "multiview": STAGES | SHARED | {"clip", "solving", "take", "watching"},
    "calibration": STAGES | SHARED | {"solving", "take", "watching"},
    "pipeline": STAGES | SHARED | {"clip", "multiview", "solving", "take", "watching"},
    "stages": STAGES | SHARED | {"clip", "solving"},  # the folder that solving takes up again
    "onto": {"base", "motion", "output"},  # a motion on the body of a file, saved
    # Like pipeline. data_prep owns the HDF5 layout; of train it takes the body that examples are made on.
    "protocol": STAGES | SHARED | {"data_prep", "train"},
    "train": STAGES | SHARED | {"data_prep"},  # data_prep owns the HDF5 layout that training reads
    "data_prep": {"", "base", "weights", "clip", "pipeline", "nets"} | STAGES,
    # Results and their tables; what a clip was made of.
    "viewers": {"", "base", "clip", "pipeline", "data_prep", "protocol", "stages", "weights"} | STAGES,
    "": {"base", "calibration", "clip", "onto", "pipeline", "stages"} | STAGES,
    "cli": {"", "base", "calibration", "clip", "data_prep", "examples", "nets", "onto", "pipeline", "protocol"}
    | {"solving", "stages", "train", "viewers", "weights"}
    | STAGES,
    "__main__": {"cli"},
}

# Packages that only some rooms may import at all. A file elsewhere that must run on CUDA is added here by its path.
ONLY_IN: dict[str, set[str]] = {
    "cv2": {"cameras", "detect"},
    "torch": {"nets", "train"},
    "typer": {"cli"},
    "rich": {"cli"},
}
# What base may use besides itself and the standard library.
BASE_USES = {"numpy", "scipy"}

# Slow to load, or only there with an extra: imported inside the function that needs them, except in these rooms.
HEAVY: dict[str, set[str]] = {
    "torch": {"nets", "train"},
    "h5py": {"data_prep", "train"},
    "av": set(),
    "cv2": set(),
    "matplotlib": set(),
    "onnx": set(),
    "onnxruntime": set(),
    "open3d": set(),
    "pyrender": set(),
    "smplx": set(),
    "trimesh": set(),
}
# Loading any of these would break "`import mocap3d` takes no time".
NOT_LOADED_BY_IMPORT = {*HEAVY, "scipy", "typer", "rich"}

PACKAGE_FOLDERS = {"mocap3d": "mocap3d", "data_prep": "mocap3d.data_prep", "viewers": "mocap3d.viewers"}
# These must do with what mocap3d shows to everybody.
PUBLIC_NAMES_ONLY = ("data_prep", "viewers", "benchmarks")


@dataclass(frozen=True)
class Import:
    """One imported name: the module, the name taken from it (or ""), where, and whether at import time."""

    module: str
    name: str
    line: int
    at_top: bool


@dataclass(frozen=True)
class Source:
    """One Python file: its text, its path from the repository root, its module name when installed."""

    path: str
    module: str
    text: str = field(repr=False)

    @property
    def room(self) -> str:
        """`base`, `lift`, `cli` ...; "" is mocap3d/__init__.py; "benchmarks" and "tests" are outside the package."""
        parts = self.module.split(".")
        if parts[0] != "mocap3d":
            return parts[0]
        return parts[1] if len(parts) > 1 else ""

    @property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return ast.parse(self.text, self.path)


def sources(*folders: str) -> list[Source]:
    """Every Python file below the folders."""
    found = []
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            inside = file.relative_to(ROOT / folder).with_suffix("").parts
            parts = [PACKAGE_FOLDERS.get(folder, folder), *(part for part in inside if part != "__init__")]
            found.append(Source(file.relative_to(ROOT).as_posix(), ".".join(parts), file.read_text(encoding="utf-8")))
    return found


PACKAGE = sources(*PACKAGE_FOLDERS)
OUTSIDE = sources("tests", "benchmarks", "docs")
by_path = pytest.mark.parametrize("source", PACKAGE, ids=lambda source: source.path)


def imports(source: Source) -> list[Import]:
    """All imports: absolute, relative, inside functions, and by importlib with a literal name."""
    is_package = source.path.endswith("__init__.py")
    here = source.module.split(".")
    found: list[Import] = []
    for node, at_top in _walk(source.tree, at_top=True):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, "", node.lineno, at_top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = here[: len(here) - node.level + is_package]
                base = ".".join([*above, base]).rstrip(".")
            found += [Import(base, alias.name, node.lineno, at_top) for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.append(Import(first.value, "", node.lineno, at_top))
    return found


def _walk(node: ast.AST, *, at_top: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Each node below, and whether it runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        yield child, at_top
        runs_later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from _walk(child, at_top=at_top and not runs_later and not for_types)


def room_of(imported: Import) -> str | None:
    """The room of mocap3d that an import reaches into; None for other packages."""
    parts = imported.module.split(".")
    if parts[0] != "mocap3d":
        return None
    if len(parts) > 1:
        return parts[1]
    return imported.name if imported.name in MAY_IMPORT else ""


def wrong_arrows(source: Source) -> list[str]:
    """Every import of one file that the tables above do not allow, as lines to read."""
    if source.room not in MAY_IMPORT:
        return [f"{source.path}: the room {source.room!r} has no row in MAY_IMPORT"]
    allowed = MAY_IMPORT[source.room] | {source.room}
    wrong = []
    for imported in imports(source):
        where = f"{source.path}:{imported.line}:"
        top = imported.module.split(".")[0]
        target = room_of(imported)
        if target is not None and target not in allowed:
            wrong.append(f"{where} {source.room or 'mocap3d'} may not import {target or 'mocap3d itself'}")
        if top in ONLY_IN and not {source.room, source.path} & ONLY_IN[top]:
            wrong.append(f"{where} {top} may be imported only in {sorted(ONLY_IN[top])}")
        if top in HEAVY and imported.at_top and source.room not in HEAVY[top]:
            wrong.append(f"{where} import {top} inside the function that needs it")
        if source.room == "base" and top not in {*sys.stdlib_module_names, *BASE_USES, "mocap3d"}:
            wrong.append(f"{where} base uses NumPy and SciPy only, not {top}")
    return wrong + wrong_everywhere(source)


def wrong_everywhere(source: Source) -> list[str]:
    """Imports that no file of the repository may have."""
    wrong = []
    for imported in imports(source):
        where = f"{source.path}:{imported.line}:"
        top = imported.module.split(".")[0]
        if top in {"data_prep", "viewers"}:
            wrong.append(f"{where} {top} is called mocap3d.{top}; the bare name makes a second copy of its modules")
        own = source.module.split(".")[:2] == imported.module.split(".")[:2]
        if source.path.startswith(PUBLIC_NAMES_ONLY) and top == "mocap3d" and not own:
            private = [part for part in [*imported.module.split("."), imported.name] if part.startswith("_")]
            wrong += [f"{where} {part} is private to its module" for part in private]
    return wrong


def wrong_habits(source: Source) -> list[str]:
    """Statements that library code does without, as lines to read."""
    wrong = []
    tree = source.tree
    # The rooms in which a command line lives: the CLI, and `python -m mocap3d.data_prep.NAME`.
    mains = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    talks = [node for main in mains for node in ast.walk(main)] if source.room == "data_prep" else []
    for node, _ in _walk(tree, at_top=True):
        what = ""
        if isinstance(node, ast.Assert):
            what = "assert: raise an error that says what must be, what came, what to do"
        elif isinstance(node, ast.ExceptHandler) and (node.type is None or "BaseException" in ast.unparse(node.type)):
            if not any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
                what = "an except that catches everything and swallows it"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "input"}:
            if source.room != "cli" and node not in talks:
                what = f"{ast.unparse(node.func)}() outside the command line"
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            what = "allow_pickle: our files hold no pickles"
        if what:
            wrong.append(f"{source.path}:{getattr(node, 'lineno', 0)}: {what}")
    pickles = {"pickle", "cPickle", "dill", "cloudpickle", "joblib"}
    if source.path != "mocap3d/base/safe_pickle.py":
        hits = [found for found in imports(source) if found.module.split(".")[0] in pickles]
        wrong += [f"{source.path}:{found.line}: only base/safe_pickle.py knows pickles" for found in hits]
    return wrong


@by_path
def test_imports_follow_the_design(source: Source) -> None:
    """Catches a stage that reaches into another, torch or OpenCV in the capture path, a heavy import at the top."""
    assert not wrong_arrows(source)


@pytest.mark.parametrize("source", OUTSIDE, ids=lambda source: source.path)
def test_nobody_imports_the_folders_by_their_bare_names(source: Source) -> None:
    """Catches `import viewers` in a test or benchmark, which makes a second copy of each module and class."""
    assert not wrong_everywhere(source)


@by_path
def test_habits(source: Source) -> None:
    """Catches asserts on a caller's values (gone under -O), prints in a library, swallowed errors, pickles."""
    assert not wrong_habits(source)


@by_path
def test_files_stay_readable(source: Source) -> None:
    """Catches a file that has outgrown one sitting."""
    lines = source.text.count("\n")
    assert lines <= MAX_LINES, f"{source.path} has {lines} lines: make it a folder"


@pytest.mark.parametrize("source", sources("tests"), ids=lambda source: source.path)
def test_each_test_names_the_bug_it_catches(source: Source) -> None:
    """Catches a test of which nobody knows later what it was for."""
    functions = [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef)]
    tests = [node for node in functions if node.name.startswith("test_")]
    assert not [f"{source.path}:{node.lineno}: {node.name}" for node in tests if not ast.get_docstring(node)]


def test_no_public_function_has_the_name_of_a_room() -> None:
    """Catches `mocap3d.lift` being a function or a package depending on what was imported first."""
    rooms = {source.room for source in PACKAGE} | {path.name for path in (ROOT / "mocap3d").iterdir() if path.is_dir()}
    named = [
        f"{source.path}:{node.lineno}: {node.name}"
        for source in PACKAGE
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in rooms
    ]
    assert not named


def test_import_mocap3d_loads_nothing_heavy() -> None:
    """Catches a start-up that waits for torch or OpenCV, or fails where they are not installed."""
    code = f"import sys, mocap3d; print(sorted({NOT_LOADED_BY_IMPORT!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


MADE_UP = [
    ("mocap3d/lift/x.py", "def f():\n    from mocap3d.detect import people", "lift may not import detect"),
    ("mocap3d/lift/x.py", "def f():\n    from ..detect import people", "lift may not import detect"),
    ("mocap3d/lift/__init__.py", "from ..detect.people import find", "lift may not import detect"),
    ("mocap3d/lift/x.py", "from .. import detect", "lift may not import detect"),
    ("mocap3d/lift/x.py", "from mocap3d import train", "lift may not import train"),
    ("mocap3d/lift/x.py", "import importlib\nimportlib.import_module('mocap3d.train.loop')", "may not import train"),
    ("mocap3d/lift/x.py", "from mocap3d import Clip", "lift may not import mocap3d itself"),
    ("mocap3d/lift/x.py", "def f():\n    import torch.nn", "torch may be imported only in"),
    ("mocap3d/motion/x.py", "def f():\n    import cv2", "cv2 may be imported only in"),
    ("mocap3d/cameras/x.py", "import cv2", "import cv2 inside the function"),
    ("mocap3d/detect/x.py", "class A:\n    import onnxruntime", "import onnxruntime inside the function"),
    ("mocap3d/base/x.py", "def f():\n    import h5py", "base uses NumPy and SciPy only, not h5py"),
    ("mocap3d/clip.py", "from mocap3d.lift import x", "clip may not import lift"),
    ("mocap3d/dancing/x.py", "", "no row in MAY_IMPORT"),
    ("mocap3d/cli.py", "import viewers", "viewers is called mocap3d.viewers"),
    ("viewers/x.py", "from mocap3d.base.rotations import _norm", "_norm is private"),
    ("data_prep/x.py", "from mocap3d.output._numbers import parse", "_numbers is private"),
]


@pytest.mark.parametrize(("path", "text", "expected"), MADE_UP, ids=[row[2] for row in MADE_UP])
def test_a_wrong_arrow_is_seen(path: str, text: str, expected: str) -> None:
    """Catches a checker that passes because it sees nothing."""
    folder, *inside = path.removesuffix("/__init__.py").removesuffix(".py").split("/")
    module = ".".join([PACKAGE_FOLDERS[folder], *inside])
    (line,) = wrong_arrows(Source(path, module, text))
    assert expected in line


@pytest.mark.parametrize(
    "text",
    [
        "assert x > 0",
        "try:\n    f()\nexcept:\n    pass",
        "print(1)",
        "import numpy as np\nnp.load('a.npz', allow_pickle=True)",
        "def f():\n    import pickle",
    ],
)
def test_a_bad_habit_is_seen(text: str) -> None:
    """Catches a checker that passes because it sees nothing."""
    assert len(wrong_habits(Source("mocap3d/lift/x.py", "mocap3d.lift.x", text))) == 1


def test_right_arrows_pass() -> None:
    """Catches a checker that finds fault with everything, which would soon be switched off."""
    text = (
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nimport numpy as np\n"
        "from mocap3d.base.pose import Pose2D\nfrom .crops import crop\nfrom mocap3d import weights\n"
        "if TYPE_CHECKING:\n    import onnxruntime\ndef f():\n    import cv2\n    import onnxruntime\n"
    )
    source = Source("mocap3d/detect/x.py", "mocap3d.detect.x", text)
    assert not wrong_arrows(source) + wrong_habits(source)
