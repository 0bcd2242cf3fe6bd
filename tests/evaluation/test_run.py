"""Whole evaluations with a network whose answers are known: what every form and protocol finds, whatever happens."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import quovadis
from quovadis.datasets import Dataset, read_dataset
from quovadis.engines import EngineOutput
from quovadis.errors import ArchitectureError, EngineError, OutputError
from quovadis.evaluation.parquet import read_predictions, write_predictions
from quovadis.evaluation.predictions import Failure, PartialVideo, Predictions
from quovadis.evaluation.protocols import make_protocol
from quovadis.evaluation.run import LEDGER_NAME, RunRecord, run_evaluation
from quovadis.evaluation.summary import Summary, summarize
from quovadis.labels import kinetics400
from quovadis.report.evaluation.sections import report_content
from quovadis.weights import InputSpecification
from support.colours import FORMS, VIDEOS, label_name, logits_of, write_clip, write_frames
from support.fake_engine import ColourEngine, recognizer
from support.ledgers import done_in

KNOWN = {
    "deepmind": {"top1": (6, 12), "top5": (9, 12)},
    "omz": {
        "accuracy_top1": (17, 36),
        "accuracy_top5": (28, 36),
        "clip_accuracy_clip": (17, 36),
        "clip_accuracy_video": (5, 12),
        # The last by key is wrong, and not counted.
        "clip_accuracy_video_without_last": (5, 11),
    },
    "multiview": {"top1": (5, 12), "top5": (10, 12), "top1_single_views": (17, 36)},
}
"""Worked out by hand from the colours of the videos."""

every_kind_of_protocol = pytest.mark.parametrize(
    "protocol", ["deepmind", "multiview", pytest.param("omz", marks=pytest.mark.soak)]
)
"""One view of a video, and several."""


def options(protocol: str) -> dict[str, int]:
    return {"clips": 3, "crops": 1} if protocol == "multiview" else {}


def run(
    dataset: Dataset, folder: Path, protocol: str = "deepmind", engine: ColourEngine | None = None, **arguments: object
) -> tuple[Predictions, RunRecord]:
    chosen = make_protocol(protocol, **options(protocol))
    return run_evaluation(recognizer(engine), dataset, chosen, folder / LEDGER_NAME, **arguments)  # type: ignore[arg-type]


def counts(summary: Summary) -> dict[str, tuple[int, int]]:
    return {m.name: (m.counts.successes, m.counts.trials) for m in summary.metrics if m.counts is not None}


def parquet(predictions: Predictions, path: Path) -> bytes:
    write_predictions(predictions, path)
    return path.read_bytes()


# Videos are the same in all forms but that of frames, and so are the clips that a protocol takes of them.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "protocol"),
    [
        *((form, "deepmind") for form in FORMS if form != "frames"),
        ("list", "multiview"),
        ("frames", "multiview"),
        *(pytest.param("frames", name, marks=pytest.mark.soak) for name in ("deepmind", "omz")),
    ],
    indirect=["dataset"],
)
def test_every_form_of_dataset_gives_the_known_figures(dataset: Dataset, tmp_path: Path, protocol: str) -> None:
    predictions, record = run(dataset, tmp_path, protocol)
    assert not predictions.failures
    found = counts(summarize(predictions))
    assert {name: found[name] for name in KNOWN[protocol]} == KNOWN[protocol]
    assert set(predictions.frames) == {100}
    assert (record.videos, record.earlier) == (12, 0)


@pytest.fixture(scope="module")
def omz_run(listed: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Predictions:
    """What Open Model Zoo's protocol finds in the list."""
    return run(listed, tmp_path_factory.mktemp("omz"), "omz")[0]


def test_of_a_list_open_model_zoo_s_figures_are_the_known_ones(omz_run: Predictions) -> None:
    found = counts(summarize(omz_run))
    assert {name: found[name] for name in KNOWN["omz"]} == KNOWN["omz"]


