"""Many videos through one model: in order, several at once, and none costs another."""

from __future__ import annotations

import gc
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from quovadis import ArchitectureError, EngineError, VideoError, VideoPrediction
from quovadis.video import FileObject
from support.fake_engine import Answer, Clip, ColourEngine, MeanEngine, recognizer
from support.synthetic import moving_squares, write_video


def frames(value: int, count: int = 9) -> NDArray[np.uint8]:
    return np.full((count, 224, 224, 3), value, np.uint8)


def value_of(result: VideoPrediction | None) -> int:
    assert result is not None
    return round(float(result.clips[0].logits[0]))


class SlowEngine(MeanEngine):
    """The brighter a clip, the sooner it is answered; how many are in work at once is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.working = self.most_working = 0

    def run(self, clips: Clip, endpoints: Any = ()) -> Any:
        with self._lock:
            self.working += 1
            self.most_working = max(self.most_working, self.working)
        time.sleep(0.05 * (3 - clips.mean() // 100))
        with self._lock:
            self.working -= 1
        return super().run(clips, endpoints)


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_results_come_in_order_however_many_are_in_work(workers: int | None) -> None:
    engine = SlowEngine()
    engine.max_concurrent_clips = 2
    values = [0, 100, 200, 0, 100, 200]
    found = list(recognizer(engine).classify_many(map(frames, values), workers=workers, clip_frames=9))
    assert [value_of(result) for _, result, error in found if error is None] == values
    assert engine.most_working <= (workers or 2)
    assert engine.most_working > 1 or workers == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_video_that_fails_costs_no_other(workers: int, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    path = write_video(tmp_path / "clip.mp4", moving_squares(12))
    sources: list[Any] = [path, tmp_path / "broken.mp4", str(tmp_path / "absent.mp4"), path.read_bytes(), 5, frames(7)]
    found = list(recognizer(ColourEngine()).classify_many(sources, workers=workers))
    assert [source for source, _, _ in found] == sources
    assert [result is None for _, result, _ in found] == [False, True, True, False, True, False]
    messages = [str(error) for _, _, error in found if isinstance(error, VideoError)]
    assert [message.split(":")[0] for message in messages[:2]] == [str(sources[1]), str(sources[2])]
    assert "int is no video" in messages[2]


def test_an_error_of_the_device_ends_the_whole() -> None:
    class Broken(MeanEngine):
        def answer(self, clip: Clip, steps: int) -> Answer:
            raise EngineError("the device is gone")

    with pytest.raises(EngineError, match="the device is gone"):
        list(recognizer(Broken()).classify_many([frames(0)]))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_unexpected_exception_is_that_videos_error(workers: int) -> None:
    class Broken(MeanEngine):
        def answer(self, clip: Clip, steps: int) -> Answer:
            if clip.mean() == 1:
                raise RuntimeError("a bug")
            return super().answer(clip, steps)

    sources = [FileObject(b"", "empty.mp4"), frames(1), frames(5)]
    found = list(recognizer(Broken()).classify_many(sources, workers=workers))
    assert [type(error).__name__ for _, _, error in found] == ["VideoError", "UnexpectedError", "NoneType"]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_an_iterable_of_frames_raises_is_said_to_be_its_own(workers: int) -> None:
    def broken() -> Iterator[NDArray[np.uint8]]:
        yield frames(0)[0]
        raise KeyError("frame_7")

    class Frames:
        def __iter__(self) -> Iterator[NDArray[np.uint8]]:
            return broken()

    found = list(recognizer(MeanEngine()).classify_many([broken(), Frames(), frames(5)], workers=workers))
    assert [type(error) for _, _, error in found] == [VideoError, VideoError, type(None)]
    for _, _, error in found[:2]:
        assert str(error) == "<frames>: its iterable of frames raised KeyError: 'frame_7'"
        assert error is not None
        assert isinstance(error.__cause__, KeyError)


@pytest.mark.parametrize("workers", [1, 3])
def test_sources_are_taken_as_there_is_room_and_not_kept(workers: int) -> None:
    taken = 0

    def endless() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        while True:
            taken += 1
            yield frames(taken % 250)

    results = recognizer(ColourEngine()).classify_many(endless(), workers=workers, clip_frames=9)
    assert taken == 0
    for count in range(1, 8):
        assert next(results).error is None
        assert taken <= count + workers
    del results
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("quovadis-clip")]


def test_leaving_early_stops_the_videos_in_work() -> None:
    engine = SlowEngine()
    long = np.broadcast_to(frames(0, 1), (2000, 224, 224, 3))
    results = recognizer(engine).classify_many([frames(250), long, long], workers=2, clip_frames=9)
    assert next(results).error is None
    started = time.monotonic()
    results.close()  # type: ignore[attr-defined]
    # All of them would take 2000 / 9 clips of 0.15 seconds.
    assert time.monotonic() - started < 10
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("quovadis-clip")]


@pytest.mark.parametrize(
    "given",
    [
        *("clip.mp4", Path("clip.mp4"), b"content", bytearray(b"content"), io.BytesIO(b"content"), FileObject(b"")),
        *(frames(0, 9), torch.zeros((9, 8, 8, 3)), {"a": frames(0, 9)}, None, 5),
    ],
    ids=lambda given: type(given).__name__,
)
def test_one_video_is_not_many(given: Any) -> None:
    with pytest.raises(VideoError, match="classify_many takes several videos: give a list"):
        recognizer().classify_many(given)


FRAME = frames(0)[0]


@pytest.mark.parametrize(
    "given",
    [[FRAME, FRAME], (FRAME,), [Image.fromarray(FRAME)], [torch.from_numpy(FRAME)], [FRAME[..., 0]]],
    ids=["arrays", "tuple", "pictures", "tensors", "grey"],
)
def test_a_list_of_frames_is_one_video(given: Any) -> None:
    engine = MeanEngine()
    for one in (given, np.stack(given)):
        with pytest.raises(VideoError, match=r"classify_many takes several videos"):
            recognizer(engine).classify_many(one)
    with pytest.raises(VideoError, match=r"these are the frames of one: give \[frames\]"):
        next(recognizer(engine).classify_many(frame for frame in given))
    assert not engine.shapes


def test_several_videos_may_be_an_array_of_names_or_of_videos() -> None:
    model = recognizer(MeanEngine())
    names: Any = np.array(["absent.mp4", "missing.mp4"])
    assert [str(error) for _, _, error in model.classify_many(names)] == [f"{name}: no such file" for name in names]
    found = list(model.classify_many(np.stack([frames(1), frames(2)]), clip_frames=9))
    assert [value_of(result) for _, result, _ in found] == [1, 2]


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True])
def test_workers_are_a_number(workers: Any) -> None:
    with pytest.raises(ArchitectureError) as caught:
        recognizer().classify_many([], workers=workers)
    assert caught.value.option == "workers"


def test_workers_may_be_a_number_of_numpy() -> None:
    workers: Any = np.int64(2)
    found = list(recognizer(MeanEngine()).classify_many([frames(1), frames(2)], workers=workers, clip_frames=9))
    assert [value_of(result) for _, result, _ in found] == [1, 2]
