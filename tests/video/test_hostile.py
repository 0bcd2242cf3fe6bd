"""Files that are damaged, cut off, lie or attack: one clear line each, and never more memory than is fair."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from quovadis.errors import TruncatedVideoError, VideoError, VideoLimitError
from quovadis.video import VideoLimits, VideoReport, discover_videos, open_video
from support.synthetic import PRINT_PEAK, moving_squares, write_sound, write_video


def read(path: str | Path, **options: object) -> VideoReport:
    """Read a video to its end."""
    with open_video(path, **options) as video:  # type: ignore[arg-type]
        for _ in video:
            pass
        return video.report


def refusal(path: str | Path, error: type[VideoError] = VideoError, **options: object) -> str:
    """Return the message of the error that reading ends in: one line that names the file."""
    with pytest.raises(error) as caught:
        read(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


class TestFilesThatAreNoVideos:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        assert "no such file" in refusal(tmp_path / "absent.mp4")

    def test_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "empty.mp4").touch()
        assert "empty file" in refusal(tmp_path / "empty.mp4")

    @pytest.mark.parametrize("content", [b"this is not a video\n" * 100, b"\0" * 5000, b"<html></html>"])
    def test_another_file_by_a_videos_name(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "clip.mp4").write_bytes(content)
        assert "not a video that can be read" in refusal(tmp_path / "clip.mp4")

    def test_sound_alone(self, tmp_path: Path) -> None:
        assert "only sound in it" in refusal(write_sound(tmp_path / "song.m4a"))

    def test_a_folder_without_images(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").touch()
        assert "no images in this folder" in refusal(tmp_path)
        with pytest.raises(VideoError, match="no videos and no images"):
            discover_videos(str(tmp_path))

    def test_an_unreadable_image_among_others_is_named_and_can_be_passed_over(self, tmp_path: Path) -> None:
        for number in range(3):
            Image.fromarray(np.zeros((240, 320, 3), np.uint8)).save(tmp_path / f"{number}.png")
        (tmp_path / "1.png").write_bytes(b"not an image")
        with pytest.raises(VideoError, match=r"1\.png: not an image.*`allow_partial=True`"):
            read(tmp_path)
        report = read(tmp_path, allow_partial=True)
        assert report.incomplete
        assert report.frames_decoded == 2

    def test_a_camera_that_is_not_there(self) -> None:
        assert "no such camera" in refusal("camera:77")

    def test_an_address_that_does_not_answer(self) -> None:
        assert "cannot be opened" in refusal("http://127.0.0.1:9/clip.mp4")

    def test_an_address_of_an_unknown_protocol(self) -> None:
        assert "gopher is not supported" in refusal("gopher://127.0.0.1/clip.mp4")


class TestPlaylists:
    """Text that makes FFmpeg open other files, under a video's name."""

    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        return write_video(tmp_path / "secret.mp4", moving_squares(12))

    @pytest.mark.parametrize(
        "text",
        [
            "ffconcat version 1.0\nfile secret.mp4\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nsecret.mp4\n#EXT-X-ENDLIST\n",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        ],
        ids=["ffconcat", "m3u8", "sdp"],
    )
    @pytest.mark.parametrize("suffix", [".mp4", ".ffconcat", ".m3u8", ".sdp"])
    def test_are_refused_as_local_files(self, tmp_path: Path, secret: Path, text: str, suffix: str) -> None:
        path = tmp_path / f"clip{suffix}"
        path.write_text(text)
        assert "not a video that can be read" in refusal(path)

    @pytest.mark.parametrize("prefix", ["concat:", "subfile,,start,0,end,0,,:", "async:", "cache:"])
    def test_a_name_that_looks_like_a_protocol_is_a_name(self, secret: Path, prefix: str) -> None:
        name = f"{prefix}{secret}"
        assert "no such file" in refusal(name)

    @pytest.mark.parametrize("name", ["a:b.mp4", "100%d.mp4", "-i.mp4", "a|b.mp4", "spaced name é.mp4"])
    def test_a_file_of_an_odd_name_is_read(
        self, tmp_path: Path, secret: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copy(secret, tmp_path / name)
        monkeypatch.chdir(tmp_path)
        assert read(name).frames_decoded == 12


CONTAINERS = {
    "mp4": (".mp4", {}, {"movflags": "faststart"}),
    "mp4 with its index at the end": (".mp4", {}, {}),
    "mov": (".mov", {}, {"movflags": "faststart"}),
    # The encoder orders frames by its threads, and says how long the video is only by the last of them.
    "matroska": (".mkv", {"options": {"threads": "2"}}, {}),
    "webm": (".webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}, {}),
    "avi": (".avi", {"codec": "mpeg4"}, {}),
    "flv": (".flv", {"codec": "flv1"}, {}),
    "gif": (".gif", {"codec": "gif", "pixel_format": "bgr8"}, {}),
}


@pytest.fixture(scope="module", params=CONTAINERS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 64 frames in each container."""
    suffix, options, container_options = CONTAINERS[request.param]
    path = tmp_path_factory.mktemp("whole") / f"clip{suffix}"
    return write_video(path, moving_squares(64), container_options=container_options, **options)  # type: ignore[arg-type]


class TestTruncation:
    def test_a_whole_file_is_accepted(self, whole: Path) -> None:
        report = read(whole)
        assert report.frames_decoded == 64
        assert not report.incomplete

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_a_file_cut_anywhere_is_refused(self, whole: Path, tmp_path: Path, share: float) -> None:
        data = whole.read_bytes()
        cut = tmp_path / whole.name
        cut.write_bytes(data[: int(len(data) * share)])
        refusal(cut)

    @pytest.mark.parametrize("packets", [8, 32, 60])
    def test_a_file_cut_between_packets_is_refused_with_found_and_declared(
        self, whole: Path, tmp_path: Path, packets: int
    ) -> None:
        with av.open(str(whole)) as container:
            places = sorted(p.pos for p in container.demux(video=0) if p.size and p.pos is not None)
        cut = tmp_path / whole.name
        cut.write_bytes(whole.read_bytes()[: places[packets]])
        message = refusal(cut)
        assert "`allow_partial=True`" in message or "beginning is damaged or missing" in message

    def test_what_is_there_is_classified_on_request_and_recorded(self, tmp_path: Path) -> None:
        whole = write_video(
            tmp_path / "whole.mp4",
            moving_squares(64),
            container_options={"movflags": "faststart"},
            options={"bf": "0"},
        )
        with av.open(str(whole)) as container:
            places = sorted(p.pos for p in container.demux(video=0) if p.size and p.pos is not None)
        cut = tmp_path / "cut.mp4"
        cut.write_bytes(whole.read_bytes()[: places[32]])
        assert "32 of 64 declared frames found" in refusal(cut, TruncatedVideoError)
        report = read(cut, allow_partial=True)
        assert report.incomplete
        assert (report.frames_decoded, report.frames_declared) == (32, 64)
        assert report.notes == ("cut off: 32 of 64 declared frames found",)

    @pytest.mark.parametrize(
        "name",
        ["archery.avi", "arm_wrestling.mp4", "clean_and_jerk.mp4", "horse_riding.gif", "sign_language_thanks.mkv"],
    )
    def test_real_clips_are_whole(self, assets: Path, name: str) -> None:
        report = read(assets / "clips" / name)
        assert not report.incomplete
        assert report.notes == ()

    def test_sound_that_outlasts_the_pictures_is_no_truncation(self, tmp_path: Path) -> None:
        for suffix in (".mp4", ".mkv"):
            path = tmp_path / f"clip{suffix}"
            with av.open(str(path), "w") as container:
                video = container.add_stream("libx264", rate=25)
                video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
                sound = container.add_stream("aac", rate=44100, layout="mono")
                for picture in moving_squares(25):
                    container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                container.mux(video.encode())
                for _ in range(100):
                    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                    frame.sample_rate = 44100
                    container.mux(sound.encode(frame))
                container.mux(sound.encode())
            assert read(path).frames_decoded == 25


class TestDamage:
    def test_the_corrupted_clip_is_refused_and_its_sound_part_classified_on_request(self, assets: Path) -> None:
        path = assets / "clips" / "corrupted.mp4"
        assert "damaged" in refusal(path)
        report = read(path, allow_partial=True)
        assert report.incomplete
        assert report.frames_decoded > 0
        assert report.damaged_packets > 0

    @pytest.mark.parametrize("seed", range(12))
    def test_random_damage_is_read_or_refused_and_nothing_else(self, tmp_path: Path, seed: int) -> None:
        path = write_video(tmp_path / "clip.mp4", moving_squares(20), container_options={"movflags": "faststart"})
        data = bytearray(path.read_bytes())
        generator = np.random.default_rng(seed)
        for place in generator.integers(0, len(data), 40):
            data[place] = generator.integers(256)
        path.write_bytes(data)
        for allow_partial in (False, True):
            try:
                assert read(path, allow_partial=allow_partial).frames_decoded > 0
            except VideoError as error:
                assert str(error).count("\n") == 0  # noqa: PT017


def png(width: int, height: int) -> bytes:
    """A black picture of any size, made without holding it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    # Each row is a run of blocks that needs nothing before it, so that one is squeezed for all; of zeros, the checksum
    # at the end (RFC 1950) is their number.
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    row = squeeze.compress(bytes(1 + 3 * width)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    checksum = ((1 + 3 * width) * height % 65521 << 16) + 1
    rows = b"\x78\xda" + row * height + squeeze.flush() + checksum.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def write_pngs(path: Path, pictures: list[bytes], size: tuple[int, int]) -> Path:
    """Put encoded pictures into a container whose header says what it likes."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "rgb24"
        for number, picture in enumerate(pictures):
            packet = av.Packet(picture)
            packet.pts = packet.dts = number
            packet.time_base = Fraction(1, 25)
            packet.stream = stream
            container.mux(packet)
    return path


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small files of frames that would each take hundreds of megabytes."""
    folder = tmp_path_factory.mktemp("bombs")
    black = (np.zeros((8192, 8192, 3), np.uint8) for _ in range(2))
    from_start = write_video(folder / "from_start.mp4", black, options={"preset": "ultrafast"})
    small = write_video(folder / "small.h264", moving_squares(6), container_format="h264")
    large = folder / "large.h264"
    with av.open(str(from_start)) as source, av.open(str(large), "w", format="h264") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    midway = folder / "midway.h264"
    midway.write_bytes(small.read_bytes() + large.read_bytes())
    bomb = png(20_000, 20_000)
    (folder / "image.png").write_bytes(bomb)
    return {
        "from the start": from_start,
        "midway": midway,
        "midway, against the header": write_pngs(folder / "lie.mov", [png(320, 240)] * 6 + [bomb] * 20, (320, 240)),
        "image": folder / "image.png",
    }


class TestLimits:
    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["from the start", "midway", "midway, against the header", "image"])
    def test_a_bomb_is_refused_in_little_memory(self, bombs: dict[str, Path], kind: str) -> None:
        code = (
            "import sys\n"
            "from quovadis.errors import VideoLimitError\n"
            "from quovadis.video import open_video\n"
            "try:\n"
            "    with open_video(sys.argv[1]) as video: [frame for frame in video]\n"
            "except VideoLimitError as error: print(error)\n" + PRINT_PEAK
        )
        run = subprocess.run(
            [sys.executable, "-c", code, str(bombs[kind])], capture_output=True, text=True, check=True, timeout=60
        )
        message, peak = run.stdout.splitlines()
        assert run.stderr == ""
        assert str(bombs[kind]) in message
        assert "`max_pixels`" in message
        assert int(peak) < 600 * 1024

    def test_the_pixel_limit_can_be_raised(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "clip.mp4", moving_squares(4, 640, 480))
        assert "640x480" in refusal(path, VideoLimitError, limits=VideoLimits(max_pixels=640 * 480 - 1))
        assert read(path, limits=VideoLimits(max_pixels=640 * 480)).frames_decoded == 4

    def test_too_many_frames_or_seconds_are_refused_with_the_option(self, assets: Path) -> None:
        path = assets / "clips" / "archery.avi"
        assert "`max_frames`" in refusal(path, VideoLimitError, limits=VideoLimits(max_frames=100))
        assert "`max_seconds`" in refusal(path, VideoLimitError, limits=VideoLimits(max_seconds=2))
        assert read(path, limits=VideoLimits(max_frames=131, max_seconds=5.24)).frames_decoded == 131

    @pytest.mark.parametrize("gap_seconds", [10_000, 10_000_000])
    def test_a_gap_in_the_timestamps_does_not_become_millions_of_frames(self, tmp_path: Path, gap_seconds: int) -> None:
        path = write_video(
            tmp_path / "clip.mkv",
            moving_squares(6),
            timestamps=[0, 40, 80, 1000 * gap_seconds, 1000 * gap_seconds + 40, 1000 * gap_seconds + 80],
            time_base=Fraction(1, 1000),
            options={"bf": "0"},
        )
        message = refusal(path, VideoLimitError, limits=VideoLimits(max_frames=200_000, max_seconds=1e9))
        assert "`max_frames`" in message

    @pytest.mark.parametrize("limit", ["max_pixels", "max_frames", "max_seconds"])
    def test_a_limit_of_nothing_is_refused(self, limit: str) -> None:
        with pytest.raises(VideoError, match=f"{limit} must be (1|0.001) or more, not 0"):
            VideoLimits(**{limit: 0})

    def test_a_picture_of_no_shape_is_refused(self, tmp_path: Path) -> None:
        path = write_pngs(tmp_path / "clip.mov", [png(4000, 20)] * 3, (4000, 20))
        assert "16:1" in refusal(path)