def test_views_hold_what_the_network_said(omz_run: Predictions) -> None:
    predictions = omz_run
    by_name = {video.name: video for video in VIDEOS}
    assert [by_name[Path(path).stem].label for path in predictions.paths] == list(predictions.truth)
    for row, (place, clip) in enumerate(zip(predictions.video, predictions.clip, strict=True)):
        video = by_name[Path(predictions.paths[place]).stem]
        np.testing.assert_array_equal(predictions.logits[row], logits_of(video.answers[clip]))
    assert list(predictions.start_frame[:3]) == [0, 10, 20]


def test_open_model_zoo_goes_in_the_order_of_keys_and_others_in_that_of_the_annotation(
    omz_run: Predictions, listed: Dataset, tmp_path: Path
) -> None:
    names = [f"clips/{video.name}.mp4" for video in VIDEOS]
    assert list(omz_run.keys) == sorted(names)
    assert list(run(listed, tmp_path, "deepmind")[0].keys) == names


def test_parquet_reads_back_what_was_written(omz_run: Predictions, tmp_path: Path) -> None:
    predictions = omz_run
    write_predictions(predictions, tmp_path / "p.parquet")
    again = read_predictions(tmp_path / "p.parquet")
    for name in ("keys", "paths", "labels", "settings", "dataset", "failures"):
        assert getattr(again, name) == getattr(predictions, name)
    for name in ("truth", "frames", "video", "clip", "crop", "start_frame", "logits"):
        np.testing.assert_array_equal(getattr(again, name), getattr(predictions, name))


# --- interruption -----------------------------------------------------------------------------------------------------


class Interrupting:
    """A user who presses Ctrl-C after some videos."""

    def __init__(self, after: int) -> None:
        self._left = after

    def start(self, total: int, done: int) -> None:
        self.total, self.done = total, done

    def reach(self, video: str, part: float) -> None:
        pass

    def advance(self, note: str) -> None:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


@pytest.mark.slow
@every_kind_of_protocol
def test_interrupted_and_resumed_equals_uninterrupted(listed: Dataset, tmp_path: Path, protocol: str) -> None:
    some = listed.first(6)
    whole = parquet(run(some, tmp_path / "whole", protocol)[0], tmp_path / "whole.parquet")
    for after in (1, 2, 1):
        with pytest.raises(KeyboardInterrupt):
            run(some, tmp_path / "parts", protocol, observer=Interrupting(after))
    predictions, record = run(some, tmp_path / "parts", protocol)
    assert parquet(predictions, tmp_path / "parts.parquet") == whole
    assert record.earlier >= 4
    assert record.videos == 6 - record.earlier


def test_the_number_of_workers_changes_nothing(listed: Dataset, tmp_path: Path) -> None:
    one, many = (run(listed, tmp_path / f"{n}", workers=n)[0] for n in (1, 4))
    assert parquet(one, tmp_path / "1.parquet") == parquet(many, tmp_path / "4.parquet")


