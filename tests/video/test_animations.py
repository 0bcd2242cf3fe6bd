"""Animated pictures are videos with all their frames and times; cut ones are refused."""

from __future__ import annotations

import shutil
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from quovadis.errors import TruncatedVideoError, VideoError, VideoLimitError
from quovadis.video import VideoLimits, VideoReport, discover_videos, open_video
from quovadis.video.orientation import UPRIGHT, Orientation

WIDTH, HEIGHT = 160, 120
FRAMES = 12


def numbered(number: int) -> Image.Image:
    """A picture that carries a number: two rows of four cells, bright for 1, the lowest bit top left."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for bit in range(8):
        row, column = divmod(bit, 4)
        pixels[row * 60 : row * 60 + 60, column * 40 : column * 40 + 40] = 230 if number >> bit & 1 else 20
    return Image.fromarray(pixels)


class NumberReader:
    """Reads the number that a picture carries, in place of a conversion."""

    def convert(
        self, picture: av.VideoFrame, aspect_ratio: Fraction, orientation: Orientation = UPRIGHT
    ) -> NDArray[Any]:
        pixels = picture.to_ndarray(format="rgb24")
        cells = pixels[HEIGHT // 4 :: HEIGHT // 2, WIDTH // 8 :: WIDTH // 4].mean(-1).ravel() > 120
        return np.packbits(cells, bitorder="little")


def read(path: str | Path, **options: Any) -> tuple[list[int], list[float], VideoReport]:
    """Return the numbers and the times of all frames, and what the video turned out to hold."""
    with open_video(path, fps="native", converter=NumberReader, **options) as video:
        frames = list(video)
        return [int(frame.pixels[0]) for frame in frames], [frame.pts_seconds for frame in frames], video.report


def write(path: Path, pictures: list[Image.Image] | None = None, **options: Any) -> Path:
    first, *others = pictures or [numbered(number) for number in range(FRAMES)]
    first.save(path, save_all=True, append_images=others, **options)
    return path


KINDS: dict[str, dict[str, Any]] = {
    "apng.png": {"duration": 40},
    "webp.webp": {"duration": 40, "lossless": True},
    "avif.avif": {"duration": 40},
    "plain.tif": {},
    "lzw.tiff": {"compression": "tiff_lzw"},
    "big.tif": {"big_tiff": True},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One animation of each kind, numbered from 0."""
    folder = tmp_path_factory.mktemp("animations")
    for name, options in KINDS.items():
        write(folder / name, **options)
    return folder


