"""Which pictures of a folder are its video, by their names."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from quovadis.errors import VideoError
from quovadis.fvd.set_videos import list_videos
from quovadis.video import FrameFolder, SourceReader, discover_videos, open_video
from quovadis.video.frame_folders import extracted_frames
from quovadis.video.series import choose_series

FOLDER = Path("clip")


def numbered(prefix: str, suffix: str = ".jpg", count: int = 20, first: int = 1) -> list[str]:
    return [f"{prefix}{number:05d}{suffix}" for number in range(first, first + count)]


def chosen(names: list[str]) -> tuple[list[str], tuple[str, ...]]:
    series = choose_series(FOLDER, [FOLDER / name for name in names])
    return [path.name for path in series.paths], series.notes


FLOW = numbered("flow_x_") + numbered("flow_y_")


@pytest.mark.parametrize("prefix", ["img_", "image_", "frame_", "frame", "rgb-", "", "video_a_t", "Frame "])
def test_rgb_frames_are_taken_and_optical_flow_is_left_with_a_note(prefix: str) -> None:
    frames = numbered(prefix)
    names, (note,) = chosen(FLOW + frames)
    assert names == frames
    assert note == f"frames are {prefix}*.jpg; left out: 20 flow_x_*.jpg, 20 flow_y_*.jpg"


@pytest.mark.parametrize(
    ("frames", "others"),
    [
        (numbered("image_"), numbered("x_") + numbered("y_")),
        (numbered("img_"), numbered("u_") + numbered("v_")),
        (numbered("img_"), numbered("img_flow_")),
        (numbered("", "_rgb.png"), numbered("", "_depth.png")),
        (numbered("frame-", ".color.jpg"), numbered("frame-", ".depth.png") + numbered("frame-", ".mask.png")),
        (numbered(""), numbered("", ".png")),
        (numbered("frame"), ["cover.png", "thumb.jpg"]),
        (numbered("img_"), ["img_00001 (copy).jpg"]),
        (["img_00001.jpg"], ["flow_x_00001.jpg", "flow_y_00001.jpg"]),
    ],
)
def test_other_series_and_single_pictures_are_left_with_a_note(frames: list[str], others: list[str]) -> None:
    names, notes = chosen(others + frames)
    assert names == frames
    assert len(notes) == 1


@pytest.mark.parametrize(
    "names",
    [
        numbered("img_"),
        numbered("v_Archery_g01_c02_"),
        numbered("img_", count=5) + numbered("img_", count=5, first=900),
        [f"frame{number}.jpg" for number in (8, 9, 10, 99, 100)],
        [f"frame_{number}_t{number / 12:.2f}s.jpg" for number in range(60)],
        [f"2023-01-01_12-{minute:02d}-{second:02d}.jpg" for minute in range(3) for second in range(60)],
        [f"IMG_2023010{day}_{time}.jpg" for day in (1, 2, 3) for time in (120000, 120500, 130000)],
        numbered("shot1_") + numbered("shot2_", first=21),
        numbered("", count=10) + numbered("", ".png", 10, 11),
        ["a.jpg", "b.jpg", "c1.jpg", "c2.jpg"],
        ["Frame1.JPG", "frame2.jpg", "frame10.jpg"],
    ],
)
def test_what_is_one_series_or_none_is_all_taken_without_a_note(names: list[str]) -> None:
    assert chosen(names[::-1]) == (names, ())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            numbered("cam1_") + numbered("cam2_"),
            r"20 cam1_\*\.jpg, 20 cam2_\*\.jpg; put each series into its own folder",
        ),
        (numbered("left_") + numbered("right_"), "several series"),
        (numbered("v_Run_g01_c01_") + numbered("v_Run_g01_c02_"), "several series"),
        (FLOW, r"no RGB frames in it, only 20 flow_x_\*\.jpg"),
    ],
)
def test_series_of_which_none_is_known_as_the_video_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(VideoError, match=f"^clip: .*{message}"):
        chosen(names)


def test_optical_flow_alone_is_read_with_a_note() -> None:
    names, notes = chosen(numbered("flow_x_"))
    assert names == numbered("flow_x_")
    assert notes == ("frames are flow_x_*.jpg, named as optical flow; RGB frames are expected",)


@pytest.fixture
def extracted(tmp_path: Path) -> Path:
    """Three frames as mmaction2 extracts them, red, and as many of either direction of flow, gray."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for prefix, colour in (("img_", (200, 0, 0)), ("flow_x_", (128,) * 3), ("flow_y_", (128,) * 3)):
        for name in numbered(prefix, count=3):
            Image.new("RGB", (64, 48), colour).save(folder / name)  # type: ignore[arg-type]
    return folder


def test_every_way_in_takes_the_same_frames(extracted: Path) -> None:
    assert discover_videos(str(extracted.parent)) == [str(extracted)]
    with open_video(extracted, fps="native") as video:
        reds = [int(frame.pixels[112, 112, 0]) - int(frame.pixels[112, 112, 1]) for frame in video]
        assert len(reds) == 3
        assert min(reds) > 150
        assert video.report.notes == ("frames are img_*.jpg; left out: 3 flow_x_*.jpg, 3 flow_y_*.jpg",)
        assert not video.report.incomplete
    reader = SourceReader(FrameFolder(extracted, extracted=True))
    assert reader.count_frames("native") == 3
    with reader.open(fps="native") as video:
        assert sum(1 for _ in video) == 3
    assert reader.notes == video.report.notes
    assert not reader.incomplete
    (member,) = list_videos(str(extracted.parent))
    assert isinstance(member.source, FrameFolder)
    assert member.reader().count_frames() == 3


def test_the_frames_of_open_model_zoo_are_counted_without_other_series(extracted: Path) -> None:
    for number, path in enumerate(sorted(extracted.glob("img_*")), start=1):
        path.rename(extracted / f"image_{number:05d}.jpg")
    series = extracted_frames(extracted)
    assert [path.name for path in series.paths] == numbered("image_", count=3)
    assert series.notes == ("frames are image_*.jpg; left out: 6 other pictures",)


def test_a_frame_whose_link_leads_nowhere_is_named(extracted: Path) -> None:
    (extracted / "img_00002.jpg").unlink()
    (extracted / "img_00002.jpg").symlink_to(extracted / "gone.jpg")
    with pytest.raises(VideoError, match=r"img_00002\.jpg"), open_video(extracted) as video:
        list(video)
