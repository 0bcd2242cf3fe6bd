"""Lines beside a bar: each on a line of its own, and never on stdout."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from quovadis.report.progress import VideoProgress


class Screen:
    """What a terminal shows of what is written to it, as far as bars go: lines, and where the cursor is."""

    def __init__(self, written: str) -> None:
        self.lines = [""]
        self._row = 0
        for text, move in re.findall(r"([^\x1b\r\n]*)(\r|\n|\x1b\[[0-9;?]*[A-Za-z])?", written):
            self.lines[self._row] += text
            self._move(move)

    def _move(self, move: str) -> None:
        if move == "\n":
            self._row += 1
            self.lines += [""] * (self._row + 1 - len(self.lines))
        elif move.endswith("A"):
            self._row -= int(move[2:-1])
        elif move.endswith("2K"):
            self.lines[self._row] = ""


def test_a_line_stands_above_the_bar_and_not_at_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=60, legacy_windows=False)
    with VideoProgress(console, "clips") as progress:
        progress.start(3, 0)
        progress.print("quovadis: [one].mp4: damaged :smile:")
        progress.advance("top-1 50.0 %")
        progress.print("quovadis: two.mp4: damaged, " + "at length " * 20)
    lines = Screen(terminal.getvalue()).lines
    assert "quovadis: [one].mp4: damaged :smile:" in lines
    assert lines.index("quovadis: [one].mp4: damaged :smile:") < len(lines) - 1
    assert sum(line.startswith("quovadis: two.mp4") for line in lines) == 1
    assert not any("clips" in line and "quovadis" in line for line in lines)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("enabled", [True, False])
def test_without_a_terminal_lines_are_all_there_is(enabled: bool) -> None:
    file = io.StringIO()
    with VideoProgress(Console(file=file, width=20), "clips", enabled=enabled) as progress:
        progress.start(3, 0)
        progress.print("quovadis: a line that is longer than twenty")
        progress.advance("")
    assert file.getvalue() == "quovadis: a line that is longer than twenty\n"
