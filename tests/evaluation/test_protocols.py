"""Which frames and pixels each protocol looks at, against the formulas it comes from."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import pytest
from colours import ColourEngine
from numpy.typing import NDArray
from PIL import Image
from synthetic import moving_squares, write_video

import quovadis
from quovadis.engines import EngineOutput
from quovadis.errors import ArchitectureError, VideoError, VideoLimitError
from quovadis.evaluation.footage import Footage
from quovadis.evaluation.protocols import (
    DeepMindProtocol,
    MultiviewProtocol,
    OpenModelZooProtocol,
    deepmind,
    make_protocol,
    multiview,
    open_model_zoo,
)
from quovadis.video.geometry import scaled_size


class Recorder(ColourEngine):
    """A network that keeps what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[NDArray[np.uint8]] = []

    def run(self, clips: NDArray[np.uint8], endpoints: Sequence[str] = ()) -> EngineOutput:
        self.seen += list(clips)
        return super().run(clips)


def original_windows(frames: int) -> list[list[int]]:
    """`get_clips` of the accuracy checker, in its own words: frames by their numbers from 1, for its parameters."""
    clips_per_video, clip_duration = 3, 79
    step = max(1, (frames - clip_duration) // (clips_per_video - 1))
    result = []
    for clip_start in range(1, 1 + clips_per_video * step, step):
        clip_end = min(clip_start + clip_duration, frames + 1)
        numbers = list(range(clip_start, clip_end))
        if not numbers:
            return []
        while len(numbers) < clip_duration:
            numbers = (numbers * 2)[:clip_duration]
        result.append(numbers)
    return result


def test_open_model_zoo_looks_at_the_original_s_frames_for_every_length() -> None:
    for frames in range(1, 401):
        ours = [[number + 1 for number in window] for window in open_model_zoo.clip_windows(frames)]
        assert ours == original_windows(frames), frames
        assert [len(window) for window in ours] == [79] * (3 if frames >= 3 else 0)
    assert [window[0] for window in open_model_zoo.clip_windows(250)] == [0, 85, 170]
    assert [window[:4] for window in open_model_zoo.clip_windows(3)] == [[0, 1, 2, 0], [1, 2, 1, 2], [2, 2, 2, 2]]


def test_multiview_looks_at_the_frames_of_mmaction2_for_every_length() -> None:
    for frames in range(1, 401):
        for clips in (1, 2, 3, 10):
            rest = max(frames - 79, 0)
            offsets = np.round(np.arange(clips) * (rest / (clips - 1))) if clips > 1 else [rest // 2]
            expected = [[int(number) % frames for number in offset + np.arange(79)] for offset in offsets]
            assert multiview.clip_windows(frames, clips) == expected


@pytest.mark.parametrize(
    ("height", "width", "size", "corners"),
    [
        (256, 341, 256, [(0, 0), (0, 43), (0, 85)]),
        (341, 256, 256, [(0, 0), (43, 0), (85, 0)]),
        (256, 256, 256, [(0, 0), (0, 0), (0, 0)]),
        (256, 340, 224, [(16, 0), (16, 58), (16, 116)]),
    ],
)
def test_three_crops_lie_at_both_ends_and_in_the_middle(
    height: int, width: int, size: int, corners: list[tuple[int, int]]
) -> None:
    assert multiview.crop_corners(height, width, size, 3) == corners
    assert multiview.crop_corners(height, width, size, 1) == [corners[1]]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", moving_squares(90, 340, 256), options={"crf": "10"})


def rgb(picture: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(picture).convert("RGB"))


def test_open_model_zoo_prepares_pictures_as_the_accuracy_checker(tmp_path: Path) -> None:
    """Resized and cropped by OpenCV as `resize` and `crop` of the accuracy checker do it, one level apart at most."""
    sizes = {"wide": (340, 256), "high": (180, 320), "small": (100, 90), "square": (256, 256)}
    for name, (width, height) in sizes.items():
        folder = tmp_path / name
        folder.mkdir()
        pictures = list(moving_squares(3, width, height))
        for number, picture in enumerate(pictures, start=1):
            Image.fromarray(picture).save(folder / f"{number}.png")
        engine = Recorder()
        views = list(OpenModelZooProtocol().views(Footage(folder), engine))
        assert [view.start_frame for view in views] == [0, 1, 2]
        scale = min(256 / height, 256 / width)
        expected = cv2.resize(pictures[0], (int(scale * width), int(scale * height))).astype(np.float32)
        size = np.array([expected.shape[1], expected.shape[0]])
        for axis in range(2):
            if size[axis] < 224:
                size = size * 224 / size[axis]
        if min(expected.shape[:2]) < 224:
            expected = cv2.resize(expected, tuple(int(side) for side in np.ceil(size)))
        top, left = (expected.shape[0] - 224) // 2, (expected.shape[1] - 224) // 2
        ours = engine.seen[0][0]
        assert ours.shape == (224, 224, 3)
        assert ours.dtype == np.float32
        assert np.abs(ours - expected[top : top + 224, left : left + 224]).max() <= 1.01, name


def test_a_video_too_short_for_three_clips_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "two.mp4", moving_squares(2))
    with pytest.raises(VideoError, match=r"two\.mp4: 2 frames are too few for the protocol omz"):
        list(OpenModelZooProtocol().views(Footage(path), ColourEngine()))


def test_a_video_and_its_frames_give_the_same_views(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "clip.mkv", moving_squares(95, 320, 240), codec="ffv1", pixel_format="bgr0", rate=Fraction(30)
    )
    frames = tmp_path / "frames"
    frames.mkdir()
    for number, picture in enumerate(moving_squares(95, 320, 240), start=1):
        Image.fromarray(picture).save(frames / f"{number:03d}.png")
    video, images = Recorder(), Recorder()
    list(OpenModelZooProtocol().views(Footage(path), video))
    list(OpenModelZooProtocol().views(Footage(frames), images))
    assert len(video.seen) == 3
    np.testing.assert_array_equal(video.seen, images.seen)


def test_multiview_crops_the_scaled_picture(clip: Path) -> None:
    engine = Recorder()
    footage = Footage(clip)
    views = list(MultiviewProtocol(2, 3).views(footage, engine))
    assert footage.frames == 90
    assert [(view.clip, view.crop, view.start_frame) for view in views] == [
        (clip_number, crop, start) for clip_number, start in ((0, 0), (1, 11)) for crop in range(3)
    ]
    assert {pixels.shape for pixels in engine.seen} == {(79, 256, 256, 3)}
    left, middle, right = engine.seen[:3]
    assert scaled_size(340, 256, Fraction(1)) == (340, 256)
    np.testing.assert_array_equal(left[:, :, 42:], middle[:, :, :-42])
    np.testing.assert_array_equal(left[:, :, 84:], right[:, :, :-84])


def test_one_crop_is_what_classify_sees(clip: Path) -> None:
    engine = Recorder()
    list(MultiviewProtocol(1, 1).views(Footage(clip), engine))
    with quovadis.video.open_video(clip) as video:
        frames = [frame.pixels for frame in video]
    np.testing.assert_array_equal(engine.seen[0], frames[5 : 5 + 79])


def test_deepmind_shows_the_network_all_frames_at_once(clip: Path) -> None:
    engine = Recorder()
    footage = Footage(clip)
    (view,) = DeepMindProtocol().views(footage, engine)
    assert (view.clip, view.crop, view.start_frame, footage.frames) == (0, 0, 0, 90)
    assert [pixels.shape for pixels in engine.seen] == [(90, 224, 224, 3)]


def test_deepmind_resamples_to_25_frames_a_second(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", moving_squares(60), rate=30)
    footage = Footage(path)
    list(DeepMindProtocol().views(footage, ColourEngine()))
    assert footage.frames == 50


def test_deepmind_loops_what_is_too_short_for_the_network(tmp_path: Path) -> None:
    engine = Recorder()
    list(DeepMindProtocol().views(Footage(write_video(tmp_path / "a.mp4", moving_squares(7))), engine))
    assert engine.seen[0].shape[0] == 15
    np.testing.assert_array_equal(engine.seen[0][7:14], engine.seen[0][:7])


def test_deepmind_equals_the_original_graph(
    rgb_scratch_path: Path, cricket_gif: Path, assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one piece, and in chunks as videos too long for that are run."""
    engine = quovadis.load("rgb-scratch", threads=2).engine
    expected = np.load(assets / "oracle" / "cricket_rgb_scratch.npz")["logits"].reshape(400)
    (whole,) = DeepMindProtocol().views(Footage(cricket_gif), engine)
    np.testing.assert_allclose(whole.logits, expected, atol=1e-3)
    monkeypatch.setattr(deepmind, "WHOLE_FRAMES", 40)
    footage = Footage(cricket_gif)
    (chunked,) = DeepMindProtocol().views(footage, engine)
    np.testing.assert_allclose(chunked.logits, expected, atol=1e-3)
    assert footage.frames == 79


def test_open_model_zoo_s_clips_of_a_prepared_video_equal_the_original_graph(
    rgb_scratch_path: Path, cricket_frames: NDArray[np.uint8], assets: Path, tmp_path: Path
) -> None:
    """Frames of 224x224 are scaled to 256 and cropped: the graph is the same, the pixels are floats."""
    for number, picture in enumerate(cricket_frames, start=1):
        Image.fromarray(picture).save(tmp_path / f"image_{number:05d}.png")
    engine = quovadis.load("rgb-scratch", threads=2).engine
    recorder = Recorder()
    list(OpenModelZooProtocol().views(Footage(tmp_path), recorder))
    first, *_ = OpenModelZooProtocol().views(Footage(tmp_path), engine)
    np.testing.assert_allclose(first.logits, engine.run(recorder.seen[0][np.newaxis]).logits[0], atol=1e-5)
    assert first.logits.argmax() == np.load(assets / "oracle" / "cricket_rgb_scratch.npz")["logits"].argmax()


@pytest.mark.parametrize("declared", ["", "0", "five", "-3"])
def test_a_wrong_number_of_extracted_frames_is_refused(tmp_path: Path, declared: str) -> None:
    (tmp_path / "n_frames").write_text(declared)
    with pytest.raises(VideoError, match=str(tmp_path)):
        Footage(tmp_path).count("native")


def test_more_extracted_frames_declared_than_there_are_is_refused_and_the_first_one_named(tmp_path: Path) -> None:
    (tmp_path / "n_frames").write_text("4")
    for number in (1, 3, 4):
        Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(tmp_path / f"image_{number:05d}.jpg")
    with pytest.raises(VideoError, match=r"n_frames says 4 frames, but image_00002\.jpg is not there"):
        Footage(tmp_path).count("native")
    with pytest.raises(VideoError, match=r"image_00002\.jpg"):
        list(OpenModelZooProtocol().views(Footage(tmp_path), ColourEngine()))
    footage = Footage(tmp_path, allow_partial=True)
    assert len(list(OpenModelZooProtocol().views(footage, ColourEngine()))) == 3
    assert footage.frames == 3
    (tmp_path / "n_frames").write_text("9" * 15)
    for allow_partial in (False, True):
        with pytest.raises(VideoLimitError, match="--max-frames"):
            Footage(tmp_path, allow_partial=allow_partial).count("native")


def test_a_folder_that_cannot_be_listed_is_not_laid_to_n_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    (tmp_path / "n_frames").write_text("4")
    # Permissions themselves would not hold an administrator off.
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(VideoError, match=f"{tmp_path}: cannot be read: Permission denied") as caught:
        Footage(tmp_path).count("native")
    assert "n_frames" not in str(caught.value)


def test_views_that_cannot_be_are_refused() -> None:
    for arguments in ({"clips": 0}, {"crops": 2}, {"crop_size": 192}, {"crop_size": 257}):
        with pytest.raises(ArchitectureError):
            make_protocol("multiview", **arguments)  # type: ignore[arg-type]
    with pytest.raises(ArchitectureError, match="leave --clips"):
        make_protocol("omz", clips=3)
    with pytest.raises(ArchitectureError, match="no protocol"):
        make_protocol("tsn")
