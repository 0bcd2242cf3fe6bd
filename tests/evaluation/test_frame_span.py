"""A stretch of a folder's frames is a video of its own: what is read of it, and what an evaluation makes of two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quovadis.datasets import example_source, read_dataset
from quovadis.errors import VideoError, VideoLimitError
from quovadis.evaluation.predictions import Predictions
from quovadis.evaluation.protocols import make_protocol
from quovadis.evaluation.run import LEDGER_NAME, run_evaluation
from quovadis.labels import kinetics400
from quovadis.video import SourceReader, VideoLimits
from support.colours import ANSWERS
from support.fake_engine import ColourEngine, recognizer


def write_frames(folder: Path, answers: list[int]) -> None:
    """Write a frame for each answer as MMAction2 calls them, in the colour for which the network gives that answer."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, answer in enumerate(answers, start=1):
        picture = np.full((48, 64, 3), (20 + 40 * answer, 90, 60), np.uint8)
        Image.fromarray(picture).save(folder / f"img_{number:05d}.bmp")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_frames(tmp_path / "long", [0, 1, 2, 3, 4, 5])
    return tmp_path / "long"


def reader(folder: Path, span: range | None, limits: VideoLimits | None = None, **options: bool) -> SourceReader:
    return SourceReader(example_source(folder, span), limits, **options)


def answers(video: SourceReader) -> list[int]:
    with video.open(fps="native") as video:
        return [round((float(frame.pixels[..., 0].mean()) - 20) / 40) for frame in video]


@pytest.mark.parametrize(("span", "seen"), [(None, [0, 1, 2, 3, 4, 5]), (range(6), [0, 1, 2, 3, 4, 5])])
def test_without_a_stretch_or_with_all_of_it_every_frame_is_read(
    folder: Path, span: range | None, seen: list[int]
) -> None:
    assert answers(reader(folder, span)) == seen


def test_a_stretch_is_the_frames_from_its_offset_on(folder: Path) -> None:
    video = reader(folder, range(2, 5))
    assert answers(video) == [2, 3, 4]
    assert video.count_frames("native") == 3


def test_more_frames_than_there_are_is_an_error_that_names_both(folder: Path) -> None:
    with pytest.raises(VideoError, match=r"long: there are 6 frames in it, but the list names frames 5 to 9; "):
        reader(folder, range(4, 9)).open(fps="native")


def test_with_partial_videos_allowed_what_is_there_is_read_and_counts_as_partial(folder: Path) -> None:
    video = reader(folder, range(4, 9), allow_partial=True)
    assert answers(video) == [4, 5]
    assert video.incomplete
    assert video.notes == ("damaged: 3 of 5 images could not be read",)


def test_more_frames_than_the_limit_admits_is_an_error(folder: Path) -> None:
    video = reader(folder, range(999_999_999), VideoLimits(max_frames=5), allow_partial=True)
    with pytest.raises(
        VideoLimitError,
        match="999,999,999 frames are wanted, more than the limit of 5 frames; raise it with `max_frames`",
    ):
        video.open(fps="native")


def evaluate(root: Path, text: str) -> tuple[Predictions, int]:
    """Evaluate a list, going on where the last one stopped, and return how many videos were run."""
    (root / "list.txt").write_text(text)
    dataset = read_dataset(root / "list.txt", kinetics400())
    predictions, record = run_evaluation(
        recognizer(ColourEngine()), dataset, make_protocol("deepmind"), root / LEDGER_NAME
    )
    return predictions, record.videos


def test_two_stretches_of_one_folder_are_two_videos_in_the_record_too(tmp_path: Path) -> None:
    write_frames(tmp_path / "long", [1] * 10 + [2] * 12)
    both = "long 0 10 5\nlong 10 12 399\n"
    predictions, done = evaluate(tmp_path, both)
    assert done == 2
    assert predictions.keys == ("long[0:10]", "long[10:22]")
    assert [ANSWERS[1], ANSWERS[2]] == predictions.logits.argmax(axis=1).tolist()
    assert predictions.frames.tolist() == [10, 12]
    assert evaluate(tmp_path, both)[1] == 0
    assert evaluate(tmp_path, "long 0 9 5\nlong 10 12 399\n")[1] == 1


def test_a_list_that_names_more_frames_than_there_are_loses_that_video_alone(tmp_path: Path) -> None:
    write_frames(tmp_path / "a", [1] * 10)
    write_frames(tmp_path / "b", [2] * 10)
    predictions, done = evaluate(tmp_path, "a 11 5\nb 10 399\n")
    assert done == 1
    (failure,) = predictions.failures
    assert (failure.key, failure.kind) == ("a[0:11]", "unreadable")
    assert "there are 10 frames in it, but the list names frames 1 to 11" in failure.reason
