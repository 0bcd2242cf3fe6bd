"""What a source is, and how folders and addresses become videos."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quovadis.errors import VideoError
from quovadis.video import (
    Address,
    ArrayFrames,
    Camera,
    FrameFolder,
    LocalFile,
    TimeSpan,
    VideoSource,
    discover_videos,
    open_video,
    video_source,
)
from quovadis.video.source import camera_instructions, file_instructions, network_instructions
from support.loopback import serve
from support.synthetic import moving_squares, write_video


def test_a_video_is_read_over_http_and_is_not_live(assets: Path) -> None:
    with serve((assets / "clips" / "archery.avi").read_bytes()) as server:
        with open_video(f"{server.address}/archery.avi") as video:
            assert not video.live
            assert sum(1 for _ in video) == 131
        assert server.ranges


def test_an_address_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with serve(b"", *["missing"] * 5) as server, pytest.raises(VideoError, match=r"absent\.mp4: cannot be opened.*404"):
        open_video(f"{server.address}/absent.mp4")


def test_an_mp4_with_its_index_at_the_end_from_a_server_that_cannot_seek_is_to_be_downloaded(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 128, 128, 3), np.uint8)
    video = write_video(tmp_path / "phone.mp4", noise)
    with (
        serve(video.read_bytes(), *["no ranges"] * 9) as server,
        pytest.raises(VideoError, match=r"phone\.mp4: cannot be .*; download the video, and give the file"),
    ):
        list(open_video(f"{server.address}/phone.mp4"))


def test_a_playlist_behind_an_address_cannot_read_local_files(tmp_path: Path) -> None:
    secret = write_video(tmp_path / "secret.ts", moving_squares(12))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    with (
        serve(playlist.encode()) as server,
        pytest.raises(VideoError),
        open_video(f"{server.address}/list.m3u8") as video,
    ):
        list(video)


def test_a_file_address_is_a_local_file(assets: Path) -> None:
    with open_video(f"file://{assets}/clips/archery.avi") as video:
        assert video.duration_seconds == pytest.approx(5.24)


def test_a_camera_is_opened_as_a_device() -> None:
    assert video_source("camera:0") == Camera("0")
    instructions = camera_instructions("0")
    assert instructions.kind == "camera"
    assert instructions.demuxer in ("v4l2", "avfoundation", "dshow")
    assert camera_instructions("/dev/video3").address.endswith("/dev/video3")


def test_no_network_protocol_reads_local_files() -> None:
    for address in ("http://127.0.0.1/a", "rtsp://127.0.0.1/a"):
        assert "file" not in network_instructions(address).options["protocol_whitelist"].split(",")
    assert file_instructions(Path("clip.mp4")).options["protocol_whitelist"] == "file"


def test_a_folder_gives_its_videos_in_natural_order_and_folders_of_images_as_videos(
    assets: Path, tmp_path: Path
) -> None:
    for name in ("clip10.avi", "clip2.avi", "deep/er/clip.AVI", ".hidden/clip.avi", ".hidden.avi"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(assets / "clips" / "archery.avi", tmp_path / name)
    (tmp_path / "stills").mkdir()
    Image.fromarray(np.zeros((240, 320, 3), np.uint8)).save(tmp_path / "stills" / "1.png")
    (tmp_path / "deep" / "poster.png").write_bytes(b"an image beside folders of videos")
    found = [str(Path(path).relative_to(tmp_path)) for path in discover_videos(str(tmp_path))]
    assert found == ["clip2.avi", "clip10.avi", "deep", "deep/er/clip.AVI", "stills"]


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    store, root = tmp_path / "store", tmp_path / "root"
    (store / "deep").mkdir(parents=True)
    root.mkdir()
    for name in ("a.mp4", "deep/b.mp4"):
        (store / name).touch()
    (root / "linked").symlink_to(store)
    (root / "c.mp4").symlink_to(store / "a.mp4")
    (root / "relative").symlink_to("../store/deep")
    (root / ".hidden").symlink_to(store)
    (root / "nowhere").symlink_to(tmp_path / "gone")
    (root / "gone.mp4").symlink_to(tmp_path / "gone")
    found = [str(Path(path).relative_to(root)) for path in discover_videos(str(root))]
    # A video that is not there is named once it is opened; it does not vanish.
    assert found == ["c.mp4", "gone.mp4", "linked/a.mp4", "linked/deep/b.mp4", "relative/b.mp4"]
    (tmp_path / "start").symlink_to(root)
    assert len(discover_videos(str(tmp_path / "start"))) == len(found)


def test_links_that_lead_back_end(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "clip.mp4").touch()
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "b" / "top").symlink_to(tmp_path)
    (tmp_path / "a" / "b" / "here").symlink_to(".")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    assert discover_videos(str(tmp_path)) == [str(tmp_path / "a" / "b" / "clip.mp4")]


def test_two_links_to_one_folder_are_two_paths(tmp_path: Path) -> None:
    store, root = tmp_path / "store", tmp_path / "root"
    store.mkdir()
    root.mkdir()
    (store / "clip.mp4").touch()
    for name in ("one", "two"):
        (root / name).symlink_to(store)
    assert discover_videos(str(root)) == [str(root / "one" / "clip.mp4"), str(root / "two" / "clip.mp4")]


@pytest.mark.parametrize("source", ["clip.mp4", "absent.mp4", "camera:0", "http://127.0.0.1/a", "rtsp://127.0.0.1/a"])
def test_everything_but_a_folder_is_itself(source: str) -> None:
    assert discover_videos(source) == [source]


def test_abandoning_a_video_closes_it(assets: Path) -> None:
    with open_video(assets / "clips" / "archery.avi") as video:
        next(iter(video))
    with pytest.raises(Exception, match=r"closed|not open"):
        next(iter(video))


# --- typed sources ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("clip.mp4", LocalFile),
        ("file:///tmp/clip.mp4", LocalFile),
        (".", FrameFolder),
        (Path(), FrameFolder),
        (Path("camera:0"), LocalFile),
        (Path("http://127.0.0.1/a"), LocalFile),
        ("camera:0", Camera),
        ("http://127.0.0.1/a", Address),
        (np.zeros((1, 2, 2, 3), np.uint8), ArrayFrames),
    ],
    ids=str,
)
def test_what_a_user_gives_becomes_a_source_of_one_kind(given: object, kind: type) -> None:
    source = video_source(given)  # type: ignore[arg-type]
    assert type(source) is kind
    assert isinstance(source, VideoSource)
    assert video_source(source) is source


NAMES_OF_OTHER_THINGS = ["camera:0", "concat:a|b", "file:///etc/hostname", "rtsp://127.0.0.1/a", "data:video/mp4,a"]


@pytest.mark.parametrize("name", NAMES_OF_OTHER_THINGS)
def test_a_local_file_is_a_path_whatever_it_looks_like(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VideoError, match="no such file"):
        LocalFile(name).open()
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    write_video(tmp_path / "clip.mp4", moving_squares(12)).rename(name)
    assert LocalFile(name).count_frames() == 12


def test_a_local_file_named_as_an_address_asks_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with serve(write_video(tmp_path / "clip.mp4", moving_squares(12)).read_bytes()) as server:
        with pytest.raises(VideoError, match="no such file"):
            LocalFile(f"{server.address}/clip.mp4").open()
        assert not server.ranges


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4", "list.ffconcat", "list.txt"])
@pytest.mark.parametrize(
    "playlist", ["#EXTM3U\n#EXTINF:1,\n{0}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile '{0}'\n"]
)
def test_a_local_file_reads_no_other(name: str, playlist: str, tmp_path: Path) -> None:
    secret = write_video(tmp_path / "secret.ts", moving_squares(12))
    (tmp_path / name).write_text(playlist.format(secret))
    with pytest.raises(VideoError, match=name):
        LocalFile(tmp_path / name).count_frames()


def test_a_local_file_is_no_folder_and_has_a_name(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="a folder, not a file"):
        LocalFile(tmp_path).open()
    with pytest.raises(VideoError, match="an empty name"):
        LocalFile("").open()


@pytest.mark.parametrize("name", ["clip.mp4", "file:///etc/hostname", "camera:0", "concat:a|b", ""])
def test_an_address_is_no_local_file(name: str, assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VideoError, match="not supported"):
        Address(name).open()


def test_a_camera_is_no_file(assets: Path) -> None:
    with pytest.raises(VideoError, match="no such camera"):
        Camera(str(assets / "clips" / "archery.avi")).open()


def test_frames_in_memory_have_the_rate_that_is_asked_for_or_their_own() -> None:
    frames = np.zeros((20, 30, 40, 3), np.uint8)
    assert ArrayFrames(frames).count_frames(50.0) == 20
    assert ArrayFrames(frames, rate=50).count_frames() == 20
    # Resampled from 50 a second to 25.
    with ArrayFrames(frames, rate=50).open(span=TimeSpan(start_seconds=0.08)) as video:
        assert [frame.pts_seconds for frame in video] == pytest.approx([0.08 + 0.04 * i for i in range(8)])


def test_the_same_content_has_the_same_fingerprint_wherever_it_lies(tmp_path: Path) -> None:
    file = write_video(tmp_path / "a.mp4", moving_squares(12))
    folder = tmp_path / "frames"
    folder.mkdir()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / "1.png")
    before = LocalFile(file).fingerprint(), FrameFolder(folder).fingerprint()
    (tmp_path / "sub").mkdir()
    moved = file.rename(tmp_path / "sub" / "b.mp4"), folder.rename(tmp_path / "sub" / "others")
    assert (LocalFile(moved[0]).fingerprint(), FrameFolder(moved[1]).fingerprint()) == before
    assert FrameFolder(moved[1], frames=range(1)).fingerprint() != before[1]
    # A copy has a time of its own.
    (tmp_path / "copy.avi").write_bytes(moved[0].read_bytes())
    assert LocalFile(tmp_path / "copy.avi").fingerprint() == before[0]
    moved[0].write_bytes(moved[0].read_bytes()[:-1])
    assert LocalFile(moved[0]).fingerprint() != before[0]
    with pytest.raises(VideoError, match="cannot be read: No such file"):
        LocalFile(tmp_path / "gone.mp4").fingerprint()


def test_arrays_are_told_by_their_bytes_and_shape() -> None:
    frames = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    same = ArrayFrames(frames).fingerprint()
    assert ArrayFrames(np.asfortranarray(frames), rate=5, name="b").fingerprint() == same
    assert ArrayFrames(frames[::-1]).fingerprint() != same
    assert ArrayFrames(frames.reshape(2, 4, 3, 3)).fingerprint() != same


@pytest.mark.parametrize("kind", [LocalFile, FrameFolder])
@pytest.mark.parametrize(("name", "said"), [("", "an empty name"), ("a\0b", "null byte")])
def test_a_name_that_no_file_has_opens_nothing(
    kind: type[LocalFile | FrameFolder], name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    # An empty path would be this folder.
    monkeypatch.chdir(tmp_path)
    for act in (kind(name).open, kind(name).fingerprint):
        with pytest.raises(VideoError, match=said):
            act()


@pytest.mark.parametrize("name", ["a\0b", "file:///a%00b"])
def test_a_null_byte_is_an_error_of_that_source(name: str) -> None:
    for act in (video_source, discover_videos):
        with pytest.raises(VideoError, match="null byte"):
            act(name)
