"""What a set may be made of: the same videos in every form, and what is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from quovadis.errors import MetricError, VideoLimitError
from quovadis.fvd import SetVideo, list_videos
from quovadis.video import VideoLimits, clips_at
from quovadis.video.bilinear import CoordinateMode, resize
from quovadis.video.converters import StretchConverter
from support.synthetic import write_video
from support.video_sets import Videos, members_of, noise_videos, saved

VIDEOS = noise_videos(3, frames=11, size=(24, 32))
WINDOWS = [list(range(9)), [2, 4, 6, 8, 10], [10, 10, 0]]


def write_lossless(folder: Path, videos: Videos, suffix: str, codec: str, pixel_format: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frames in enumerate(videos):
        options = {"qp": "0"} if codec == "libx264rgb" else {}
        write_video(folder / f"{number}{suffix}", frames, codec=codec, pixel_format=pixel_format, options=options)
    return folder


def write_frames(folder: Path, videos: Videos) -> Path:
    for number, frames in enumerate(videos):
        (folder / str(number)).mkdir(parents=True)
        for place, pixels in enumerate(frames):
            # Without leading zeros: frame10 comes after frame9.
            Image.fromarray(pixels).save(folder / str(number) / f"frame{place}.png")
    return folder


def write_arrays(folder: Path, videos: Videos) -> Path:
    for number, frames in enumerate(videos):
        saved(folder / f"{number}.npy", frames)
    return folder


def write_nested(folder: Path, videos: Videos) -> Path:
    write_lossless(folder / "1" / "deep", videos[:1], ".mkv", "ffv1", "bgr0")
    write_frames(folder / "2", videos[1:])
    return folder


FORMS: dict[str, Callable[[Path, Videos], Path | str]] = {
    "folder of H.264": lambda folder, videos: write_lossless(folder, videos, ".mp4", "libx264rgb", "rgb24"),
    "folder of FFV1": lambda folder, videos: write_lossless(folder, videos, ".avi", "ffv1", "bgr0"),
    "folder of folders of frames": write_frames,
    "folder of arrays": write_arrays,
    "nested folders": write_nested,
    "one array of all": lambda folder, videos: saved(folder / "all.npy", videos),
    "one array in a folder": lambda folder, videos: Path(saved(folder / "sub" / "all.npy", videos)).parents[1],
    "array in Fortran's order": lambda folder, videos: saved(folder / "all.npy", np.asfortranarray(videos)),
}


def clips_of_one(
    member: SetVideo, windows: Sequence[Sequence[int]], centres: CoordinateMode = "asymmetric"
) -> dict[int, NDArray[np.float32]]:
    clips = clips_at(member.reader(), windows, fps="native", converter=lambda: StretchConverter(centres))
    return {clip.index: clip.pixels for clip in clips}


def clips_of(members: list[SetVideo], centres: CoordinateMode = "asymmetric") -> list[dict[int, NDArray[np.float32]]]:
    return [clips_of_one(member, WINDOWS, centres) for member in members]


@pytest.mark.parametrize("form", FORMS)
def test_the_same_frames_are_the_same_clips_in_every_form(form: str, tmp_path: Path) -> None:
    members = members_of(FORMS[form](tmp_path / "set", VIDEOS))
    assert [member.reader().count_frames() for member in members] == [11, 11, 11]
    for found, frames in zip(clips_of(members), VIDEOS, strict=True):
        assert sorted(found) == [0, 1, 2]
        for number, window in enumerate(WINDOWS):
            expected = np.stack([resize(frames[place], 224, 224, "asymmetric") for place in window])
            assert found[number].dtype == np.float32
            np.testing.assert_array_equal(found[number], expected)


@pytest.mark.parametrize("form", ["folder of FFV1", "folder of arrays"])
def test_pictures_are_stretched_as_asked_for(form: str, tmp_path: Path) -> None:
    members = members_of(FORMS[form](tmp_path / "set", VIDEOS))
    found = clips_of(members, "half-pixel")[0][0][3]
    np.testing.assert_array_equal(found, resize(VIDEOS[0, 3], 224, 224, "half-pixel"))


@pytest.mark.parametrize("form", ["folder of FFV1", "folder of folders of frames", "folder of arrays"])
def test_clips_that_a_video_is_too_short_for_are_left_out(form: str, tmp_path: Path) -> None:
    (member,) = members_of(FORMS[form](tmp_path / "set", VIDEOS[:1]))
    windows = [[0, 11], [3, 10], [40]]
    assert list(clips_of_one(member, windows)) == [1]


def test_an_array_of_four_dimensions_is_one_video(tmp_path: Path) -> None:
    (member,) = members_of(saved(tmp_path / "video.npy", VIDEOS[1]))
    assert member.name == "video.npy"
    assert member.reader().count_frames() == 11


def test_names_tell_videos_apart_and_do_not_depend_on_where_the_set_lies(tmp_path: Path) -> None:
    names = {
        form: [member.name for member in members_of(FORMS[form](tmp_path / form / "set", VIDEOS))] for form in FORMS
    }
    assert names["folder of FFV1"] == ["0.avi", "1.avi", "2.avi"]
    assert names["folder of folders of frames"] == ["0", "1", "2"]
    assert names["folder of arrays"] == ["0.npy", "1.npy", "2.npy"]
    assert names["one array of all"] == ["all.npy[0]", "all.npy[1]", "all.npy[2]"]
    assert names["one array in a folder"] == ["sub/all.npy[0]", "sub/all.npy[1]", "sub/all.npy[2]"]


def test_videos_of_one_file_name_in_several_folders_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_frames(tmp_path / folder / "frames", VIDEOS[:1])
    assert [member.name for member in members_of(tmp_path)] == ["a/frames/0", "b/frames/0"]


def test_videos_come_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        saved(tmp_path / f"clip{number}.npy", VIDEOS[0])
    assert [member.name for member in members_of(tmp_path)] == ["clip1.npy", "clip9.npy", "clip10.npy"]


def test_a_folder_may_hold_videos_frames_and_arrays_together(tmp_path: Path) -> None:
    write_lossless(tmp_path / "a", VIDEOS[:1], ".mkv", "ffv1", "bgr0")
    write_frames(tmp_path / "b", VIDEOS[1:2])
    saved(tmp_path / "c" / "2.npy", VIDEOS[2])
    found = sorted(float(clips[0].mean()) for clips in clips_of(members_of(tmp_path)))
    expected = sorted(float(clips[0].mean()) for clips in clips_of(members_of(saved(tmp_path / "all.npy", VIDEOS))))
    assert found == expected


def test_videos_frames_and_arrays_come_in_one_order(tmp_path: Path) -> None:
    write_lossless(tmp_path, VIDEOS[:1], ".mkv", "ffv1", "bgr0")
    (tmp_path / "0.mkv").rename(tmp_path / "clip2.mkv")
    saved(tmp_path / "clip1.npy", VIDEOS[1])
    saved(tmp_path / "clip10.npy", VIDEOS[2])
    assert [member.name for member in members_of(tmp_path)] == ["clip1.npy", "clip2.mkv", "clip10.npy"]


def test_pictures_beside_arrays_are_no_video(tmp_path: Path) -> None:
    saved(tmp_path / "clip.npy", VIDEOS[0])
    write_frames(tmp_path, VIDEOS[1:2])
    Image.fromarray(VIDEOS[0, 0]).save(tmp_path / "plot.png")
    assert [member.name for member in members_of(tmp_path)] == ["0", "clip.npy"]


def test_hidden_files_do_not_count(tmp_path: Path) -> None:
    saved(tmp_path / "clip.npy", VIDEOS[0])
    # macOS writes these beside every file on a foreign disk.
    (tmp_path / "._clip.npy").write_bytes(b"\0\5\x16\7")
    (tmp_path / ".cache").mkdir()
    saved(tmp_path / ".cache" / "clip.npy", VIDEOS[1])
    assert [member.name for member in members_of(tmp_path)] == ["clip.npy"]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_features_are_as_they_were_given(dtype: Any, tmp_path: Path) -> None:
    features = np.random.default_rng(0).normal(size=(6, 4)).astype(dtype)
    found = list_videos(saved(tmp_path / "features.npy", features))
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, features)
    np.testing.assert_array_equal(found.astype(np.float64), features.astype(np.float64))


REFUSED = {
    "floats that look like videos": VIDEOS.astype(np.float32),
    "integers of another size": VIDEOS.astype(np.int16),
    "gray videos": VIDEOS[..., :1],
    "channels first": VIDEOS.transpose(0, 1, 4, 2, 3),
    "a single picture": VIDEOS[0, 0],
    "no videos": VIDEOS[:0],
    "no frames": VIDEOS[:, :0],
    "a number": np.uint8(3),
    "features that are whole numbers": np.ones((4, 4), np.int64),
    "features of one video": np.ones(400, np.float32),
    "no features": np.ones((0, 400), np.float32),
    "features of no dimensions": np.ones((5, 0), np.float32),
    "complex features": np.ones((5, 3), np.complex64),
}


def assert_one_line_about(error: BaseException, path: Path) -> None:
    assert str(path) in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("name", REFUSED)
def test_another_dtype_or_shape_is_refused_with_what_is_wanted(name: str, tmp_path: Path) -> None:
    array = REFUSED[name]
    path = tmp_path / "array.npy"
    with pytest.raises(MetricError, match="uint8 RGB of shape N,T,H,W,3") as caught:
        list_videos(saved(path, array))
    assert_one_line_about(caught.value, path)
    assert f"{array.dtype} and shape" in str(caught.value)
    # In a folder too, which cannot hold features.
    with pytest.raises(MetricError, match="uint8 RGB of shape N,T,H,W,3"):
        list_videos(str(tmp_path))


def test_features_in_a_folder_of_videos_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "0.npy", VIDEOS[0])
    saved(tmp_path / "features.npy", np.ones((5, 400), np.float32))
    with pytest.raises(MetricError, match=r"features\.npy: an array of float32"):
        list_videos(str(tmp_path))


def write_pickle(path: Path) -> None:
    np.save(path, np.array([{}], object), allow_pickle=True)


def write_raw_pickle(path: Path) -> None:
    path.write_bytes(b"\x80\x04K\x01.")


def write_truncated(path: Path) -> None:
    np.save(path, VIDEOS)
    path.write_bytes(path.read_bytes()[:-1])


def write_zip(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, VIDEOS)


def write_long_number(path: Path) -> None:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({'9' * 5000}, 3), }}\n".encode()
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


@pytest.mark.parametrize(
    "write", [write_pickle, write_long_number, write_raw_pickle, write_truncated, write_zip, Path.touch]
)
def test_what_is_no_array_is_refused_and_never_unpickled(write: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "array.npy"
    write(path)
    for source in (path, tmp_path):
        with pytest.raises(MetricError, match="not an array that numpy reads without pickle") as caught:
            list_videos(str(source))
        assert_one_line_about(caught.value, path)
        assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", ["absent", "absent.npy", "absent.mp4", "absent/deep"])
def test_a_missing_path_is_said_before_anything_is_run(name: str, tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="no such file or folder") as caught:
        list_videos(str(tmp_path / name))
    assert_one_line_about(caught.value, tmp_path / name)


@pytest.mark.parametrize("content", [None, "notes.txt", "empty folder called.npy/.keep"])
def test_a_folder_without_videos_is_said_with_what_it_may_hold(content: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    if content is not None:
        (folder / content).parent.mkdir(exist_ok=True)
        (folder / content).touch()
    with pytest.raises(
        MetricError, match=r"give a folder of videos, of folders of frames, or of \.npy files"
    ) as caught:
        list_videos(str(folder))
    assert_one_line_about(caught.value, folder)


def test_limits_hold_for_the_videos_of_a_set(tmp_path: Path) -> None:
    folder = write_lossless(tmp_path / "set", VIDEOS[:1], ".mkv", "ffv1", "bgr0")
    members = list_videos(str(folder), VideoLimits(max_frames=5))
    assert isinstance(members, list)
    with pytest.raises(VideoLimitError, match=r"0\.mkv"):
        clips_of(members)


def test_arrays_and_videos_behind_links_are_found(tmp_path: Path) -> None:
    store, root = tmp_path / "store", tmp_path / "root"
    store.mkdir()
    root.mkdir()
    np.save(store / "clip.npy", np.zeros((10, 8, 8, 3), np.uint8))
    (store / "frames").mkdir()
    (store / "frames" / "1.png").touch()
    (root / "linked").symlink_to(store)
    (store / "back").symlink_to(root)
    members = list_videos(str(root))
    assert isinstance(members, list)
    assert [member.name for member in members] == ["linked/clip.npy", "linked/frames"]
