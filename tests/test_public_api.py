"""What mocap3d shows to everybody: complete `__all__` lists, docstrings, one tree of errors."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"mocap3d": "mocap3d", "data_prep": "mocap3d.data_prep", "viewers": "mocap3d.viewers"}
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public_modules() -> dict[str, Path]:
    """Module name when installed -> file, for every module without a leading underscore on its way."""
    found = {}
    for folder, installed in FOLDERS.items():
        for file in sorted((ROOT / folder).rglob("*.py")):
            inside = [part for part in file.relative_to(ROOT / folder).with_suffix("").parts if part != "__init__"]
            if not any(part.startswith("_") for part in inside):
                found[".".join([installed, *inside])] = file
    return found


MODULES = public_modules()
each_module = pytest.mark.parametrize("name", list(MODULES))


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, including those under if, try and with."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for branch in ("body", "orelse", "finalbody"):
                yield from statements(getattr(statement, branch, []))


def is_alias(name: str) -> bool:
    """Whether an assigned name is written like a type."""
    return name[0].isupper() and not name.isupper()


def public_names(tree: ast.Module, package: str | None) -> set[str]:
    """The functions, classes and constants without underscore that a module makes.

    For the __init__ of a package also what it takes from the package's own modules. A name like ``Floats`` that is
    assigned is an alias for types; a module may list it or not.
    """
    names: set[str] = set()
    for statement in statements(tree.body):
        if isinstance(statement, Definition):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            found = {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
            names.update(name for name in found if not is_alias(name))
        elif package and isinstance(statement, ast.ImportFrom):
            ours = statement.level > 0 or f"{statement.module}.".startswith(f"{package}.")
            names.update(alias.asname or alias.name for alias in statement.names if ours)
    return {name for name in names if not name.startswith("_")}


@each_module
def test_all_lists_the_public_names(name: str) -> None:
    """Catches a helper that became public by accident, and a public name that `import *` and the docs leave out."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    made = public_names(tree, name if MODULES[name].name == "__init__.py" else None)
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", None)
    if listed is None:
        assert not made, f"{name} has public names and no __all__"
        return
    assert len(set(listed)) == len(listed), f"{name}.__all__ repeats a name"
    for item in listed:
        assert hasattr(module, item), f"{name}.__all__ lists {item}, which does not exist"
    # The names of mocap3d are loaded on first use, and the functions of the command line are its sub-commands.
    if name not in {"mocap3d", "mocap3d.cli"}:
        assert {item for item in listed if item in made or not is_alias(item)} == made


def undocumented(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    """Public functions, classes and methods without a docstring."""
    for statement in statements(body):
        if isinstance(statement, Definition) and not statement.name.startswith("_"):
            path = f"{prefix}.{statement.name}"
            overload = any(
                ast.unparse(decorator) in {"overload", "typing.overload"} for decorator in statement.decorator_list
            )
            if ast.get_docstring(statement) is None and not overload:
                yield path
            if isinstance(statement, ast.ClassDef):
                yield from undocumented(statement.body, path)


@each_module
def test_everything_public_has_a_docstring(name: str) -> None:
    """Catches a function whose units and frames a caller would have to guess."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{name} does not say what it is for"
    assert not list(undocumented(tree.body, name))


def test_the_public_face_resolves_lazily() -> None:
    """Catches a lazy name that points to a module or attribute that was renamed, and a `dir()` that hides names."""
    import mocap3d

    listed = getattr(mocap3d, "__all__", [])
    assert "capture" in listed
    assert set(listed) <= set(dir(mocap3d))
    with pytest.raises(AttributeError, match="no_such_name"):
        mocap3d.no_such_name  # noqa: B018  (the look-up is the test)


def test_importing_a_module_prints_nothing() -> None:
    """Catches side effects at import: output, warnings, a changed global switch of NumPy."""
    torch_free = [name for name in MODULES if name.split(".")[1:2] not in (["nets"], ["train"])]
    code = (
        "import importlib, sys, numpy as np\nbefore = np.geterr(), np.get_printoptions(), np.random.get_state()[2]\n"
        f"for name in {torch_free!r}: importlib.import_module(name)\n"
        "assert before == (np.geterr(), np.get_printoptions(), np.random.get_state()[2])\n"
        "assert not {'torch', 'cv2'} & set(sys.modules), 'loaded by an import'"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_tree_of_errors() -> None:
    """Catches an error that callers can no longer catch by the family, as ValueError, or as ImportError."""
    from mocap3d.base import errors

    bases = {
        "Mocap3dError": (Exception,),
        "InputError": (errors.Mocap3dError, ValueError),
        "FileFormatError": (errors.InputError,),
        "CalibrationError": (errors.Mocap3dError,),
        "MissingExtraError": (errors.Mocap3dError, ImportError),
        "Mocap3dWarning": (UserWarning,),
    }
    assert {name: getattr(errors, name).__bases__ for name in errors.__all__} == bases


def test_messages_of_errors_say_where_and_what_to_do() -> None:
    """Catches a lost path or line number, and a missing package that is not told how to get."""
    from mocap3d.base.errors import FileFormatError, MissingExtraError

    assert str(FileFormatError("no MOTION", path="a.bvh", line=7)) == "a.bvh:7: no MOTION"
    assert str(FileFormatError("no MOTION")) == "no MOTION"
    assert "pip install 'mocap3d[torch]'" in str(MissingExtraError("torch", "torch"))
