"""Upright, undistorted, in the right colours: whatever a file holds."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from quovadis.errors import VideoError
from quovadis.video import geometry, open_video
from quovadis.video.geometry import SHORT_SIDE, FrameConverter, Geometry, scaled_size
from quovadis.video.orientation import Orientation, read_orientation
from support.synthetic import COLOURS, ORIENTATIONS, as_stored, quadrants, set_display_matrix, write_video


def pixels_of(path: Path) -> list[NDArray[np.uint8]]:
    with open_video(path, fps="native") as video:
        return [frame.pixels for frame in video]


def assert_quadrants(pixels: NDArray[np.uint8], tolerance: int = 6) -> None:
    """The four fields are where they belong, in their colours."""
    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    fields = {"red": (56, 56), "green": (56, 168), "blue": (168, 56), "gray": (168, 168)}
    for name, (row, column) in fields.items():
        mean = pixels[row - 20 : row + 20, column - 20 : column + 20].reshape(-1, 3).mean(0)
        np.testing.assert_allclose(mean, COLOURS[name], atol=tolerance, err_msg=name)


def test_the_frames_of_the_original_sample_are_what_pil_decodes(cricket_gif: Path, assets: Path) -> None:
    frames = np.stack(pixels_of(cricket_gif))
    oracle = np.load(assets / "oracle" / "cricket_rgb_scratch.npz")
    assert hashlib.sha256(frames.tobytes()).hexdigest() == str(oracle["frames_sha256"])


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_the_four_rotated_files_give_upright_frames_of_one_size(assets: Path, angle: int) -> None:
    """Against another way: PyAV's angle, NumPy's turn, Pillow's bilinear scaling."""
    path = assets / "clips" / f"rotated_{angle}.mov"
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
        turned = np.rot90(picture.to_ndarray(format="rgb24"), round(picture.rotation / 90))
    assert (turned.shape[0] < turned.shape[1]) == (angle in (0, 180))
    scale = 256 / min(turned.shape[:2])
    size = round(turned.shape[1] * scale), round(turned.shape[0] * scale)
    scaled = np.asarray(Image.fromarray(turned).resize(size, Image.Resampling.BILINEAR))
    top, left = (size[1] - 224) // 2, (size[0] - 224) // 2
    expected = scaled[top : top + 224, left : left + 224].astype(int)
    pixels = pixels_of(path)[0]
    assert pixels.shape == (224, 224, 3)
    assert np.abs(pixels - expected).mean() < 3


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_all_eight_orientations_are_shown_upright(tmp_path: Path, name: str) -> None:
    orientation = ORIENTATIONS[name]
    stored = as_stored(quadrants(320, 256), orientation)
    path = write_video(tmp_path / "clip.mp4", [stored] * 3)
    set_display_matrix(path, orientation)
    for pixels in pixels_of(path):
        assert_quadrants(pixels)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "suffix"),
    [
        ("libx264", "yuv420p", ".mp4"),
        ("libx264", "yuv444p", ".mp4"),
        ("libx264", "yuv422p10le", ".mkv"),
        ("libx265", "yuv420p10le", ".mp4"),
        ("libvpx-vp9", "yuv420p", ".webm"),
        ("ffv1", "yuv420p", ".avi"),
        ("ffv1", "bgra", ".mkv"),
        ("png", "rgba", ".mov"),
        ("mpeg4", "yuv420p", ".avi"),
        ("mjpeg", "yuvj420p", ".mov"),
        ("rawvideo", "rgb24", ".nut"),
    ],
)
def test_colours_are_right_in_every_format(tmp_path: Path, codec: str, pixel_format: str, suffix: str) -> None:
    path = write_video(
        tmp_path / f"clip{suffix}",
        [quadrants(320, 240)] * 3,
        codec=codec,
        pixel_format=pixel_format,
        full_range=pixel_format.startswith("yuvj"),
    )
    assert_quadrants(pixels_of(path)[-1])


@pytest.mark.parametrize("full_range", [False, True], ids=["limited range", "full range"])
@pytest.mark.parametrize("colorspace", [None, 1, 5], ids=["unstated", "BT.709", "BT.601"])
def test_range_and_matrix_are_followed(tmp_path: Path, full_range: bool, colorspace: int | None) -> None:
    path = write_video(tmp_path / "clip.mp4", [quadrants(320, 240)] * 3, full_range=full_range, colorspace=colorspace)
    assert_quadrants(pixels_of(path)[0])


