"""What a source is, and how folders and addresses become videos."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quovadis.errors import VideoError
from quovadis.video import discover_videos, open_video
from quovadis.video.source import open_instructions
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
    instructions = open_instructions("camera:0")
    assert instructions.kind == "camera"
    assert instructions.demuxer in ("v4l2", "avfoundation", "dshow")
    assert open_instructions("camera:/dev/video3").address.endswith("/dev/video3")


def test_no_network_protocol_reads_local_files() -> None:
    for address in ("http://127.0.0.1/a", "rtsp://127.0.0.1/a"):
        assert "file" not in open_instructions(address).options["protocol_whitelist"].split(",")
    assert open_instructions("clip.mp4").options["protocol_whitelist"] == "file"


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
