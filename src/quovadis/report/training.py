"""What a training says while it runs, and at its end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Self

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn
from rich.table import Column

from quovadis.report.progress import VideoProgress, bar

FIGURE_TITLES: Mapping[str, str] = {
    f"{over}_{name}": f"{over} {title}"
    for over in ("video", "clip")
    for name, title in (("top1", "top-1"), ("top5", "top-5"), ("map", "mAP"))
}
"""What people read in place of a figure's name. Over videos first: it is the figure that results are compared by."""


class TrainingProgress(AbstractContextManager["TrainingProgress"]):
    """Bars for the two parts of a training: videos whose features are computed, and steps, with the time left."""

    def __init__(self, console: Console, *, enabled: bool = True) -> None:
        self._console, self._enabled = console, enabled
        self._bar: Progress | None = None
        self._videos: VideoProgress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def videos(self, title: str) -> VideoProgress:
        """Return a bar for videos, in place of what is shown."""
        self._stop()
        self._videos = VideoProgress(self._console, title, enabled=self._enabled)
        return self._videos.__enter__()

    def step(self, done: int, steps: int, note: str) -> None:
        """Say that so many of all steps are done; `note` says how things stand."""
        if self._bar is None:
            self._stop()
            text = TextColumn("{task.fields[note]}", style="cyan", table_column=Column(no_wrap=True))
            count = MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=9))
            self._bar = bar(self._console, count, text, enabled=self._enabled, period_seconds=600)
            self._bar.add_task("training", total=steps, completed=done - 1, note=note)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done, note=note)

    def print(self, line: str) -> None:
        """Print a line above the bar, or where it would be."""
        console = self._console if self._bar is None else self._bar.console
        console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def _stop(self) -> None:
        if self._videos is not None:
            self._videos.__exit__()
            self._videos = None
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def figures_line(figures: Mapping[str, float]) -> str:
    """Return figures by name as people read them: `video top-1 91.7 %, clip top-1 88.2 %`."""
    told = ((title, figures[name]) for name, title in FIGURE_TITLES.items() if name in figures)
    return ", ".join(f"{title} {100 * value:.1f} %" for title, value in told)