@pytest.mark.parametrize("colorspace", [8, 14], ids=["YCgCo", "ICtCp"])
def test_colours_that_cannot_be_converted_are_one_line(colorspace: int) -> None:
    frame = av.VideoFrame(64, 64, "yuv420p")
    frame.colorspace = colorspace
    orientation = read_orientation(frame)
    with pytest.raises(VideoError, match="frames of the format yuv420p cannot be converted"):
        FrameConverter().convert(frame, Fraction(1), orientation)


@pytest.mark.parametrize("full_range", [False, True], ids=["limited range", "full range"])
def test_gray_is_gray_from_black_to_white(tmp_path: Path, full_range: bool) -> None:
    ramp = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[None, :, None], 256, 0)
    path = write_video(
        tmp_path / "clip.mkv", [np.repeat(ramp, 3, 2)] * 2, codec="ffv1", pixel_format="gray", full_range=full_range
    )
    pixels = pixels_of(path)[0]
    np.testing.assert_allclose(pixels.mean((0, 2)), np.arange(16, 240), atol=3)
    assert int(np.ptp(pixels, axis=2).max()) <= 1


def test_transparency_is_dropped(tmp_path: Path) -> None:
    picture = np.dstack([quadrants(320, 240), np.full((240, 320), 90, np.uint8)])
    Image.fromarray(picture).save(tmp_path / "frame.png")
    assert_quadrants(pixels_of(tmp_path)[0], tolerance=2)


@pytest.mark.parametrize(("width", "height"), [(321, 241), (241, 321), (97, 63), (224, 224), (1920, 1080), (256, 256)])
def test_odd_sizes_small_sizes_and_portrait_come_out_centred(tmp_path: Path, width: int, height: int) -> None:
    path = write_video(tmp_path / "clip.mp4", [quadrants(width, height)] * 2, pixel_format="yuv444p")
    assert_quadrants(pixels_of(path)[0])


def test_the_sample_aspect_ratio_is_undone(tmp_path: Path) -> None:
    """A circle stored at half its width is a circle again."""
    rows, columns = np.mgrid[:240, :160]
    circle = ((columns * 2 - 160) ** 2 + (rows - 120) ** 2 < 80**2)[..., None] * np.full(3, 255, np.uint8)
    path = write_video(
        tmp_path / "clip.mp4", [circle.astype(np.uint8)] * 2, aspect_ratio=Fraction(2), pixel_format="yuv444p"
    )
    inside = pixels_of(path)[0][..., 0] > 127
    height, width = np.ptp(np.nonzero(inside.any(1))[0]), np.ptp(np.nonzero(inside.any(0))[0])
    assert abs(int(height) - int(width)) <= 2


def test_a_size_that_changes_midway_is_scaled_frame_by_frame(tmp_path: Path) -> None:
    """Two H.264 streams of different sizes, one after the other, as some recorders write them."""
    streams = [
        write_video(tmp_path / f"{number}.h264", [quadrants(*size)] * 5, container_format="h264")
        for number, size in enumerate([(320, 240), (480, 640)])
    ]
    path = tmp_path / "clip.h264"
    path.write_bytes(b"".join(stream.read_bytes() for stream in streams))
    frames = pixels_of(path)
    assert len(frames) == 10
    for pixels in frames:
        assert_quadrants(pixels)


