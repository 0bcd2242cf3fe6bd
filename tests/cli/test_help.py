"""What `--help` prints, and what a shell completes."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from support.command_line import quovadis
from support.commands import COMMANDS

every_command = pytest.mark.parametrize("name", [*COMMANDS], ids=str)


def helped(name: str, columns: int) -> str:
    run = quovadis(*name.split(), "--help", COLUMNS=str(columns))
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
@every_command
def test_help_fits_the_terminal_and_cuts_nothing_off(name: str, columns: int) -> None:
    said = helped(name, columns)
    assert "…" not in said
    body = said.partition("\nExamples:\n")[0]
    widest = max(body.splitlines(), key=cell_len)
    assert cell_len(widest) <= min(columns, 100), widest
    for parameter in COMMANDS[name].params:
        for flag in (*parameter.opts, *parameter.secondary_opts):
            if flag.startswith("-"):
                assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", body), flag


@every_command
def test_options_stand_in_groups_with_their_defaults_and_choices(name: str) -> None:
    said = helped(name, 80)
    assert said.startswith(f"Usage: quovadis {name} [OPTIONS]")
    groups = re.findall(r"^([A-Z]\w*):$", said, flags=re.MULTILINE)
    assert len(groups) == len({*groups})
    assert "Help" in groups
    if name in ("classify", "features", "evaluate", "fvd"):
        assert {"Arguments", "Output", "Model", "Run", "Limits", "Examples"} <= {*groups}
        assert "[1 or more; default: " in " ".join(said.split())
        assert "auto, native, openvino, torch; default: auto]" in " ".join(said.split())


@every_command
def test_examples_fit_and_are_of_the_command(name: str) -> None:
    examples = helped(name, 80).partition("\nExamples:\n")[2].splitlines()
    assert all((len(line) <= 80 and f"quovadis {name}" in line) or "quovadis sample" in line for line in examples)
    assert examples


def test_commands_stand_in_groups() -> None:
    said = quovadis("--help", COLUMNS="80").stdout
    groups = re.findall(r"^([A-Z][\w ]*):$", said, flags=re.MULTILINE)
    assert groups == ["Videos", "Models and weights", "Installation", "Options"]
    assert all(re.search(rf"^  {name.split()[0]}  ", said, flags=re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("cla", {"classify"}),
        ("weights ", {"list", "pull", "verify", "path"}),
        ("weights pull rgb-i", {"rgb-imagenet"}),
        ("classify --for", {"--format"}),
        ("classify --format ", {"table", "json", "jsonl", "csv", "parquet"}),
        ("info --format ", {"table", "json"}),
        ("classify --engine n", {"native"}),
        ("classify -w rgb-s", {"rgb-scratch", "rgb-scratch-kinetics600"}),
        ("fvd a b --weights rgb-i", {"rgb-imagenet"}),
        ("features --endpoint Mixed_5", {"Mixed_5b", "Mixed_5c"}),
        ("convert rgb-scratch out --format on", {"onnx"}),
        # Nothing: the shell offers files.
        ("classify vid", set()),
        ("classify -w my_model", set()),
        ("classify a.mp4 -o res", set()),
    ],
)
def test_a_shell_completes_commands_options_and_values(typed: str, offered: set[str]) -> None:
    words = f"quovadis {typed}"
    run = quovadis(_QUOVADIS_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1))
    assert (run.returncode, run.stderr) == (0, "")
    assert {*run.stdout.split()} == offered


def test_completion_can_be_shown_and_installed() -> None:
    said = quovadis("--help").stdout
    assert "--install-completion" in said
    assert "--show-completion" in said
