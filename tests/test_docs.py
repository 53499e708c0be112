"""The pages against the program: code runs, commands parse, links lead somewhere, defaults are those of the code."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import re
import shlex
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import pytest
import typer

import mocap3d
from mocap3d import examples
from mocap3d.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
CARDS = sorted((ROOT / "mocap3d").rglob("*.md"))
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
CLI = typer.main.get_command(app)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    line: int


def blocks(page: Path, language: str) -> list[Block]:
    """The fenced blocks of one language."""
    found, start, opened = [], 0, ""
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if line.startswith("```"):
            if start == 0:
                start, opened = number, line.removeprefix("```").strip()
            else:
                found.append(Block(opened, "\n".join(lines[start : number - 1]) + "\n", start + 1))
                start = 0
    assert start == 0, f"{page.name}:{start}: this block is never closed"
    return [block for block in found if block.language == language]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def inline_code(page: Path) -> list[str]:
    """What stands between single backticks."""
    return re.findall(r"`([^`\n]+)`", prose(page))


# --- links ------------------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES + CARDS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Catches a page, picture or heading that was renamed."""
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            wrong.append(target)
    assert not wrong


@pytest.mark.parametrize("page", PAGES + CARDS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_that_are_named_exist(page: Path) -> None:
    """Catches a page that speaks of a module which moved."""
    named = [code for code in inline_code(page) if re.fullmatch(r"\.?[\w.-]+/[\w./-]+\.(py|md|onnx|txt)", code)]
    assert not [path for path in named if not (ROOT / path).exists() and not (ROOT / "mocap3d" / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_nothing_is_left_to_fill_in(page: Path) -> None:
    """Catches a table that was laid out before its figures were measured."""
    assert "FILL" not in page.read_text(encoding="utf-8")


# --- Python -----------------------------------------------------------------------------------------------------------


def resolves(dotted: str) -> bool:
    """Whether ``mocap3d.a.b`` is a module, or a public name of one."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        name = ".".join(parts[:count])
        try:
            thing: object = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        rest = parts[count:]
        if rest and rest[0] not in getattr(thing, "__all__", dir(thing)):
            return False
        for part in rest:
            if not hasattr(thing, part):
                return False
            thing = getattr(thing, part)
        return True
    return False


@each_page
def test_names_in_the_text_exist(page: Path) -> None:
    """Catches `mocap3d.something` that was renamed."""
    named = [match[0] for code in inline_code(page) if (match := re.match(r"mocap3d(\.[A-Za-z_]\w*)+", code))]
    assert not [name for name in named if not resolves(name) and not (ROOT / name).exists()]


@each_page
def test_python_blocks_use_public_names(page: Path) -> None:
    """Catches an example that reaches into private or vanished names."""
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block.text, page.name)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mocap3d":
                for alias in node.names:
                    assert not alias.name.startswith("_")
                    assert resolves(f"{node.module}.{alias.name}"), f"{page.name}:{block.line}: {alias.name}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "mocap3d":
                assert resolves(f"mocap3d.{node.attr}"), f"{page.name}:{block.line}: mocap3d.{node.attr}"


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory) -> Path:
    """Half a second of the demo clip, the video that the examples call dance.mp4."""
    path = tmp_path_factory.mktemp("docs") / "dance.mp4"
    with av.open(str(examples.path("walk.mp4"))) as source, av.open(str(path), "w") as sink:
        stream = sink.add_stream("libx264", rate=Fraction(30), options={"crf": "18", "preset": "veryfast"})
        original = source.streams.video[0]
        stream.width, stream.height, stream.pix_fmt = original.width, original.height, "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            if number == 24:
                break
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")))
        sink.mux(stream.encode())
    return path


WITH_PYTHON = [page for page in PAGES if blocks(page, "python")]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_python_blocks_run(page: Path, short_clip: Path, tmp_path: Path, monkeypatch) -> None:
    """Catches an example that a reader cannot paste: the blocks of a page run one after the other, as one program."""
    (tmp_path / short_clip.name).write_bytes(short_clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mocap3d.Mocap3dWarning)
        for block in blocks(page, "python"):
            exec(compile(block.text, f"{page.name}:{block.line}", "exec"), names)


# --- commands ---------------------------------------------------------------------------------------------------------

MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Each command of each shell block, without comments: where it stands, and its words."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            for offset, line in enumerate(block.text.splitlines()):
                words = shlex.split(line, comments=True)
                if words:
                    yield f"{page.relative_to(ROOT).as_posix()}:{block.line + offset}", words


def parse_with_cli(arguments: list[str]) -> None:
    """Let the command line's own parser read the words after ``mocap3d``; nothing runs."""
    command, name, rest = CLI, "mocap3d", arguments
    while True:
        context = command.make_context(name, list(rest))
        if not hasattr(command, "resolve_command"):
            return
        name, command, rest = command.resolve_command(context, list(rest))


def check_command(words: list[str]) -> None:
    """One command of the pages, by the program that it starts."""
    program, *arguments = [words[0].removeprefix(".venv/bin/"), *words[1:]]
    if program == "mocap3d":
        parse_with_cli(arguments)
    elif program == "make":
        assert set(arguments) <= MAKE_TARGETS
    elif program == "pip" or arguments[:2] == ["-m", "pip"]:
        asked = re.findall(r"(?:mocap3d|\.)\[([\w,]+)\]", " ".join(arguments))
        assert {extra for group in asked for extra in group.split(",")} <= set(EXTRAS)
    elif program.startswith("python") and arguments[0] == "-m":
        assert importlib.util.find_spec(arguments[1]) is not None
    elif program == "python":
        assert (ROOT / arguments[0]).is_file()
    else:
        assert (ROOT / program).is_file()


@pytest.mark.parametrize("words", [pytest.param(words, id=where) for where, words in command_lines()])
def test_commands_parse(words: list[str]) -> None:
    """Catches an option, a make target, an extra or a script that is gone."""
    check_command(words)


@each_page
def test_commands_in_the_text_exist(page: Path) -> None:
    """Catches a sub-command, make target or script that is named in a sentence and gone."""
    for code in inline_code(page):
        words = code.split()
        if words[0] == "mocap3d" and len(words) > 1:
            command = CLI
            for word in words[1:]:
                if not hasattr(command, "commands") or word.startswith("-"):
                    break
                assert word in command.commands, code
                command = command.commands[word]
        elif words[0] == "make" and len(words) > 1:
            assert words[1] in MAKE_TARGETS, code
        elif words[0] == "python" and len(words) > 1:
            check_command(words)


def test_a_wrong_command_is_seen() -> None:
    """Catches a checker that lets everything pass."""
    with pytest.raises(Exception, match="No such option"):
        parse_with_cli(["capture", "a.mp4", "-o", "a.bvh", "--hieght", "1.7"])
    with pytest.raises(AssertionError):
        check_command(["make", "coffee"])


# --- what must be documented ------------------------------------------------------------------------------------------


def options_of(*path: str) -> set[str]:
    """The long options of a sub-command."""
    command = CLI
    for name in path:
        command = command.commands[name]
    return {option for parameter in command.params for option in parameter.opts if option.startswith("--")} - {"--help"}


def test_every_option_of_capture_is_explained() -> None:
    """Catches a new option that only --help knows."""
    text = (ROOT / "docs" / "capture.md").read_text(encoding="utf-8")
    assert not [option for option in options_of("capture") - {"--output"} if f"`{option}" not in text]
    parameters = [name for name in inspect.signature(mocap3d.capture).parameters if name != "video"]
    assert not [name for name in parameters if f"`{name}`" not in text]


def test_every_option_of_training_is_explained() -> None:
    """Catches a new option that only --help knows."""
    pages = (ROOT / "docs" / name for name in ("training.md", "train-on-human36m.md"))
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    options = options_of("train", "lifter") | options_of("data", "prepare") | options_of("data", "check")
    assert not [option for option in options - {"--output"} if f"`{option}" not in text]


def test_the_defaults_in_the_text_are_those_of_the_code() -> None:
    """Catches a default that was changed in the code only."""
    from mocap3d.cameras.lens import DEFAULT_FOV_DEG
    from mocap3d.identify.repair import drop_unsure, fill_gaps
    from mocap3d.motion.solve import SolveSettings
    from mocap3d.solving import DEFAULT_HEIGHT_M

    text = (ROOT / "docs" / "capture.md").read_text(encoding="utf-8")
    solve = SolveSettings()
    low, high = solve.start.straight_deg
    gap_s = inspect.signature(fill_gaps).parameters["max_gap_s"].default
    least = inspect.signature(drop_unsure).parameters["least"].default
    for said in (
        f"**Height, {DEFAULT_HEIGHT_M:.2f} m**",
        f"**Field of view, {DEFAULT_FOV_DEG:g}°**",
        f"Bent less than {low:g}°",
        f"from {high:g}° on",
        f"smoothed over {solve.start.twist_smoothing_s:g} s",
        f"unseen in more than {solve.unseen_share * 100:g} %",
        f"Gaps up to {gap_s:g} s",
        f"below a confidence of {least:g}",
    ):
        assert said in text, said


def test_the_training_page_says_what_training_does() -> None:
    """Catches subjects, offsets and file fields that were changed in the code only."""
    import dataclasses

    from mocap3d.base.skeletons import COCO_17
    from mocap3d.lift.encoding import ENCODING, feature_count
    from mocap3d.lift.lifter_weights import FORMAT, LifterMeta
    from mocap3d.train.body import COCO_OFFSET_M
    from mocap3d.train.lifter_settings import CMU_HELD_OUT, CMU_TRAINING
    from mocap3d.train.reserved import CMU_RESERVED

    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    for subjects in (CMU_TRAINING, CMU_HELD_OUT, CMU_RESERVED):
        assert f"| {' '.join(subjects)} |" in text
    for name, offset in COCO_OFFSET_M.items():
        if not name.startswith("right_"):
            side, up, forward = (round(1000 * part) for part in offset)
            said = f"{f'±{side}' if name.startswith('left_') and side else side}, {up}, {forward} |"
            row = next(line for line in text.splitlines() if line.startswith(f"| {name.removeprefix('left_')}"))
            assert row.endswith(said), (row, said)
    assert f"`{ENCODING}`" in text
    assert f"{feature_count(ENCODING, COCO_17)} numbers" in text
    assert f"`{FORMAT}`" in text
    assert not [field.name for field in dataclasses.fields(LifterMeta) if f"`{field.name}`" not in text]


def test_the_tables_of_conventions_come_from_the_code() -> None:
    """Catches a skeleton, a frame or a conversion that the page does not have."""
    script = ROOT / "scripts" / "skeleton_table.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_room_is_in_the_architecture() -> None:
    """Catches a folder of which the page knows nothing, and one that is gone."""
    text = blocks(ROOT / "docs" / "architecture.md", "")[0].text
    listed = set(re.findall(r"^  (\w+)/", text, re.MULTILINE))
    assert listed == {file.parent.name for file in (ROOT / "mocap3d").glob("*/__init__.py")}
    for folder in re.findall(r"^(\w+)/", text, re.MULTILINE):
        assert (ROOT / folder).is_dir(), folder


def test_the_readme_lists_the_extras() -> None:
    """Catches an extra that nobody can find, and one that is gone."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("| Extra |")[1].split("\n\n")[0]
    listed = {name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert listed == set(EXTRAS)


def test_extras_bring_what_messages_promise() -> None:
    """Catches "bring it with: pip install 'mocap3d[torch]'" of an extra that does not bring the package."""
    sources = [file for folder in ("mocap3d", "data_prep", "viewers") for file in (ROOT / folder).rglob("*.py")]
    promised = {
        pair
        for file in sources
        for pair in re.findall(r'MissingExtraError\("([\w-]+)", "([\w-]+)"\)', file.read_text(encoding="utf-8"))
    }
    assert promised
    brought = {extra: {re.split(r"[=<>~\[]", need)[0] for need in needs} for extra, needs in EXTRAS.items()}
    assert not [pair for pair in promised if pair[0] not in brought[pair[1]]]


@pytest.mark.parametrize("record", DECISIONS, ids=lambda record: record.name)
def test_decisions_have_one_form(record: Path) -> None:
    """Catches a record that is not in the list, or does not say why."""
    text = record.read_text(encoding="utf-8")
    number = record.name[:3]
    assert text.startswith(f"# {number} ")
    assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert f"[{number}]({record.name})" in (record.parent / "README.md").read_text(encoding="utf-8")


def test_the_web_page_uses_the_three_js_that_is_tested() -> None:
    """Catches a page for another version than the one that reads our files in the tests."""
    page = blocks(ROOT / "docs" / "use-in-web.md", "html")[0].text
    tested = json.loads((ROOT / "tests" / "readers" / "package.json").read_text())["dependencies"]["three"]
    assert set(re.findall(r"three@([\d.]+)", page)) == {tested}
