"""Features in a folder over several runs: what is done, done anew, moved, refused and left, whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from quovadis.engines import EngineOutput
from quovadis.errors import EngineError, OutputError
from quovadis.features import FeatureOptions
from quovadis.features.extract import LEDGER_NAME
from quovadis.video import Sampling, SlidingWindows
from quovadis.video.keys import video_key
from support.fake_engine import MeanEngine
from support.feature_runs import STACKS, WINDOWS, Observer, files, run
from support.numbered_frames import write_gray
from support.synthetic import write_video

# --- going on ---------------------------------------------------------------------------------------------------------


def test_what_is_done_is_not_done_again(videos: list[str], tmp_path: Path) -> None:
    first = run(videos, tmp_path / "out")
    before = files(tmp_path / "out")
    again = run(videos, tmp_path / "out")
    assert again.engine.clips == []
    assert again.done == first.done
    assert files(tmp_path / "out") == before


def test_more_videos_are_done_beside_those_that_are(videos: list[str], tmp_path: Path) -> None:
    run(videos[:2], tmp_path / "out")
    more = run(videos, tmp_path / "out")
    assert [video.files[0] for video in more.done] == ["one.npy", "clip.npy", "b__clip.npy", "two.npy"]
    # The five windows of one and the two of the other.
    assert len(more.engine.clips) == 7


@pytest.mark.parametrize("lost", ["two.npy", "two.json"])
def test_a_video_one_of_whose_files_is_gone_is_done_anew(lost: str, videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "out")
    before = files(tmp_path / "out")
    (tmp_path / "out" / lost).unlink()
    assert len(run(videos, tmp_path / "out").engine.clips) == 2
    assert files(tmp_path / "out") == before


def test_a_video_that_has_changed_is_done_anew_under_its_name(videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "out")
    before = files(tmp_path / "out")
    write_gray(Path(videos[1]), 20, first=200)
    changed = run(videos, tmp_path / "out")
    assert changed.done[1].shape == (2, 1024)
    assert len(changed.engine.clips) == 2
    after = files(tmp_path / "out")
    assert {name for name in after if after[name] != before[name]} == {"a__clip.npy", "a__clip.json"}


def test_restart_does_everything_anew(videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "out")
    before = files(tmp_path / "out")
    again = run(videos, tmp_path / "out", restart=True)
    assert len(again.engine.clips) == 14
    assert files(tmp_path / "out") == before


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("form", ["npy", "hdf5"])
def test_interrupted_and_resumed_is_the_same_bytes_as_uninterrupted(
    form: str, workers: int, videos: list[str], tmp_path: Path
) -> None:
    whole = run(videos, tmp_path / "whole", form=form)
    out = tmp_path / "parts"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(videos, out, form=form, workers=workers, observer=Observer(interrupt_after=1))
        assert not any(thread.name.startswith("quovadis-video") for thread in threading.enumerate())
        assert not list(out.glob(".*.part"))
    resumed = run(videos, out, form=form, workers=workers)
    assert len(resumed.engine.clips) < 14
    assert resumed.done == whole.done
    assert files(out) == files(tmp_path / "whole")


def test_an_interruption_does_not_wait_for_the_end_of_a_long_video(videos: list[str], tmp_path: Path) -> None:
    interrupted = threading.Event()

    class Interrupting(Observer):
        def advance(self, note: str) -> None:
            interrupted.set()
            super().advance(note)

    class Slow(MeanEngine):
        def run(self, clips: NDArray[np.uint8], endpoints: Sequence[str] = ()) -> EngineOutput:
            # Two windows are those of the short video; of the long one few are done before the interruption.
            assert len(self.clips) < 5 or interrupted.wait(60)
            time.sleep(0.02)
            return super().run(clips, endpoints)

    long = str(write_gray(tmp_path / "long.mp4", 230, first=0))
    engine = Slow()
    with pytest.raises(KeyboardInterrupt):
        run([videos[3], long], tmp_path / "out", engine=engine, observer=Interrupting(interrupt_after=1))
    # Two windows of the one that was done, and of the other's 23 a few.
    assert len(engine.clips) < 20
    assert sorted(files(tmp_path / "out")) == ["two.json", "two.npy"]


@pytest.mark.parametrize("first", range(4))
def test_whichever_video_was_done_first_names_are_those_of_one_run(
    first: int, videos: list[str], tmp_path: Path
) -> None:
    whole = run(videos, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(
            [*videos[first:], *videos[:first]],
            tmp_path / "parts",
            workers=1,
            observer=Observer(interrupt_after=1),
        )
    assert run(videos, tmp_path / "parts").done == whole.done
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


PROGRAM = """
import os, signal, sys
from pathlib import Path
from support.feature_runs import run
from quovadis.runs.ledger import Ledger

