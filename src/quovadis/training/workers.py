"""Clips made in other processes, in order; a process that hangs or dies costs one clip, and another takes its place."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from quovadis.errors import QuovadisError, TrainingError, VideoError
from quovadis.runs.executor import video_error
from quovadis.training.clip_channel import ClipReceiver, ClipSender, limit_error
from quovadis.training.clips import TrainingClip

START_SECONDS = 300.0
"""A worker that has not begun by then does not begin."""
_MAX_FAILED_STARTS = 3
"""Workers one after the other that do not start, after which none does."""
_POLL_SECONDS = 0.1
_STARTED, _READY = "started", "ready"
"""What a worker says when it can be sent the source, and when it has it."""
WORKER_NAME = "quovadis-clips"
"""What `multiprocessing` calls each of the processes."""
_CONTEXT: SpawnContext = multiprocessing.get_context("spawn")
"""A forked process would have copies of locks that other threads hold, and of a GPU's handles."""


@runtime_checkable
class ClipSource(Protocol):
    """Something that clips come from, such as a `ClipDataset`; picklable where workers make them."""

    @property
    def training(self) -> bool:
        """Whether a clip that cannot be read may be replaced by another; if not, it is left out."""
        ...

    def __len__(self) -> int:
        """Return how many clips an epoch has."""
        ...

    def key(self, index: int) -> str:
        """Return what messages call the video of a clip."""
        ...

    def clip(self, epoch: int, index: int) -> TrainingClip:
        """Return a clip, always the same.

        Raises:
            VideoError: its video cannot be read.
        """
        ...


class Task(NamedTuple):
    """Which clip is to be made."""

    epoch: int
    number: int
    """Its index in the source."""


Replace = Callable[[Task, VideoError], Task | None]
"""Given a clip that cannot be made and why, returns which is to be made in its place; None: none is."""


def make_clip(source: ClipSource, task: Task) -> TrainingClip | VideoError:
    """Return a clip, or why it cannot be made.

    Raises:
        QuovadisError: an error that the next clip would meet too.
        TrainingError: the clip is of another type or shape.
    """
    try:
        made = source.clip(task.epoch, task.number)
    except Exception as error:
        return video_error(source.key(task.number), error)
    if not isinstance(made, TrainingClip) or not isinstance(made.clip, np.ndarray):
        found = made.clip if isinstance(made, TrainingClip) else made
        raise TrainingError(
            f"{source.key(task.number)}: the source made a {type(found).__name__}; it must make a `TrainingClip` with "
            "a NumPy array"
        )
    clip = made.clip
    if clip.dtype == np.uint8 and clip.ndim == 4 and clip.shape[3] == 3 and clip.size:
        return made
    raise TrainingError(
        f"{made.key}: the source made a clip of {clip.dtype}, shape {clip.shape}; clips must be uint8, of shape "
        "frames, height, width, 3, and not empty"
    )


def clips_here(
    source: ClipSource, tasks: Iterable[Task], replace: Replace
) -> Generator[TrainingClip | None, None, None]:
    """Yield the clips of tasks, made in this process; None for one that cannot be made and is not replaced."""
    for first in tasks:
        task: Task | None = first
        made: TrainingClip | None = None
        while task is not None and made is None:
            found = make_clip(source, task)
            if isinstance(found, TrainingClip):
                made = found
            else:
                task = replace(task, found)
        yield made


