"""An empty name, as of a variable that is not set, is an error wherever a name is taken: never the current folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import quovadis
from quovadis import weights
from quovadis.cli import main as cli
from quovadis.errors import QuovadisError
from quovadis.fvd import load_set
from quovadis.labels import class_names
from quovadis.recognizer import Recognizer
from quovadis.results import WeightsIdentity
from quovadis.video import discover_videos, open_video


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["classify", ""], "SOURCE"),
        (["classify", "a.mp4", "", "b.mp4"], "SOURCE"),
        (["classify", "a.mp4", "-o", ""], "--output"),
        (["classify", "a.mp4", "--output="], "--output"),
        (["classify", "a.mp4", "--plot", ""], "--plot"),
        (["classify", "a.mp4", "--labels", ""], "--labels"),
        (["classify", "a.mp4", "-w", ""], "--weights"),
        (["classify", "a.mp4", "--device", ""], "--device"),
        (["classify", "a.mp4", "--calibrate", "b.mp4", "--calibrate", ""], "--calibrate"),
        (["features", ""], "SOURCE"),
        (["features", "a.mp4", "-o", ""], "--output"),
        (["evaluate", ""], "DATASET"),
        (["evaluate", "a.csv", "--videos", ""], "--videos"),
        (["evaluate", "a.csv", "-o", ""], "--output"),
        (["evaluate", "--compare", "a.parquet", ""], "--compare"),
        (["fvd", "", "b"], "REAL"),
        (["fvd", "a", ""], "FAKE"),
        (["fvd", "a", "--stats", ""], "--stats"),
        (["fvd", "a", "b", "--more-real", ""], "--more-real"),
        (["convert", "", "a.onnx"], "SOURCE"),
        (["convert", "auto", ""], "DESTINATION"),
        (["info", ""], "WEIGHTS"),
        (["weights", "pull", ""], "NAME"),
        (["weights", "verify", ""], "NAME|FILE"),
    ],
    ids=" ".join,
)
def test_on_the_command_line_it_is_one_line_that_says_which(
    arguments: list[str], name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["quovadis", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    said = capsys.readouterr()
    first, second = said.err.splitlines()
    assert first == f"quovadis: error: {name}: the value is empty; is a variable not set?"
    assert second.startswith("quovadis: see quovadis ")
    assert said.out == ""
    assert [path.name for path in Path.cwd().iterdir()] == ["clip.mp4"]


NETWORK = Recognizer(None, WeightsIdentity("none", "0" * 64), ())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda: quovadis.load(""),
        lambda: quovadis.convert("", "a.onnx"),
        lambda: quovadis.convert("auto", "", recipe="omz"),
        lambda: weights.verify(""),
        lambda: weights.pull(""),
        lambda: class_names(""),
        lambda: NETWORK.classify(""),
        lambda: NETWORK.features(""),
        lambda: next(NETWORK.stream("")),
        lambda: open_video(""),
        lambda: discover_videos(""),
        lambda: discover_videos("file://"),
        lambda: load_set([""]),
        lambda: load_set(["", ""], stats_path=Path("a.npz")),
    ],
)
def test_in_python_it_is_an_error_of_ours(call: Callable[[], object]) -> None:
    with pytest.raises(QuovadisError) as raised:
        call()
    assert "\n" not in str(raised.value)
    assert "clip.mp4" not in str(raised.value)
