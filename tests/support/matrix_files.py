"""The files that are compared with FFmpeg: of the product of axes, and of the scenarios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from support.compare import THREADS, Difference, differences
from support.matrix import Case, covering_cases, make
from support.numbered import Reference, ffmpeg_frames
from support.scenarios import SCENARIOS, Scenario


@dataclass(frozen=True)
class MatrixFile:
    """A file to be made, read and compared."""

    name: str
    make: Callable[[Path], Path]
    frame_seconds: float = 1 / 25
    has_notes: bool = False

    def prepare(self, folder: Path) -> tuple[Path, Reference]:
        """Write the file and have FFmpeg read it.

        Raises:
            NotWritten: FFmpeg cannot write it.
        """
        path = self.make(folder)
        return path, ffmpeg_frames(path)

    def compare(self, path: Path, reference: Reference, threads: Sequence[int] = THREADS) -> list[Difference]:
        """Return how this package reads it otherwise."""
        return differences(path, reference, has_notes=self.has_notes, frame_seconds=self.frame_seconds, threads=threads)


def matrix_files(count: int, seed: int) -> list[MatrixFile]:
    """Return every scenario and `count` files of the product, no name twice."""
    files = [_of_scenario(scenario) for scenario in SCENARIOS] + [_of_case(c) for c in covering_cases(count, seed)]
    return list({file.name: file for file in files}.values())


def _of_scenario(scenario: Scenario) -> MatrixFile:
    return MatrixFile(str(scenario), scenario.make, scenario.frame_seconds, scenario.has_notes)


def _of_case(case: Case) -> MatrixFile:
    return MatrixFile(str(case), partial(make, case), 1 / case.frames_per_second)