class _Entry:
    """A clip on its way."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.clip: TrainingClip | None = None
        self.is_done = False
        self.deaths = 0


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    connection: Connection
    receiver: ClipReceiver
    is_ready: bool = False
    entry: _Entry | None = None
    deadline: float = 0.0

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


class ClipWorkers:
    """Processes that make clips; started when the first clip is asked for, and kept until closed."""

    def __init__(self, source: ClipSource, count: int, *, timeout_seconds: float) -> None:
        """Take what they do; nothing is started.

        Args:
            source: of the clips.
            count: of the processes, 1 or more.
            timeout_seconds: how long one clip may take.
        """
        self._source = source
        self._count = count
        self._timeout_seconds = timeout_seconds
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def close(self) -> None:
        """End all processes; safe to call twice. They start again if more clips are asked for."""
        while self._workers:
            self._workers.pop().end()

    def clips(
        self, tasks: Iterable[Task], replace: Replace, *, ahead: int, stop: threading.Event
    ) -> Generator[TrainingClip | None, None, None]:
        """Yield the clips of tasks in their order; None for one that cannot be made and is not replaced.

        Args:
            tasks: taken as there is room for them.
            replace: called here, in no certain order.
            ahead: how many clips are made, or kept, beyond the one that is asked for.
            stop: ends it early, once set.

        Raises:
            TrainingError: processes do not start, or too many files are open.
            QuovadisError: an error that the next clip would meet too.
        """
        waiting, flow = iter(tasks), deque[_Entry]()
        queue: deque[_Entry] = deque()
        # What kept workers from starting before may be over.
        self._failed_starts = 0
        try:
            while not stop.is_set():
                for task in islice(waiting, ahead + 1 - len(flow)):
                    flow.append(entry := _Entry(task))
                    queue.append(entry)
                if not flow:
                    return
                if flow[0].is_done:
                    yield flow.popleft().clip
                    continue
                self._advance(queue, replace)
        finally:
            # What they make belongs to nobody any more, and the next to ask has other tasks.
            for worker in [worker for worker in self._workers if worker.entry is not None]:
                self._workers.remove(worker)
                worker.end()

    def _advance(self, queue: deque[_Entry], replace: Replace) -> None:
        while len(self._workers) < self._count:
            self._workers.append(_start())
        for worker in self._workers:
            if worker.is_ready and worker.entry is None and queue:
                worker.entry = queue.popleft()
                worker.deadline = time.monotonic() + self._timeout_seconds
                with suppress(OSError):
                    # A dead one is found below.
                    worker.connection.send(worker.entry.task)
        heard = wait([worker.connection for worker in self._workers], timeout=_POLL_SECONDS)
        for worker in list(self._workers):
            if worker.connection in heard:
                self._hear(worker, queue, replace)
            elif time.monotonic() > worker.deadline:
                self._lose(worker, queue, replace, f"took longer than {self._timeout_seconds:g} seconds")

    def _hear(self, worker: _Worker, queue: deque[_Entry], replace: Replace) -> None:
        # It may stop in the middle of what it says.
        watchdog = threading.Timer(self._timeout_seconds, worker.process.kill)
        watchdog.start()
        try:
            said = worker.receiver.receive()
            if said == _STARTED:
                # Not as an argument of the process: one that dies before it has read all of it would hold up this one.
                worker.connection.send(self._source)
                return
        except (EOFError, OSError):
            worker.process.join()
            entry = worker.entry
            if entry is not None and not entry.deaths:
                # Once may be anybody's doing, such as that of a system without memory.
                worker.entry, entry.deaths = None, 1
                queue.appendleft(entry)
            self._lose(worker, queue, replace, _ended(worker.process.exitcode))
            return
        finally:
            watchdog.cancel()
        if said == _READY:
            worker.is_ready, worker.deadline, self._failed_starts = True, float("inf"), 0
            return
        if isinstance(said, QuovadisError) and not isinstance(said, VideoError):
            raise said
        if isinstance(said, TrainingClip | VideoError):
            self._finish(worker, said, queue, replace)

    def _lose(self, worker: _Worker, queue: deque[_Entry], replace: Replace, why: str) -> None:
        self._workers.remove(worker)
        worker.end()
        if not worker.is_ready:
            self._failed_starts += 1
            if self._failed_starts < _MAX_FAILED_STARTS:
                return
            raise TrainingError(
                f"a worker does not start: it {why}; where a script starts the training, that must stand below "
                '`if __name__ == "__main__":`, or take `workers=0`',
                option="workers",
            )
        if worker.entry is not None:
            name = self._source.key(worker.entry.task.number)
            self._finish(worker, VideoError(f"{name}: its worker {why}"), queue, replace)

    def _finish(self, worker: _Worker, made: TrainingClip | VideoError, queue: deque[_Entry], replace: Replace) -> None:
        entry, worker.entry, worker.deadline = worker.entry, None, float("inf")
        if entry is None:
            return
        if isinstance(made, TrainingClip):
            entry.clip, entry.is_done = made, True
            return
        task = replace(entry.task, made)
        if task is None:
            entry.is_done = True
        else:
            entry.task, entry.deaths = task, 0
            # Whoever waits, waits for the oldest.
            queue.appendleft(entry)


def _ended(code: int | None) -> str:
    return f"died of signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"


def _start() -> _Worker:
    # Ctrl-C is for the process that asks; held back until the other has said so itself.
    can_mask = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if can_mask else set()
    try:
        ours, theirs = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=_work, args=(theirs,), name=WORKER_NAME, daemon=True)
        process.start()
    except OSError as error:
        raise limit_error(error) from error
    finally:
        if can_mask:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return _Worker(process, ours, ClipReceiver(ours), deadline=time.monotonic() + START_SECONDS)


def _work(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sender = ClipSender(connection)
    with suppress(EOFError, OSError):
        connection.send(_STARTED)
        source: ClipSource = connection.recv()
        connection.send(_READY)
        while True:
            task = connection.recv()
            try:
                made: TrainingClip | QuovadisError = make_clip(source, task)
            except QuovadisError as error:
                made = error
            if isinstance(made, TrainingClip):
                sender.send(made)
            else:
                connection.send(made)


def _end_with_parent() -> None:
    # A worker that hangs does not notice otherwise.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        signal.raise_signal(signal.SIGTERM)