left, when = int(sys.argv[2]), sys.argv[3]
store = Ledger.store

def store_and_die(self, *arguments, **options):
    global left
    left -= 1
    if not left and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    store(self, *arguments, **options)
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

Ledger.store = store_and_die
run(sys.argv[4:], Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_killed_and_resumed_is_the_same_bytes_as_uninterrupted(videos: list[str], tmp_path: Path) -> None:
    out = tmp_path / "parts"
    folders = [str(Path(__file__).parents[1]), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    # Once with files that are there and not yet recorded.
    for when in ("after", "before", "after"):
        command = [sys.executable, "-c", PROGRAM, str(out), "1", when, *videos]
        assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    resumed = run(videos, out)
    assert 0 < len(resumed.engine.clips) < 14
    assert resumed.done == run(videos, tmp_path / "whole").done
    assert files(out) == files(tmp_path / "whole")
    assert not list(out.glob(".*.part"))


def test_a_file_that_was_cut_short_is_done_anew(videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "out")
    before = files(tmp_path / "out")
    (tmp_path / "out" / "two.npy").write_bytes(before["two.npy"][:-1])
    assert len(run(videos, tmp_path / "out").engine.clips) == 2
    assert files(tmp_path / "out") == before


def test_features_of_a_part_do_not_count_where_parts_are_not_taken(videos: list[str], tmp_path: Path) -> None:
    cut = write_gray(tmp_path / "cut.mkv", 60)
    cut.write_bytes(cut.read_bytes()[:-1200])
    sources = [*videos, str(cut)]
    taken = run(sources, tmp_path / "out", allow_partial=True)
    assert [video.incomplete for video in taken.done] == [False] * 4 + [True]
    again = run(sources, tmp_path / "out", allow_partial=True)
    assert again.engine.clips == []
    assert again.done == taken.done
    refused = run(sources, tmp_path / "out")
    assert refused.done == taken.done[:4]
    ((source, message),) = refused.told
    assert source == str(cut)
    assert f"its earlier features are left as they are: {tmp_path / 'out' / 'cut.npy'}" in message


def test_of_a_video_that_can_no_longer_be_read_earlier_features_are_left_and_named(
    videos: list[str], tmp_path: Path
) -> None:
    run(videos, tmp_path / "out")
    before = files(tmp_path / "out")
    content = Path(videos[3]).read_bytes()
    Path(videos[3]).write_bytes(b"no video")
    made = run(videos, tmp_path / "out")
    ((_, message),) = made.told
    assert message.endswith(f"its earlier features are left as they are: {tmp_path / 'out' / 'two.npy'}")
    assert "\n" not in message
    assert files(tmp_path / "out") == before
    # They do not count until the video has been read again.
    Path(videos[3]).write_bytes(content)
    assert len(run(videos, tmp_path / "out").engine.clips) == 2


def test_a_damaged_entry_is_one_clear_error(videos: list[str], tmp_path: Path) -> None:
    for damage in (b"{", b"[]", b'{"name": "one"}', b"\xff", b'{"name": 1, "files": 2}'):
        run(videos, tmp_path / "out", restart=True)
        with sqlite3.connect(tmp_path / "out" / LEDGER_NAME) as database:
            database.execute("UPDATE videos SET result = ? WHERE key = ?", (damage, videos[1]))
        database.close()
        with pytest.raises(OutputError, match=r"an entry that is damaged.*`restart=True`") as refused:
            run(videos, tmp_path / "out")
        assert "\n" not in str(refused.value)


# --- moved videos -----------------------------------------------------------------------------------------------------


def moved(videos: list[str], tmp_path: Path) -> list[str]:
    (tmp_path / "videos").rename(tmp_path / "elsewhere")
    return [video.replace("/videos/", "/elsewhere/") for video in videos]


def test_a_dataset_that_was_moved_keeps_its_features_and_their_names(videos: list[str], tmp_path: Path) -> None:
    first = run(videos, tmp_path / "out")
    before = files(tmp_path / "out")
    sources = moved(videos, tmp_path)
    for _ in range(2):
        again = run(sources[::-1], tmp_path / "out")
        assert again.engine.clips == []
        assert [video.source for video in again.done] == sources[::-1]
        assert [video.files for video in again.done] == [video.files for video in first.done][::-1]
        assert files(tmp_path / "out") == before


def test_a_run_that_was_stopped_goes_on_where_the_dataset_was_moved(videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(videos, tmp_path / "out", workers=1, observer=Observer(interrupt_after=2))
    assert len(run(moved(videos, tmp_path), tmp_path / "out").engine.clips) == 5 + 2
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_a_video_that_was_moved_and_changed_leaves_earlier_features_alone(videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "out")
    before = files(tmp_path / "out")
    sources = moved(videos, tmp_path)
    write_gray(Path(sources[0]), 20, first=200)
    made = run(sources, tmp_path / "out")
    assert len(made.engine.clips) == 2
    assert made.done[0].files == ("elsewhere__one.npy", "elsewhere__one.json")
    assert {name: content for name, content in files(tmp_path / "out").items() if name in before} == before


def test_names_of_videos_that_are_gone_with_their_features_are_free(videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "out")
    sources = moved(videos, tmp_path)
    write_gray(Path(sources[0]), 20, first=200)
    for name in ("one.npy", "one.json"):
        (tmp_path / "out" / name).unlink()
    assert run(sources, tmp_path / "out").done[0].files == ("one.npy", "one.json")
    assert run(sources, tmp_path / "out").engine.clips == []


def test_of_videos_that_cannot_be_told_apart_none_is_taken_for_another(originals: Path, tmp_path: Path) -> None:
    sources = []
    for folder in ("a", "b"):
        (tmp_path / "videos" / folder).mkdir(parents=True)
        shutil.copy(originals / "one.mp4", tmp_path / "videos" / folder)
        sources.append(str(tmp_path / "videos" / folder / "one.mp4"))
        os.utime(sources[-1], (1, 1))
    run(sources, tmp_path / "out")
    (tmp_path / "c").mkdir()
    Path(sources[0]).rename(tmp_path / "c" / "one.mp4")
    Path(sources[1]).unlink()
    made = run([str(tmp_path / "c" / "one.mp4")], tmp_path / "out")
    assert len(made.engine.clips) == 3
    assert made.done[0].files[0] == "c__one.npy"
    # In folders of the same names they can be told apart.
    (tmp_path / "videos").rename(tmp_path / "elsewhere")
    (tmp_path / "c" / "one.mp4").rename(tmp_path / "elsewhere" / "b" / "one.mp4")
    (again,) = run([str(tmp_path / "elsewhere" / "b" / "one.mp4")], tmp_path / "out").done
    assert again.files[0] == "b__one.npy"


def test_a_video_of_the_same_name_size_and_time_is_another_by_what_is_in_it(tmp_path: Path) -> None:
    """Uncompressed videos, unpacked by a tool that gives all files one time."""
    shades = []
    for folder, shade in (("one", 50), ("two", 200)):
        path = tmp_path / folder / "0001.avi"
        path.parent.mkdir()
        write_video(path, [np.full((48, 64, 3), shade, np.uint8)] * 20, codec="rawvideo")
        os.utime(path, (1, 1))
        (made,) = run([str(path)], tmp_path / "out").done
        shades.append(np.load(tmp_path / "out" / made.files[0])[0, 0])
        shutil.rmtree(tmp_path / folder)
    assert shades == pytest.approx([50, 200], abs=3)


# --- the same video ---------------------------------------------------------------------------------------------------


def test_however_the_way_to_a_video_is_written_it_is_one(
    videos: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "videos")
    monkeypatch.chdir(tmp_path / "videos")
    spellings = ["one.mp4", "./one.mp4", "a/../one.mp4", "../videos/one.mp4", "../link/one.mp4", videos[0]]
    made = run(spellings, tmp_path / "out")
    assert [video.source for video in made.done] == ["one.mp4"]
    for spelling in spellings:
        assert run([spelling], tmp_path / "out").engine.clips == []


@pytest.mark.skipif(os.name != "posix", reason="names that are no text exist on POSIX systems")
def test_a_name_that_is_no_text_is_not_its_own_escape(originals: Path, tmp_path: Path) -> None:
    sources = [os.fsdecode(os.fsencode(tmp_path) + name) for name in (b"/a\xff.mp4", b"/a\\udcff.mp4", b"/a\\.mp4")]
    for source in sources:
        shutil.copy(originals / "one.mp4", source)
    assert len({video_key(source) for source in sources}) == 3
    assert len(run(sources, tmp_path / "out").done) == 3


def test_a_folder_of_frames_is_the_same_whatever_is_written_into_a_folder_in_it(tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(12):
        Image.new("RGB", (64, 48), (10 * number,) * 3).save(frames / f"{number}.png")
    assert len(run([str(frames)], frames / "features").engine.clips) == 1
    (frames / ".DS_Store").touch()
    assert run([str(frames)], frames / "features").engine.clips == []


# --- begun anew -------------------------------------------------------------------------------------------------------


def test_what_a_restart_forgets_it_still_knows_for_its_own(videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "out")
    before = files(tmp_path / "out")
    restarted = run([videos[2]], tmp_path / "out", restart=True)
    # Names are as they were, and no other video's file is written over.
    assert restarted.done[0].files[0] == "b__clip.npy"
    assert files(tmp_path / "out") == before
    again = run(videos, tmp_path / "out")
    assert len(again.engine.clips) == 14 - 5
    assert [video.files[0] for video in again.done] == ["one.npy", "a__clip.npy", "b__clip.npy", "two.npy"]


def test_a_restart_in_another_format_leaves_no_file_of_the_former(videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "out")
    (tmp_path / "out" / "notes.npy").write_bytes(b"of someone else")
    # Those of a video that is not done again stay.
    run(videos[:3], tmp_path / "out", restart=True, form="npz")
    assert set(files(tmp_path / "out")) == {
        "one.npz", "a__clip.npz", "b__clip.npz", "two.npy", "two.json", "notes.npy",
    }  # fmt: skip
    run(videos, tmp_path / "out", form="npz")
    assert set(files(tmp_path / "out")) == {"one.npz", "a__clip.npz", "b__clip.npz", "two.npz", "notes.npy"}


def test_a_restart_from_a_damaged_record_begins_from_nothing(videos: list[str], tmp_path: Path) -> None:
    run(videos, tmp_path / "out")
    (tmp_path / "out" / LEDGER_NAME).write_bytes(b"no database" * 1000)
    assert len(run(videos, tmp_path / "out", restart=True).engine.clips) == 14


# --- files of others --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["two.npy", "two.json"])
def test_a_file_that_no_run_has_made_is_not_written_over(name: str, videos: list[str], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_bytes(b"of someone else")
    with pytest.raises(OutputError, match=f"{tmp_path / 'out' / name}: is there already") as refused:
        run(videos, tmp_path / "out")
    assert "`restart=True`" in str(refused.value)
    assert "\n" not in str(refused.value)
    # Before any work, and nothing is touched.
    assert files(tmp_path / "out") == {name: b"of someone else"}
    assert len(run(videos, tmp_path / "out", restart=True).done) == 4
    assert (tmp_path / "out" / name).read_bytes() != b"of someone else"


def test_a_file_of_someone_else_is_not_taken_for_features_of_a_video_that_fails(
    videos: list[str], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "two.npy").write_bytes(b"of someone else")
    content = Path(videos[3]).read_bytes()
    Path(videos[3]).write_bytes(b"no video")
    ((_, message),) = run(videos, tmp_path / "out", restart=True).told
    assert "earlier features" not in message
    Path(videos[3]).write_bytes(content)
    with pytest.raises(OutputError, match="is there already"):
        run(videos, tmp_path / "out")
    assert (tmp_path / "out" / "two.npy").read_bytes() == b"of someone else"


@pytest.mark.skipif(os.name != "posix", reason="links need no rights on POSIX systems")
def test_a_link_that_leads_nowhere_is_a_file_of_others_too(videos: list[str], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "one.npy").symlink_to(tmp_path / "absent")
    with pytest.raises(OutputError, match=r"one\.npy: is there already"):
        run(videos, tmp_path / "out")


def test_a_device_that_fails_ends_the_run_and_keeps_what_is_done(videos: list[str], tmp_path: Path) -> None:
    class Failing(MeanEngine):
        def run(self, clips: NDArray[np.uint8], endpoints: Sequence[str] = ()) -> EngineOutput:
            if len(self.clips) >= 5:
                raise EngineError("out of memory")
            return super().run(clips, endpoints)

    with pytest.raises(EngineError, match="out of memory"):
        run(videos, tmp_path / "out", engine=Failing(), workers=1)
    # The first has three windows, and the second was in work.
    assert sorted(files(tmp_path / "out")) == ["one.json", "one.npy"]
    assert not list((tmp_path / "out").glob(".*.part"))
    assert len(run(videos, tmp_path / "out").engine.clips) == 14 - 3


# --- what is refused --------------------------------------------------------------------------------------------------


class Imprecise(MeanEngine):
    def __init__(self) -> None:
        super().__init__()
        self.description = {**self.description, "precision": "int8"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"options": replace(WINDOWS, pool="space")}, 'made with `pool="all"`, and this run is with `pool="space"`'),
        (
            {"options": FeatureOptions(sampling=Sampling(clips=SlidingWindows(clip_frames=12)))},
            "made with `clip_frames=10`, and this run is with `clip_frames=12`",
        ),
        ({"options": STACKS}, 'without `preset`, and this run is .*with `preset="video_features"`'),
        ({"form": "npz"}, 'with `file_format="npy"`, and this run is with `file_format="npz"`'),
        ({"engine": Imprecise()}, 'with `precision="f32"`, and this run is with `precision="int8"`'),
    ],
    ids=["pool", "frames", "preset", "format", "precision"],
)
def test_a_folder_of_other_settings_is_refused_with_what_differs(
    changed: dict[str, object], said: str, videos: list[str], tmp_path: Path
) -> None:
    run(videos[:1], tmp_path / "out")
    before = files(tmp_path / "out")
    with pytest.raises(OutputError, match=said) as refused:
        run(videos, tmp_path / "out", **changed)  # type: ignore[arg-type]
    assert len(str(refused.value).splitlines()) == 1
    assert "`restart=True`" in str(refused.value)
    assert str(tmp_path / "out") in str(refused.value)
    assert files(tmp_path / "out") == before
    run(videos[:1], tmp_path / "out", restart=True, **changed)  # type: ignore[arg-type]


def test_a_newer_engine_goes_on_where_an_older_one_stopped(videos: list[str], tmp_path: Path) -> None:
    run(videos[:3], tmp_path / "out")
    engine = MeanEngine("2")
    assert len(run(videos, tmp_path / "out", engine=engine).done) == 4
    # The two windows of the fourth.
    assert len(engine.clips) == 2
    with sqlite3.connect(tmp_path / "out" / LEDGER_NAME) as database:
        rows = database.execute("SELECT json_extract(maker, '$.version') FROM videos ORDER BY 1").fetchall()
    database.close()
    assert rows == [("1",), ("1",), ("1",), ("2",)]


def test_a_folder_in_which_another_run_is_at_work_is_refused(videos: list[str], tmp_path: Path) -> None:
    run(videos[:1], tmp_path / "out")
    with FileLock(tmp_path / "out" / f"{LEDGER_NAME}.lock"), pytest.raises(OutputError, match="another run is at work"):
        run(videos, tmp_path / "out")
    assert len(run(videos, tmp_path / "out").done) == 4


def test_a_folder_that_is_a_file_is_an_error(videos: list[str], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(OutputError, match=f"{tmp_path / 'out'}: the folder cannot be made"):
        run(videos, tmp_path / "out")


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="this system has no /dev/full, a disk without room")
@pytest.mark.parametrize(("form", "part"), [("npy", ".one.npy.part"), ("hdf5", ".one.h5.part")])
def test_a_full_disk_is_one_error_and_the_run_can_go_on(
    form: str, part: str, videos: list[str], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / part).symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"cannot write the features of .*one\.mp4: No space left on device"):
        run(videos, tmp_path / "out", form=form, workers=1)
    assert len(run(videos, tmp_path / "out", form=form).done) == 4
