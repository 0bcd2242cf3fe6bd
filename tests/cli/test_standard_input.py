"""`-`: a video that is piped in, which cannot be sought in, and is read once."""

from __future__ import annotations

import gc
import io
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from quovadis.errors import VideoError
from quovadis.interrupts import INTERRUPTED
from quovadis.limits import VideoLimits
from quovadis.video import open_video, spool
from support.command_line import load_fakes, quovadis
from support.fake_engine import CornerEngine, MeanEngine
from support.killed_runs import run_process, write_videos


class Pipe(io.RawIOBase):
    """Gives bytes as a pipe does: a few at a time, and never again."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = min(len(buffer), 1000, len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


PipeIn: TypeAlias = Callable[["bytes | Path | Pipe"], None]


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


class Interrupted(Pipe):
    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            raise KeyboardInterrupt
        return super().readinto(buffer)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_videos(tmp_path_factory.mktemp("piped") / "videos", {"a.mp4": 30, "b.mp4": 41})


@pytest.fixture(autouse=True)
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MeanEngine:
    means = MeanEngine()
    load_fakes(monkeypatch, classify=means, features=means, fvd=CornerEngine())
    monkeypatch.chdir(tmp_path)
    return means


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> PipeIn:
    def pipe(content: bytes | Path | Pipe) -> None:
        content = content.read_bytes() if isinstance(content, Path) else content
        raw = content if isinstance(content, Pipe) else Pipe(content)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(raw)))

    return pipe


def test_an_mp4_is_classified_as_its_file_is(videos: Path, pipe: PipeIn) -> None:
    pipe(videos / "a.mp4")
    piped = quovadis("classify", "-", "--json")
    assert piped.returncode == 0, piped.stderr
    (found,) = json.loads(piped.stdout)["results"]
    (wanted,) = json.loads(quovadis("classify", videos / "a.mp4", "--json").stdout)["results"]
    assert found.pop("source") == "-"
    wanted.pop("source")
    assert found == wanted


def test_people_are_shown_stdin_and_pictures_are_called_so(videos: Path, pipe: PipeIn, tmp_path: Path) -> None:
    pipe(videos / "a.mp4")
    run = quovadis("classify", "-", videos / "b.mp4", "--plot", "pictures")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("stdin  ")
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"stdin.png", "b.png"}


def test_features_are_called_stdin_and_those_of_another_video_do_not_take_their_place(
    videos: Path, pipe: PipeIn, engine: MeanEngine, tmp_path: Path
) -> None:
    for name, file in (("a.mp4", "stdin.npy"), ("b.mp4", "stdin-2.npy"), ("a.mp4", "stdin.npy")):
        pipe(videos / name)
        run = quovadis("features", "-", "--clip-frames", "10", "-o", "out")
        assert run.returncode == 0, run.stderr
        assert run.stdout.startswith(f"{Path('out', file)}: ")
    # The same content is not computed again.
    assert len(engine.shapes) == 3 + 4
    assert quovadis("features", videos / "a.mp4", "--clip-frames", "10", "-o", "file").returncode == 0
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "stdin.npy"), np.load(tmp_path / "file" / "a.npy"))


def test_a_run_is_resumed_by_content(videos: Path, pipe: PipeIn, engine: MeanEngine) -> None:
    run = ("classify", "-", "--clip-frames", "10", "--resume", "done.sqlite", "--json")
    for name, computed in (("a.mp4", 3), ("a.mp4", 3), ("b.mp4", 3 + 4)):
        pipe(videos / name)
        found = json.loads(quovadis(*run).stdout)["results"]
        assert [one["source"] for one in found] == ["-"]
        assert len(engine.shapes) == computed


@pytest.mark.parametrize("command", ["classify", "features"])
@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (b"", (), "stdin: empty file"),
        (b"no video", (), "stdin: not a video"),
        (bytes(2000), ("--max-spooled-bytes", "1000"), "1,000 bytes; --max-spooled-bytes raises it"),
    ],
    ids=["empty", "text", "too long"],
)
def test_what_is_no_video_is_one_error(
    command: str, content: bytes, options: tuple[str, ...], said: str, pipe: PipeIn
) -> None:
    pipe(content)
    run = quovadis(command, "-", *options)
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith("quovadis: error: stdin: ")
    assert said in line


@pytest.mark.parametrize("command", ["classify", "features"])
def test_a_terminal_is_not_waited_for(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (Terminal(io.BytesIO()), None):
        monkeypatch.setattr(sys, "stdin", stream)
        run = quovadis(command, "-")
        assert run.returncode == 2
        assert "no video is piped in" in run.stderr


@pytest.mark.parametrize("command", ["classify", "features"])
def test_it_is_given_once(command: str, videos: Path, pipe: PipeIn) -> None:
    pipe(videos / "a.mp4")
    run = quovadis(command, "-", "-")
    assert run.returncode == 2
    assert "- is given twice" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("evaluate", "-"), 2), (("convert", "rgb-scratch", "-"), 2), (("fvd", "-", "x"), 2), (("fvd", "x.npy", "-"), 2)],
)
def test_other_commands_refuse_it(arguments: tuple[str, ...], code: int, videos: Path, pipe: PipeIn) -> None:
    pipe(videos / "a.mp4")
    np.save("x.npy", np.zeros((20, 3), np.float32))
    Path("x").mkdir()
    run = quovadis(*arguments)
    assert run.returncode == code
    assert "./-" in run.stderr


def test_a_file_of_this_name_has_its_folder_before_it(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "-").write_bytes((videos / "a.mp4").read_bytes())
    run = quovadis("classify", "./-", "-o", "-", "--format", "jsonl")
    assert json.loads(run.stdout)["source"] == "./-"


@pytest.mark.parametrize("has_nameless", [True, False])
def test_ctrl_c_while_it_is_waited_for_leaves_nothing(
    has_nameless: bool, videos: Path, pipe: PipeIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(spool, "_HAS_NAMELESS", has_nameless)
    pipe(Interrupted((videos / "a.mp4").read_bytes()[:5000]))
    run = quovadis("classify", "-")
    assert run.returncode == INTERRUPTED
    assert list(tmp_path.iterdir()) == []


def test_a_copy_is_removed_as_the_kind_it_was_made_as(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (videos / "a.mp4").open("rb") as content:
        copy = spool.SpooledFile("a.mp4", content, VideoLimits())
    path = copy.path
    monkeypatch.setattr(spool, "_HAS_NAMELESS", not spool._HAS_NAMELESS)
    assert path.exists()
    del copy
    gc.collect()
    assert not path.exists()


def test_python_takes_it_too(videos: Path, pipe: PipeIn, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(videos / "a.mp4")
    for _ in range(2):
        with open_video("-", fps="native") as video:
            assert video.name == "stdin"
            assert sum(1 for _ in video) == 30
    with pytest.raises(VideoError, match="no such file"):
        open_video(Path("-"))


@pytest.mark.slow
def test_a_pipe_of_the_system(videos: Path) -> None:
    run = run_process("classify", "-", "--json", input=(videos / "a.mp4").read_bytes())
    assert run.returncode == 0, run.stderr
    assert [one["source"] for one in json.loads(run.stdout)["results"]] == ["-"]
