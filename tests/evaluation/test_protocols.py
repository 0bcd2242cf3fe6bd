"""Which frames and pixels each protocol looks at, against the formulas it comes from."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import quovadis
from quovadis.datasets import example_source
from quovadis.engines import Engine, EngineOutput
from quovadis.errors import ArchitectureError, VideoError, VideoLimitError
from quovadis.evaluation.protocols import (
    DeepMindProtocol,
    MultiviewProtocol,
    OpenModelZooProtocol,
    ProtocolName,
    deepmind,
    make_protocol,
    multiview,
    open_model_zoo,
)
from quovadis.evaluation.protocols.deepmind import CHUNK_FRAMES, chunks
from quovadis.video import SourceReader
from quovadis.video.geometry import scaled_size
from quovadis.weights import InputSpecification
from support.fake_engine import ColourEngine
from support.remembering import RememberingEngine
from support.synthetic import moving_squares, write_video


def reader(path: Path, *, allow_partial: bool = False) -> SourceReader:
    return SourceReader(example_source(path), allow_partial=allow_partial)


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
        views = list(OpenModelZooProtocol().views(reader(folder), engine))
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
        list(OpenModelZooProtocol().views(reader(path), ColourEngine()))


def test_a_video_and_its_frames_give_the_same_views(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "clip.mkv", moving_squares(82, 160, 120), codec="ffv1", pixel_format="bgr0", rate=Fraction(30)
    )
    frames = tmp_path / "frames"
    frames.mkdir()
    for number, picture in enumerate(moving_squares(82, 160, 120), start=1):
        Image.fromarray(picture).save(frames / f"{number:03d}.png")
    video, images = Recorder(), Recorder()
    list(OpenModelZooProtocol().views(reader(path), video))
    list(OpenModelZooProtocol().views(reader(frames), images))
    assert len(video.seen) == 3
    np.testing.assert_array_equal(video.seen, images.seen)


def test_multiview_crops_the_scaled_picture(clip: Path) -> None:
    engine = Recorder()
    video = reader(clip)
    views = list(MultiviewProtocol(2, 3).views(video, engine))
    assert video.frames == 90
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
    list(MultiviewProtocol(1, 1).views(reader(clip), engine))
    with quovadis.video.open_video(clip) as video:
        frames = [frame.pixels for frame in video]
    np.testing.assert_array_equal(engine.seen[0], frames[5 : 5 + 79])


def test_deepmind_shows_the_network_all_frames_at_once(clip: Path) -> None:
    engine = Recorder()
    video = reader(clip)
    (view,) = DeepMindProtocol().views(video, engine)
    assert (view.clip, view.crop, view.start_frame, video.frames) == (0, 0, 0, 90)
    assert [pixels.shape for pixels in engine.seen] == [(90, 224, 224, 3)]


@pytest.mark.parametrize("name", ["deepmind", "multiview", "omz"])
def test_weights_are_tested_at_the_rate_and_length_of_their_training(name: ProtocolName, clip: Path) -> None:
    engine = Recorder()
    protocol = make_protocol(name, specified=InputSpecification(clip_frames=32, fps=12.5))
    list(protocol.views(reader(clip), engine))
    frames, rate = {"deepmind": (45, 12.5), "multiview": (32, 12.5), "omz": (79, "native")}[name]
    assert {len(pixels) for pixels in engine.seen} == {frames}
    assert protocol.settings["fps"] == rate
    assert protocol.settings.get("clip_frames") == (None if name == "deepmind" else frames)
    assert make_protocol(name, specified=InputSpecification()).settings == make_protocol(name).settings


def test_a_long_video_is_cut_in_pieces_at_another_rate_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepmind, "CHUNK_FRAMES", 160)
    path = write_video(tmp_path / "long.mp4", moving_squares(360, 160, 120), rate=25)
    engine, video = Recorder(), reader(path)
    list(DeepMindProtocol(12.5).views(video, engine))
    assert video.frames == 180
    assert {len(pixels) for pixels in engine.seen} == {156}
    with quovadis.video.open_video(path, fps=12.5) as frames:
        np.testing.assert_array_equal(engine.seen[0], [frame.pixels for frame in islice(frames, 156)])


def test_deepmind_resamples_to_25_frames_a_second(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", moving_squares(60), rate=30)
    video = reader(path)
    list(DeepMindProtocol().views(video, ColourEngine()))
    assert video.frames == 50


def test_deepmind_loops_what_is_too_short_for_the_network(tmp_path: Path) -> None:
    engine = Recorder()
    list(DeepMindProtocol().views(reader(write_video(tmp_path / "a.mp4", moving_squares(7))), engine))
    assert engine.seen[0].shape[0] == 15
    np.testing.assert_array_equal(engine.seen[0][7:14], engine.seen[0][:7])


@given(frames=st.integers(CHUNK_FRAMES + 1, 4000))
def test_pieces_of_a_long_video_are_padded_as_it_is_and_yield_every_step_once(frames: int) -> None:
    cut = chunks(frames)
    yielded: list[int] = []
    for place, piece in enumerate(cut):
        assert len(piece.frames) <= CHUNK_FRAMES
        assert len(piece.frames) % 8 == frames % 8
        assert piece.frames.start % 8 == 0
        first = piece.frames.start // 8
        yielded += range(first + piece.steps.start, first + piece.steps.stop)
        # Step s is of the positions s and s + 1, and position p sees the frames 8 p - 47 to 8 p + 54.
        assert place == 0 or 8 * piece.steps.start >= 47
        assert place == len(cut) - 1 or 8 * piece.steps.stop + 54 < len(piece.frames)
    assert yielded == list(range(-(-frames // 8) - 1))
    assert cut[0].frames.start == 0
    assert cut[-1].frames.stop == frames


@pytest.fixture(scope="module")
def engine(rgb_scratch_path: Path) -> Engine:
    engine: Engine = RememberingEngine(quovadis.load("rgb-scratch", threads=2).engine)  # type: ignore[assignment]
    return engine


def as_images(frames: NDArray[np.uint8], folder: Path) -> Path:
    """Write frames as they are, which BMP is quick at; a folder has no rate, so that all are taken."""
    for number, picture in enumerate(frames, start=1):
        Image.fromarray(picture).save(folder / f"image_{number:05d}.bmp")
    return folder


def logits_of(folder: Path, engine: Engine) -> NDArray[np.float32]:
    (view,) = DeepMindProtocol().views(reader(folder), engine)
    return view.logits


@pytest.mark.parametrize(
    "length", [16, 79, *(pytest.param(length, marks=pytest.mark.soak) for length in (64, 87, 159))]
)
def test_deepmind_equals_the_original_graph(
    length: int, engine: Engine, cricket_frames: NDArray[np.uint8], assets: Path, tmp_path: Path
) -> None:
    name = "cricket" if length == 79 else f"cricket_T{length}"
    expected = np.load(assets / "oracle" / f"{name}_rgb_scratch.npz")["logits"].reshape(400)
    looped = cricket_frames[np.arange(length) % len(cricket_frames)]
    np.testing.assert_allclose(logits_of(as_images(looped, tmp_path), engine), expected, atol=1e-3)


def test_in_pieces_too(
    engine: Engine,
    cricket_frames: NDArray[np.uint8],
    assets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = np.load(assets / "oracle" / "cricket_T159_rgb_scratch.npz")["logits"].reshape(400)
    looped = as_images(cricket_frames[np.arange(159) % len(cricket_frames)], tmp_path)
    monkeypatch.setattr(deepmind, "CHUNK_FRAMES", 136)
    np.testing.assert_allclose(logits_of(looped, engine), expected, atol=1e-3)
    # With a margin too small they would not.
    monkeypatch.setattr(deepmind, "_MARGIN", 3)
    assert np.abs(logits_of(looped, engine) - expected).max() > 1e-2


@pytest.mark.parametrize("length", [145, *(pytest.param(length, marks=pytest.mark.soak) for length in (144, 148, 150))])
def test_in_pieces_a_video_of_any_length_has_the_logits_of_the_whole(
    length: int, engine: Engine, assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Padding depends on the length modulo 8; of the oracle's length, above, 7 are left."""
    with quovadis.video.open_video(assets / "clips" / "clean_and_jerk.mp4") as video:
        frames = np.stack([frame.pixels for frame in islice(video, length)])
    whole = engine.run(frames[np.newaxis]).logits[0]
    monkeypatch.setattr(deepmind, "CHUNK_FRAMES", 136)
    video = reader(as_images(frames, tmp_path))
    (view,) = DeepMindProtocol().views(video, engine)
    np.testing.assert_allclose(view.logits, whole, atol=1e-3)
    assert video.frames == length


