"""Sound files that were refused, cut short or crashed on are read whole; their twins that are cut are still refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import pytest

from quovadis.errors import VideoError
from quovadis.video import open_video
from support.boxes import set_edit_list
from support.compare import THREADS
from support.numbered import frames_seen
from support.scenarios import write


@dataclass(frozen=True)
class Faulty:
    """What one of the files holds."""

    numbers: list[int]
    note: str = ""
    """A part of the one note there is to be; without, there is none."""


HUNDRED, FORTY = list(range(100)), list(range(40))
CLOCK = "clock jumps"
FILES: dict[str, Faulty] = {
    "tmcd.mov": Faulty(HUNDRED),
    "font.mkv": Faulty(HUNDRED),
    "x264.avi": Faulty(HUNDRED),
    "late03.mkv": Faulty(HUNDRED),
    "late.webm": Faulty(HUNDRED),
    "longaudio.wmv": Faulty(HUNDRED),
    "live.avi": Faulty(HUNDRED),
    "trim_end.mp4": Faulty(HUNDRED[:50]),
    "concat.ts": Faulty(HUNDRED * 2, CLOCK),
    "jump20s.ts": Faulty(HUNDRED * 2, CLOCK),
    "anim_trail.gif": Faulty(FORTY),
    "anim.avif": Faulty(FORTY),
    "anim.png": Faulty(FORTY),
}


@pytest.fixture
def faults(assets: Path) -> Path:
    return assets / "clips" / "faults"


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("name", FILES)
class TestSoundFiles:
    def test_every_frame_is_seen_once_and_in_order_and_only_what_is_unusual_is_noted(
        self, faults: Path, name: str, threads: int
    ) -> None:
        seen, report = frames_seen(faults / name, threads=threads)
        assert seen.numbers == FILES[name].numbers
        assert seen.seconds == pytest.approx([place / 25 for place in range(len(seen.numbers))], abs=0.002)
        assert report.seconds_found == pytest.approx(len(seen.numbers) / 25, abs=0.002)
        assert not report.incomplete
        assert len(report.notes) == bool(FILES[name].note)
        assert all(FILES[name].note in note for note in report.notes)

    def test_at_25_a_second_the_same_are_seen(self, faults: Path, name: str, threads: int) -> None:
        seen, _ = frames_seen(faults / name, 25.0, threads=threads)
        assert seen.numbers == FILES[name].numbers


def test_the_number_of_threads_loses_no_frame_of_a_large_video_whose_sound_comes_first(faults: Path) -> None:
    # These frames carry no numbers: all are different.
    pictures = []
    for threads in THREADS:
        with open_video(faults / "hd_audio_first.mp4", fps="native", threads=threads) as video:
            pictures.append(
                [hash(shown.decoded.frame.to_ndarray(format="gray").tobytes()) for shown in video.resampled()]
            )
        assert video.report.notes == ()
    assert len(set(pictures[0])) == len(pictures[0]) == 50
    assert all(others == pictures[0] for others in pictures)


def test_no_file_is_forgotten(faults: Path) -> None:
    assert {path.name for path in faults.iterdir()} == {*FILES, "hd_audio_first.mp4"}


def refused(path: Path, threads: int = 0) -> str:
    with pytest.raises(VideoError) as caught:
        frames_seen(path, threads=threads)
    return str(caught.value)


def packet_places(path: Path) -> list[int]:
    """Return where in the file the packets of the pictures begin."""
    with av.open(str(path)) as container:
        return sorted(packet.pos for packet in container.demux(video=0) if packet.size and packet.pos is not None)


def cut(path: Path, size: int, folder: Path, behind: bytes = b"") -> Path:
    twin = folder / f"cut{path.suffix}"
    twin.write_bytes(path.read_bytes()[:size] + behind)
    return twin


class TestTheirTwinsThatAreCut:
    @pytest.mark.parametrize("packet", [10, 50, 90, 96])
    @pytest.mark.parametrize("name", ["late03.mkv", "late.webm"])
    def test_a_late_picture(self, faults: Path, tmp_path: Path, name: str, packet: int) -> None:
        place = packet_places(faults / name)[packet]
        assert "declared seconds found" in refused(cut(faults / name, place, tmp_path))

    @pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.98])
    def test_sound_that_outlasts_the_pictures(self, faults: Path, tmp_path: Path, share: float) -> None:
        size = (faults / "longaudio.wmv").stat().st_size
        refused(cut(faults / "longaudio.wmv", int(size * share), tmp_path))

    @pytest.mark.parametrize("name", ["tmcd.mov", "font.mkv", "x264.avi", "trim_end.mp4", "hd_audio_first.mp4"])
    @pytest.mark.parametrize("share", [0.3, 0.7, 0.85])
    def test_other_tracks_and_lists(self, faults: Path, tmp_path: Path, name: str, share: float) -> None:
        refused(cut(faults / name, int((faults / name).stat().st_size * share), tmp_path))

    @pytest.mark.parametrize("packet", [3, 50, 99])
    def test_a_count_that_stands_for_none(self, faults: Path, tmp_path: Path, packet: int) -> None:
        path = faults / "live.avi"
        # The first half of a frame is there; between frames such a file can be cut unseen.
        place = packet_places(path)[packet] + 20
        assert "incomplete" in refused(cut(path, place, tmp_path)) or packet == 99

    @pytest.mark.parametrize("behind", [b"", bytes(300), b"; and a text; such as a server adds;", b"\0;" * 400])
    @pytest.mark.parametrize("packet", [1, 20, 39])
    def test_a_gif_without_its_mark(self, faults: Path, tmp_path: Path, packet: int, behind: bytes) -> None:
        path = faults / "anim_trail.gif"
        place = packet_places(path)[packet]
        # In the middle of an image's data, where any byte may follow.
        refused(cut(path, place + 30, tmp_path, behind))

    @pytest.mark.parametrize("parts", [[(0.0, 1.2)], [(1.0, 1.4)], [(0.4, 1.4)]], ids=["start", "end", "middle"])
    @pytest.mark.parametrize("options", [(), ("-bf", "2")], ids=["", "B-frames"])
    def test_an_edit_list_over_missing_packets(
        self, ffmpeg: None, tmp_path: Path, parts: list[tuple[float, float]], options: tuple[str, ...]
    ) -> None:
        path = write(tmp_path / "clip.mp4", "-c:v", "libx264", "-g", "12", "-movflags", "faststart", *options)
        places = packet_places(path)
        set_edit_list(path, parts)
        first, length = parts[0]
        shown = range(round(first * 25), round((first + length) * 25))
        seen, report = frames_seen(path)
        assert seen.numbers == list(shown)
        assert report.notes == ()
        # Of the frames that are shown half are missing.
        refused(cut(path, places[shown[len(shown) // 2]], tmp_path))
