"""quovadis evaluate with the real network over the real clips."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from quovadis.evaluation.run import LEDGER_NAME
from quovadis.interrupts import INTERRUPTED
from quovadis.video import open_video
from support.command_line import SAFETY_NET, load_fakes, quovadis
from support.fake_engine import MeanEngine, unused_weights
from support.ledgers import done_in
from support.synthetic import write_video

TRUTH = {
    "arm_wrestling.mp4": "arm wrestling",
    "archery.avi": "archery",
    "clean_and_jerk.mp4": "clean and jerk",
    "horse_riding.gif": "riding or walking with horse",
    "../assets/v_CricketShot_g04_c01_rgb.gif": "playing cricket",
}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "quovadis", "evaluate", *map(str, arguments)]


def evaluate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return quovadis("evaluate", *arguments)


@pytest.fixture(scope="module")
def annotation(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of real clips a second each, as the network sees them, and what is no video."""
    folder = tmp_path_factory.mktemp("clips")
    rows = []
    for name, label in TRUTH.items():
        with open_video(assets / "clips" / name) as video:
            frames = [frame.pixels for frame in islice(video, 20, 44)]
        rows.append((write_video(folder / f"{Path(name).stem}.mp4", frames), label))
    rows += [(assets / "clips" / name, "archery") for name in ("corrupted.mp4", "gone.mp4")]
    path = folder / "clips.tsv"
    path.write_text("".join(f"{path}\t{label}\n" for path, label in rows))
    return path


STOPPED = """
import signal
from quovadis.__main__ import main
from quovadis.runs.ledger import Ledger

store = Ledger.store

def store_and_interrupt(self, *arguments):
    store(self, *arguments)
    signal.raise_signal(signal.SIGINT)

Ledger.store = store_and_interrupt
main()
"""
"""The command line, with Ctrl-C as soon as a video is done, however fast or busy the machine is."""

SMALL = ("--weights", "rgb-scratch", "--threads", "2")


@pytest.mark.usefixtures("one_network")
def test_the_real_clips_are_evaluated(annotation: Path, tmp_path: Path) -> None:
    whole = evaluate(annotation, *SMALL, "-o", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    assert "5 of 7 videos evaluated, 1 missing, 1 unreadable" in whole.stdout
    assert "corrupted.mp4: damaged" in whole.stderr
    assert "gone.mp4: no such video" in whole.stderr
    assert "Traceback" not in whole.stderr
    report = json.loads((tmp_path / "whole" / "report.json").read_text())
    top1 = next(metric for metric in report["metrics"] if metric["name"] == "top1")
    assert (top1["successes"], top1["trials"]) == (5, 5)


@pytest.mark.usefixtures("one_network")
def test_an_evaluation_is_stopped_and_goes_on_to_the_same_files(annotation: Path, tmp_path: Path) -> None:
    stopped = tmp_path / "stopped"
    assert evaluate(annotation, *SMALL, "-o", tmp_path / "whole").returncode == 0
    arguments = command(annotation, *SMALL, "-o", stopped)[3:]
    run = subprocess.run(
        [sys.executable, "-c", STOPPED, *arguments], capture_output=True, text=True, check=False, timeout=SAFETY_NET
    )
    assert run.returncode == INTERRUPTED
    assert "Traceback" not in run.stderr
    assert "stopped; the same command resumes from here" in run.stderr
    assert done_in(stopped / LEDGER_NAME) >= 1
    again = evaluate(annotation, *SMALL, "-o", stopped, "--json")
    assert again.returncode == 0, again.stderr
    for name in ("report.json", "predictions.parquet", "confusion.png"):
        assert (stopped / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert again.stdout == (stopped / "report.json").read_text()
    assert json.loads((stopped / "run.json").read_text())["earlier"] >= 1


def test_two_engines_are_compared(rgb_scratch_path: Path, annotation: Path, tmp_path: Path) -> None:
    for engine in ("native", "openvino"):
        arguments = (*SMALL, "--subset", "1", "--engine", engine, "-o", tmp_path / engine)
        assert evaluate(annotation, *arguments).returncode == 0
    files = [tmp_path / engine / "predictions.parquet" for engine in ("native", "openvino")]
    run = evaluate("--compare", *files, "--json")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["settings"]["engine"] == ["native", "openvino"]
    assert found["agreement"]["value"] == found["view_agreement"]["value"] == 1.0
    assert 0 < found["logit_difference_max"] < 1e-3
    assert 0 <= found["divergence_mean"] < 1e-6
    table = evaluate("--compare", *files, "-o", tmp_path / "compared")
    assert "exact McNemar test: p = 1" in table.stdout
    assert f"a: {files[0]}" in table.stdout
    assert json.loads((tmp_path / "compared" / "comparison.json").read_text()) == found


def test_a_video_that_is_there_in_part_has_a_line_and_is_counted(
    rgb_scratch_path: Path, assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_fakes(monkeypatch, evaluate=MeanEngine())
    clip = assets / "clips" / "corrupted.mp4"
    (tmp_path / "one.tsv").write_text(f"{clip}\tarchery\n")
    run = evaluate(tmp_path / "one.tsv", *SMALL, "--allow-partial", "-o", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    (line,) = [line for line in run.stderr.splitlines() if "note:" in line]
    assert line.startswith(f"quovadis: note: {clip}: damaged")
    assert "1 of 1 videos evaluated (1 of them partly decoded)" in run.stdout


def test_a_name_that_would_steer_the_terminal_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quovadis.cli.evaluate.load_weights", lambda *_, **__: unused_weights())
    annotation = {"labels": ["archery"], "database": {"b\x1b[31mred\nnew": {"annotations": {"label": "archery"}}}}
    annotation["database"]["b\x1b[31mred\nnew"]["subset"] = "validation"  # type: ignore[call-overload]
    (tmp_path / "k.json").write_text(json.dumps(annotation))
    run = evaluate(tmp_path / "k.json", *SMALL, "-o", tmp_path / "out")
    assert run.returncode == 1
    assert r"archery/b\x1b[31mred\nnew" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert "\x1b" not in run.stderr


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (("gone.csv",), "gone.csv: no such file or folder"),
        (("--compare", "a.parquet", "b.parquet"), "a.parquet: no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(tmp_path: Path, arguments: tuple[str, ...], needle: str) -> None:
    run = evaluate(*arguments, "-o", tmp_path / "out")
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith("quovadis: error:")
    assert needle in line


def test_nothing_to_do_is_a_mistake_of_the_command_line(tmp_path: Path) -> None:
    assert evaluate().returncode == 2


def test_figures_of_open_model_zoo_by_another_protocol_are_too(annotation: Path, tmp_path: Path) -> None:
    run = evaluate(annotation, "--omz-compatible", "-o", tmp_path / "out")
    assert run.returncode == 2
    assert "--protocol omz" in run.stderr
    assert not (tmp_path / "out").exists()
