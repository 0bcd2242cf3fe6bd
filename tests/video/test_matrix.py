"""Files of every kind give the frames that FFmpeg's command gives, with any number of threads.

This is a choice in which every value of every axis occurs; `scripts/video_matrix.py` makes hundreds.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from support.matrix import CODECS, CONTAINERS, EDITS, OFFSETS, RATES, SOUNDS, WRITINGS, covering_cases
from support.matrix_files import MatrixFile, matrix_files
from support.meant import reason_for
from support.numbered import UNREADABLE, NotWritten, Reference, numbered_frame, read_number

COUNT, SEED = 48, 0
FILES = {file.name: file for file in matrix_files(COUNT, SEED)}


class Maker:
    """Makes files and FFmpeg's reading of them, some ahead of the test that asks."""

    def __init__(self, folder: Path, pool: ThreadPoolExecutor) -> None:
        self._folder, self._pool = folder, pool
        self._waiting = list(FILES.values())
        self._made: dict[str, Future[tuple[Path, Reference]]] = {}

    def made(self, name: str) -> tuple[Path, Reference]:
        """Wait for a file; those after it in the list are begun meanwhile."""
        place = list(FILES).index(name)
        for file in list(FILES.values())[place : place + 4]:
            if file.name not in self._made:
                self._made[file.name] = self._pool.submit(self._make, file)
        return self._made[name].result()

    def _make(self, file: MatrixFile) -> tuple[Path, Reference]:
        folder = self._folder / str(list(FILES).index(file.name))
        folder.mkdir()
        return file.prepare(folder)


@pytest.fixture(scope="module")
def maker(ffmpeg: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    pool = ThreadPoolExecutor(2)
    yield Maker(tmp_path_factory.mktemp("matrix"), pool)
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("number", [0, 1, 100, 255])
def test_a_frame_carries_its_number(number: int) -> None:
    assert read_number(numbered_frame(number)) == number


def test_every_value_of_every_axis_occurs() -> None:
    cases = covering_cases(COUNT, SEED)
    assert {case.container for case in cases} == set(CONTAINERS)
    assert {case.codec for case in cases} == set(CODECS)
    assert {case.b_frames for case in cases} == {0, 2}
    assert {case.order for case in cases} == {"pictures first", "sound first"}
    assert {case.extra for case in cases} == {"none"}.union(*(container.extras for container in CONTAINERS.values()))
    assert {case.offset for case in cases} == set(OFFSETS)
    assert {case.edit for case in cases} == set(EDITS)
    assert {case.sound for case in cases} == set(SOUNDS)
    assert {case.rate for case in cases} == set(RATES)
    assert {case.writing for case in cases} == set(WRITINGS)


@pytest.mark.parametrize("name", FILES)
def test_a_sound_file_gives_the_frames_that_ffmpeg_gives(name: str, maker: Maker) -> None:
    try:
        path, reference = maker.made(name)
    except NotWritten as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"this ffmpeg cannot write it: {error}")
    assert set(reference.native.numbers) - {UNREADABLE}, "FFmpeg itself reads nothing"
    found = FILES[name].compare(path, reference)
    shutil.rmtree(path.parent)
    assert [str(difference) for difference in found if reason_for(name, difference) is None] == []
