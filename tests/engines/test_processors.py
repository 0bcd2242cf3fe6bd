"""How many cores there are for this process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quovadis.engines import processors
from quovadis.engines.processors import physical_cores


def test_cores_are_no_more_than_the_processors_that_may_be_used() -> None:
    assert 1 <= physical_cores() <= len(os.sched_getaffinity(0))


def test_two_hardware_threads_of_a_core_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(processors, "_siblings", lambda processor: f"{processor % 2}")
    monkeypatch.setattr(processors, "_container_share", lambda: 64)
    assert physical_cores() == 2


@pytest.mark.parametrize(
    ("content", "share"), [("150000 100000\n", 2), ("max 100000\n", 7), ("50000 100000", 1), ("?", 7)]
)
def test_a_container_has_its_share(content: str, share: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    file = tmp_path / "cpu.max"
    file.write_text(content)
    assert processors._container_share(file) == share
    assert processors._container_share(tmp_path / "none") == 7
