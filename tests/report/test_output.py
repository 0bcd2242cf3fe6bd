"""Where results go: never over a video."""

from __future__ import annotations

from pathlib import Path

import pytest

from quovadis.errors import OutputError
from quovadis.report.output import OutputFormat, Pictures, check_spares_videos, choose_format


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"frames")
    return path


def test_a_video_is_not_written_over_though_it_is_none_of_the_sources(video: Path) -> None:
    # As `-o *.mp4` has it, where the shell puts one video behind the option and leaves the others as sources.
    with pytest.raises(OutputError, match="would overwrite this video"):
        check_spares_videos(video, ["another.mp4"])


@pytest.mark.parametrize("is_link", [False, True])
def test_a_source_is_not_written_over_whatever_its_name(video: Path, is_link: bool) -> None:
    output = video.with_name("recording.json")
    video.rename(output)
    source = output
    if is_link:
        source = output.with_name("link")
        source.symlink_to(output)
    with pytest.raises(OutputError, match="would overwrite this video"):
        check_spares_videos(output, ["missing.mp4", "", "https://example.org/v.mp4", str(source)])


@pytest.mark.parametrize("file_format", [None, "json"])
def test_results_do_not_go_into_a_folder(tmp_path: Path, file_format: OutputFormat | None) -> None:
    with pytest.raises(OutputError, match="is a folder; name the file to write in it"):
        choose_format(file_format, tmp_path)


def test_older_results_and_new_names_may_be_written(video: Path) -> None:
    older = video.with_name("older.json")
    older.write_text("{}")
    for output in (None, older, video.with_name("new.mp4"), video.parent, Path("/dev/null")):
        check_spares_videos(output, [str(video)])


def test_the_folder_of_one_plot_or_several_is_one_that_can_be_made(video: Path) -> None:
    pytest.importorskip("matplotlib")
    for plot, several in (("a/b/one.png", False), ("a/b", True)):
        Pictures(video.parent / plot, several=several)
        with pytest.raises(OutputError, match="cannot write to this folder: Not a directory; give another path"):
            Pictures(video / plot, several=several)
    assert list(video.parent.iterdir()) == [video]
