"""The pages for people: their fenced blocks, and how each is carried out."""

from __future__ import annotations

import ast
import re
import shlex
import tokenize
import tomllib
from dataclasses import dataclass
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
import typer

from quovadis.cli.main import app
from support.command_line import quovadis

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
RUN = ("sh", "python")
"""Languages of blocks that are run."""

SHOWN = ("text",)
"""Languages of blocks that are only read: formulas and samples of output."""

FIXED_VARIABLES = {"QUOVADIS_OFFLINE": "1"}
"""The cached weights decide, not what the network happens to offer."""

NOT_RUN = {
    r"^make ": "it runs the whole of the project's checks, measurements or installation",
    r"^pip install ": "it installs from a package index; scripts/test_matrix.py installs the wheel",
    r"^python (benchmarks|scripts)/": "it measures for minutes",
    r"^duckdb ": "it is other software, which the tests do not install",
    r"\b(pull|verify|convert) rgb-imagenet": "it needs weights that only the original repository has",
    r"camera:\d|rtsp://": "it needs a camera",
    r"--precision int8|--calibrate": "its calibration would stay in the cache that all tests share",
    r"^quovadis train ": "it takes minutes: tests/training trains in small",
    r"^quovadis cache clear": "it removes what other tests use: tests/cli runs it on a cache of its own",
    r"^quovadis convert .*(\.(pb|xml)\b| --(format|recipe|layout))": (
        "each takes up to a minute and some need their framework: tests/export runs every format"
    ),
}
"""Commands of the pages that are only checked against what exists, by a regular expression, and why."""

SHORTENED = {
    r"--bootstrap 200": ("--bootstrap 2", "200 resamples take minutes"),
    r"--frames 128": ("--frames 32", "clips of 128 frames take ten seconds"),
    r"--crops 10": ("--crops 3", "ten crops take fifteen seconds"),
    r"--protocol multiview": ("--protocol multiview --clips 1", "30 views of a video take half a minute"),
}
"""What is run in place of words of a command, and why."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    """The number of its first line of content, from 1."""
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def fenced_blocks(page: Path) -> list[Block]:
    """Return a page's blocks in order."""
    blocks: list[Block] = []
    language, first, content = None, 0, list[str]()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = line.strip().startswith("```")
        if fence and language is None:
            language, first, content = line.strip().removeprefix("```"), number + 1, []
        elif fence:
            blocks.append(Block(page, first, str(language), "\n".join(content)))
            language = None
        else:
            content.append(line)
    assert language is None, f"{page.name}:{first}: the block has no end"
    return blocks


def prose(page: Path) -> str:
    """Return a page without its blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def commands(block: Block) -> list[str]:
    """Return the commands of a block for the shell, without comments."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [command for line in lines if (command := shlex.join(shlex.split(line, comments=True)))]


def reason_not_to_run(command: str) -> str | None:
    """Return why a command is only checked against what exists; None: it is run."""
    return next((reason for pattern, reason in NOT_RUN.items() if re.search(pattern, command)), None)


def run_command(command: str) -> None:
    """Run a command in the current folder, which must succeed."""
    for pattern, (shorter, _) in SHORTENED.items():
        command = re.sub(pattern, shorter, command)
    program, *words = shlex.split(command)
    with pytest.MonkeyPatch.context() as patch:
        if program == "cat":
            path, pipe, program, *words = words
            assert pipe == "|", f"nothing runs `{command}`: add it to NOT_RUN with the reason"
            patch.setattr("sys.stdin", TextIOWrapper(BytesIO(Path(path).read_bytes())))
        assert program == "quovadis", f"nothing runs `{command}`: add it to NOT_RUN with the reason"
        done = quovadis(*words, **FIXED_VARIABLES)
    assert done.returncode == 0, f"`{command}` ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"


def check_command(command: str) -> None:
    """Check that what a command names exists, without running it."""
    program, *words = shlex.split(command.rpartition("'|' ")[2])
    if program == "quovadis":
        check_arguments(words)
    elif program == "make":
        rules = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{words[0]}:", rules, re.MULTILINE), f"`{command}`: there is no such target"
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        named = {one for found in re.findall(r"\[(.+?)\]", command) for one in found.split(",")}
        assert named <= set(extras["optional-dependencies"]), f"`{command}`: there is no such extra"
    elif program == "python":
        script = ROOT / words[0]
        assert script.is_file(), f"`{command}`: there is no such file"
        for option in (word for word in words if word.startswith("--")):
            assert f'"{option}"' in script.read_text(encoding="utf-8"), f"`{command}`: {option} does not exist"


def check_arguments(words: list[str]) -> None:
    """Check that a command takes these words, which are all of its line."""
    command, context, rest = _resolve(words)
    command.make_context(context.info_name, rest, parent=context.parent)


def check_options(words: list[str]) -> None:
    """Check that a command and its options exist; its arguments may be missing, as within a sentence."""
    command, _, rest = _resolve(words)
    known = _options(command)
    assert {word for word in rest if word.startswith("-")} <= known, f"{' '.join(words)}: of {sorted(known)}"


def _resolve(words: list[str]) -> tuple[Any, Any, list[str]]:
    """Return the command that a line is of, its context and the words after its name."""
    command: Any = typer.main.get_command(app)
    context, rest = command.make_context("quovadis", [], resilient_parsing=True), list(words)
    while hasattr(command, "resolve_command") and rest and not rest[0].startswith("-"):
        name, command, rest = command.resolve_command(context, rest)
        assert command is not None, f"{' '.join(words)}: there is no such command"
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
    return command, context, rest


def _options(command: Any) -> set[str]:
    return {"--help", "-h"} | {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}


def options_of_commands() -> set[str]:
    """Return every option of every command."""
    found: set[str] = set()
    waiting: list[Any] = [typer.main.get_command(app)]
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        found |= _options(command)
    return found


def run_python(block: Block, names: dict[str, Any]) -> None:
    """Run a block of Python with the names of its page; an expression with a value as its comment must have that value.

    A comment is a value if it is a literal, such as `("windows", "channels")`, or what a `repr` writes, `Name(…)`.
    """
    tree = ast.parse(block.text)
    comments = {
        token.start[0]: token.string.removeprefix("#").strip()
        for token in tokenize.generate_tokens(StringIO(block.text).readline)
        if token.type == tokenize.COMMENT
    }
    for statement in tree.body:
        code: ast.Module | ast.Expression = ast.Module([statement], [])
        where = f"{block.page.name}:{block.line + statement.lineno - 1}"
        if not isinstance(statement, ast.Expr):
            exec(compile(code, where, "exec"), names)
            continue
        value = eval(compile(ast.Expression(statement.value), where, "eval"), names)
        said = comments.get(statement.end_lineno or 0, "")
        if _is_literal(said):
            assert value == ast.literal_eval(said), f"{where}: the page says {said}, it is {value!r}"
        elif re.fullmatch(r"[A-Z]\w+\(.*\)", said):
            assert repr(value) == said, f"{where}: the page says {said}, it is {value!r}"


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True
