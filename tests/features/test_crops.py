"""Features of several crops of each frame: which crops, in which order, and where their axis is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis.errors import ArchitectureError, OutputError
from quovadis.features import PRESETS, FeatureOptions, video_features
from quovadis.inference.feature_options import like_video_features
from quovadis.video import Sampling, SlidingWindows, open_video
from quovadis.video.crops import CROPS, CropConverter, region_corners
from quovadis.video.geometry import FrameConverter, Geometry
from quovadis.video.pillow import PillowConverter
from quovadis.video.sampling import Remainder
from support.command_line import invoke_features
from support.fake_engine import MeanEngine
from support.feature_runs import WINDOWS, run
from support.numbered_frames import write_gray
from support.synthetic import ORIENTATIONS, as_stored, quadrants, set_display_matrix, write_video

WHOLE = Geometry(crop=None, keep_224=False)
SNIPPETS = FeatureOptions(sampling=Sampling(clips=SlidingWindows(clip_frames=9, remainder="drop")))
several = pytest.mark.parametrize("crops", [3, 5, 10])


def five_crop(frame: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Corners and centre, in the order of torchvision's `FiveCrop`."""
    height, width = frame.shape[:2]
    top, left = (height - 224) // 2, (width - 224) // 2
    centre = frame[top : top + 224, left : left + 224]
    return [frame[:224, :224], frame[:224, -224:], frame[-224:, :224], frame[-224:, -224:], centre]


