"""The loop over many videos: what is kept, in which order results are told, what ends it and what does not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import pytest

from quovadis.errors import EngineError, OutputError, UnexpectedError, VideoError
from quovadis.runs.executor import Cancelled, ThreadExecutor
from quovadis.runs.ledger import Ledger
from quovadis.runs.tasks import DoneVideo, Outcome, VideoTask
from quovadis.runs.videos import VideoWatch, run_videos


class TextCodec:
    """Results that begin with a question mark do not count."""

    def encode(self, result: str) -> bytes:
        return result.encode()

    def decode(self, content: bytes) -> str | None:
        return None if content.startswith(b"?") else content.decode()


class Run:
    """A run of which everything is noted; its work makes upper case of a name."""

    def __init__(self, *, fails: Sequence[str] = (), error: BaseException | None = None) -> None:
        self.fails = fails
        self.error = error or VideoError("damaged")
        self.worked: list[str] = []
        self.told: list[tuple[str, str, bool]] = []
        self.failed: list[tuple[str, VideoError]] = []
        self.begun: list[str] = []

    def work(self, task: VideoTask[str], watch: VideoWatch) -> str:
        self.worked.append(task.name)
        if task.name in self.fails:
            raise self.error
        return task.payload.upper()

    def take(self, video: DoneVideo[str, str]) -> None:
        self.told.append((video.task.name, video.result, video.is_earlier))

    def __call__(self, tasks: Sequence[VideoTask[str]], **options: object) -> Outcome:
        return run_videos(
            tasks,
            self.work,
            codec=TextCodec(),
            on_start=lambda waiting: self.begun.extend(task.name for task in waiting),
            on_done=self.take,
            on_failure=lambda task, error: self.failed.append((task.name, error)),
            **options,  # type: ignore[arg-type]
        )


def tasks_of(names: str, folder: Path) -> list[VideoTask[str]]:
    for name in names:
        (folder / name).touch()
    return [VideoTask(f"key {name}", name, folder / name, name) for name in names]


def test_every_video_is_done_once_and_told_of(tmp_path: Path) -> None:
    run = Run()
    assert run(tasks_of("abc", tmp_path)) == Outcome(3, 0, 0)
    assert run.told == [("a", "A", False), ("b", "B", False), ("c", "C", False)]


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("workers", [1, 3])
def test_what_an_earlier_run_has_done_is_not_done_again(workers: int, ordered: bool, tmp_path: Path) -> None:
    tasks = tasks_of("abcdef", tmp_path)
    with Ledger(tmp_path / "ledger", {}) as ledger:
        Run()([tasks[1], tasks[4]], ledger=ledger)
    run = Run()
    with Ledger(tmp_path / "ledger", {}) as ledger:
        outcome = run(tasks, ledger=ledger, executor=ThreadExecutor(workers), ordered=ordered)
    assert outcome == Outcome(6, 2, 0)
    assert run.begun == ["a", "c", "d", "f"]
    assert sorted(run.worked) == run.begun
    expected = [(name, name.upper(), name in "be") for name in "abcdef"]
    assert (run.told if ordered else sorted(run.told)) == expected
    if not ordered:
        assert [name for name, _, _ in run.told[:2]] == ["b", "e"]


def test_results_come_in_order_however_long_each_takes(tmp_path: Path) -> None:
    last_is_done = Event()

    class Slow(Run):
        def work(self, task: VideoTask[str], watch: VideoWatch) -> str:
            if task.name == "a":
                assert last_is_done.wait(60)
            if task.name == "f":
                last_is_done.set()
            return super().work(task, watch)

    run = Slow(fails="c")
    assert run(tasks_of("abcdef", tmp_path), executor=ThreadExecutor(2), ordered=True) == Outcome(5, 0, 1)
    assert [name for name, _, _ in run.told] == [*"abdef"]


def test_a_result_is_kept_before_it_is_its_turn(tmp_path: Path) -> None:
    tasks = tasks_of("ab", tmp_path)
    with Ledger(tmp_path / "ledger", {}) as ledger:

        class Waiting(Run):
            def work(self, task: VideoTask[str], watch: VideoWatch) -> str:
                deadline = time.monotonic() + 60
                while task.name == "a" and ledger.result("key b") is None:
                    assert time.monotonic() < deadline
                    time.sleep(0.005)
                return super().work(task, watch)

        assert Waiting()(tasks, ledger=ledger, executor=ThreadExecutor(2), ordered=True).done == 2


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("error", [VideoError("damaged"), RuntimeError("no such stream")], ids=repr)
def test_a_failure_costs_one_video_and_is_not_kept(workers: int, error: Exception, tmp_path: Path) -> None:
    tasks = tasks_of("abcd", tmp_path)
    run = Run(fails="b", error=error)
    with Ledger(tmp_path / "ledger", {}) as ledger:
        assert run(tasks, ledger=ledger, executor=ThreadExecutor(workers)) == Outcome(3, 0, 1)
        assert [name for name, _ in run.failed] == ["b"]
        assert isinstance(run.failed[0][1], UnexpectedError) == isinstance(error, RuntimeError)
        again = Run()
        assert again(tasks, ledger=ledger) == Outcome(4, 3, 0)
        assert again.worked == ["b"]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("error", [EngineError("out of memory"), KeyboardInterrupt()], ids=repr)
def test_what_the_next_video_would_meet_too_ends_the_run_and_what_is_done_is_kept(
    workers: int, error: BaseException, tmp_path: Path
) -> None:
    tasks = tasks_of("abcdef", tmp_path)
    with Ledger(tmp_path / "ledger", {}) as ledger:
        run = Run(fails="d", error=error)
        with pytest.raises(type(error)):
            run(tasks, ledger=ledger, executor=ThreadExecutor(workers))
        again = Run()
        assert again(tasks, ledger=ledger).done == 6
        assert not {name for name, _, _ in run.told} & {*again.worked}


def test_the_first_failure_ends_a_run_that_is_to_fail_fast(tmp_path: Path) -> None:
    run = Run(fails="b")
    assert run(tasks_of("abcd", tmp_path), fail_fast=True).failures == 1
    assert run.worked == ["a", "b"]


def test_work_in_flight_is_told_to_stop(tmp_path: Path) -> None:
    begun, stopped = Event(), Event()

    def work(task: VideoTask[str], watch: VideoWatch) -> str:
        if task.name == "a":
            assert begun.wait(60)
            raise OutputError("disk full")
        begun.set()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                watch.reach(1, 2)
            except Cancelled:
                stopped.set()
                raise
            time.sleep(0.005)
        return ""

    with pytest.raises(OutputError, match="disk full"):
        run_videos(tasks_of("ab", tmp_path), work, executor=ThreadExecutor(2))
    assert stopped.is_set()


def test_a_result_that_no_longer_counts_is_made_again(tmp_path: Path) -> None:
    (task,) = tasks_of("a", tmp_path)
    with Ledger(tmp_path / "ledger", {}) as ledger:
        assert task.path is not None
        ledger.store(task.key, task.path, b"?")
        run = Run()
        assert run([task], ledger=ledger) == Outcome(1, 0, 0)
        assert run.worked == ["a"]


def test_a_video_without_a_path_is_not_kept(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger", {}) as ledger:
        for _ in range(2):
            assert Run()([VideoTask("camera", "camera:0", None, "c")], ledger=ledger) == Outcome(1, 0, 0)
        assert list(ledger.results()) == []


def test_a_damaged_result_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    tasks = tasks_of("ab", tmp_path)
    with Ledger(tmp_path / "ledger", {}) as ledger:
        assert tasks[1].path is not None
        ledger.store(tasks[1].key, tasks[1].path, b"\xff")
        run = Run()
        with pytest.raises(OutputError, match="`restart=True`"):
            run(tasks, ledger=ledger)
        assert run.worked == []


def test_who_takes_a_result_may_fail_for_that_video_alone(tmp_path: Path) -> None:
    class Drawing(Run):
        def take(self, video: DoneVideo[str, str]) -> None:
            if video.task.name == "b":
                raise ZeroDivisionError
            super().take(video)

    run = Drawing()
    assert run(tasks_of("abc", tmp_path)) == Outcome(2, 0, 1)
    assert isinstance(run.failed[0][1], UnexpectedError)


def test_makers_are_told_once_each(tmp_path: Path) -> None:
    tasks = tasks_of("abc", tmp_path)
    for number, version in enumerate("212"):
        with Ledger(tmp_path / "ledger", {}, {"engine": "native", "version": version}) as ledger:
            Run()(tasks[: number + 1], ledger=ledger)
            found = ledger.makers(task.key for task in tasks)
    assert found == [{"engine": "native", "version": "1"}, {"engine": "native", "version": "2"}]