PROGRAM = """
import os, signal, sys
from pathlib import Path
from support.fake_engine import recognizer
from quovadis.datasets import read_dataset
from quovadis.evaluation.protocols import make_protocol
from quovadis.evaluation.run import LEDGER_NAME, run_evaluation
from quovadis.labels import kinetics400
from quovadis.runs.ledger import Ledger

left = int(sys.argv[3])
store = Ledger.store

def store_and_die(self, *arguments):
    global left
    store(self, *arguments)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

Ledger.store = store_and_die
dataset = read_dataset(Path(sys.argv[1]), kinetics400())
run_evaluation(recognizer(), dataset, make_protocol("deepmind"), Path(sys.argv[2]) / LEDGER_NAME)
"""


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(listed: Dataset, tmp_path: Path) -> None:
    folders = [str(Path(__file__).parents[1]), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    for more in (2, 3, 3):
        command = [sys.executable, "-c", PROGRAM, str(listed.source), str(tmp_path / "parts"), str(more)]
        assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert done_in(tmp_path / "parts" / LEDGER_NAME) == 8
    whole = parquet(run(listed, tmp_path / "whole")[0], tmp_path / "whole.parquet")
    predictions, record = run(listed, tmp_path / "parts")
    assert record.earlier == 8
    assert parquet(predictions, tmp_path / "parts.parquet") == whole


@pytest.mark.parametrize("protocol", list(KNOWN))
def test_a_dataset_that_was_moved_is_not_evaluated_again(listed: Dataset, tmp_path: Path, protocol: str) -> None:
    first = run(listed.first(4), tmp_path, protocol)[0]
    shutil.copytree(listed.source.parent, tmp_path / "moved")
    moved = read_dataset(tmp_path / "moved" / "list.txt", kinetics400()).first(4)
    engine = ColourEngine()
    predictions, record = run(moved, tmp_path, protocol, engine=engine)
    assert engine.shapes == []
    assert (record.videos, record.earlier) == (0, 4)
    assert set(predictions.paths) == {str(example.path) for example in moved.examples}
    np.testing.assert_array_equal(predictions.logits, first.logits)


def test_the_number_of_workers_changes_nothing_of_what_the_real_network_says(
    rgb_scratch_path: Path, assets: Path, tmp_path: Path
) -> None:
    annotation = tmp_path / "list.txt"
    rows = {
        "horse_riding.gif": "riding or walking with horse",
        "sign_language_thanks.mkv": "sign language interpreting",
    }
    annotation.write_text("".join(f"{assets / 'clips' / name}\t{label}\n" for name, label in rows.items()))
    dataset, model = read_dataset(annotation, kinetics400()), quovadis.load("rgb-scratch", threads=2)
    protocol = make_protocol("multiview", clips=2, crops=1, specified=InputSpecification(clip_frames=16))
    files = []
    for workers in (1, 2):
        ledger = tmp_path / str(workers) / LEDGER_NAME
        found, _ = run_evaluation(model, dataset, protocol, ledger, workers=workers)
        assert len(found.keys) == 2
        assert len(found.logits) == 4
        files.append(parquet(found, tmp_path / f"{workers}.parquet"))
    assert files[0] == files[1]


def test_a_finished_evaluation_runs_the_network_on_nothing(listed: Dataset, tmp_path: Path) -> None:
    run(listed, tmp_path)
    engine = ColourEngine()
    _, record = run(listed, tmp_path, engine=engine)
    assert engine.shapes == []
    assert (record.videos, record.earlier) == (0, 12)


def test_a_larger_dataset_goes_on_from_a_smaller_one(listed: Dataset, tmp_path: Path) -> None:
    run(listed.first(5), tmp_path)
    predictions, record = run(listed, tmp_path)
    assert (record.videos, record.earlier) == (7, 5)
    assert len(predictions.keys) == 12


def test_restart_forgets(listed: Dataset, tmp_path: Path) -> None:
    run(listed.first(4), tmp_path)
    _, record = run(listed.first(4), tmp_path, restart=True)
    assert (record.videos, record.earlier) == (4, 0)


def test_a_video_that_has_changed_is_evaluated_anew(listed: Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(listed.source.parent, copy)
    dataset = read_dataset(copy / "list.txt", kinetics400())
    run(dataset, tmp_path)
    path = dataset.examples[3].path
    assert path is not None
    os.utime(path, ns=(1, 1))
    _, record = run(dataset, tmp_path)
    assert (record.videos, record.earlier) == (1, 11)


def test_a_folder_with_other_settings_is_refused(listed: Dataset, tmp_path: Path) -> None:
    run(listed.first(1), tmp_path, "omz")
    with pytest.raises(
        OutputError, match=r'made with .*`protocol="omz"`, and this run is with .*`protocol="deepmind"`'
    ):
        run(listed.first(1), tmp_path, "deepmind")


def test_a_newer_engine_goes_on_and_the_result_tells_both(listed: Dataset, tmp_path: Path) -> None:
    run(listed.first(5), tmp_path, engine=ColourEngine("1"))
    old, _ = run(listed.first(5), tmp_path, engine=ColourEngine("2"))
    # All of it is the first one's.
    assert old.settings["version"] == "1"
    assert "makers" not in old.settings
    both, record = run(listed, tmp_path, engine=ColourEngine("2"))
    assert (record.earlier, record.videos) == (5, 7)
    assert [maker["version"] for maker in both.settings["makers"]] == ["1", "2"]
    assert not {"engine", "version", "device", "quovadis"} & {*both.settings}
    parquet(both, tmp_path / "p.parquet")
    assert read_predictions(tmp_path / "p.parquet").settings == both.settings
    rows = dict(report_content(both, summarize(both), record).sections[0].table.rows)  # type: ignore[union-attr]
    assert rows["engine"].startswith("colours 2 on none, quovadis ")
    assert "makers" not in rows["protocol"]


def test_a_folder_with_another_calibration_is_refused(listed: Dataset, tmp_path: Path) -> None:
    class Calibrated(ColourEngine):
        def __init__(self, calibration: str) -> None:
            super().__init__()
            self.description = {**self.description, "precision": "int8", "calibration_sha256": calibration}

    predictions, _ = run(listed.first(1), tmp_path, engine=Calibrated("aa"))
    assert predictions.settings["calibration_sha256"] == "aa"
    assert run(listed.first(2), tmp_path, engine=Calibrated("aa"))[1].earlier == 1
    with pytest.raises(OutputError, match="calibration aa…, and this run is with calibration bb…"):
        run(listed, tmp_path, engine=Calibrated("bb"))


# --- what cannot be evaluated ---------------------------------------------------------------------------------------


def test_missing_and_unreadable_videos_are_told_and_listed_and_the_rest_is_evaluated(
    written: dict[str, tuple[Path, Path | None]], tmp_path: Path
) -> None:
    shutil.copytree(written["list"][0].parent, tmp_path / "data")
    annotation = tmp_path / "data" / "list.txt"
    (tmp_path / "data" / "clips" / f"{VIDEOS[1].name}.mp4").write_bytes(b"no video")
    (tmp_path / "data" / "clips" / f"{VIDEOS[2].name}.mp4").unlink()
    told: list[Failure] = []
    predictions, _ = run(read_dataset(annotation, kinetics400()), tmp_path, "deepmind", on_failure=told.append)
    assert [(f.kind, Path(f.key).stem) for f in predictions.failures] == [
        ("unreadable", VIDEOS[1].name),
        ("missing", VIDEOS[2].name),
    ]
    assert {f.key for f in told} == {f.key for f in predictions.failures}
    assert "not a video" in predictions.failures[0].reason
    found = counts(summarize(predictions))
    # Of the two one was right and the other among the best five.
    assert found["top1"] == (5, 10)
    assert found["top1_failures_as_wrong"] == (5, 12)
    assert found["top5_failures_as_wrong"] == (7, 12)
    assert predictions.counts == "10 of 12 videos evaluated, 1 missing, 1 unreadable"


@every_kind_of_protocol
def test_a_video_that_is_there_in_part_is_told_and_stays_marked(tmp_path: Path, protocol: str) -> None:
    for video in VIDEOS[:3]:
        write_clip(tmp_path / "data" / label_name(video) / f"{video.name}.mkv", video)
    write_frames(tmp_path / "data" / label_name(VIDEOS[3]) / VIDEOS[3].name, VIDEOS[3])
    whole, cut, _, frames = read_dataset(tmp_path / "data", kinetics400()).existing
    assert whole.path is not None
    assert cut.path is not None
    assert frames.path is not None
    cut.path.write_bytes(cut.path.read_bytes()[: cut.path.stat().st_size // 2])
    (frames.path / "image_00050.jpg").write_bytes(b"no image")
    told: list[PartialVideo] = []
    arguments = {"allow_partial": True, "on_partial": told.append}
    dataset = read_dataset(tmp_path / "data", kinetics400())
    predictions, _ = run(dataset, tmp_path, protocol, **arguments)
    assert sorted(video.key for video in told) == sorted(video.key for video in predictions.incomplete)
    by_key = {video.key: video for video in predictions.incomplete}
    assert set(by_key) == {cut.key, frames.key}
    (note,) = by_key[cut.key].notes
    assert note.startswith("cut off: ")
    assert by_key[frames.key] == PartialVideo(
        frames.key, str(frames.path), ("damaged: 1 of 100 images could not be read",)
    )
    assert predictions.counts == "4 of 4 videos evaluated (2 of them partly decoded), 0 missing, 0 unreadable"
    # Known from the record, and from the file.
    again, record = run(dataset, tmp_path, protocol, **arguments)
    assert record.videos == 0
    assert again.incomplete == predictions.incomplete
    assert len(told) == 2
    write_predictions(again, tmp_path / "p.parquet")
    assert read_predictions(tmp_path / "p.parquet").incomplete == predictions.incomplete


@pytest.mark.parametrize(
    "damage",
    [
        lambda stored: b"",
        lambda stored: stored[:5],
        lambda stored: stored[:-3],
        lambda stored: stored[:-4],
        lambda stored: stored.replace(b"[100", b"{100"),
        lambda stored: stored.replace(b"[100", b'["a hundred"'),
        lambda stored: b"\xff" * len(stored),
        lambda stored: b"100\n",
        lambda stored: b"[100, [], false, []]\n",
        lambda stored: b"[" * 100_000,
        lambda stored: stored.replace(b"[100", b"[Infinity"),
        lambda stored: stored.replace(b"[100", b"[1e999"),
        lambda stored: stored.replace(b"[100", b"[" + b"9" * 25),
        lambda stored: stored.replace(b"[100", b"[-1"),
        lambda stored: stored.replace(b"[[0, 0,", b"[[1, 0,"),
        lambda stored: stored[:-4] + np.float32("nan").tobytes(),
        lambda stored: "no bytes",
        lambda stored: 7,
    ],
)
def test_a_damaged_result_in_the_record_is_one_clear_error(
    listed: Dataset, tmp_path: Path, damage: Callable[[bytes], bytes | str | int]
) -> None:
    run(listed.first(2), tmp_path, "multiview")
    with sqlite3.connect(tmp_path / LEDGER_NAME) as database:
        key, stored = database.execute("SELECT key, result FROM videos ORDER BY key").fetchone()
        assert damage(stored) != stored
        database.execute("UPDATE videos SET result = ? WHERE key = ?", (damage(stored), key))
    database.close()
    with pytest.raises(OutputError, match="cannot be used as the record of what is done") as refused:
        run(listed.first(2), tmp_path, "multiview")
    assert str(tmp_path / LEDGER_NAME) in str(refused.value)
    assert "`restart=True` starts over" in str(refused.value)
    _, record = run(listed.first(2), tmp_path, "multiview", restart=True)
    assert record.videos == 2


def test_a_device_that_fails_ends_the_run_and_keeps_what_is_done(listed: Dataset, tmp_path: Path) -> None:
    class Failing(ColourEngine):
        def run(self, clips: NDArray[np.uint8], endpoints: Sequence[str] = ()) -> EngineOutput:
            if len(self.shapes) >= 9:
                raise EngineError("out of memory")
            return super().run(clips, endpoints)

    with pytest.raises(EngineError, match="out of memory"):
        run(listed, tmp_path, "omz", engine=Failing(), workers=1)
    assert done_in(tmp_path / LEDGER_NAME) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"recognizer": "rgb-scratch"}, "recognizer must be Recognizer, not 'rgb-scratch'"),
        ({"dataset": "videos/"}, "dataset must be Dataset, not 'videos/'"),
        ({"protocol": "omz"}, "protocol must be what make_protocol returns, not 'omz'"),
        ({"ledger": None}, "ledger must be text or a path, not None"),
        ({"workers": 0}, "workers must be 1 or more, not 0"),
        ({"workers": "2"}, "workers must be a whole number, not '2'"),
        ({"limits": 3}, "limits must be VideoLimits or None, not 3"),
        ({"allow_partial": "no"}, "allow_partial must be True or False, not 'no'"),
    ],
)
def test_an_argument_of_another_type_is_refused_by_name(tmp_path: Path, given: dict[str, object], message: str) -> None:
    usual = {"recognizer": recognizer(ColourEngine()), "dataset": Dataset(tmp_path, "list", ())}
    usual |= {"protocol": make_protocol("omz"), "ledger": tmp_path / LEDGER_NAME}
    with pytest.raises((ArchitectureError, OutputError), match=re.escape(message)):
        run_evaluation(**{**usual, **given})  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