def ten_crop(frame: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Those of the frame, then those of the mirrored frame, in the order of torchvision's `TenCrop`."""
    return [*five_crop(frame), *five_crop(frame[:, ::-1])]


def three_crop(frame: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Along the longer side; of a square along its rows."""
    first, centre = five_crop(frame)[0], five_crop(frame)[4]
    height, width = frame.shape[:2]
    assert first.shape == centre.shape
    if height > width:
        left = (width - 224) // 2
        return [frame[:224, left : left + 224], centre, frame[-224:, left : left + 224]]
    top = (height - 224) // 2
    return [frame[top : top + 224, :224], centre, frame[top : top + 224, -224:]]


CUT: dict[int, Callable[[NDArray[np.uint8]], list[NDArray[np.uint8]]]] = {3: three_crop, 5: five_crop, 10: ten_crop}


def noise(frames: int, width: int, height: int) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (height, width, 3), np.uint8) for _ in range(frames)]


# --- which crops ------------------------------------------------------------------------------------------------------


# 348 and 354 pixels long once scaled, and 355, whose rest of 131 is odd; landscape, portrait and square.
@pytest.mark.parametrize(
    ("crops", "width", "height"),
    [
        *((3, *size) for size in ((326, 240), (246, 340), (100, 100))),
        *((5, *size) for size in ((256, 355), (100, 100))),
        *((10, *size) for size in ((355, 256), (100, 100))),
        *(
            pytest.param(*one, marks=pytest.mark.soak)
            for one in (
                *((3, *size) for size in ((355, 256), (256, 355))),
                *((5, *size) for size in ((326, 240), (246, 340), (355, 256))),
                *((10, *size) for size in ((326, 240), (246, 340), (256, 355))),
            )
        ),
    ],
)
def test_crops_are_cut_out_of_the_whole_scaled_frame(crops: int, width: int, height: int, tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", noise(18, width, height), codec="ffv1", pixel_format="bgr0")
    engine = MeanEngine()
    made = video_features(engine, path, replace(SNIPPETS, crops=crops))
    with open_video(path, converter=lambda: FrameConverter(WHOLE)) as video:
        wholes = [frame.pixels for frame in video]
    assert min(wholes[0].shape[:2]) == 256
    assert made.values.shape == (2, crops, 1024)
    assert made.axes == ("windows", "crops", "channels")
    assert len(engine.clips) == 2 * crops
    for number, clip in enumerate(engine.clips):
        window, crop = divmod(number, crops)
        expected = [CUT[crops](whole)[crop] for whole in wholes[9 * window : 9 * window + 9]]
        np.testing.assert_array_equal(clip, expected)
        # The values of a crop are at its place on the axis.
        assert made.values[window, crop, 0] == np.float32(clip.mean())


@pytest.mark.parametrize("turned", list(ORIENTATIONS))
def test_corners_are_those_of_the_frame_as_it_is_shown(turned: str, tmp_path: Path) -> None:
    orientation = ORIENTATIONS[turned]
    path = write_video(
        tmp_path / "v.mp4",
        (as_stored(quadrants(480, 320), orientation) for _ in range(9)),
        pixel_format="yuv444p",
        options={"crf": "4"},
    )
    set_display_matrix(path, orientation)
    engine = MeanEngine()
    video_features(engine, path, replace(SNIPPETS, crops=10))
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
    shown = quadrants(480, 320)
    for corner, clip in zip(corners, engine.clips, strict=False):
        assert np.abs(clip[4][corner].astype(int) - shown[corner]).max() < 6
    for corner, clip in zip(corners, engine.clips[5:], strict=False):
        assert np.abs(clip[4][corner].astype(int) - shown[:, ::-1][corner]).max() < 6


def test_a_real_video_that_was_filmed_upright_has_its_crops_along_its_height(assets: Path) -> None:
    engine = MeanEngine()
    options = FeatureOptions(sampling=Sampling(clips=SlidingWindows(clip_frames=9), fps="native"), crops=3)
    video_features(engine, assets / "clips" / "rotated_90.mov", options)
    with open_video(assets / "clips" / "rotated_90.mov", converter=lambda: FrameConverter(WHOLE)) as video:
        whole = next(iter(video)).pixels
    assert whole.shape[0] > whole.shape[1] == 256
    for clip, expected in zip(engine.clips, three_crop(whole), strict=True):
        np.testing.assert_array_equal(clip[0], expected)


def test_one_crop_is_the_centre_and_has_no_axis(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", noise(9, 326, 240), codec="ffv1", pixel_format="bgr0")
    one, five = MeanEngine(), MeanEngine()
    assert video_features(one, path, replace(SNIPPETS, crops=1)).values.shape == (1, 1024)
    video_features(five, path, replace(SNIPPETS, crops=5))
    np.testing.assert_array_equal(one.clips[0], five.clips[4])


@several
def test_the_preset_has_crops_of_opencvs_and_pillows_frames(crops: int, tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", noise(13, 164, 120))
    engine = MeanEngine()
    made = video_features(engine, path, replace(like_video_features(12, 12), crops=crops))
    assert made.values.shape == (1, crops, 1024)
    geometry = replace(PRESETS["video_features"].geometry, crop=None)
    with open_video(path, fps="native", converter=lambda: PillowConverter(geometry)) as video:
        expected = CUT[crops](next(iter(video)).pixels)
    for clip, first in zip(engine.clips, expected, strict=True):
        np.testing.assert_array_equal(clip[0], first)


def test_frames_in_memory_have_crops_too_and_prepared_ones_are_scaled_for_it() -> None:
    for width, height in ((326, 240), (224, 224)):
        frames = np.stack(noise(9, width, height))
        picture = av.VideoFrame.from_ndarray(frames[3], format="rgb24")
        whole = FrameConverter(WHOLE).convert(picture, Fraction(1))
        engine = MeanEngine()
        video_features(engine, frames, replace(SNIPPETS, crops=10))
        for clip, expected in zip(engine.clips, ten_crop(whole), strict=True):
            np.testing.assert_array_equal(clip[3], expected)


@several
def test_frames_that_change_their_shape_have_crops_of_their_own(crops: int) -> None:
    converter = CropConverter(FrameConverter(WHOLE), crops)  # type: ignore[arg-type]
    for width, height in ((326, 240), (240, 326), (256, 256)):
        picture = av.VideoFrame.from_ndarray(noise(1, width, height)[0], format="rgb24")
        regions = converter.convert(picture, Fraction(1))
        expected = CUT[crops](FrameConverter(WHOLE).convert(picture, Fraction(1)))
        np.testing.assert_array_equal([crop.of(regions) for crop in CROPS[crops]], expected)


def test_names_say_where_a_crop_lies() -> None:
    assert [crop.name for crop in CROPS[5]] == ["top left", "top right", "bottom left", "bottom right", "centre"]
    assert [crop.name for crop in CROPS[10][:5]] == [crop.name for crop in CROPS[5]]
    assert [crop.name for crop in CROPS[10][5:]] == [f"{crop.name}, mirrored frame" for crop in CROPS[5]]
    assert region_corners(256, 340, 5) == [(0, 0), (0, 116), (32, 0), (32, 116), (16, 58)]
    assert [crop.name for crop in CROPS[3]] == ["left or top", "centre", "right or bottom"]


# --- the axis ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool", "shape", "axes"),
    [
        ("all", (1024,), ("channels",)),
        ("space", (1, 1024), ("time", "channels")),
        ("none", (2, 7, 7, 1024), ("time", "height", "width", "channels")),
    ],
)
def test_the_axis_of_crops_follows_that_of_windows(pool: str, shape: tuple[int, ...], axes: tuple[str, ...]) -> None:
    frames = np.stack(noise(18, 32, 24))
    for crops, cut, name in ((1, (), ()), (5, (5,), ("crops",))):
        made = video_features(MeanEngine(), frames, replace(SNIPPETS, pool=pool, crops=crops))
        assert made.values.shape == (2, *cut, *shape)
        assert made.axes == ("windows", *name, *axes)


@several
def test_dense_features_of_crops_are_those_of_each_alone(crops: int) -> None:
    frames = np.stack(noise(60, 32, 24))
    engine = MeanEngine()
    made = video_features(engine, frames, replace(PRESETS["i3d"], crops=crops))
    assert made.axes == ("steps", "crops", "channels")
    assert made.values.shape == (7, crops, 1024)
    assert engine.pushed == 63 * crops
    wholes = [
        FrameConverter(WHOLE).convert(av.VideoFrame.from_ndarray(frame, format="rgb24"), Fraction(1))
        for frame in frames
    ]
    for crop in range(crops):
        alone = np.stack([CUT[crops](whole)[crop] for whole in wholes])
        expected = video_features(MeanEngine(), alone, PRESETS["i3d"])
        np.testing.assert_array_equal(made.values[:, crop], expected.values)
        np.testing.assert_array_equal(made.end_seconds, expected.end_seconds)


def test_files_state_the_axis_and_the_crops(tmp_path: Path) -> None:
    path = str(write_gray(tmp_path / "v.mp4", 30))
    options = replace(WINDOWS, crops=3)
    names = ["left or top", "centre", "right or bottom"]
    (made,) = run([path], tmp_path / "npy", options).done
    assert made.shape == (3, 3, 1024)
    assert np.load(tmp_path / "npy" / "v.npy").shape == made.shape
    document = json.loads((tmp_path / "npy" / "v.json").read_text())
    assert (document["axes"], document["crops"]) == (["windows", "crops", "channels"], names)
    run([path], tmp_path / "hdf5", options, "hdf5")
    with h5py.File(tmp_path / "hdf5" / "v.h5") as file:
        assert file["features"].shape == made.shape
        assert file.attrs["axes"] == "windows,crops,channels"
        assert file.attrs["crops"] == ",".join(names)
    # Of one crop there is no axis, and no name.
    run([path], tmp_path / "one", WINDOWS)
    document = json.loads((tmp_path / "one" / "v.json").read_text())
    assert document["axes"] == ["windows", "channels"]
    assert "crops" not in document


def sampling(remainder: Remainder) -> Sampling:
    return Sampling(clips=SlidingWindows(clip_frames=10, remainder=remainder))


def test_features_of_other_crops_and_windows_do_not_go_on_in_one_folder(tmp_path: Path) -> None:
    path = str(write_gray(tmp_path / "v.mp4", 30))
    run([path], tmp_path / "out", WINDOWS)
    for changed, said in (
        (replace(WINDOWS, crops=3), "crops"),
        (replace(WINDOWS, sampling=sampling("loop")), "windows"),
        (replace(WINDOWS, sampling=sampling("drop")), "windows"),
        (replace(WINDOWS, scaler="pillow"), "preset"),
    ):
        with pytest.raises(OutputError, match=said):
            run([path], tmp_path / "out", changed)


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crops", [0, 2, 4, 30, -1])
def test_other_numbers_are_refused(crops: int) -> None:
    with pytest.raises(ArchitectureError, match="crops must be 1, 3, 5 or 10"):
        FeatureOptions(crops=crops)  # type: ignore[arg-type]
    assert invoke_features(f"--crops={crops}").returncode == 2


def test_a_scaler_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ArchitectureError, match='unknown scaler "opencv": choose ffmpeg, pillow'):
        FeatureOptions(scaler="opencv")  # type: ignore[arg-type]
