"""Dense mode: every frame once, equal to the whole graph, whatever the length and the chunks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quovadis import Dense, Recognizer, Sampling, load
from quovadis.architecture import MINIMUM_FRAMES, SHORTEST_FRAMES
from quovadis.engines import EngineOutput
from quovadis.errors import ArchitectureError, VideoError
from quovadis.inference.dense import TimeStep, dense_steps, smooth
from quovadis.results import softmax
from quovadis.video import Frame
from support.fake_engine import MeanEngine, recognizer

Frames = NDArray[np.uint8]


@pytest.fixture(scope="module")
def model(rgb_scratch_path: Path) -> Recognizer:
    return load(rgb_scratch_path)


def looped(frames: Frames, length: int) -> Frames:
    return np.resize(frames, (length, *frames.shape[1:]))


def held(frames: Frames) -> Frames:
    """Hold the last frame to a length that the network is defined for."""
    return np.concatenate([frames, np.repeat(frames[-1:], -(len(frames) + 1) % 8, axis=0)])


def steps_of(model: Recognizer, frames: Frames, **options: int) -> NDArray[np.float32]:
    sampling = Sampling(clips=Dense(**options))
    return np.stack([step.step_logits for step in model.stream(frames, sampling)])


@pytest.mark.parametrize(
    ("frames", "chunk"),
    [
        (79, 8),
        (87, 24),
        *(pytest.param(*both, marks=pytest.mark.soak) for both in ((79, 24), (87, 8), (159, 8), (159, 24))),
    ],
)
def test_the_mean_of_the_steps_is_the_oracles_logits(
    frames: int, chunk: int, model: Recognizer, cricket_frames: Frames, assets: Path
) -> None:
    name = "cricket_rgb_scratch" if frames == 79 else f"cricket_T{frames}_rgb_scratch"
    expected = np.load(assets / "oracle" / f"{name}.npz")["logits"]
    steps = steps_of(model, looped(cricket_frames, frames), chunk_frames=chunk)
    assert len(steps) == (frames + 1) // 8 - 1
    np.testing.assert_allclose(steps.mean(axis=0), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("length", "chunk"),
    [
        (15, 8),
        (50, 8),
        (64, 32),
        *(
            pytest.param(*both, marks=pytest.mark.soak)
            for both in ((23, 16), (55, 8), (56, 8), (63, 16), (71, 8), (100, 16), (119, 64), (128, 40))
        ),
    ],
)
def test_every_step_is_that_of_the_whole_graph_at_any_length_and_chunk(
    length: int, chunk: int, model: Recognizer, cricket_frames: Frames
) -> None:
    frames = looped(cricket_frames, length)
    whole = model.run(held(frames)[np.newaxis]).step_logits[0]
    np.testing.assert_allclose(steps_of(model, frames, chunk_frames=chunk), whole, atol=1e-3)


def test_features_are_those_of_the_whole_graph(model: Recognizer, cricket_frames: Frames) -> None:
    frames = cricket_frames[:63]
    made = [
        step.features
        for step in dense_steps(model.engine, (Frame(pixels, i / 25, 0.04) for i, pixels in enumerate(frames)))
    ]
    np.testing.assert_allclose(np.stack(made), model.run(frames[np.newaxis]).features[0], atol=1e-4)


@pytest.fixture(scope="module")
def clip(model: Recognizer, cricket_frames: Frames) -> EngineOutput:
    """What the whole graph makes of the sample."""
    return model.run(cricket_frames[np.newaxis])


def test_a_window_of_nine_steps_is_what_a_clip_of_79_frames_says(
    model: Recognizer, cricket_frames: Frames, clip: EngineOutput
) -> None:
    (*_, last) = model.stream(cricket_frames)
    np.testing.assert_allclose(last.logits, clip.logits[0], atol=1e-3)
    np.testing.assert_allclose(last.probabilities, clip.probabilities[0], atol=1e-5)
    assert last.top(1)[0].label == "playing cricket"


def test_a_whole_video_is_the_softmax_of_its_mean_logits(
    model: Recognizer, cricket_gif: Path, clip: EngineOutput
) -> None:
    result = model.classify(cricket_gif, Sampling(clips=Dense()))
    np.testing.assert_allclose(result.probabilities, clip.probabilities[0], atol=1e-5)
    assert result.to_dict()["dense"] is True
    assert [clip.index for clip in result.clips] == list(range(9))


def test_steps_tile_the_video_from_its_start_to_its_end(model: Recognizer, assets: Path) -> None:
    archery = assets / "clips" / "archery.avi"
    result = model.classify(archery, Sampling(clips=Dense()))
    assert result.clips[0].start_seconds == 0
    assert result.clips[0].end_seconds == pytest.approx(12 / 25)
    for before, after in pairwise(result.clips):
        assert before.end_seconds == pytest.approx(after.start_seconds)
    clips = recognizer(MeanEngine()).classify(archery).clips
    assert result.clips[-1].end_seconds == pytest.approx(clips[-1].end_seconds)
    assert result.top(1)[0].label == "archery"


@pytest.mark.parametrize("length", [1, 8, 9, 14])
def test_a_video_too_short_for_a_step_is_looped_and_says_so(
    length: int, model: Recognizer, cricket_frames: Frames
) -> None:
    result = model.classify(cricket_frames[:length], Sampling(clips=Dense()))
    (clip,) = result.clips
    assert clip.looped
    assert "shorter than 15 frames" in result.notes[0]
    expected = model.run(looped(cricket_frames[:length], SHORTEST_FRAMES)[np.newaxis]).logits[0]
    np.testing.assert_allclose(clip.logits, expected, atol=1e-3)


def test_frames_may_come_one_by_one_from_anywhere(model: Recognizer, cricket_frames: Frames) -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            yield cricket_frames[taken % 79]
            taken += 1

    steps = model.stream(endless())  # type: ignore[arg-type]
    first = next(steps)
    # The delay that is documented: 56 frames after the step's centre, which is frame 8.
    assert taken <= 8 + 56
    assert first.delay_seconds is None
    assert next(steps).index == 1
    assert taken <= 16 + 56
    steps.close()  # type: ignore[attr-defined]


def test_bad_images_and_chunks_are_refused(model: Recognizer) -> None:
    with pytest.raises(VideoError, match="frames in memory must be uint8"):
        next(model.stream([np.zeros((224, 224, 3), np.float32)]))  # type: ignore[list-item]
    with pytest.raises(ArchitectureError, match=r"`chunk_frames=12`: must be a multiple of 8"):
        Sampling(clips=Dense(chunk_frames=12))
    with pytest.raises(ArchitectureError, match="window_steps must be 1 or more, not 0"):
        Sampling(clips=Dense(window_steps=0))


def test_a_stream_refuses_what_it_cannot_take(model: Recognizer) -> None:
    frames = np.zeros((64, 224, 224, 3), np.uint8)
    stream = model.engine.open_stream()
    with pytest.raises(ArchitectureError, match="begins with 55 frames"):
        stream.push(frames)
    with pytest.raises(ArchitectureError, match="uint8 RGB frames"):
        stream.push(frames[:, :100])
    stream.push(frames[:55])
    with pytest.raises(ArchitectureError, match="multiple of 8"):
        stream.push(frames[:5])
    stream.push(frames[:8], is_last=True)
    with pytest.raises(ArchitectureError, match="had its last frames"):
        stream.push(frames[:8])


@given(length=st.integers(1, 400), chunk=st.integers(1, 12).map(lambda n: 8 * n))
def test_every_frame_goes_in_once_and_the_steps_are_as_many_as_the_length_says(length: int, chunk: int) -> None:
    engine = MeanEngine()
    pixels = np.zeros((1, 1, 3), np.uint8)
    frames = (Frame(pixels, i / 25, 0.04) for i in range(length))
    steps = list(dense_steps(engine, frames, chunk_frames=chunk))
    total = sum(engine.calls)
    assert total % 8 == 7
    assert total == max(SHORTEST_FRAMES, -(-(length + 1) // 8) * 8 - 1)
    assert [step.index for step in steps] == list(range((total + 1) // 8 - 1))
    assert steps[0].start_seconds == 0
    assert steps[-1].end_seconds == pytest.approx(length / 25)
    assert all(a.end_seconds == b.start_seconds for a, b in pairwise(steps))
    assert MINIMUM_FRAMES <= SHORTEST_FRAMES


@given(count=st.integers(1, 30), window=st.integers(1, 12))
def test_smoothing_is_the_mean_of_the_window_around_each_step(count: int, window: int) -> None:
    values = np.arange(count, dtype=np.float32) ** 2
    made = list(smooth((_step(i, value) for i, value in enumerate(values)), window))
    assert [step.index for step, _ in made] == list(range(count))
    ahead = (window - 1) // 2
    for step, mean in made:
        first, last = max(step.index - (window - 1 - ahead), 0), step.index + ahead + 1
        assert mean[0] == pytest.approx(values[first:last].mean(), rel=1e-5)


def _step(index: int, value: np.float32) -> TimeStep:
    return TimeStep(index, index * 0.32, index * 0.32 + 0.32, np.array([value], np.float32), np.zeros(1, np.float32))


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x - 1000])
def test_the_softmax_does_not_overflow(make: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
    logits = make(np.array([1000, 999, 0], np.float32))
    np.testing.assert_allclose(softmax(logits), [0.731059, 0.268941, 0], atol=1e-6)
