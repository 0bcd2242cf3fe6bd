"""Numbers that no machine's memory or processors could follow are refused before anything is decoded or started."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import quovadis
from quovadis.errors import QuovadisError
from quovadis.evaluation.protocols import make_protocol
from quovadis.export.conversion import convert
from quovadis.fields import MAX_THREADS, MAX_WORKERS
from quovadis.fvd import compare_videos
from quovadis.metrics import bootstrap
from quovadis.video import Dense, SlidingWindows
from support.command_line import quovadis as command_line
from support.fake_engine import MeanEngine, recognizer

HUGE = 10**9


class NeverOpened(quovadis.LocalFile):
    """A source that fails the test if it is opened."""

    def open(self, *_: Any, **__: Any) -> Any:
        raise AssertionError


def model() -> quovadis.Recognizer:
    return recognizer(MeanEngine())


SOURCE = NeverOpened("never.mp4")
VIDEOS = np.zeros((2, 16, 32, 32, 3), np.uint8)
CALLS: dict[str, tuple[str, Callable[[], Any]]] = {
    "classify": ("clip_frames", lambda: model().classify(SOURCE, clip_frames=HUGE)),
    "centre": ("clip_frames", lambda: model().classify(SOURCE, clips=quovadis.CentreClip(clip_frames=HUGE))),
    "features": ("clip_frames", lambda: model().features(SOURCE, clip_frames=HUGE)),
    "window": ("window_steps", lambda: model().classify(SOURCE, window_steps=HUGE)),
    "chunk": ("chunk_frames", lambda: model().classify(SOURCE, chunk_frames=8 * HUGE)),
    "stream": ("chunk_frames", lambda: model().stream(SOURCE, chunk_frames=8 * HUGE)),
    "workers": ("workers", lambda: model().classify_many([SOURCE], workers=HUGE)),
    "threads": ("threads", lambda: quovadis.ModelOptions(threads=HUGE)),
    "frames of a set": ("frames", lambda: compare_videos(VIDEOS, VIDEOS, frames=HUGE, model=model())),
    "clips of a set": (
        "clips_per_video",
        lambda: compare_videos(VIDEOS, VIDEOS, clips="random", clips_per_video=HUGE, model=model()),
    ),
    "workers of a set": ("workers", lambda: compare_videos(VIDEOS, VIDEOS, workers=HUGE, model=model())),
    "resamples of a set": ("resamples", lambda: compare_videos(VIDEOS, VIDEOS, resamples=HUGE, model=model())),
    "clips of an evaluation": ("clips", lambda: make_protocol("multiview", clips=HUGE)),
    "batch of a model": ("batch", lambda: convert("rgb-scratch", "x.onnx", batch=HUGE)),
    "frames of a model": ("frames", lambda: convert("rgb-scratch", "x.onnx", frames=HUGE)),
}


@pytest.mark.parametrize(("option", "call"), CALLS.values(), ids=list(CALLS))
def test_is_refused_by_its_name(option: str, call: Callable[[], Any]) -> None:
    with pytest.raises(QuovadisError) as caught:
        call()
    assert caught.value.option == option
    assert str(HUGE)[:4] in str(caught.value) or str(8 * HUGE)[:4] in str(caught.value)


@pytest.mark.parametrize("number", [10**400, 10**5000], ids=["longer than floats", "longer than Python prints"])
@pytest.mark.parametrize(("option", "call"), CALLS.values(), ids=list(CALLS))
def test_so_is_one_that_python_cannot_print(
    option: str, call: Callable[[], Any], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "HUGE", number)
    with pytest.raises(QuovadisError) as caught:
        call()
    assert caught.value.option == option
    assert len(str(caught.value)) < 500


def test_more_resamples_than_anyone_waits_for_are_refused() -> None:
    with pytest.raises(quovadis.MetricError, match="resamples must be 100000 or less"):
        bootstrap(lambda a, b: 0.0, np.zeros(3), np.zeros(3), resamples=HUGE, seed=0)


@pytest.mark.parametrize("command", ["classify", "features", "evaluate", "fvd"])
def test_so_are_workers_and_threads_of_every_command(command: str) -> None:
    for option in ("--workers", "--threads"):
        run = command_line(command, "absent", *(["absent"] if command == "fvd" else []), option, "1000000")
        assert run.returncode == 2
        assert (
            f"invalid {option}: must be {MAX_WORKERS if option == '--workers' else MAX_THREADS} or less" in run.stderr
        )


def test_a_stride_of_any_length_needs_no_memory() -> None:
    frames = np.zeros((40, 32, 32, 3), np.uint8)
    assert len(model().classify(frames, clip_frames=16, stride=10**30).clips) == 1


def test_the_longest_that_are_possible() -> None:
    assert SlidingWindows(clip_frames=1024).clip_frames == 1024
    assert Dense(chunk_frames=1024, window_steps=10_000).chunk_frames == 1024
