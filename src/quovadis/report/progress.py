"""Where long jobs stand, shown on a terminal and on nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column
from rich.text import Text

from quovadis.escape import printable

TIME_TERMINAL, BAR_TERMINAL = 60, 80
"""Columns that a terminal must have to be shown the time left, and a bar."""


class _ClipsPerSecond(ProgressColumn):
    """Speed of the current video."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("– clips/s" if speed is None else f"{speed:.2f} clips/s", style="cyan")


class _VideosDone(ProgressColumn):
    """Whole videos, of which the bar shows parts too."""

    def render(self, task: Task) -> Text:
        total = "?" if task.total is None else f"{task.total:.0f}"
        return Text(f"{task.fields['done']:>{len(total)}}/{total}", style="progress.download")


def _count_column() -> Column:
    return Column(no_wrap=True, min_width=9)


def bar(
    console: Console, count: ProgressColumn, state: ProgressColumn, *, enabled: bool, period_seconds: float = 30
) -> Progress:
    """Return a bar with what is counted, a column of its own, and the time left by the speed of a period."""
    # Where it is narrow, names and figures stay, and the bar and the time left give way.
    title = Column(max_width=min(console.width // 4, 36), no_wrap=True, overflow="ellipsis")
    return Progress(
        TextColumn("{task.description}", table_column=title),
        *([BarColumn(bar_width=None)] if console.width >= BAR_TERMINAL else []),
        count,
        state,
        *([TimeRemainingColumn()] if console.width >= TIME_TERMINAL else []),
        console=console,
        transient=True,
        expand=True,
        disable=not (enabled and console.is_terminal),
        # What others print stays theirs: a result on stdout must not be drawn on stderr.
        redirect_stdout=False,
        redirect_stderr=False,
        speed_estimate_period=period_seconds,
    )


class ClipProgress(AbstractContextManager["ClipProgress"]):
    """A bar for the video at hand: clips done, clips a second, time left. Gone when it is done."""

    def __init__(self, console: Console, title: str, *, enabled: bool = True) -> None:
        self._progress = bar(
            console,
            MofNCompleteColumn(table_column=_count_column()),
            _ClipsPerSecond(table_column=Column(no_wrap=True)),
            enabled=enabled,
        )
        self._task = self._progress.add_task(escape(printable(title)), total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def expect(self, clips: int | None) -> None:
        """Say how many clips there will be, as far as the video's header tells."""
        self._progress.update(self._task, total=clips)

    def advance(self) -> None:
        """Count one clip."""
        self._progress.advance(self._task)


class VideoProgress(AbstractContextManager["VideoProgress"]):
    """A bar for many videos: how many are done, how things stand, time left. A `runs.executor.VideoObserver`.

    Where it is told of parts, the bar moves within videos, of which several may be in work at once.
    """

    def __init__(self, console: Console, title: str, *, enabled: bool = True) -> None:
        note = TextColumn("{task.fields[note]}", style="cyan", table_column=Column(no_wrap=True))
        # Videos differ in length, and one may take minutes: an hour's worth of them tells more than the last few.
        self._progress = bar(
            console, _VideosDone(table_column=_count_column()), note, enabled=enabled, period_seconds=3600
        )
        self._task = self._progress.add_task(escape(printable(title)), total=None, note="", done=0)
        self._done = 0
        self._parts: dict[str, float] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def print(self, line: str) -> None:
        """Print a line above the bar, or where it would be; file names in it are not taken for markup."""
        self._progress.console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the bar away while others print."""
        self._progress.live.stop()
        try:
            yield
        finally:
            self._progress.start()

    def start(self, total: int, done: int) -> None:
        """Say how many videos there are, and how many an earlier run has done."""
        self._done = done
        self._progress.reset(self._task, total=total, completed=done, done=done, note="")

    def reach(self, video: str, part: float) -> None:
        """Say how much of a video in work is done, from 0 to 1."""
        with self._lock:
            self._parts[video] = part
            self._progress.update(self._task, completed=self._done + sum(self._parts.values()))

    def advance(self, note: str) -> None:
        """Count one video; `note` says how things stand."""
        with self._lock:
            # Counted as whole from now on, and no longer by its part.
            self._parts = {video: part for video, part in self._parts.items() if part < 1}
            self._done += 1
            completed = self._done + sum(self._parts.values())
            self._progress.update(self._task, completed=completed, done=self._done, note=note)


class DownloadDisplay(AbstractContextManager["DownloadDisplay"]):
    """A bar for each file being fetched. An instance is a `progress.DownloadProgress`."""

    def __init__(self, console: Console, *, enabled: bool = True) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not (enabled and console.is_terminal),
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def __call__(self, description: str, done_bytes: int, total_bytes: int | None) -> None:
        """Show that `done_bytes` of `total_bytes` have come."""
        title = escape(printable(description))
        task = next((task.id for task in self._progress.tasks if task.description == title), None)
        if task is None:
            # Started by the first byte: a start from the cache shows nothing.
            self._progress.start()
            task = self._progress.add_task(title, total=total_bytes)
        self._progress.update(task, completed=done_bytes, total=total_bytes)
