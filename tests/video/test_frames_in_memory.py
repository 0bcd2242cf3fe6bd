"""Frames that a program has: arrays, tensors, pictures, lists and generators of these."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from quovadis.errors import VideoError
from quovadis.inference.feature_options import FeatureOptions
from quovadis.video import ArrayFrames, Dense, LocalFile, Sampling, SlidingWindows, TimeSpan, open_video, video_source
from support.fake_engine import ColourEngine, MeanEngine, recognizer

FRAMES = np.random.default_rng(0).integers(0, 256, (20, 30, 40, 3), np.uint8)


class Rows:
    """An iterable that is neither a sequence nor an iterator, as data sets in files are."""

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return iter(FRAMES)


def pixels(source: Any, **options: Any) -> NDArray[np.uint8]:
    with open_video(source, **options) as video:
        return np.stack([frame.pixels for frame in video.frames_ahead()])


FORMS: dict[str, Callable[[], Any]] = {
    "array": lambda: FRAMES,
    "mapped or strided array": lambda: np.asfortranarray(FRAMES),
    "list of arrays": lambda: list(FRAMES),
    "tuple of arrays": lambda: tuple(FRAMES),
    "list of pictures": lambda: [Image.fromarray(frame) for frame in FRAMES],
    "generator": lambda: (frame for frame in FRAMES),
    "generator of pictures": lambda: map(Image.fromarray, FRAMES),
    "iterable": Rows,
    "source": lambda: ArrayFrames(FRAMES),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_frames_is_the_same_video(form: str) -> None:
    np.testing.assert_array_equal(pixels(FORMS[form]()), pixels(FRAMES))
    model, short = recognizer(MeanEngine()), Sampling(clips=SlidingWindows(clip_frames=16))
    expected = model.classify(FRAMES, short)
    np.testing.assert_array_equal(model.classify(FORMS[form](), short).clips[0].logits, expected.clips[0].logits)
    options = FeatureOptions(sampling=short)
    np.testing.assert_array_equal(model.features(FORMS[form](), options).values, model.features(FRAMES, options).values)
    stream = [step.logits for step in model.stream(FORMS[form]())]
    np.testing.assert_array_equal(stream, [step.logits for step in model.stream(FRAMES)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "lay_out",
    [lambda t: t, lambda t: t.permute(0, 3, 1, 2), lambda t: list(t), lambda t: [one.permute(2, 0, 1) for one in t]],
    ids=["frames, height, width, 3", "frames, 3, height, width", "list", "list with channels first"],
)
def test_tensors_may_have_their_channels_first(lay_out: Callable[[Any], Any]) -> None:
    torch = pytest.importorskip("torch")
    np.testing.assert_array_equal(pixels(lay_out(torch.from_numpy(FRAMES))), pixels(FRAMES))


def test_frames_without_torch_and_pillow_need_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "PIL.Image"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert len(pixels(list(FRAMES))) == 20
    assert "torch" not in sys.modules


@pytest.mark.parametrize("form", ["array", "list of arrays", "generator", "iterable"])
def test_a_part_and_another_rate_are_taken_of_every_form(form: str) -> None:
    span = TimeSpan(start_seconds=0.2, duration_seconds=0.2)
    np.testing.assert_array_equal(pixels(FORMS[form](), span=span), pixels(FRAMES)[5:10])
    twice = ArrayFrames(FORMS[form](), rate=50)
    np.testing.assert_array_equal(pixels(twice, span=TimeSpan(duration_seconds=0.2)), pixels(FRAMES)[:10:2])


def test_frames_are_taken_no_further_than_they_are_needed_and_in_this_thread() -> None:
    taken = 0

    def endless() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        for taken in itertools.count(1):
            yield FRAMES[taken % 20]

    model = recognizer(MeanEngine())
    # One clip in all, and not a frame more.
    result = model.classify(endless(), Sampling(span=TimeSpan(duration_seconds=79 / 25)))
    assert (len(result.clips), taken, result.source) == (1, 79, "<frames>")
    next(model.stream(endless()))
    assert taken < 200


def test_a_generator_that_reuses_its_memory_is_read_right() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (20, 224, 224, 3), np.uint8)

    def reusing() -> Iterator[NDArray[np.uint8]]:
        memory = np.empty_like(frames[0])
        for frame in frames:
            memory[:] = frame
            yield memory

    np.testing.assert_array_equal(pixels(reusing()), frames)


def test_a_generator_can_be_opened_only_once() -> None:
    source = video_source(FORMS["generator"]())
    assert source.count_frames() == 20
    with pytest.raises(VideoError, match=r"<frames>: its frames can be read only once; give a list"):
        source.open()
    assert video_source(list(FRAMES)).count_frames() == video_source(Rows()).count_frames() == 20
    with pytest.raises(VideoError, match="no fingerprint"):
        ArrayFrames(iter(FRAMES)).fingerprint()
    assert ArrayFrames(list(FRAMES)).fingerprint() == ArrayFrames(FRAMES).fingerprint()


def test_what_a_generator_raises_reaches_its_user() -> None:
    def broken() -> Iterator[NDArray[np.uint8]]:
        yield FRAMES[0]
        raise RuntimeError("the camera is gone")

    with pytest.raises(RuntimeError, match="the camera is gone") as raised:
        recognizer(MeanEngine()).classify(broken())
    assert raised.value.__notes__ == ["raised by the iterable of frames that was given"]


def test_an_iterator_at_its_end_says_so() -> None:
    frames = iter(FRAMES)
    model = recognizer(MeanEngine())
    model.classify(frames)
    for given in (frames, (frame for frame in ())):
        with pytest.raises(
            VideoError, match=r"no frames: the (iterator|generator) is at its end, perhaps because it was read"
        ):
            model.classify(given)


def test_a_generator_is_not_closed_by_who_takes_of_it() -> None:
    given = (frame for frame in FRAMES)
    steps = recognizer(MeanEngine()).stream(given, chunk_frames=8, duration_seconds=0.4)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert next(given).shape == FRAMES[0].shape


def test_clips_of_tensors_are_what_their_arrays_are() -> None:
    torch = pytest.importorskip("torch")
    model = recognizer(MeanEngine())
    clips = np.stack([FRAMES[:9], FRAMES[9:18]])
    given = torch.from_numpy(clips)
    for tensor in (given, given.movedim(-1, 1), given.movedim(-1, 2), given.float()):
        assert model.run(tensor) == model.run(clips)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "NoneType is no video: give a path"),
        (5, "int is no video"),
        ({"frames": FRAMES}, "dict is no video"),
        (LocalFile, "is no video"),
        (Image.new("RGB", (8, 8)), "a single picture is no video: give a list"),
        (FRAMES[0], r"a single frame; give frame\[None\]"),
        (FRAMES[None], "several videos"),
        (FRAMES / 255, r"not float64 of shape .*: give values of 0 to 255 as uint8; of floats of 0 to 1, \(255"),
        (FRAMES.astype(np.int64), "not int64 of shape"),
        (FRAMES[..., 0], r"grey, so give numpy\.stack"),
        (FRAMES[..., :1], r"grey, so repeat the channel: frames\.repeat\(3, -1\)"),
        (np.concatenate([FRAMES, FRAMES[..., :1]], -1), r"leave alpha out: frames\[\.\.\., :3\]"),
        (FRAMES.transpose(0, 3, 1, 2), r"channels come last: frames\.transpose\(0, 2, 3, 1\)"),
        (FRAMES.transpose(3, 0, 1, 2), "channels come last: move the first axis to the end"),
        (FRAMES[:0], "is empty"),
        ([], "no frames: the list is empty"),
        ([FRAMES[0], 5], "frames in memory must be uint8 RGB of shape height, width, 3, not int"),
        ([FRAMES[0] / 255], "give values of 0 to 255 as uint8"),
        ([FRAMES[0].transpose(2, 0, 1)], r"channels come last: frames\.transpose\(1, 2, 0\)"),
        ([Image.new("I;16", (8, 8))], 'mode "I;16" has no 8-bit values'),
        (["a.mp4", "b.mp4"], r"a list of paths is several videos, not one: classify_many\(paths\)"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_anything_else_is_one_error_that_says_what_to_give(given: Any, said: str) -> None:
    model = recognizer(MeanEngine())
    for act in (model.classify, model.features, lambda source: list(model.stream(source))):
        with pytest.raises(VideoError, match=said):
            act(given)


@pytest.mark.slow
def test_a_tensor_of_floats_is_refused() -> None:
    torch = pytest.importorskip("torch")
    for dtype in (torch.float32, torch.bfloat16):
        with pytest.raises(VideoError, match=r"not (b?float\d+) of shape \(20, 3, 30, 40\): give values"):
            pixels(torch.zeros(20, 3, 30, 40, dtype=dtype))


def test_windows_and_steps_of_a_generator_take_constant_memory() -> None:
    model = recognizer(ColourEngine())
    alive = []

    class Counted(np.ndarray[Any, Any]):
        def __del__(self) -> None:
            alive.pop()

    def frames() -> Iterator[NDArray[np.uint8]]:
        for index in range(300):
            alive.append(index)
            assert len(alive) < 20
            yield np.zeros((8, 8, 3), np.uint8).view(Counted)

    model.classify(frames(), Sampling(clips=SlidingWindows(clip_frames=16)))
    model.classify(frames(), Sampling(clips=Dense()))
    model.features(frames(), FeatureOptions(sampling=Sampling(clips=SlidingWindows(clip_frames=16))))
