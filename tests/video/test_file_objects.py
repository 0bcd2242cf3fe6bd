"""Videos that are no files of their own: bytes, pipes, responses, members of archives."""

from __future__ import annotations

import gc
import io
import os
import threading
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from quovadis.errors import TruncatedVideoError, VideoError, VideoLimitError
from quovadis.video import FileObject, LocalFile, VideoLimits, open_video, spool, video_source
from support.loopback import serve
from support.synthetic import moving_squares, write_video


def pixels(source: object) -> NDArray[np.uint8]:
    with open_video(source) as video:  # type: ignore[arg-type]
        return np.stack([frame.pixels for frame in video.frames_ahead()])


def pipe_of(content: bytes) -> io.BufferedReader:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(content)

    threading.Thread(target=write, daemon=True).start()
    return os.fdopen(reading, "rb")


def zip_member(content: bytes) -> zipfile.ZipExtFile:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("clip.mp4", content)
    return zipfile.ZipFile(archive).open("clip.mp4")  # type: ignore[return-value]


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Its index is at the end, where no reader of a pipe finds it in time.
    return write_video(tmp_path_factory.mktemp("clips") / "clip.mp4", moving_squares(12))


@pytest.mark.parametrize(
    "give",
    [bytes, bytearray, memoryview, io.BytesIO, pipe_of, zip_member],
    ids=lambda give: give.__name__,  # type: ignore[attr-defined]
)
def test_content_gives_what_the_file_gives(give: Callable[[bytes], object], mp4: Path) -> None:
    given = give(mp4.read_bytes())
    assert isinstance(video_source(given), FileObject)  # type: ignore[arg-type]
    np.testing.assert_array_equal(pixels(given), pixels(mp4))
    if hasattr(given, "close"):
        assert not given.closed  # type: ignore[attr-defined]
        given.close()


def test_a_response_is_read_as_it_is(mp4: Path) -> None:
    with serve(mp4.read_bytes()) as server, urllib.request.urlopen(f"{server.address}/clip.mp4") as response:
        np.testing.assert_array_equal(pixels(response), pixels(mp4))


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tiff"])
def test_animations_are_read_whole(name: str, tmp_path: Path) -> None:
    pictures = [Image.fromarray(frame) for frame in moving_squares(5)]
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], duration=40)
    content = (tmp_path / name).read_bytes()
    assert len(pixels(content)) == 5
    np.testing.assert_array_equal(pixels(content), pixels(tmp_path / name))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tiff", "a.bmp"])
def test_a_still_image_is_one_frame_and_says_so(name: str, tmp_path: Path) -> None:
    Image.fromarray(next(moving_squares(1))).save(tmp_path / name)
    with open_video((tmp_path / name).read_bytes()) as video:
        assert len(list(video)) == 1
        assert any("still picture" in note for note in video.report.notes)


def test_a_source_can_be_opened_again_and_counted(mp4: Path) -> None:
    with pipe_of(mp4.read_bytes()) as pipe:
        source = FileObject(pipe, "camera 3")
        np.testing.assert_array_equal(pixels(source), pixels(source))
    assert source.count_frames() == 12
    assert source.fingerprint() == LocalFile(mp4).fingerprint()
    assert source.name == "camera 3"


def test_an_open_file_is_read_from_where_it_stands_and_tells_its_name(mp4: Path, tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(b"header" + mp4.read_bytes())
    with (tmp_path / "box").open("rb") as file:
        file.seek(6)
        assert video_source(file).name == str(tmp_path / "box")
        assert len(pixels(file)) == 12
    assert video_source(b"").name == "<bytes>"
    assert video_source(io.BytesIO()).name == "<file object>"


def test_more_than_the_limit_is_refused_and_not_read_on(mp4: Path) -> None:
    endless = io.BytesIO(bytes(8 << 20))
    source = FileObject(endless, "<stdin>")
    with pytest.raises(VideoLimitError, match=r"^<stdin>: it is larger than the limit of 9 bytes;") as caught:
        source.open(limits=VideoLimits(max_spooled_bytes=9))
    assert caught.value.option == "max_spooled_bytes"
    assert endless.tell() <= 1 << 20
    with pytest.raises(VideoError, match="read in part"):
        source.open()
    # Bytes can be read again.
    content = FileObject(mp4.read_bytes())
    with pytest.raises(VideoLimitError):
        content.open(limits=VideoLimits(max_spooled_bytes=9))
    assert content.count_frames() == 12


class Failing(io.BytesIO):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def read(self, size: int | None = -1, /) -> bytes:
        raise self.error


def closed_file() -> io.BytesIO:
    file = io.BytesIO()
    file.close()
    return file


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"", "<bytes>: empty file"),
        (b"no video at all", "<bytes>: not a video"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n#EXT-X-ENDLIST\n", "<bytes>: not a video"),
        (io.StringIO("text"), "opened as text"),
        (io.TextIOWrapper(io.BytesIO(b"\xff\xfe")), "opened as text"),
        (Failing(io.UnsupportedOperation("read")), 'opened for writing: open it with the mode "rb"'),
        (os.fsencode(__file__), "the name of a file in place of its content; give the name as text: os.fsdecode"),
        (closed_file(), "cannot be read: I/O operation on closed file"),
        (Failing(zipfile.BadZipFile("Bad CRC-32")), "cannot be read: Bad CRC-32"),
        (Failing(ConnectionResetError(104, "reset by peer")), "cannot be read: reset by peer"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_video_is_one_line(given: object, said: str) -> None:
    with pytest.raises(VideoError, match=said):
        pixels(given)


def test_cut_off_content_is_refused_as_a_file_is(assets: Path) -> None:
    content = (assets / "clips" / "archery.avi").read_bytes()
    with pytest.raises(TruncatedVideoError, match="<bytes>: cut off"):
        pixels(content[: len(content) // 2])


@pytest.mark.parametrize("is_nameless", [True, False])
def test_nothing_is_left_of_the_copy(
    is_nameless: bool, mp4: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_nameless and not spool._HAS_NAMELESS:
        pytest.skip("only on Linux")
    monkeypatch.setattr(spool, "_HAS_NAMELESS", is_nameless)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    content = mp4.read_bytes()
    # The copy lives as long as the video that reads it, and no longer.
    with open_video(content) as video:
        assert any(tmp_path.iterdir()) is not is_nameless
        assert len(list(video)) == 12
    del video
    gc.collect()
    assert not any(tmp_path.iterdir())
    for error in (KeyboardInterrupt(), OSError("gone")):
        with pytest.raises((KeyboardInterrupt, VideoError)):
            FileObject(Failing(error)).open()
    with pytest.raises(VideoError):
        FileObject(b"no video").open()
    gc.collect()
    assert not any(tmp_path.iterdir())


def test_a_full_disk_is_one_line(mp4: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(VideoError, match=r"<bytes>: cannot be copied into a temporary file: .*; set TMPDIR"):
        FileObject(mp4.read_bytes()).open()


def test_a_pipe_with_a_name_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    for act in (LocalFile(tmp_path / "pipe.mp4").open, LocalFile(tmp_path / "pipe.mp4").fingerprint):
        # It would wait for ever for somebody to write.
        with pytest.raises(VideoError, match=r"pipe\.mp4: a pipe or a device, not a file; open it"):
            act()
