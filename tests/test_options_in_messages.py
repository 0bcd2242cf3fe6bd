"""Messages name options as keywords of Python; each surface spells them in its own way."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import quovadis
from quovadis import FeatureOptions, Sampling, SlidingWindows, TimeSpan, VideoLimits
from quovadis.cli.main import app
from quovadis.cli.spelling import start_command, with_flags
from quovadis.engines import open_engine
from quovadis.errors import QuovadisError, UnexpectedError, VideoError
from quovadis.faults import describe
from quovadis.fvd import FVDOptions
from quovadis.labels import check_labels
from quovadis.weights import load_weights

SOURCES = Path(quovadis.__file__).parent
OPTION = re.compile(r"`([a-z_]\w*)(?:=[^`]+)?`")
SPELLINGS = (SOURCES / "cli", SOURCES / "__main__.py", SOURCES / "errors.py")
"""The command line, and what handles any option and names none."""


def below_the_command_line() -> list[Path]:
    return [path for path in sorted(SOURCES.rglob("*.py")) if not any(map(path.is_relative_to, SPELLINGS))]


def literals(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield every string of a module, an f-string's parts joined, and whether it is documentation."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            texts = (str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
            yield "".join(texts), False
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            yield node.value, node in documentation


def keywords() -> set[str]:
    """Return the parameters of functions and the fields of classes that have no underscore in front."""
    found: set[str] = set()
    for path in below_the_command_line():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name == "__init__"):
                found |= {argument.arg for argument in [*node.args.args, *node.args.kwonlyargs]}
            elif isinstance(node, ast.ClassDef):
                fields = (item.target for item in node.body if isinstance(item, ast.AnnAssign))
                found |= {target.id for target in fields if isinstance(target, ast.Name)}
    return found


def flags() -> set[str]:
    """Return every long option of every command."""
    import typer.main

    commands = [typer.main.get_command(app)]
    found: set[str] = set()
    for command in commands:
        commands.extend(getattr(command, "commands", {}).values())
        found |= {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    return found


def test_no_string_below_the_command_line_holds_one_of_its_flags() -> None:
    known = flags()
    assert "--allow-partial" in known
    for path in below_the_command_line():
        for text, _ in literals(path):
            assert not known.intersection(re.findall(r"(?<![\w-])--[a-z][a-z-]*(?!\w)", text)), f"{path}: {text}"


def test_every_option_that_a_message_names_is_a_keyword() -> None:
    known, named = keywords(), set()
    for path in below_the_command_line():
        for text, is_documentation in literals(path):
            if not is_documentation:
                named |= set(OPTION.findall(text))
    assert {"allow_partial", "precision", "restart", "overwrite", "file_format"} <= named
    assert named <= known


def test_an_error_tells_its_option_also_where_more_is_said_in_front_or_behind() -> None:
    error = VideoError("a.mp4: cut off; `allow_partial=True` takes what is there")
    assert error.option == "allow_partial"
    wrapped = type(error)(f"set: {error}; see `max_frames`")
    assert wrapped.option == "allow_partial"
    assert wrapped.spelled(lambda name, value: f"<{name} {value}>") == (
        "set: a.mp4: cut off; <allow_partial True> takes what is there; see <max_frames None>"
    )
    assert QuovadisError("a.mp4: no such file").option is None
    assert UnexpectedError(describe(ValueError("x"))).option is None


def running(name: str, *path: str) -> None:
    import typer.main

    class Context:
        command = typer.main.get_command(app)

        def find_root(self) -> Context:
            return root

    root, context = Context(), Context()
    for part in (name, *path):
        context.command = context.command.commands[part]  # type: ignore[attr-defined]
    start_command(context)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("`allow_partial=True` takes it", "--allow-partial takes it"),
        ('choose `engine="openvino"`, or `precision="f32"`', "choose --engine openvino, or --precision f32"),
        ("raise it with `max_frames`", "raise it with --max-frames"),
        ("give `duration_seconds` or `clip='all'`", "give --duration or --clip all"),
        ("leave out `nothing`", "leave out `nothing`"),
        ("`restart=True` starts over", "--restart starts over"),
        ("`most_videos` takes fewer", "`most_videos` takes fewer"),
        ("`overwrite=True` replaces it", "`overwrite=True` replaces it"),
        ('run `quovadis.weights.pull("rgb-scratch", force=True)`', "run quovadis weights pull rgb-scratch --force"),
        ("run again with `QUOVADIS_DEBUG=1`", "run again with --debug"),
    ],
)
def test_the_command_line_says_the_flags_of_the_command_that_runs(message: str, said: str) -> None:
    running("classify")
    assert with_flags(message) == said


def test_several_values_and_none_are_flags_too() -> None:
    running("fvd")
    assert with_flags("`frames=[9, 16]`; leave `most_videos` out") == "--frames 9 --frames 16; leave --videos out"
    assert with_flags("`with_kvd=False`") == "--no-kvd"


@pytest.mark.parametrize(
    "name",
    [
        "`device`.mp4",
        "videos/`device`",
        "`quovadis.weights.pull(1+)`",
        "`quovadis.weights.pull(a)`",
        "`quovadis.weights.pull(*[1])`",
        "`threads=((1)`",
        "`threads=" + "(" * 300 + "`",
    ],
)
def test_a_file_whose_name_looks_like_an_option_keeps_it(name: str) -> None:
    running("classify")
    message = f"{name}: no such file"
    assert with_flags(message) == message


@pytest.mark.parametrize(
    ("make", "option"),
    [
        (lambda: VideoLimits(max_frames=0), "max_frames"),
        (lambda: SlidingWindows(stride=0), "stride"),
        (lambda: TimeSpan(start_seconds=-1), "start_seconds"),
        (lambda: TimeSpan(duration_seconds=0), "duration_seconds"),
        (lambda: Sampling(fps=0), "fps"),
        (lambda: FeatureOptions(pool="most"), "pool"),  # type: ignore[arg-type]
        (lambda: FVDOptions(features="best"), "features"),  # type: ignore[arg-type]
        (lambda: check_labels(["a", "b"], "labels.txt", 3), "labels"),
        (lambda: open_engine({}, name="fast"), "engine"),  # type: ignore[arg-type]
        (lambda: load_weights("no-such.ckpt"), "weights"),
    ],
)
def test_an_error_names_the_option_whose_value_is_at_fault(make: Callable[[], object], option: str) -> None:
    with pytest.raises(QuovadisError) as refused:
        make()
    assert refused.value.option == option
    assert pickle.loads(pickle.dumps(refused.value)).option == option