def test_multiview_shows_the_network_each_crop_and_takes_its_word(
    engine: Engine, cricket_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    folder = as_images(cricket_frames[:16, 32:], tmp_path)
    recorder, protocol = Recorder(), MultiviewProtocol(1, 3, crop_size=200, clip_frames=16)
    list(protocol.views(reader(folder), recorder))
    views = list(protocol.views(reader(folder), engine))
    assert [(view.clip, view.crop) for view in views] == [(0, 0), (0, 1), (0, 2)]
    expected = engine.run(np.stack(recorder.seen)).logits
    np.testing.assert_allclose(np.stack([view.logits for view in views]), expected, atol=1e-4)
    assert np.abs(expected[0] - expected[2]).max() > 0.1


@pytest.mark.parametrize("crops", [1, 3])
def test_multiview_crops_each_frame_as_it_is_where_pictures_change_their_shape(crops: int, tmp_path: Path) -> None:
    wide, high = np.zeros((256, 340, 3), np.uint8), np.zeros((340, 256, 3), np.uint8)
    wide[:, :, 0] = high[:, :, 0] = 50
    wide[:, -1, 1] = high[-1, :, 1] = 200
    for number in range(80):
        Image.fromarray(wide if number < 40 else high).save(tmp_path / f"image_{number + 1:05d}.png")
    recorder = Recorder()
    list(MultiviewProtocol(1, crops).views(reader(tmp_path), recorder))
    assert len(recorder.seen) == crops
    # The last crop reaches to the right, of high pictures to the bottom.
    last = recorder.seen[-1][..., 1]
    assert (last[:40, :, -1] == 200).all() == (crops == 3)
    assert (last[40:, -1, :] == 200).all() == (crops == 3)


def test_open_model_zoo_s_clips_are_what_the_network_says_of_its_pixels(
    engine: Engine, cricket_frames: NDArray[np.uint8], assets: Path, tmp_path: Path
) -> None:
    """Frames of 224x224 are scaled to 256 and cropped; the oracle saw them whole, and so agrees on the class alone."""
    as_images(cricket_frames, tmp_path)
    recorder = Recorder()
    next(OpenModelZooProtocol().views(reader(tmp_path), recorder))
    first = next(OpenModelZooProtocol().views(reader(tmp_path), engine))
    np.testing.assert_allclose(first.logits, engine.run(recorder.seen[0][np.newaxis]).logits[0], atol=1e-5)
    assert first.logits.argmax() == np.load(assets / "oracle" / "cricket_rgb_scratch.npz")["logits"].argmax()


@pytest.mark.parametrize("declared", ["", "0", "five", "-3"])
def test_a_wrong_number_of_extracted_frames_is_refused(tmp_path: Path, declared: str) -> None:
    (tmp_path / "n_frames").write_text(declared)
    with pytest.raises(VideoError, match=str(tmp_path)):
        reader(tmp_path).count_frames("native")


def test_more_extracted_frames_declared_than_there_are_is_refused_and_the_first_one_named(tmp_path: Path) -> None:
    (tmp_path / "n_frames").write_text("4")
    for number in (1, 3, 4):
        Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(tmp_path / f"image_{number:05d}.jpg")
    with pytest.raises(VideoError, match=r"n_frames says 4 frames, but image_00002\.jpg is not there"):
        reader(tmp_path).count_frames("native")
    with pytest.raises(VideoError, match=r"image_00002\.jpg"):
        list(OpenModelZooProtocol().views(reader(tmp_path), ColourEngine()))
    video = reader(tmp_path, allow_partial=True)
    assert len(list(OpenModelZooProtocol().views(video, ColourEngine()))) == 3
    assert video.frames == 3
    (tmp_path / "n_frames").write_text("9" * 15)
    for allow_partial in (False, True):
        with pytest.raises(VideoLimitError, match="`max_frames`"):
            reader(tmp_path, allow_partial=allow_partial).count_frames("native")


def test_a_folder_that_cannot_be_listed_is_not_laid_to_n_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    (tmp_path / "n_frames").write_text("4")
    # Permissions themselves would not hold an administrator off.
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(VideoError, match=f"{tmp_path}: cannot be read: Permission denied") as caught:
        reader(tmp_path).count_frames("native")
    assert "n_frames" not in str(caught.value)


def test_views_that_cannot_be_are_refused() -> None:
    for arguments in ({"clips": 0}, {"crops": 2}, {"crop_size": 192}, {"crop_size": 257}):
        with pytest.raises(ArchitectureError):
            make_protocol("multiview", **arguments)  # type: ignore[arg-type]
    with pytest.raises(ArchitectureError, match="leave `clips`"):
        make_protocol("omz", clips=3)
    with pytest.raises(ArchitectureError, match="unknown protocol"):
        make_protocol("tsn")
    with pytest.raises(ArchitectureError, match="unknown protocol"):
        make_protocol("tsn", clips=3)  # type: ignore[arg-type]
    for name, value in {"clips": "3", "crops": 1.5, "crop_size": True}.items():
        with pytest.raises(ArchitectureError, match=f"{name} must be a whole number"):
            make_protocol("multiview", **{name: value})  # type: ignore[arg-type]


def test_numbers_of_numpy_become_pythons_in_the_settings() -> None:
    settings = make_protocol("multiview", clips=np.int64(3), crops=np.int8(1)).settings  # type: ignore[arg-type]
    assert (type(settings["clips"]), type(settings["crops"])) == (int, int)
