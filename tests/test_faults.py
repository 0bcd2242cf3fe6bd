"""What nobody foresaw, as users meet it: one line, the other videos done, the traceback for who asks."""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis import precision
from quovadis.cli import classify, evaluate, features, fvd
from quovadis.cli import main as cli
from quovadis.engines import EngineOutput
from quovadis.errors import EngineError
from quovadis.evaluation.run import LEDGER_NAME as EVALUATION_LEDGER
from quovadis.features.extract import LEDGER_NAME as FEATURES_LEDGER
from quovadis.video.decoder import Decoder
from quovadis.video.file_decoder import FileDecoder
from support.fake_engine import ColourEngine, recognizer, unused_weights
from support.synthetic import write_video


def quovadis(*arguments: str | Path) -> int:
    """Run the command line in this process, and return its exit code."""
    before = sys.argv
    sys.argv = ["quovadis", *map(str, arguments)]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    logger = logging.getLogger("quovadis")
    handlers, level = list(logger.handlers), logger.level
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in signals.items():
        signal.signal(number, handler)
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three videos: `b.mp4` is the one that goes wrong."""
    for name in ("a", "b", "c"):
        path = tmp_path / "videos" / "archery" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, [np.full((48, 64, 3), 60, np.uint8)] * 20)
    return tmp_path / "videos"


@pytest.fixture
def fake_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (classify, evaluate, features, fvd):
        monkeypatch.setattr(module, "load", lambda *arguments, **options: recognizer())
    monkeypatch.setattr(evaluate, "load_weights", lambda *arguments, **options: unused_weights())


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Let decoding `b.mp4` raise an exception that nobody foresaw, after its first frames."""

    def install(error: Exception) -> None:
        begin = Decoder.__init__
        names: dict[int, str] = {}

        def named(self: Decoder, name: str, *arguments: Any, **options: Any) -> None:
            names[id(self)] = name
            begin(self, name, *arguments, **options)

        def breaking(frames: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
            def broken(self: Decoder, *arguments: Any) -> Iterator[Any]:
                for number, frame in enumerate(frames(self, *arguments)):
                    if number == 5 and names[id(self)].endswith("b.mp4"):
                        raise error
                    yield frame

            return broken

        monkeypatch.setattr(Decoder, "__init__", named)
        monkeypatch.setattr(Decoder, "frames", breaking(Decoder.frames))
        monkeypatch.setattr(FileDecoder, "frames_at", breaking(FileDecoder.frames_at))

    return install


def command(name: str, folder: Path, out: Path) -> list[str | Path]:
    return {
        "classify": ["classify", folder, "--clip-frames", "16", "-o", out / "found.json"],
        "features": ["features", folder, "--clip-frames", "16", "-o", out],
        "evaluate": ["evaluate", folder, "-o", out],
        "fvd": ["fvd", folder, "--frames", "16", "--stats", out / "real.npz", "--features", "pooled"],
    }[name]


def done_by(name: str, out: Path) -> list[str]:
    if name == "classify":
        return [Path(one["source"]).stem for one in json.loads((out / "found.json").read_text())["results"]]
    if name == "features":
        return sorted(path.stem for path in out.glob("?.npy"))
    if name == "evaluate":
        failed = json.loads((out / "report.json").read_text())["failures"]
        return sorted({"a", "b", "c"} - {Path(one["key"]).stem for one in failed})
    with np.load(out / "real.npz") as arrays:
        return ["a", "c"] if arrays["count_16"] == 2 else []


COMMANDS = ("classify", "features", "evaluate", "fvd")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    "error", [RuntimeError("no\nsuch stream"), MemoryError(), OSError(5, "Input/output error")], ids=repr
)
def test_one_videos_fault_costs_it_alone_in_every_command(
    name: str,
    error: Exception,
    folder: Path,
    fault: Callable[[Exception], None],
    fake_network: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fault(error)
    out = tmp_path / "out"
    out.mkdir()
    assert quovadis(*command(name, folder, out)) == 1
    assert done_by(name, out) == ["a", "c"]
    errors = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert len(errors) == 1
    assert f"b.mp4: unexpected {type(error).__name__}" in errors[0]
    assert "--debug" in errors[0]
    assert "Traceback" not in errors[0]


@pytest.mark.parametrize("where", ["before", "after", "environment"])
def test_the_traceback_is_shown_where_it_is_asked_for(
    where: str,
    folder: Path,
    fault: Callable[[Exception], None],
    fake_network: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault(RuntimeError("no such \x1b[31mstream"))
    arguments = command("classify", folder, tmp_path)
    if where == "environment":
        monkeypatch.setenv("QUOVADIS_DEBUG", "1")
    elif where == "before":
        arguments.insert(0, "--debug")
    else:
        arguments.append("--debug")
    assert quovadis(*arguments) == 1
    errors = capsys.readouterr().err
    assert "Traceback (most recent call last)" in errors
    assert "in broken" in errors
    assert "\x1b" not in errors


def test_a_fault_outside_of_any_video_is_one_line_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(*arguments: object, **options: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(classify, "load", load)
    assert quovadis("classify", folder) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("quovadis: error: unexpected RecursionError: too deep; ")


def test_a_result_that_cannot_be_drawn_costs_no_other(
    folder: Path,
    fake_network: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from quovadis.report import output

    def draw(result: Any, path: Path, count: int) -> None:
        if "b.mp4" in result.source:
            raise ZeroDivisionError("no clips")

    monkeypatch.setattr(output, "plot_timeline", draw)
    run = ("classify", folder, "--clip-frames", "16", "--plot", tmp_path / "pictures", "-o", tmp_path / "found.json")
    assert quovadis(*run) == 1
    assert done_by("classify", tmp_path) == ["a", "b", "c"]
    assert "b.mp4: unexpected ZeroDivisionError" in capsys.readouterr().err


def test_names_of_files_do_not_steer_the_terminal(
    folder: Path, fake_network: None, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = folder / "archery" / "a.mp4"
    named = sound.rename(sound.with_name("a\x1b]0;gone\x07[red]\x9b31m.mp4"))
    absent = folder / "b\x1b[31m\nnew.mp4"
    assert quovadis("classify", named, absent, "--clip-frames", "16") == 1
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert not {*"\x1b\x07\x9b"} & {*text}
    assert r"[red]\x9b31m.mp4" in said.out.replace("\n", "")
    assert len(said.err.splitlines()) == 1


# --- what is there stays ----------------------------------------------------------------------------------------------


def everything(folder: Path) -> dict[str, bytes]:
    hidden = {f"{EVALUATION_LEDGER}.lock", f"{FEATURES_LEDGER}.lock"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in hidden
    }


@pytest.mark.parametrize(
    "wrong",
    [["-w", "nope"], ["--labels", "nope.txt"], ["--device", "TOASTER"], ["--no-such-option"], ["--precision", "int9"]],
    ids=" ".join,
)
@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv"])
def test_a_mistyped_option_of_classify_leaves_every_file_as_it_is(
    wrong: list[str], suffix: str, folder: Path, tmp_path: Path, rgb_scratch_path: Path
) -> None:
    (tmp_path / f"keep.{suffix}").write_text("old")
    (tmp_path / "picture.png").write_text("old")
    before = everything(tmp_path)
    options = ["-w", "rgb-scratch", *wrong]
    run = ("classify", folder / "archery" / "a.mp4", "-o", tmp_path / f"keep.{suffix}", *options)
    assert quovadis(*run, "--plot", tmp_path / "picture.png") in (1, 2)
    assert quovadis(*run, "--plot", tmp_path / "new") in (1, 2)
    assert everything(tmp_path) == before
    assert not (tmp_path / "new").exists()


class Failing(ColourEngine):
    """A device that fails before there is any result."""

    def run(self, clips: NDArray[np.uint8], endpoints: Sequence[str] = ()) -> EngineOutput:
        raise EngineError("out of memory")


@pytest.mark.parametrize("name", ["features", "evaluate"])
def test_a_restart_forgets_nothing_before_there_is_a_result(
    name: str, folder: Path, fake_network: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert quovadis(*command(name, folder, out)) == 0
    before = everything(out)
    module = {"features": features, "evaluate": evaluate}[name]
    monkeypatch.setattr(module, "load", lambda *arguments, **options: recognizer(Failing()))
    assert quovadis(*command(name, folder, out), "--restart") == 1
    assert everything(out) == before
    (folder / "archery" / "d.mp4").write_bytes(b"no video")
    for path in "abc":
        (folder / "archery" / f"{path}.mp4").write_bytes(b"no video")
    assert quovadis(*command(name, folder, out), "--restart") == 1
    assert everything(out) == before


# --- calibration ------------------------------------------------------------------------------------------------------


def test_calibration_passes_over_what_cannot_be_used(
    folder: Path, fault: Callable[[Exception], None], tmp_path: Path
) -> None:
    fault(RuntimeError("no such stream"))
    (tmp_path / "empty").mkdir()
    said: list[str] = []
    videos = precision.calibration_videos([str(tmp_path / "empty"), str(folder)], said.append)
    assert len(videos) == 2
    assert [line.partition(": ")[0] for line in said] == ["not used for calibration"] * 2
    assert "empty: no videos and no images" in said[0]
    assert "b.mp4: unexpected RuntimeError" in said[1]


@pytest.mark.parametrize("sources", [[], ["empty"]])
def test_calibration_on_nothing_is_a_clear_error(sources: list[str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EngineError, match="no video is there"):
        precision.calibration_videos([str(tmp_path / name) for name in sources], lambda line: None)