class TestFrames:
    @pytest.mark.parametrize("threads", [1, 2, 8, 16])
    @pytest.mark.parametrize("name", ["anim.avif", "anim.png"])
    def test_the_shared_animations_give_their_40_frames_whatever_the_threads(
        self, assets: Path, name: str, threads: int
    ) -> None:
        numbers, seconds, report = read(assets / "clips" / "faults" / name, threads=threads)
        assert numbers == list(range(40))
        np.testing.assert_allclose(seconds, np.arange(40) / 25)
        assert report.notes == ()
        assert report.frames_declared == 40

    @pytest.mark.parametrize("name", KINDS)
    def test_every_kind_gives_all_frames_at_25_a_second(self, made: Path, name: str) -> None:
        numbers, seconds, report = read(made / name, threads=1)
        assert numbers == list(range(FRAMES))
        np.testing.assert_allclose(seconds, np.arange(FRAMES) / 25)
        assert not report.incomplete
        assert report.notes == ()
        with open_video(made / name) as video:
            assert video.duration_seconds == pytest.approx(FRAMES / 25)
            assert video.frames_per_second == pytest.approx(25)

    @pytest.mark.parametrize(("kind", "name"), [("webp.webp", "a.gif"), ("apng.png", "a.mp4"), ("plain.tif", "a.jpg")])
    def test_the_content_tells_and_not_the_suffix(self, made: Path, tmp_path: Path, kind: str, name: str) -> None:
        shutil.copy(made / kind, tmp_path / name)
        assert read(tmp_path / name, threads=1)[0] == list(range(FRAMES))

    def test_a_gif_by_the_name_of_a_png_is_read(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.gif", duration=40).rename(tmp_path / "a.png")
        assert read(path)[0] == list(range(FRAMES))

    @pytest.mark.parametrize("suffix", [".png", ".webp"])
    def test_frames_have_their_own_times(self, tmp_path: Path, suffix: str) -> None:
        durations = [40, 200, 20, 1000]
        path = write(tmp_path / f"a{suffix}", [numbered(n) for n in range(4)], duration=durations)
        np.testing.assert_allclose(read(path)[1], [0, 0.04, 0.24, 0.26], atol=1e-5)

    def test_a_webp_frame_that_says_less_than_10_ms_is_shown_for_100(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.webp", [numbered(n) for n in range(4)], duration=[0, 9, 10, 50], lossless=True)
        np.testing.assert_allclose(read(path)[1], [0, 0.1, 0.2, 0.21])

    def test_an_apng_frame_that_says_0_is_shown_for_a_fifteenth(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.png", [numbered(n) for n in range(3)], duration=0)
        np.testing.assert_allclose(read(path)[1], [0, 1 / 15, 2 / 15], atol=1e-4)

    @pytest.mark.parametrize("suffix", [".png", ".webp"])
    def test_frames_that_change_a_part_are_seen_as_they_stand_on_the_canvas(self, tmp_path: Path, suffix: str) -> None:
        numbers = [1, 3, 7, 15, 31, 63]  # one cell more each: encoders store that cell alone
        path = write(tmp_path / f"a{suffix}", [numbered(n) for n in numbers], duration=40)
        assert read(path)[0] == numbers

    def test_the_picture_for_readers_without_animation_is_no_frame(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.png", duration=40, default_image=True)
        assert read(path)[0] == list(range(1, FRAMES))

    @pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK"])
    def test_tiff_pages_of_every_kind_are_read(self, tmp_path: Path, mode: str) -> None:
        path = write(tmp_path / "a.tif", [numbered(n).convert(mode) for n in range(4)])
        assert read(path)[0] == list(range(4))

    def test_tiff_pages_of_16_bits_are_read(self, tmp_path: Path) -> None:
        grays = [np.asarray(numbered(n).convert("L")).astype(np.uint16) * 257 for n in range(4)]
        path = write(tmp_path / "a.tif", [Image.fromarray(gray) for gray in grays])
        assert read(path)[0] == list(range(4))

    def test_a_smaller_copy_in_a_tiff_is_no_page(self, tmp_path: Path) -> None:
        from PIL.TiffImagePlugin import AppendingTiffWriter

        with AppendingTiffWriter(str(tmp_path / "a.tif"), new=True) as file:
            numbered(5).save(file)
            file.newFrame()
            numbered(5).resize((40, 30)).save(file, tiffinfo={254: 1})
            file.newFrame()
        numbers, _, report = read(tmp_path / "a.tif")
        assert numbers == [5]
        assert report.notes == ("a still picture: one frame",)


class TestStills:
    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif", ".bmp", ".gif"])
    def test_a_still_is_one_frame_and_says_so(self, tmp_path: Path, suffix: str) -> None:
        numbered(9).save(tmp_path / f"a{suffix}")
        numbers, _, report = read(tmp_path / f"a{suffix}")
        assert numbers == [9]
        assert not report.incomplete
        assert report.notes == ("a still picture: one frame",)

    def test_a_jpeg_by_a_videos_name_is_a_still(self, tmp_path: Path) -> None:
        numbered(9).save(tmp_path / "a.jpg")
        (tmp_path / "a.jpg").rename(tmp_path / "a.mp4")
        numbers, _, report = read(tmp_path / "a.mp4")
        assert (numbers, report.notes) == ([9], ("a still picture: one frame",))

    def test_a_frame_folder_of_one_image_does_not(self, tmp_path: Path) -> None:
        numbered(9).save(tmp_path / "1.png")
        assert read(tmp_path)[2].notes == ()


class TestFolders:
    def test_animations_are_videos_and_stills_beside_them_are_not(self, made: Path, tmp_path: Path) -> None:
        for name in KINDS:
            shutil.copy(made / name, tmp_path / name)
        numbered(1).save(tmp_path / "poster.jpg")
        assert [Path(path).name for path in discover_videos(str(tmp_path))] == sorted(KINDS)

    def test_animations_beside_videos_are_found(self, made: Path, tmp_path: Path) -> None:
        shutil.copy(made / "webp.webp", tmp_path / "b.webp")
        (tmp_path / "a.mp4").touch()
        assert [Path(path).name for path in discover_videos(str(tmp_path))] == ["a.mp4", "b.webp"]

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_animation_among_frames_counts_as_its_first_picture(self, made: Path, tmp_path: Path, kind: str) -> None:
        suffix = Path(kind).suffix
        numbered(3).save(tmp_path / f"frame1{suffix}")
        shutil.copy(made / kind, tmp_path / f"frame2{suffix}")
        if kind == "big.tif":
            with pytest.raises(VideoError, match=r"frame2\.tif: not an image"):
                read(tmp_path)
        else:
            assert discover_videos(str(tmp_path)) == [str(tmp_path)]
            assert read(tmp_path)[0] == [3, 0]


class TestCutAndDamaged:
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    @pytest.mark.parametrize("name", KINDS)
    def test_a_cut_file_is_refused_and_its_whole_frames_are_taken_on_request(
        self, made: Path, tmp_path: Path, name: str, share: float, capfd: pytest.CaptureFixture[str]
    ) -> None:
        data = (made / name).read_bytes()
        path = tmp_path / name
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(VideoError) as caught:
            read(path, threads=1)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
        if share >= 0.5 and name != "avif.avif":
            numbers, _, report = read(path, allow_partial=True, threads=1)
            assert numbers == list(range(len(numbers)))
            assert 0 < len(numbers) < FRAMES
            assert report.incomplete
            assert any(note.startswith("cut off: ") for note in report.notes)
        assert capfd.readouterr().err == ""

    def test_an_avif_cut_within_its_frames_is_refused(self, made: Path, tmp_path: Path) -> None:
        path = tmp_path / "a.avif"
        path.write_bytes((made / "avif.avif").read_bytes()[:-40])
        with pytest.raises(VideoError, match="`allow_partial=True`"):
            read(path, threads=1)
        numbers, _, report = read(path, allow_partial=True, threads=1)
        assert 0 < len(numbers) < FRAMES
        assert report.incomplete

    def test_an_avif_of_which_only_the_preview_is_left_is_refused(self, made: Path, tmp_path: Path) -> None:
        data = (made / "avif.avif").read_bytes()
        path = tmp_path / "a.avif"
        path.write_bytes(data.replace(b"moov", b"free"))
        with pytest.raises(TruncatedVideoError, match="only a preview is there"):
            read(path)

    def test_an_apng_without_its_end_mark_is_refused(self, made: Path, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes((made / "apng.png").read_bytes()[:-12])
        with pytest.raises(TruncatedVideoError, match="no end mark"):
            read(path, threads=1)

    def test_an_apng_of_fewer_frames_than_it_declares_is_refused(self, made: Path, tmp_path: Path) -> None:
        data = (made / "apng.png").read_bytes()
        start = data.rindex(b"fcTL") - 4
        path = tmp_path / "a.png"
        path.write_bytes(data[:start] + data[data.index(b"IEND") - 4 :])
        with pytest.raises(TruncatedVideoError, match=f"{FRAMES - 1} of {FRAMES} declared frames found"):
            read(path)

    def test_a_damaged_webp_is_refused_with_the_place(self, made: Path, tmp_path: Path) -> None:
        data = bytearray((made / "webp.webp").read_bytes())
        place = data.rindex(b"ANMF") + 8 + 16 + 8
        data[place : place + 20] = b"\xff" * 20
        path = tmp_path / "a.webp"
        path.write_bytes(data)
        with pytest.raises(VideoError, match="damaged"):
            read(path)

    def test_a_tiff_whose_pages_go_round_is_refused(self, made: Path, tmp_path: Path) -> None:
        data = bytearray((made / "plain.tif").read_bytes())
        place = first = struct.unpack_from("<I", data, 4)[0]
        for _ in range(FRAMES - 1):
            place = struct.unpack_from("<I", data, place + 2 + 12 * struct.unpack_from("<H", data, place)[0])[0]
        struct.pack_into("<I", data, place + 2 + 12 * struct.unpack_from("<H", data, place)[0], first)
        path = tmp_path / "a.tif"
        path.write_bytes(data)
        with pytest.raises(VideoError, match="lead back to themselves"):
            read(path)

    @pytest.mark.parametrize("name", KINDS)
    def test_random_damage_is_read_or_refused_and_nothing_else(self, made: Path, tmp_path: Path, name: str) -> None:
        whole = (made / name).read_bytes()
        generator = np.random.default_rng(0)
        outcomes = 0
        for _ in range(20):
            data = bytearray(whole)
            for place in generator.integers(0, min(len(data), 4000), 8):
                data[place] = generator.integers(256)
            (tmp_path / name).write_bytes(data)
            for allow_partial in (False, True):
                try:
                    read(tmp_path / name, allow_partial=allow_partial, threads=1)
                except VideoError as error:
                    assert "\n" not in str(error)  # noqa: PT017
                outcomes += 1
        assert outcomes == 40


class TestLimits:
    @pytest.mark.parametrize("name", KINDS)
    def test_too_many_frames_pixels_or_seconds_are_refused_with_the_option(self, made: Path, name: str) -> None:
        for limit, held in (("max_frames", FRAMES), ("max_pixels", WIDTH * HEIGHT), ("max_seconds", FRAMES / 25)):
            option = f"`{limit}`"
            refused: dict[str, Any] = {limit: held * 0.9}
            with pytest.raises(VideoLimitError, match=option):
                read(made / name, limits=VideoLimits(**refused), threads=1)
            # FFmpeg's decoders count rows of whole blocks of 64 bytes.
            accepted: dict[str, Any] = {limit: held * 1.25}
            assert len(read(made / name, limits=VideoLimits(**accepted), threads=1)[0]) == FRAMES

    def test_a_webp_that_declares_a_huge_canvas_is_refused_by_its_header(self, made: Path, tmp_path: Path) -> None:
        data = bytearray((made / "webp.webp").read_bytes())
        data[24:30] = (16_000).to_bytes(3, "little") * 2
        (tmp_path / "a.webp").write_bytes(data)
        with pytest.raises(VideoLimitError, match="16001x16001"):
            open_video(tmp_path / "a.webp")

    def test_a_tiff_page_that_declares_a_huge_size_is_refused_by_its_directory(
        self, made: Path, tmp_path: Path
    ) -> None:
        data = (made / "lzw.tiff").read_bytes()
        width = struct.pack("<HHI", 256, 3, 1) + struct.pack("<H", WIDTH)
        assert data.count(width) == FRAMES
        last = data.rindex(width)
        (tmp_path / "a.tif").write_bytes(data[: last + 8] + struct.pack("<H", 65_000) + data[last + 10 :])
        limits = VideoLimits(max_pixels=WIDTH * HEIGHT)
        with pytest.raises(VideoLimitError, match="65000x120"):
            open_video(tmp_path / "a.tif", limits=limits)
