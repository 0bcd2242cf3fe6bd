"""`--quiet`, notices that come once, and one `--format` for what a command prints or writes."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from quovadis.notices import notify_once
from quovadis.progress import ignore_notice
from support.command_line import quovadis
from support.commands import COMMANDS
from support.fake_engine import MeanEngine, recognizer

RUN = ("--threads", "2", "--clip-frames", "16", "--duration", "0.64")


@pytest.fixture
def fresh_home(rgb_scratch_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds `rgb-scratch`, and in which nothing has been said yet."""
    home = tmp_path / "home"
    shutil.copytree(rgb_scratch_path.parent, home / "weights" / "rgb-scratch")
    monkeypatch.setenv("QUOVADIS_HOME", str(home))
    monkeypatch.setattr("quovadis.recognizer.open_engine", lambda *_, **__: MeanEngine())
    return home


@pytest.fixture
def fake_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run an engine without a network."""
    monkeypatch.setattr("quovadis.recognizer.load", lambda *_, **__: recognizer(MeanEngine()))


def test_a_notice_comes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path))
    said: list[str] = []
    # What nobody hears has not been said.
    for notify in (ignore_notice, said.append, said.append):
        notify_once("weights", "using others", notify)
    assert said == ["using others"]


def test_the_notice_on_weights_comes_once_and_not_with_quiet(fresh_home: Path, cricket_gif: Path) -> None:
    classify = ("classify", cricket_gif, *RUN)
    quiet = quovadis(*classify, "-q", QUOVADIS_OFFLINE="1")
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert "%" in quiet.stdout
    first = quovadis(*classify, QUOVADIS_OFFLINE="1")
    assert sum("using the weights rgb-scratch" in line for line in first.stderr.splitlines()) == 1
    assert quovadis(*classify, QUOVADIS_OFFLINE="1").stderr == ""


@pytest.mark.usefixtures("fake_network")
def test_quiet_shows_no_table_of_what_a_file_has(cricket_gif: Path, tmp_path: Path) -> None:
    for name in ("results.json", "results.csv"):
        run = quovadis("classify", cricket_gif, *RUN, "-q", "-o", tmp_path / name)
        assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
        assert (tmp_path / name).stat().st_size


@pytest.mark.usefixtures("fake_network")
def test_quiet_features_print_nothing_but_what_is_asked_for(cricket_gif: Path, tmp_path: Path) -> None:
    command = ("features", cricket_gif, "--clip-frames", "64", "-o", tmp_path / "out", "-q")
    assert quovadis(*command).stdout == ""
    assert len(json.loads(quovadis(*command, "--json").stdout)["results"]) == 1


@pytest.mark.usefixtures("fake_network")
def test_errors_are_heard_in_quiet_too(tmp_path: Path) -> None:
    run = quovadis("classify", tmp_path / "absent.mp4", *RUN, "-q")
    assert run.returncode == 1
    assert "absent.mp4: no such file" in run.stderr


@pytest.mark.usefixtures("fake_network")
def test_every_format_is_named_by_one_option(cricket_gif: Path, tmp_path: Path) -> None:
    def printed(*options: str | Path) -> str:
        run = quovadis("classify", cricket_gif, *RUN, *options)
        assert run.returncode == 0, run.stderr
        return run.stdout

    assert "%" in printed("--format", "table") == printed() == printed("-o", "-")
    assert printed("--format", "json") == printed("--json")
    assert len(printed("--format", "jsonl").splitlines()) == 1
    assert next(csv.reader(io.StringIO(printed("--format", "csv"))))[0] == "source"
    # A file of another suffix, or of none, is of the format that is asked for.
    printed("--format", "csv", "-o", tmp_path / "results.txt")
    assert (tmp_path / "results.txt").read_text().startswith("source,")
    printed("--format", "parquet", "-o", tmp_path / "results")
    assert (tmp_path / "results").read_bytes()[:4] == b"PAR1"


@pytest.mark.usefixtures("fake_network")
def test_quiet_features_say_nothing_of_what_is_unusual(cricket_gif: Path, tmp_path: Path) -> None:
    # Stacks of another length than the original's, and a video that is shorter than a window.
    for options in (("--like", "video_features", "--clip-frames", "12"), ("--clip-frames", "100")):
        command = ("features", cricket_gif, *options, "-o", tmp_path / "-".join(options))
        heard = quovadis(*command).stderr
        assert heard.startswith("quovadis: note: ")
        quiet = quovadis(*command, "--restart", "-q")
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_every_command_takes_quiet(tmp_path: Path) -> None:
    for name, command in COMMANDS.items():
        assert {"--quiet", "-q"} <= {flag for one in command.params for flag in one.opts}, name
    home = str(tmp_path / "home")
    assert quovadis("cache", "clear", "all", "-q", QUOVADIS_HOME=home).stderr == ""
    for listed in (("cache", "list"), ("weights", "list"), ("info",)):
        assert quovadis(*listed, "-q", QUOVADIS_HOME=home).stdout == quovadis(*listed, QUOVADIS_HOME=home).stdout


def test_saying_json_twice_is_no_mistake() -> None:
    twice = quovadis("info", "--json", "--format", "json")
    assert (twice.returncode, twice.stdout) == (0, quovadis("info", "--json").stdout)
    assert quovadis("classify", "absent.mp4", "--json", "--format", "json").returncode == 1


@pytest.mark.parametrize("command", [("info",), ("weights", "list"), ("cache", "list"), ("doctor",)], ids=" ".join)
def test_json_is_short_for_the_format(command: tuple[str, ...]) -> None:
    run = quovadis(*command, "--format", "json")
    assert type(json.loads(run.stdout)) is type(json.loads(quovadis(*command, "--json").stdout))
    assert quovadis(*command).stdout == quovadis(*command, "--format", "table").stdout