def test_images_of_any_size_form_a_video_in_natural_order_turned_as_their_cameras_say(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by a quarter
    Image.fromarray(as_stored(quadrants(320, 240), ORIENTATIONS["quarter turn right"])).save(
        tmp_path / "frame10.jpg", exif=exif, quality=95
    )
    Image.fromarray(quadrants(300, 400)).save(tmp_path / "frame2.png")
    Image.fromarray(255 - quadrants(224, 224)).save(tmp_path / "frame1 %d.bmp")
    first, second, third = pixels_of(tmp_path)
    assert_quadrants(255 - first, tolerance=1)
    assert_quadrants(second, tolerance=2)
    assert_quadrants(third)


@given(
    width=st.integers(1, 4000), height=st.integers(1, 4000), ratio=st.fractions(Fraction(1, 3), 3, max_denominator=100)
)
def test_the_short_side_as_shown_becomes_256_or_the_picture_is_refused(
    width: int, height: int, ratio: Fraction
) -> None:
    shown = sorted((width * ratio, Fraction(height)))
    if shown[1] > 16 * shown[0]:
        with pytest.raises(VideoError, match="16:1"):
            scaled_size(width, height, ratio)
        return
    scaled = scaled_size(width, height, ratio)
    if (width, height, ratio) == (224, 224, 1):
        assert scaled == (224, 224)
    else:
        assert min(scaled) == SHORT_SIDE
        assert max(scaled) <= 16 * SHORT_SIDE


def test_bilinear_scaling_keeps_a_ramp_a_ramp() -> None:
    ramp = np.repeat(np.linspace(0, 255, 640).astype(np.uint8)[None, :, None], 480, 0).repeat(3, 2)
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(ramp), format="rgb24")
    row = FrameConverter().convert(picture, Fraction(1))[112, :, 0].astype(int)
    assert all(0 <= right - left <= 2 for left, right in pairwise(row))


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj422p", "yuv444p", "nv12", "yuv420p10le"])
@pytest.mark.parametrize("size", [(340, 256), (641, 359), (256, 400)])
def test_planes_of_colours_hold_what_a_conversion_to_pixels_gives(pixel_format: str, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    picture = av.VideoFrame.from_ndarray(noise, format="rgb24").reformat(format=pixel_format)
    width, height = scaled_size(*size, Fraction(1))
    # The converter's own flags.
    direct = VideoReformatter().reformat(
        picture, width, height, "rgb24", interpolation=geometry._SCALING, dst_color_range="JPEG", threads=1
    )
    top, left = (height - 224) // 2, (width - 224) // 2
    expected = direct.to_ndarray()[top : top + 224, left : left + 224]
    np.testing.assert_array_equal(FrameConverter().convert(picture, Fraction(1)), expected)


# --- what other protocols ask for -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "ratio", "geometry", "scaled"),
    [
        ((455, 256), Fraction(1), Geometry(), (455, 256)),
        ((171, 96), Fraction(1), Geometry(), (456, 256)),
        ((171, 97), Fraction(1), Geometry(), (451, 256)),
        ((171, 97), Fraction(1), Geometry(long_side="down"), (451, 256)),
        ((173, 97), Fraction(1), Geometry(), (457, 256)),
        ((173, 97), Fraction(1), Geometry(long_side="down"), (456, 256)),
        ((224, 224), Fraction(1), Geometry(), (224, 224)),
        ((224, 224), Fraction(1), Geometry(keep_224=False), (256, 256)),
        ((200, 100), Fraction(1, 2), Geometry(), (256, 256)),
    ],
)
def test_the_long_side_is_made_whole_as_asked(
    size: tuple[int, int], ratio: Fraction, geometry: Geometry, scaled: tuple[int, int]
) -> None:
    assert scaled_size(*size, ratio, geometry) == scaled


def test_samples_may_be_taken_for_square() -> None:
    picture = av.VideoFrame.from_ndarray(quadrants(200, 100), format="rgb24")
    whole = Geometry(crop=None)
    assert FrameConverter(whole).convert(picture, Fraction(1, 2)).shape == (256, 256, 3)
    square = Geometry(crop=None, ignore_sample_aspect_ratio=True)
    assert FrameConverter(square).convert(picture, Fraction(1, 2)).shape == (256, 512, 3)


def test_a_whole_picture_holds_the_usual_crop_in_its_middle() -> None:
    picture = av.VideoFrame.from_ndarray(quadrants(341, 256), format="rgb24")
    whole = FrameConverter(Geometry(crop=None)).convert(picture, Fraction(1))
    usual = FrameConverter().convert(picture, Fraction(1))
    assert whole.shape == (256, 341, 3)
    np.testing.assert_array_equal(whole[16 : 16 + 224, 58 : 58 + 224], usual)


ALL_ORIENTATIONS = [Orientation(*bits) for bits in product((False, True), repeat=3)]


# 640x360 becomes 455x256: 224 leaves an odd rest of the long side, 223 of the short one.
@pytest.mark.parametrize("orientation", ALL_ORIENTATIONS, ids=str)
@pytest.mark.parametrize("crop", [224, 223])
@pytest.mark.parametrize("size", [(640, 360), (360, 640)])
@pytest.mark.parametrize("pixel_format", ["rgb24", "yuv420p"])
def test_of_an_odd_rest_the_smaller_half_is_cut_off_at_top_and_left_of_the_picture_as_shown(
    pixel_format: str, size: tuple[int, int], crop: int, orientation: Orientation
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    picture = av.VideoFrame.from_ndarray(noise, format="rgb24").reformat(format=pixel_format)
    whole = FrameConverter(Geometry(crop=None)).convert(picture, Fraction(1), orientation)
    top, left = ((length - crop) // 2 for length in whole.shape[:2])
    assert any((length - crop) % 2 for length in whole.shape[:2])
    expected = whole[top : top + crop, left : left + crop]
    made = FrameConverter(Geometry(crop=crop)).convert(picture, Fraction(1), orientation)
    np.testing.assert_array_equal(made, expected)
