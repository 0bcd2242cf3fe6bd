"""Files of every kind give the frames that FFmpeg's command gives, with any number of threads.

This is a choice in which every value of every axis occurs; `make soak` has more,
and `scripts/video_matrix.py` hundreds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.compare import THREADS
from support.matrix import CODECS, CONTAINERS, EDITS, OFFSETS, RATES, SOUNDS, WRITINGS, covering_cases
from support.matrix_files import matrix_files
from support.meant import reason_for
from support.numbered import UNREADABLE, NotWritten, numbered_frame, read_number
from support.scenarios import SCENARIOS

COUNT, SEED = 48, 0
CHOSEN = 31
"""The first cases, in which every value occurs; the others add pairs of values."""
FILES = {file.name: file for file in matrix_files(COUNT, SEED)}
FURTHER = {
    "AVI without index, MPEG-4 and sound",
    "x264 recorded from the middle, open groups, 50 %",
    "x265 recorded from the middle, open groups, 20 %",
    "mpeg2 recorded from the middle, open groups, 50 %",
    "interlaced H.264 in MP4",
    "chapters in MOV",
    "a frame every 5 s in .mkv",
    "a frame every 5 s in .webm",
    "TS joined, MPEG-2",
    "VOB joined without sound",
    "TS that jumps ahead by 5 s",
    "TS that jumps ahead by 20 s, sound",
    "TS that jumps back by 10 s",
    "TS that jumps back by 1 s, sound",
    "TS that jumps ahead by 3600 s",
    "MPEG-2 TS whose 33 bits of time wrap around",
    "a pause of 20 s in .mkv",
    "a pause of 20 s in .webm",
    "a pause of 20 s in .nut",
    "live WebM",
    "one frame in Matroska",
}
"""Scenarios much like another that `make test` has."""


def comparisons() -> Iterator[Any]:
    """Give the chosen files, each with one thread and another number of them; and all files with every number."""
    cases = {str(case) for case in covering_cases(COUNT, SEED)[CHOSEN:]}
    chosen = [name for name in FILES if name not in cases | FURTHER]
    for place, name in enumerate(chosen):
        threads = (THREADS[0], THREADS[1 + place % (len(THREADS) - 1)])
        yield pytest.param(name, threads, id=f"{name}; threads {threads[1]}")
    for name in FILES:
        yield pytest.param(name, THREADS, marks=pytest.mark.soak, id=f"{name}; threads all")


@pytest.mark.parametrize("number", [0, 1, 100, 255])
def test_a_frame_carries_its_number(number: int) -> None:
    assert read_number(numbered_frame(number)) == number


def test_every_value_of_every_axis_occurs() -> None:
    cases = covering_cases(COUNT, SEED)[:CHOSEN]
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


def test_the_scenarios_that_are_left_out_exist() -> None:
    assert {scenario.name for scenario in SCENARIOS} > FURTHER


@pytest.mark.parametrize(("name", "threads"), [*comparisons()])
def test_a_sound_file_gives_the_frames_that_ffmpeg_gives(
    name: str, threads: Sequence[int], ffmpeg: None, tmp_path: Path
) -> None:
    try:
        path, reference = FILES[name].prepare(tmp_path)
    except NotWritten as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"this ffmpeg cannot write it: {error}")
    assert set(reference.native.numbers) - {UNREADABLE}, "FFmpeg itself reads nothing"
    found = FILES[name].compare(path, reference, threads)
    assert [str(difference) for difference in found if reason_for(name, difference) is None] == []
