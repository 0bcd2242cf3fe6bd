"""The only loop over many videos: what is done is kept, one bad video costs no other, and it can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import closing
from threading import Event
from typing import Generic, TypeAlias

from quovadis.errors import QuovadisError, VideoError
from quovadis.faults import unexpected
from quovadis.runs.executor import Cancelled, Done, Executor, ThreadExecutor, VideoObserver
from quovadis.runs.ledger import Ledger
from quovadis.runs.tasks import Codec, DoneVideo, Outcome, Payload, Result, VideoTask

_LARGEST_PART = 0.99
"""Of a video in flight: how much there will be is an estimate, and its result is not yet kept."""


class VideoWatch:
    """What work on one video looks at: whether to go on, and whom to tell how far it has come."""

    def __init__(self, key: str, stop: Event, observer: VideoObserver | None) -> None:
        self._key = key
        self._stop = stop
        self._observer = observer

    def check(self) -> None:
        """Go on, or raise `Cancelled`; called now and then, such as before each clip."""
        if self._stop.is_set():
            raise Cancelled

    def reach(self, done: int, expected: int | None) -> None:
        """Check, and tell that so many clips of as many as are expected are done; None: that is not known."""
        self.check()
        if self._observer is not None:
            self._observer.reach(self._key, min(done / expected, _LARGEST_PART) if expected else 0.0)


Work: TypeAlias = Callable[[VideoTask[Payload], VideoWatch], Result]
"""Makes the result of a video."""


def run_videos(
    tasks: Sequence[VideoTask[Payload]],
    work: Work[Payload, Result],
    *,
    codec: Codec[Result] | None = None,
    ledger: Ledger | None = None,
    ignore_path: bool = False,
    executor: Executor | None = None,
    ordered: bool = False,
    fail_fast: bool = False,
    observer: VideoObserver | None = None,
    note: Callable[[], str] = str,
    on_start: Callable[[Sequence[VideoTask[Payload]]], None] | None = None,
    on_done: Callable[[DoneVideo[Payload, Result]], None] | None = None,
    on_failure: Callable[[VideoTask[Payload], VideoError], None] | None = None,
) -> Outcome:
    """Work on every video that no earlier run has done.

    A result is in the ledger before anyone is told of it. A video whose work raises, whatever it raises, costs no
    other; errors that the next one would meet too (`ENDS_THE_RUN`) end the run, as Ctrl-C does: what is in work is then
    told to stop, and waited for. All callbacks come from the thread that calls this.

    Args:
        tasks: the videos.
        work: makes the result of one, in whichever thread or process the executor chooses.
        codec: turns results into bytes for the ledger.
        ledger: an open one, where results are kept and found; None: none are.
        ignore_path: whether a result counts too where the same file has another path than it had.
        executor: what does the work; None: this thread.
        ordered: whether results and failures are told of in the order of `tasks`, and not as they come.
        fail_fast: stop at the first failure.
        observer: told how far the run has come.
        note: says how things stand, for the observer.
        on_start: called with the videos that are left to do, before the first.
        on_done: called with each result, those of earlier runs too, which come first unless `ordered`. An unexpected
            exception that it raises makes the video one that failed.
        on_failure: called with each video that has no result, and why.

    Raises:
        QuovadisError: what ends the run, such as a ledger that is damaged or cannot be written.
    """
    keeper: _Keeper[Payload, Result] = _Keeper(ledger, codec)
    earlier = {number for number, task in enumerate(tasks) if keeper.has(task, ignore_path=ignore_path)}
    waiting = [(number, task) for number, task in enumerate(tasks) if number not in earlier]
    if on_start is not None:
        on_start([task for _, task in waiting])
    if observer is not None:
        observer.start(len(tasks), len(earlier))
    failures = 0

    def make(item: tuple[int, VideoTask[Payload]], stop: Event) -> Result:
        return work(item[1], VideoWatch(item[1].key, stop, observer))

    def fail(task: VideoTask[Payload], error: VideoError) -> None:
        nonlocal failures
        failures += 1
        if on_failure is not None:
            on_failure(task, error)

    def tell(task: VideoTask[Payload], result: Result, *, is_earlier: bool) -> None:
        try:
            if on_done is not None:
                on_done(DoneVideo(task, result, is_earlier))
        except (QuovadisError, OSError):
            # Where results go cannot be written to, which the next video would meet too.
            raise
        except Exception as error:
            fail(task, unexpected(task.name, error))

    with closing((executor or ThreadExecutor(1)).map(make, waiting, name=lambda item: item[1].name)) as working:
        for number, done in _turns(len(tasks), earlier, map(keeper.kept, working), ordered=ordered):
            task = tasks[number]
            if done is None:
                tell(task, keeper.load(task), is_earlier=True)
            elif done.result is not None:
                tell(task, done.result, is_earlier=False)
            elif done.error is not None:
                fail(task, done.error)
            if failures and fail_fast:
                break
            if done is not None and observer is not None:
                observer.reach(task.key, 1.0)
                observer.advance(note())
    return Outcome(len(tasks) - failures, len(earlier), failures)


_Done: TypeAlias = Done[tuple[int, VideoTask[Payload]], Result]


def _turns(
    count: int, earlier: Set[int], new: Iterator[_Done[Payload, Result]], *, ordered: bool
) -> Iterator[tuple[int, _Done[Payload, Result] | None]]:
    """Yield the numbers of all videos as their turn comes, each with what became of it in this run."""
    if not ordered:
        yield from ((number, None) for number in sorted(earlier))
        yield from ((done.item[0], done) for done in new)
        return
    early: dict[int, _Done[Payload, Result]] = {}
    for number in range(count):
        while number not in earlier and number not in early:
            done = next(new)
            early[done.item[0]] = done
        yield number, early.pop(number, None)


class _Keeper(Generic[Payload, Result]):
    """Keeps results in a ledger and finds them there, if there is one."""

    def __init__(self, ledger: Ledger | None, codec: Codec[Result] | None) -> None:
        self._both = None if ledger is None or codec is None else (ledger, codec)

    def has(self, task: VideoTask[Payload], *, ignore_path: bool) -> bool:
        if self._both is None or task.path is None:
            return False
        content = self._both[0].load(task.key, task.path, ignore_path=ignore_path)
        return content is not None and self._decoded(content) is not None

    def load(self, task: VideoTask[Payload]) -> Result:
        """Return the result of a video that has one; it was not held since, for there may be many."""
        content = None if self._both is None else self._both[0].result(task.key)
        result = None if content is None else self._decoded(content)
        if result is None:
            raise VideoError(f"{task.name}: its result is gone from the record of what is done; run it again")
        return result

    def kept(self, done: _Done[Payload, Result]) -> _Done[Payload, Result]:
        """Keep what was done, which is on disk when this returns."""
        _, task = done.item
        if self._both is not None and task.path is not None and done.result is not None:
            ledger, codec = self._both
            ledger.store(task.key, task.path, codec.encode(done.result))
        return done

    def _decoded(self, content: bytes) -> Result | None:
        assert self._both is not None  # noqa: S101 - only asked for what it holds
        ledger, codec = self._both
        try:
            return codec.decode(content)
        except ValueError as error:
            raise ledger.unusable(error) from error
