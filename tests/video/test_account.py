"""Whether a video is whole: frames that came out against packets that went in, and what headers promise."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from quovadis.errors import TruncatedVideoError
from quovadis.video import open_video
from quovadis.video.account import PacketAccount
from quovadis.video.decoder import Decoder
from quovadis.video.endings import has_gif_trailer
from support.synthetic import moving_squares, write_video


def read(path: Path, threads: int = 1) -> int:
    with open_video(path, fps="native", threads=threads) as video:
        return sum(1 for _ in video.resampled())


class TestADecoderThatIsNotDrained:
    """What went unnoticed once: the frames that the decoder still held were never asked for."""

    @pytest.fixture(autouse=True)
    def never_drained(self, monkeypatch: pytest.MonkeyPatch) -> None:
        decode = Decoder._decode
        monkeypatch.setattr(
            Decoder, "_decode", lambda self, packet, account: decode(self, packet, account) if packet else []
        )

    @pytest.mark.parametrize("threads", [2, 8, 16])
    @pytest.mark.parametrize("name", ["hd_audio_first.mp4", "font.mkv", "tmcd.mov", "x264.avi", "concat.ts"])
    def test_is_found_whatever_the_container_and_the_threads(self, assets: Path, name: str, threads: int) -> None:
        with pytest.raises(TruncatedVideoError, match=r"incomplete: \d+ frames at its end did not come out"):
            read(assets / "clips" / "faults" / name, threads)

    @pytest.mark.parametrize("threads", [2, 16])
    def test_is_found_without_b_frames(self, tmp_path: Path, threads: int) -> None:
        path = write_video(tmp_path / "clip.mp4", moving_squares(20), options={"bf": "0", "tune": "zerolatency"})
        with pytest.raises(TruncatedVideoError, match="did not come out"):
            read(path, threads)


def kept_back(packets: Sequence[int | None], frames: Sequence[int | None], codec: str = "h264", size: int = 500) -> int:
    """Return what an account finds of packets, and the frames that came of them, by their presentation times."""
    stream: Any = SimpleNamespace(index=0, codec_context=SimpleNamespace(name=codec))
    account = PacketAccount(cast("Any", None), stream, Fraction(1, 25))
    for place, pts in enumerate(packets):
        account.sent(cast("Any", SimpleNamespace(is_discard=False, size=size, is_keyframe=place == 0, pts=pts)))
    for pts in frames:
        account.came_out(cast("Any", SimpleNamespace(pts=pts)))
    return account.kept_back()


class TestPacketsWithoutAFrameOfTheirOwn:
    def test_every_packet_a_frame(self) -> None:
        assert kept_back([0, 3, 1, 2], [0, 1, 2, 3]) == 0

    @pytest.mark.parametrize("lost", [1, 2, 5])
    def test_frames_of_the_end_that_did_not_come(self, lost: int) -> None:
        assert kept_back(range(50), range(50 - lost)) == lost
        assert kept_back([None] * 50, [None] * (50 - lost)) == lost

    def test_hidden_reference_pictures_are_not_missed(self) -> None:
        assert kept_back([0, 4, 1, 2, 3, 5, 9, 6, 7, 8], [0, 1, 2, 3, 5, 6, 7, 8]) <= 1
        assert kept_back([0, 4, 1, 2, 3, 5, 9, 6, 7, 8, 10], [0, 1, 2, 3, 5, 6, 7, 8, 10]) == 0

    def test_a_frame_of_two_fields_is_one(self) -> None:
        assert kept_back(range(40), range(0, 40, 2)) == 0
        assert kept_back([None] * 40, [None] * 20) == 0

    def test_frames_that_need_what_lies_before_the_beginning_are_not_missed(self) -> None:
        assert kept_back([3, 0, 1, 2, 4, 5], [3, 4, 5]) == 0

    def test_empty_pictures_of_mpeg4_are_no_frames(self) -> None:
        assert kept_back([0, 1, 2, 3], [0], codec="mpeg4", size=7) == 0

    def test_packets_that_an_edit_list_hides_are_not_missed(self, assets: Path) -> None:
        assert read(assets / "clips" / "faults" / "trim_end.mp4") == 50


class TestGIF:
    @pytest.fixture
    def content(self, assets: Path) -> bytes:
        return (assets / "clips" / "faults" / "anim_trail.gif").read_bytes()

    def test_the_end_mark_is_found_with_anything_after_it(self, content: bytes, tmp_path: Path) -> None:
        for number, rest in enumerate([b"", b"\0" * 1000, b"\n", b"<html>" * 100]):
            path = tmp_path / f"{number}.gif"
            path.write_bytes(content + rest)
            assert has_gif_trailer(path)

    def test_a_semicolon_within_a_picture_is_no_end_mark(self, content: bytes, tmp_path: Path) -> None:
        # Cut right after each byte of that value: only once the end mark is there is the file whole, and it stays so.
        ends = [place + 1 for place, byte in enumerate(content) if byte == ord(";")]
        found = [_is_whole(tmp_path / "cut.gif", content[:end]) for end in ends]
        assert not found[0]
        assert found[-1]
        assert found == sorted(found)

    def test_no_cut_file_has_one(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "cut.gif"
        whole = min(
            end + 1 for end, byte in enumerate(content) if byte == ord(";") and _is_whole(path, content[: end + 1])
        )
        assert whole > len(content) / 2
        for length in range(0, whole, 97):
            assert not _is_whole(path, content[:length])

    def test_comments_before_the_end_mark_are_no_frames_that_are_missed(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "comment.gif"
        end = next(
            end for end in range(len(content)) if content[end : end + 1] == b";" and _is_whole(path, content[: end + 1])
        )
        comment = b"\x21\xfe\x05hello\x00"
        path.write_bytes(content[:end] + comment * 2 + b";")
        assert read(path) == 40
        path.write_bytes(content[:end] + comment * 2)
        with pytest.raises(TruncatedVideoError, match="no end mark"):
            read(path)


def _is_whole(path: Path, content: bytes) -> bool:
    path.write_bytes(content)
    return has_gif_trailer(path)


class TestIVF:
    """Where FFmpeg writes the length in ticks of the file's clock, and others the number of frames."""

    @pytest.fixture
    def content(self, tmp_path: Path) -> bytes:
        path = write_video(
            tmp_path / "clip.ivf",
            moving_squares(20),
            codec="libvpx",
            timestamps=[number * 40 for number in range(20)],
            time_base=Fraction(1, 1000),
            options={"deadline": "realtime"},
        )
        return path.read_bytes()

    @pytest.mark.parametrize("declared", [800, 20])
    def test_is_whole_by_either_and_cut_by_either(self, content: bytes, declared: int, tmp_path: Path) -> None:
        path = tmp_path / "again.ivf"
        content = content[:24] + declared.to_bytes(4, "little") + content[28:]
        path.write_bytes(content)
        assert read(path) == 20
        path.write_bytes(content[: _ivf_frame_end(content, 17)])
        with pytest.raises(TruncatedVideoError, match=f"17 of {declared} declared frames"):
            read(path)


def _ivf_frame_end(content: bytes, frames: int) -> int:
    end = 32
    for _ in range(frames):
        end += 12 + int.from_bytes(content[end : end + 4], "little")
    return end
