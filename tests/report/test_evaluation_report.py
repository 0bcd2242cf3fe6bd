"""The report of an evaluation: right figures, nothing left out, nothing of a name taken for more than text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from quovadis.errors import MissingDependencyError, OutputError
from quovadis.evaluation.parquet import read_predictions
from quovadis.evaluation.predictions import Failure, PartialVideo, Predictions
from quovadis.evaluation.run import RunRecord
from quovadis.evaluation.summary import summarize
from quovadis.report.evaluation import check_evaluation_dependencies, write, write_evaluation
from quovadis.report.pages.confusion import confusion_figure
from support.page import Page

LABELS = ("café", "a|b", "<script>alert(1)</script>", "$x^2$ _or_ *y*", "走る", "never seen")
TRUTH = (0, 1, 2, 2, 4)
PREDICTED = (0, 1, 2, 3, 3)
KEYS = ("one", "two|2", "<b>three</b>", "four\nlines & more", "five\udcff")
RECORD = RunRecord(seconds=4.0, videos=2, views=6, earlier=3, workers=2)
FILES = ["predictions.parquet", "report.json", "run.json", "report.md", "report.html", "confusion.png"]


def make_predictions(views: int = 1, protocol: str = "deepmind", evaluated: int = len(KEYS)) -> Predictions:
    """Return videos whose true class comes third where it is not the best."""
    logits = np.zeros((evaluated, len(LABELS)), np.float32)
    rows = np.arange(evaluated)
    logits[:, 1] = 1
    logits[rows, TRUTH[:evaluated]] = 2
    logits[rows, PREDICTED[:evaluated]] = 4
    return Predictions(
        settings={
            "protocol": protocol,
            "fps": 25,
            "chunk_frames": 320,
            "weights": "rgb-scratch",
            "weights_sha256": "ab" * 32,
            "engine": "openvino",
            "version": "2026.0",
            "device": "CPU",
            "precision": "f32",
            "quovadis": "0",
        },
        dataset={"source": "lists/k400 <val>.csv", "format": "kinetics-csv", "examples": evaluated + 2},
        labels=LABELS,
        keys=KEYS[:evaluated],
        paths=tuple(f"videos/{key}.mp4" for key in KEYS[:evaluated]),
        truth=np.array(TRUTH[:evaluated], np.int64),
        frames=np.full(evaluated, 250, np.int64),
        video=np.repeat(rows, views),
        clip=np.tile(np.arange(views), evaluated),
        crop=np.zeros(evaluated * views, np.int64),
        start_frame=np.zeros(evaluated * views, np.int64),
        logits=np.repeat(logits, views, axis=0),
        failures=(
            Failure("lost & gone", "", 0, "missing", "no such video"),
            Failure("bad|\udcff<i>", "videos/bad.mp4", 2, "unreadable", "videos/bad.mp4: not a video | <i>"),
        ),
    )


def write_report(folder: Path, predictions: Predictions, record: RunRecord = RECORD) -> dict[str, str]:
    """Write the report and return its texts."""
    paths = write_evaluation(predictions, summarize(predictions), record, folder)
    assert [path.name for path in paths] == FILES
    assert sorted(FILES) == sorted(path.name for path in folder.iterdir())
    return {path.name: path.read_text(encoding="utf-8") for path in paths if path.suffix in (".json", ".md", ".html")}


def markdown_rows(text: str) -> list[list[list[str]]]:
    """Return the cells of every table as GitHub splits them, at each bar that is not escaped."""
    tables: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line)
            assert cells[0] == cells[-1] == ""
            tables[-1].append([cell.strip() for cell in cells[1:-1]])
        elif tables[-1]:
            tables.append([])
    return [table for table in tables if table]


def test_json_holds_the_right_figures_and_is_the_same_each_time(tmp_path: Path) -> None:
    first = write_report(tmp_path / "a", make_predictions())
    second = write_report(tmp_path / "b" / "deeper", make_predictions(), replace(RECORD, seconds=9.0, earlier=0))
    assert first["report.json"] == second["report.json"]
    for name in ("predictions.parquet", "confusion.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / "deeper" / name).read_bytes()
    report = json.loads(first["report.json"])
    assert report["dataset"] == {
        "source": "lists/k400 <val>.csv",
        "format": "kinetics-csv",
        "examples": 7,
        "evaluated": 5,
        "incomplete": 0,
        "missing": 1,
        "unreadable": 1,
    }
    metrics = {metric["name"]: metric for metric in report["metrics"]}
    assert (metrics["top1"]["value"], metrics["top5"]["value"]) == (0.6, 1.0)
    # Wilson's interval of 3 in 5, from the formula in its common form.
    assert metrics["top1"]["lower"] == pytest.approx(0.2307, abs=1e-4)
    assert metrics["top1"]["upper"] == pytest.approx(0.8824, abs=1e-4)
    assert metrics["top1_failures_as_wrong"]["trials"] == 7
    assert [row["same_weights"] for row in report["published"]] == [False, False, False, False, True]
    assert [row["same_protocol"] for row in report["published"]] == [False, False, False, True, True]
    assert report["failures"][1] == {
        "key": "bad|\udcff<i>",
        "source": "videos/bad.mp4",
        "label": LABELS[2],
        "label_index": 2,
        "kind": "unreadable",
        "error": "videos/bad.mp4: not a video | <i>",
    }
    assert report["worst"][0]["key"] in ("four\nlines & more", "five\udcff")
    assert "café" in first["report.json"]


def test_the_calibration_of_8_bit_integers_is_told_where_there_is_one(tmp_path: Path) -> None:
    exact = make_predictions()
    settings = {**exact.settings, "precision": "int8", "calibration_sha256": "cd" * 32}
    texts = write_report(tmp_path / "int8", replace(exact, settings=settings))
    assert json.loads(texts["report.json"])["settings"]["calibration_sha256"] == "cd" * 32
    row = ["SHA-256 of the calibration", "cd" * 32]
    assert row in markdown_rows(texts["report.md"])[0]
    assert row in Page(texts["report.html"]).rows
    assert "calibration" not in write_report(tmp_path / "f32", exact)["report.md"]


def test_the_settings_of_a_protocol_read_as_a_sentence(tmp_path: Path) -> None:
    given = make_predictions()
    for allow_partial, said in ((False, "deepmind, fps 25, chunk frames 320"), (True, ", damaged videos in part")):
        predictions = replace(given, settings={**given.settings, "allow_partial": allow_partial})
        facts = markdown_rows(write_report(tmp_path / said, predictions)["report.md"])[0]
        (protocol,) = [value for name, value in facts if name == "protocol"]
        assert protocol.endswith(said)


@pytest.mark.parametrize("compatible", [False, True])
def test_which_clip_accuracy_comes_first_is_told(tmp_path: Path, compatible: bool) -> None:
    predictions = make_predictions(3, "omz")
    write_evaluation(predictions, summarize(predictions, omz_compatible=compatible), RECORD, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["omz_compatible"] is compatible
    facts, metrics, *_ = markdown_rows((tmp_path / "report.md").read_text())
    (said,) = [value for name, value in facts if name == "clip\\_accuracy" or name == "clip_accuracy"]
    assert ("without the last video" in said) is compatible
    names = [row[0] for row in metrics if row[0].startswith("clip_accuracy: mean")]
    expected = ["clip_accuracy: mean", "clip_accuracy: mean, without the last"]
    assert names[:2] == (expected[::-1] if compatible else expected)


def test_the_axis_says_percent_at_each_number(tmp_path: Path) -> None:
    text = write_report(tmp_path, make_predictions())["report.html"]
    assert '<span style="left:100%">100 %</span></span><span></span>' in text


def test_the_run_stands_apart(tmp_path: Path) -> None:
    texts = write_report(tmp_path, make_predictions())
    run = json.loads(texts["run.json"])
    assert run == {
        "seconds": 4.0,
        "videos": 2,
        "views": 6,
        "earlier": 3,
        "workers": 2,
        "videos_per_second": 0.5,
        "views_per_second": 1.5,
    }
    assert "0.50 videos and 1.50 views a second" in texts["report.md"]
    assert "Earlier runs evaluated 3 videos." in texts["report.html"]


def test_a_run_with_nothing_left_to_do_has_no_speed(tmp_path: Path) -> None:
    texts = write_report(tmp_path, make_predictions(), RunRecord(0.1, 0, 0, 5, 2))
    run = json.loads(texts["run.json"])
    assert run["videos_per_second"] is None
    assert run["views_per_second"] is None
    assert "This run evaluated 0 videos" in texts["report.md"]


def test_markdown_has_whole_tables_and_every_name(tmp_path: Path) -> None:
    text = write_report(tmp_path, make_predictions())["report.md"]
    tables = markdown_rows(text)
    assert len(tables) == 7
    for table in tables:
        assert {len(row) for row in table} == {len(table[0])}
    assert "5 of 7 videos evaluated, 1 missing, 1 unreadable." in text
    assert ["top-1", "60.00 %", "3 of 5", "23.07–88.24 %"] in tables[1]
    assert tables[2][-1][-1] == "the weights evaluated, the same protocol"
    assert "other weights" in tables[2][2][-1]
    assert ["1", "a\\|b", "1", "100.0 %", "100.0 %"] in tables[5]
    assert [row[:3] for row in tables[6][2:]] == [
        ["lost \\& gone", "café", "missing"],
        ["bad\\|\\udcff\\<i\\>", "\\<script\\>alert(1)\\</script\\>", "unreadable"],
    ]
    assert "four lines \\& more" in text
    assert "\\$x^2\\$ \\_or\\_ \\*y\\*" in text
    assert "](confusion.png)" in text
    assert not re.search(r"(?<!\\)<", text)


def test_videos_that_were_there_in_part_are_listed_and_counted(tmp_path: Path) -> None:
    incomplete = (PartialVideo("two|2", "videos/two|2.mp4", ("cut off: <5 s> missing", "damaged: 2 parts")),)
    texts = write_report(tmp_path, replace(make_predictions(), incomplete=incomplete))
    report = json.loads(texts["report.json"])
    assert report["dataset"]["incomplete"] == 1
    assert report["incomplete"] == [
        {"key": "two|2", "path": "videos/two|2.mp4", "notes": ["cut off: <5 s> missing", "damaged: 2 parts"]}
    ]
    counts = "5 of 7 videos evaluated (1 of them partly decoded), 1 missing, 1 unreadable."
    assert counts in texts["report.md"].replace("\\", "")
    page = Page(texts["report.html"])
    assert counts in page.text
    assert ["two|2", "cut off: <5 s> missing; damaged: 2 parts"] in page.rows
    assert markdown_rows(texts["report.md"])[6][2] == [
        "two\\|2",
        "cut off: \\<5 s\\> missing; damaged: 2 parts",
    ]


def test_html_is_one_sound_file_that_asks_for_nothing(tmp_path: Path) -> None:
    text = write_report(tmp_path, make_predictions())["report.html"]
    page = Page(text)
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in text
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "b", "i"})
    sources = [attributes["src"] for _, attributes in page.tags if "src" in attributes]
    assert len(sources) == 1
    assert sources[0] is not None
    assert sources[0].startswith("data:image/png;base64,")
    assert not any(name.startswith("on") or name == "href" for _, attributes in page.tags for name in attributes)
    assert "<script>alert(1)</script>" in page.text
    assert "5 of 7 videos evaluated, 1 missing, 1 unreadable." in page.text
    assert ["top-1", "60.00 %", "3 of 5", "23.07–88.24 %"] in page.rows
    assert ["bad|\\udcff<i>", LABELS[2], "unreadable", "videos/bad.mp4: not a video | <i>"] in page.rows
    assert ["lost & gone", "café", "missing", "no such video"] in page.rows
    assert sum(tag == "details" for tag, _ in page.tags) == 2


def test_html_marks_the_published_figures_of_these_weights(tmp_path: Path) -> None:
    page = Page(write_report(tmp_path, make_predictions())["report.html"])
    marks = [attributes for _, attributes in page.tags if (attributes.get("class") or "").startswith("mark")]
    assert [(mark["class"], mark["style"]) for mark in marks] == [("mark", "left:68.40%"), ("mark", "left:88.00%")]
    ranges = [attributes["style"] for _, attributes in page.tags if attributes.get("class") == "range"]
    assert ranges[0] == "left:23.07%;width:65.17%"
    other = Page(write_report(tmp_path / "omz", make_predictions(3, "omz"))["report.html"])
    assert "mark other" in [attributes.get("class") for _, attributes in other.tags]


def test_intervals_over_views_of_one_video_are_called_too_narrow(tmp_path: Path) -> None:
    single = write_report(tmp_path / "a", make_predictions())["report.md"]
    several = write_report(tmp_path / "b", make_predictions(3, "omz"))["report.md"]
    assert "too narrow" in several
    assert "too narrow" not in single
    assert ["accuracy@top1", "60.00 %", "9 of 15", "35.75–80.18 %"] in markdown_rows(several)[1]


def many_classes(count: int) -> Predictions:
    """Return a video of every second class, each taken for the one before."""
    truth = np.arange(1, count, 2)
    videos = len(truth)
    return replace(
        make_predictions(),
        labels=tuple(f"class {index}" for index in range(count)),
        keys=tuple(f"video {index}" for index in range(videos)),
        paths=("",) * videos,
        truth=truth,
        frames=np.full(videos, 9),
        **{name: np.zeros(videos, np.int64) for name in ("clip", "crop", "start_frame")},
        video=np.arange(videos),
        logits=np.eye(count, dtype=np.float32)[truth - 1],
    )


def ticks(axis: Any) -> list[tuple[float, str]]:
    return [
        (float(place), text.get_text()) for place, text in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    ]


def test_the_picture_names_few_classes() -> None:
    axes, bar = confusion_figure(make_predictions()).axes
    # Of six classes one is neither that of a video nor an answer.
    names = list(enumerate(LABELS[:5]))
    assert ticks(axes.xaxis) == ticks(axes.yaxis) == names
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "class")
    assert bar.get_ylabel() == "share of the class's videos"
    shares = axes.images[0].get_array()
    # Rows are classes: of the two videos of the third class one was taken for the fourth, which has none of its own.
    np.testing.assert_array_equal(shares[2], [0, 0, 0.5, 0.5, 0])
    assert shares.mask[3].all()
    assert not shares.mask[[0, 1, 2, 4]].any()


def test_the_picture_numbers_many_classes_as_the_table_does(tmp_path: Path) -> None:
    predictions = many_classes(60)
    axes, bar = confusion_figure(predictions).axes
    places = range(0, 60, 3)
    assert ticks(axes.xaxis) == ticks(axes.yaxis) == [(place, str(place)) for place in places]
    assert axes.get_xlabel() == "predicted class, by number of the output"
    report = write_report(tmp_path, predictions)
    for rows in (markdown_rows(report["report.md"])[5], Page(report["report.html"]).rows):
        assert ["31", "class 31", "1", "0.0 %", "0.0 %"] in rows
    assert "Numbers are those of the table below" in report["report.md"]
    assert "cube root" in bar.get_ylabel()


def test_a_small_share_of_many_classes_shows() -> None:
    axes, bar = confusion_figure(many_classes(60)).axes
    norm = axes.images[0].norm
    assert (float(norm(0)), float(norm(1))) == (0, 1)
    # One in a hundred videos is a fifth of the colours from white, not the hundredth that the eye passes over.
    assert float(norm(0.01)) == pytest.approx(0.01 ** (1 / 3))
    values = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 1)
    assert ticks(bar.yaxis) == [(value, f"{value:g}") for value in values]


def test_the_picture_is_a_png_whatever_is_in_it(tmp_path: Path) -> None:
    for place, predictions in enumerate((make_predictions(), many_classes(60), make_predictions(evaluated=0))):
        write_report(tmp_path / str(place), predictions)
        with Image.open(tmp_path / str(place) / "confusion.png") as image:
            assert image.format == "PNG"
            assert min(image.size) >= 300


def test_a_report_of_failures_alone(tmp_path: Path) -> None:
    predictions = make_predictions(evaluated=0)
    texts = write_report(tmp_path, predictions)
    report = json.loads(texts["report.json"])
    assert report["metrics"][0]["value"] is None
    assert "0 of 2 videos evaluated, 1 missing, 1 unreadable." in texts["report.md"]
    assert ["top-1", "–", "0 of 0", "–"] in markdown_rows(texts["report.md"])[1]
    assert ["top-1", "–", "0 of 0", "–"] in Page(texts["report.html"]).rows
    assert len(report["failures"]) == 2
    assert (tmp_path / "confusion.png").stat().st_size > 0


def test_the_predictions_are_read_back(tmp_path: Path) -> None:
    predictions = make_predictions(3, "omz")
    write_report(tmp_path, predictions)
    again = read_predictions(tmp_path / "predictions.parquet")
    np.testing.assert_array_equal(again.logits, predictions.logits)
    assert again.failures == predictions.failures


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    predictions = make_predictions()
    taken = tmp_path / "taken"
    taken.write_text("a file")
    for folder in (taken, taken / "deeper"):
        with pytest.raises(OutputError, match="taken"):
            write_evaluation(predictions, summarize(predictions), RECORD, folder)
    assert taken.read_text() == "a file"


def test_a_file_that_cannot_be_written_leaves_nothing_half_done(tmp_path: Path) -> None:
    predictions = make_predictions()
    (tmp_path / "report.md").mkdir()
    with pytest.raises(OutputError, match=r"report\.md"):
        write_evaluation(predictions, summarize(predictions), RECORD, tmp_path)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("module", ["matplotlib", "pyarrow"])
def test_a_missing_package_is_named_before_any_work(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "find_spec", lambda name: None if name == module else object())
    with pytest.raises(MissingDependencyError, match=rf"{module}.*quovadis\[evaluation\]"):
        check_evaluation_dependencies()
    predictions = make_predictions()
    with pytest.raises(MissingDependencyError):
        write_evaluation(predictions, summarize(predictions), RECORD, tmp_path / "report")
    assert not (tmp_path / "report").exists()
