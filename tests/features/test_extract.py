"""Features of many videos with a network that is quick: what is done, done anew, refused and left, whatever happens."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from filelock import FileLock
from mean_engine import MeanEngine, recognizer, write_gray
from numpy.typing import NDArray
from PIL import Image

from quovadis.engines import EngineOutput
from quovadis.errors import EngineError, OutputError
from quovadis.features import LIKE, FeatureOptions
from quovadis.features.extract import LEDGER_NAME, Extracted, extract_features
from quovadis.features.options import like_video_features
from quovadis.sampling import Sampling
from quovadis.video import VideoLimits
from quovadis.video.decoder import Decoder

WINDOWS = FeatureOptions(sampling=Sampling(clip_frames=10))
STACKS = like_video_features(10, 10)
VIDEOS = {"one.mp4": 30, "a/clip.mp4": 41, "b/clip.mp4": 55, "two.avi": 21}
"""Frames of each: 3, 4, 5 and 2 full windows of 10, and as many stacks of 10 but for the first."""


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    for place, (name, frames) in enumerate(VIDEOS.items()):
        write_gray(folder / name, frames, first=20 + 40 * place)
    return folder


@pytest.fixture
def videos(originals: Path, tmp_path: Path) -> list[str]:
    """Copies, which a test may change."""
    shutil.copytree(originals, tmp_path / "videos")
    return [str(tmp_path / "videos" / name) for name in VIDEOS]


class Run(NamedTuple):
    """What one run gave."""

    done: list[Extracted]
    failures: int
    told: list[tuple[str, str]]
    """Sources that failed, and what was said of them."""
    engine: MeanEngine


def run(
    sources: Sequence[str],
    folder: Path,
    options: FeatureOptions = WINDOWS,
    form: str = "npy",
    engine: MeanEngine | None = None,
    **arguments: object,
) -> Run:
    engine = engine or MeanEngine()
    told: list[tuple[str, str]] = []
    done, failures = extract_features(
        recognizer(engine),
        sources,
        folder,
        options,
        form,  # type: ignore[arg-type]
        on_failure=lambda source, error: told.append((source, str(error))),
        **arguments,  # type: ignore[arg-type]
    )
    return Run(done, failures, told, engine)


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder that is not hidden."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


class Observer:
    """Someone who watches, and may press Ctrl-C after some videos."""

    def __init__(self, interrupt_after: int = -1) -> None:
        self.left = interrupt_after
        self.advanced = 0

    def start(self, total: int, done: int) -> None:
        self.total, self.done = total, done

    def advance(self, note: str) -> None:
        self.advanced += 1
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


# --- what is made -----------------------------------------------------------------------------------------------------


def test_every_video_has_its_files_and_two_of_one_name_are_kept_apart(videos: list[str], tmp_path: Path) -> None:
    made = run(videos, tmp_path / "out")
    assert [video.source for video in made.done] == videos
    assert made.failures == 0
    names = ["one", "a__clip", "b__clip", "two"]
    assert [video.files for video in made.done] == [(f"{name}.npy", f"{name}_seconds.npy") for name in names]
    # A rest of a single frame joins the last window, one of nine would be looped.
    assert [video.shape for video in made.done] == [(3, 1024), (4, 1024), (5, 1024), (2, 1024)]
    assert sorted(files(tmp_path / "out")) == sorted(name for video in made.done for name in video.files)
    for place, video in enumerate(made.done):
        values, seconds = (np.load(tmp_path / "out" / name) for name in video.files)
        assert values.shape == video.shape
        assert seconds.shape == (len(values), 2)
        # The videos differ in brightness, and become brighter by a level a frame.
        assert abs(values[0, 1] - (20 + 40 * place)) < 3
        assert abs(values[1, 1] - values[0, 1] - 10) < 3


def test_done_videos_are_told_one_by_one_and_progress_too(videos: list[str], tmp_path: Path) -> None:
    told: list[Extracted] = []
    observer = Observer()
    made = run(videos, tmp_path / "out", on_done=told.append, observer=observer)
    assert sorted(video.source for video in told) == sorted(videos)
    assert (observer.total, observer.done, observer.advanced) == (4, 0, 4)
    again = Observer()
    told.clear()
    assert run(videos, tmp_path / "out", on_done=told.append, observer=again).done == made.done
    assert (again.total, again.done, again.advanced) == (4, 4, 0)
    assert told == []


def test_a_video_named_twice_is_done_once(videos: list[str], tmp_path: Path) -> None:
    made = run([videos[0], videos[0], f"file://{videos[0]}"], tmp_path / "out")
    assert [video.source for video in made.done] == videos[:1]
    assert sorted(files(tmp_path / "out")) == ["one.npy", "one_seconds.npy"]


def test_workers_change_nothing(videos: list[str], tmp_path: Path) -> None:
    one, many = (run(videos, tmp_path / str(workers), workers=workers) for workers in (1, 3))
    assert one.done == many.done
    assert files(tmp_path / "1") == files(tmp_path / "3")


def test_looped_windows_are_noted_also_when_a_later_run_finds_them_done(videos: list[str], tmp_path: Path) -> None:
    options = FeatureOptions(sampling=Sampling(clip_frames=40))
    expected = {
        "one.mp4": ("shorter than a window: looped to 40 frames",),
        "a/clip.mp4": (),
        "b/clip.mp4": ("the last window is not full: its frames were looped",),
        "two.avi": ("shorter than a window: looped to 40 frames",),
    }
    for _ in range(2):
        assert [video.notes for video in run(videos, tmp_path / "out", options).done] == list(expected.values())


def test_dense_features_are_made_and_a_video_under_15_frames_is_noted(videos: list[str], tmp_path: Path) -> None:
    short = str(write_gray(tmp_path / "short.mp4", 14))
    made = run([*videos, short], tmp_path / "out", LIKE["i3d"])
    assert [video.shape for video in made.done] == [(3, 1024), (5, 1024), (6, 1024), (2, 1024), (1, 1024)]
    assert [bool(video.notes) for video in made.done] == [False, False, False, False, True]


@pytest.mark.parametrize("form", ["npy", "npz", "video_features", "parquet", "hdf5"])
def test_every_format_is_the_same_bytes_each_time(form: str, videos: list[str], tmp_path: Path) -> None:
    first, second = (run(videos, tmp_path / name, STACKS, form) for name in ("first", "second"))
    assert first.done == second.done
    assert files(tmp_path / "first") == files(tmp_path / "second")
    assert len(files(tmp_path / "first")) == 4 * len(first.done[0].files)


# --- going on ---------------------------------------------------------------------------------------------------------


def test_what_is_done_is_not_done_again(videos: list[str], tmp_path: Path) -> None:
    first = run(videos, tmp_path / "out")
    before = files(tmp_path / "out")
    again = run(videos, tmp_path / "out")
    assert again.engine.clips == []
    assert again.done == first.done
    assert files(tmp_path / "out") == before


def test_more_videos_are_done_beside_those_that_are(videos: list[str], tmp_path: Path) -> None:
    run(videos[:2], tmp_path / "out")
    more = run(videos, tmp_path / "out")
    assert [video.files[0] for video in more.done] == ["one.npy", "clip.npy", "b__clip.npy", "two.npy"]
    # The five windows of one and the two of the other.
    assert len(more.engine.clips) == 7


@pytest.mark.parametrize("lost", ["two.npy", "two_seconds.npy"])
def test_a_video_one_of_whose_files_is_gone_is_done_anew(lost: str, videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "out")
    before = files(tmp_path / "out")
    (tmp_path / "out" / lost).unlink()
    assert len(run(videos, tmp_path / "out").engine.clips) == 2
    assert files(tmp_path / "out") == before


def test_a_video_that_has_changed_is_done_anew_under_its_name(videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "out")
    before = files(tmp_path / "out")
    write_gray(Path(videos[1]), 20, first=200)
    changed = run(videos, tmp_path / "out")
    assert changed.done[1].shape == (2, 1024)
    assert len(changed.engine.clips) == 2
    after = files(tmp_path / "out")
    assert {name for name in after if after[name] != before[name]} == {"a__clip.npy", "a__clip_seconds.npy"}


def test_restart_does_everything_anew(videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "out")
    before = files(tmp_path / "out")
    again = run(videos, tmp_path / "out", restart=True)
    assert len(again.engine.clips) == 14
    assert files(tmp_path / "out") == before


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("form", ["npy", "hdf5"])
def test_interrupted_and_resumed_is_the_same_bytes_as_uninterrupted(
    form: str, workers: int, videos: list[str], tmp_path: Path
) -> None:
    whole = run(videos, tmp_path / "whole", form=form)
    out = tmp_path / "parts"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(videos, out, form=form, workers=workers, observer=Observer(interrupt_after=1))
        assert not any(thread.name.startswith("quovadis-video") for thread in threading.enumerate())
        assert not list(out.glob(".*.part"))
    resumed = run(videos, out, form=form, workers=workers)
    assert len(resumed.engine.clips) < 14
    assert resumed.done == whole.done
    assert files(out) == files(tmp_path / "whole")


def test_an_interruption_does_not_wait_for_the_end_of_a_long_video(videos: list[str], tmp_path: Path) -> None:
    class Slow(MeanEngine):
        def run(self, clips: NDArray[np.uint8], endpoints: Sequence[str] = ()) -> EngineOutput:
            time.sleep(0.02)
            return super().run(clips, endpoints)

    long = str(write_gray(tmp_path / "long.mp4", 230, first=0))
    engine = Slow()
    with pytest.raises(KeyboardInterrupt):
        run([videos[3], long], tmp_path / "out", engine=engine, observer=Observer(interrupt_after=1))
    # Two windows of the one that was done, and of the other's 23 a few.
    assert len(engine.clips) < 20
    assert sorted(files(tmp_path / "out")) == ["two.npy", "two_seconds.npy"]


@pytest.mark.parametrize("first", range(4))
def test_whichever_video_was_done_first_names_are_those_of_one_run(
    first: int, videos: list[str], tmp_path: Path
) -> None:
    whole = run(videos, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(
            [*videos[first:], *videos[:first]],
            tmp_path / "parts",
            workers=1,
            observer=Observer(interrupt_after=1),
        )
    assert run(videos, tmp_path / "parts").done == whole.done
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_what_a_killed_run_left_unfinished_is_written_over(videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "whole")
    (tmp_path / "out").mkdir()
    for name in (".one.npy.part", ".one_seconds.npy.part", "two.npy"):
        (tmp_path / "out" / name).write_bytes(b"half a file")
    run(videos, tmp_path / "out")
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert not list((tmp_path / "out").glob(".*.part"))


def test_a_device_that_fails_ends_the_run_and_keeps_what_is_done(videos: list[str], tmp_path: Path) -> None:
    class Failing(MeanEngine):
        def run(self, clips: NDArray[np.uint8], endpoints: Sequence[str] = ()) -> EngineOutput:
            if len(self.clips) >= 5:
                raise EngineError("out of memory")
            return super().run(clips, endpoints)

    with pytest.raises(EngineError, match="out of memory"):
        run(videos, tmp_path / "out", engine=Failing(), workers=1)
    # The first has three windows, and the second was in work.
    assert sorted(files(tmp_path / "out")) == ["one.npy", "one_seconds.npy"]
    assert not list((tmp_path / "out").glob(".*.part"))
    assert len(run(videos, tmp_path / "out").engine.clips) == 14 - 3


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"options": replace(WINDOWS, pool="space")}, r"pool: all, now space"),
        (
            {"options": FeatureOptions(sampling=Sampling(clip_frames=12))},
            r"clip_frames: 10, now 12.*stride: 10, now 12",
        ),
        ({"options": STACKS}, r"fps: 25\.0, now native.*full_windows: False, now True.*lookahead_frames: 0, now 1"),
        ({"form": "npz"}, r"format: npy, now npz"),
        ({"engine": MeanEngine("2")}, r"version: 1, now 2"),
    ],
    ids=["pool", "frames", "preset", "format", "engine"],
)
def test_a_folder_of_other_settings_is_refused_with_what_differs(
    changed: dict[str, object], said: str, videos: list[str], tmp_path: Path
) -> None:
    run(videos[:1], tmp_path / "out")
    before = files(tmp_path / "out")
    with pytest.raises(OutputError, match=said) as refused:
        run(videos, tmp_path / "out", **changed)  # type: ignore[arg-type]
    assert len(str(refused.value).splitlines()) == 1
    assert "--restart" in str(refused.value)
    assert str(tmp_path / "out") in str(refused.value)
    assert files(tmp_path / "out") == before
    run(videos[:1], tmp_path / "out", restart=True, **changed)  # type: ignore[arg-type]


def test_a_folder_in_which_another_run_is_at_work_is_refused(videos: list[str], tmp_path: Path) -> None:
    run(videos[:1], tmp_path / "out")
    with FileLock(tmp_path / "out" / f"{LEDGER_NAME}.lock"), pytest.raises(OutputError, match="another run is at work"):
        run(videos, tmp_path / "out")
    assert len(run(videos, tmp_path / "out").done) == 4


def test_a_folder_that_is_a_file_is_an_error(videos: list[str], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(OutputError, match=f"{tmp_path / 'out'}: cannot be written"):
        run(videos, tmp_path / "out")


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="this system has no /dev/full, a disk without room")
@pytest.mark.parametrize(("form", "part"), [("npy", ".one.npy.part"), ("hdf5", ".one.h5.part")])
def test_a_full_disk_is_one_error_and_the_run_can_go_on(
    form: str, part: str, videos: list[str], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / part).symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"cannot write the features of .*one\.mp4: No space left on device"):
        run(videos, tmp_path / "out", form=form, workers=1)
    assert len(run(videos, tmp_path / "out", form=form).done) == 4


# --- videos without features ------------------------------------------------------------------------------------------


def test_unreadable_and_too_short_videos_give_a_message_each_and_no_file_and_others_go_on(
    videos: list[str], tmp_path: Path
) -> None:
    bad, empty = tmp_path / "bad.mp4", tmp_path / "empty.mp4"
    bad.write_bytes(b"no video")
    empty.touch()
    short = write_gray(tmp_path / "short.mp4", 10)
    sources = [str(bad), videos[0], str(empty), str(short), videos[1], str(tmp_path / "absent.mp4")]
    observer = Observer()
    made = run(sources, tmp_path / "out", STACKS, "video_features", observer=observer)
    assert [video.source for video in made.done] == videos[:2]
    assert made.failures == 4
    assert observer.advanced == 6
    messages = dict(made.told)
    assert len(messages) == len(made.told) == 4
    assert "not a video" in messages[str(bad)]
    assert "empty file" in messages[str(empty)]
    assert "10 frames are too few: features need 11" in messages[str(short)]
    assert "no such file" in messages[str(tmp_path / "absent.mp4")]
    for source, message in messages.items():
        assert message.startswith(f"{source}: ")
        assert "\n" not in message
    assert sorted(files(tmp_path / "out")) == sorted(name for video in made.done for name in video.files)
    assert not list((tmp_path / "out").glob(".*.part"))
    # They are tried again, in case they have been repaired.
    write_gray(short, 11)
    again = run(sources, tmp_path / "out", STACKS, "video_features")
    assert again.failures == 3
    assert [video.shape for video in again.done] == [(2, 1024), (1, 1024), (4, 1024)]


def test_a_failed_videos_name_is_kept_for_it(videos: list[str], tmp_path: Path) -> None:
    whole = run(videos, tmp_path / "whole")
    content = Path(videos[2]).read_bytes()
    Path(videos[2]).write_bytes(b"no video")
    assert run(videos, tmp_path / "out").failures == 1
    Path(videos[2]).write_bytes(content)
    assert run(videos, tmp_path / "out").done == whole.done


def test_a_video_over_the_limits_is_told_and_left_out(videos: list[str], tmp_path: Path) -> None:
    made = run(videos, tmp_path / "out", limits=VideoLimits(max_frames=40))
    assert sorted(source for source, _ in made.told) == videos[1:3]
    assert all("--max-frames" in message for _, message in made.told)
    assert len(made.done) == 2


def test_what_can_be_read_of_a_damaged_video_is_taken_on_request(originals: Path, tmp_path: Path) -> None:
    # Cut within its last frames.
    source = write_gray(tmp_path / "cut.mkv", 60)
    source.write_bytes(source.read_bytes()[:-1200])
    refused = run([str(source)], tmp_path / "out")
    assert refused.failures == 1
    assert "--allow-partial" in refused.told[0][1]
    (taken,) = run([str(source)], tmp_path / "out", allow_partial=True).done
    assert taken.shape[0] >= 1
    assert any("cut off" in note or "damaged" in note for note in taken.notes)


def test_a_live_source_is_refused(videos: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Decoder, "live", True)
    made = run(videos[:1], tmp_path / "out")
    assert made.failures == 1
    assert "no end" in made.told[0][1]
    assert files(tmp_path / "out") == {}


@pytest.mark.skipif(os.name != "posix", reason="names that are no text exist on POSIX systems")
def test_a_name_that_is_no_text_is_read_and_written(videos: list[str], tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff clip [b].mp4")
    shutil.copy(videos[0], path)
    (made,) = run([path], tmp_path / "out").done
    assert made.shape == (3, 1024)
    assert set(files(tmp_path / "out")) == set(made.files)
    assert json.dumps(made.files)
    assert run([path], tmp_path / "out").engine.clips == []


def test_images_in_a_folder_are_a_video(tmp_path: Path) -> None:
    (tmp_path / "shot.1").mkdir()
    for number in range(22):
        Image.new("RGB", (64, 48), (10 * number,) * 3).save(tmp_path / "shot.1" / f"{number}.png")
    (made,) = run([str(tmp_path / "shot.1")], tmp_path / "out", STACKS, "video_features").done
    assert made.files[0] == "shot.1_rgb.npy"
    assert np.load(tmp_path / "out" / "shot.1_fps.npy") == 25
    np.testing.assert_allclose(np.load(tmp_path / "out" / "shot.1_timestamps_ms.npy"), [400, 800])
