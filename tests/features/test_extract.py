"""Features of many videos with a network that is quick: what is made, what is noted, and what has none."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quovadis.features import PRESETS, FeatureOptions
from quovadis.features.extract import Extracted
from quovadis.video import Sampling, SlidingWindows, VideoLimits
from quovadis.video.decoder import Decoder
from support.feature_runs import STACKS, Observer, files, run
from support.numbered_frames import write_gray

# --- what is made -----------------------------------------------------------------------------------------------------


def test_every_video_has_its_files_and_two_of_one_name_are_kept_apart(videos: list[str], tmp_path: Path) -> None:
    made = run(videos, tmp_path / "out")
    assert [video.source for video in made.done] == videos
    assert made.failures == 0
    names = ["one", "a__clip", "b__clip", "two"]
    assert [video.files for video in made.done] == [(f"{name}.npy", f"{name}.json") for name in names]
    # A rest of a single frame joins the last window, one of nine would be looped.
    assert [video.shape for video in made.done] == [(3, 1024), (4, 1024), (5, 1024), (2, 1024)]
    assert sorted(files(tmp_path / "out")) == sorted(name for video in made.done for name in video.files)
    for place, video in enumerate(made.done):
        values = np.load(tmp_path / "out" / video.files[0])
        times = json.loads((tmp_path / "out" / video.files[1]).read_text())
        assert values.shape == video.shape
        assert len(times["start_seconds"]) == len(times["end_seconds"]) == len(values)
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


@pytest.mark.parametrize("workers", [1, 3])
def test_progress_goes_on_within_videos(workers: int, videos: list[str], tmp_path: Path) -> None:
    observer = Observer()
    run([*videos, str(tmp_path / "absent.mp4")], tmp_path / "out", workers=workers, observer=observer)
    assert set(observer.parts) == {*videos, str(tmp_path / "absent.mp4")}
    for source, windows in zip(videos, (3, 4, 5, 2), strict=True):
        assert observer.parts[source] == pytest.approx([*(row / windows for row in range(windows)), 1], abs=0.1)
        assert observer.parts[source] == sorted(observer.parts[source])
    assert observer.parts[str(tmp_path / "absent.mp4")] == [1]


def test_a_video_named_twice_is_done_once(videos: list[str], tmp_path: Path) -> None:
    made = run([videos[0], videos[0], f"file://{videos[0]}"], tmp_path / "out")
    assert [video.source for video in made.done] == videos[:1]
    assert sorted(files(tmp_path / "out")) == ["one.json", "one.npy"]


def test_workers_change_nothing(videos: list[str], tmp_path: Path) -> None:
    one, many = (run(videos, tmp_path / str(workers), workers=workers) for workers in (1, 3))
    assert one.done == many.done
    assert files(tmp_path / "1") == files(tmp_path / "3")


def test_looped_windows_are_noted_also_when_a_later_run_finds_them_done(videos: list[str], tmp_path: Path) -> None:
    options = FeatureOptions(sampling=Sampling(clips=SlidingWindows(clip_frames=40)))
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
    made = run([*videos, short], tmp_path / "out", PRESETS["i3d"])
    assert [video.shape for video in made.done] == [(3, 1024), (5, 1024), (6, 1024), (2, 1024), (1, 1024)]
    assert [bool(video.notes) for video in made.done] == [False, False, False, False, True]


@pytest.mark.parametrize("form", ["npy", "npz", "video_features", "parquet", "hdf5"])
def test_every_format_is_the_same_bytes_each_time(form: str, videos: list[str], tmp_path: Path) -> None:
    first, second = (run(videos, tmp_path / name, STACKS, form) for name in ("first", "second"))
    assert first.done == second.done
    assert files(tmp_path / "first") == files(tmp_path / "second")
    assert len(files(tmp_path / "first")) == 4 * len(first.done[0].files)


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
    assert all("`max_frames`" in message for _, message in made.told)
    assert len(made.done) == 2


def test_what_can_be_read_of_a_damaged_video_is_taken_on_request(originals: Path, tmp_path: Path) -> None:
    # Cut within its last frames.
    source = write_gray(tmp_path / "cut.mkv", 60)
    source.write_bytes(source.read_bytes()[:-1200])
    refused = run([str(source)], tmp_path / "out")
    assert refused.failures == 1
    assert "`allow_partial=True`" in refused.told[0][1]
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
