"""The file of results: what becomes of an older one, however a run ends."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from quovadis.errors import OutputError, VideoError
from quovadis.report.output import ResultOutput
from quovadis.report.record_file import RecordFile
from support.video_predictions import video_prediction

SUFFIXES = ("json", "jsonl", "csv")
SOURCES = ("a.mp4", "bad.mp4", "c.mp4")
every_format = pytest.mark.parametrize("suffix", SUFFIXES)


def classify(path: Path, ends: BaseException | None = None, *, results: bool = True) -> list[str]:
    """Write what a run over three videos finds, of which the second fails, and return what it says."""
    said: list[str] = []
    output = ResultOutput(formats=(), output=path, plot=None, top=2, several=True, notify=said.append)
    output._shows_table = False

    def work(source: str) -> None:
        if ends is not None and source == "c.mp4":
            raise ends
        if source == "bad.mp4" or not results:
            output.failure(source, VideoError(f"{source}: empty"))
        else:
            output.result(video_prediction(source=source))

    with output:
        try:
            for source in SOURCES:
                work(source)
        except BaseException:
            output.stop(SOURCES)
            raise
    return said


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def sources_in(path: Path) -> list[str]:
    """The sources of results and failures, in the order of the file; JSON has failures last."""
    text = path.read_text()
    if path.suffix == ".json":
        document = json.loads(text)
        return [one["source"] for one in (*document["results"], *document["failures"])]
    if path.suffix == ".jsonl":
        return [json.loads(line)["source"] for line in text.splitlines()]
    return list(dict.fromkeys(line.partition(",")[0] for line in text.splitlines()[1:]))


@every_format
def test_a_whole_run_replaces_an_older_file_and_leaves_nothing_beside_it(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"keep.{suffix}"
    path.write_text("old")
    path.chmod(0o600)
    classify(path)
    assert sorted(sources_in(path)) == sorted(SOURCES)
    assert names_in(tmp_path) == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600


@every_format
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(143), OutputError("full"), RuntimeError("a mistake")]
)
def test_a_run_that_ends_early_leaves_an_older_file_and_has_its_results_beside_it(
    suffix: str, error: BaseException, tmp_path: Path
) -> None:
    path = tmp_path / f"keep.{suffix}"
    path.write_text("old")
    for name in (f"keep.partial.{suffix}", f"keep.partial-2.{suffix}"):
        with pytest.raises(type(error)):
            classify(path, error)
        assert path.read_text() == "old"
        # What was not done is said to be so.
        assert sorted(sources_in(tmp_path / name)) == sorted(SOURCES)
        assert "c.mp4: not done" in (tmp_path / name).read_text()


@every_format
def test_where_there_is_no_older_file_a_run_that_ends_early_has_its_results_under_the_name(
    suffix: str, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        classify(tmp_path / f"new.{suffix}", KeyboardInterrupt())
    assert names_in(tmp_path) == [f"new.{suffix}"]
    assert sorted(sources_in(tmp_path / f"new.{suffix}")) == sorted(SOURCES)


@every_format
def test_nothing_is_touched_where_there_is_no_result(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"keep.{suffix}"
    path.write_text("old")
    said = classify(path, results=False)
    assert said[-1] == f"there is no result: {path} is left as it was"
    with pytest.raises(KeyboardInterrupt):
        classify(path, KeyboardInterrupt(), results=False)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == [path.name]


@every_format
def test_before_the_first_record_no_file_is_there(suffix: str, tmp_path: Path) -> None:
    def run() -> None:
        with ResultOutput(
            formats=(), output=tmp_path / f"new.{suffix}", plot=None, top=1, several=False, notify=lambda line: None
        ):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert names_in(tmp_path) == []


@every_format
def test_failures_alone_are_written_where_there_is_no_older_file(suffix: str, tmp_path: Path) -> None:
    classify(tmp_path / f"new.{suffix}", results=False)
    assert sources_in(tmp_path / f"new.{suffix}") == list(SOURCES)


def test_lines_reach_a_file_beside_an_older_one_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "keep.jsonl"
    path.write_text("old")
    with RecordFile(path, whole=False) as file:
        file.write("new\n")
        file.flush()
        assert (tmp_path / "keep.partial.jsonl").read_text() == "new\n"
        assert path.read_text() == "old"
    assert path.read_text() == "new\n"


def test_a_file_that_comes_up_meanwhile_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"

    def run() -> None:
        with RecordFile(path, whole=False) as file:
            path.write_text("of somebody else")
            file.write("ours\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert path.read_text() == "of somebody else"
    assert (tmp_path / "new.partial.jsonl").read_text() == "ours\n"


def test_a_folder_and_a_file_that_may_not_be_written_are_known_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutputError, match="Is a directory"), RecordFile(tmp_path, whole=True):
        pass
    path = tmp_path / "locked.json"
    path.write_text("old")
    # As for anyone but root.
    monkeypatch.setattr(os, "access", lambda name, mode: False)
    with pytest.raises(OutputError, match="Permission denied"), RecordFile(path, whole=True):
        pass
    assert path.read_text() == "old"


MODULES = ("report/output.py", "report/record_file.py", "report/records.py", "durable.py")


class Interruption:
    """Ctrl-C at the n-th line that runs of the modules that write results."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        if not frame.f_code.co_filename.endswith(MODULES):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


def interrupted_at(number: int, path: Path) -> bool:
    """Run with Ctrl-C at a moment, and tell whether the run came to it."""
    interruption = Interruption(number)
    before = sys.gettrace()
    sys.settrace(interruption)
    try:
        classify(path)
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return interruption.left <= 0


def moments(path: Path) -> Iterator[int]:
    number = 1
    while interrupted_at(number, path):
        yield number
        number += 1


# Between opening a file and the name that closes it, Ctrl-C leaves closing to the interpreter.
@pytest.mark.filterwarnings("ignore:.*keep.partial:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@every_format
def test_ctrl_c_at_whichever_line_leaves_the_old_file_or_a_whole_new_one(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"keep.{suffix}"
    classify(path)
    whole = path.read_bytes()
    path.write_bytes(b"old")
    seen = []
    for _ in moments(path):
        found = path.read_bytes()
        assert found in (b"old", whole)
        seen.append(found)
        path.write_bytes(b"old")
        for part in tmp_path.glob("*.partial*"):
            part.unlink()
    gc.collect()
    assert len(seen) > 100
    assert {*seen} == {b"old", whole}
