"""The report of a training: right figures with clip-wise and video-wise named, for every state that a run can be in."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quovadis.errors import MissingDependencyError, OutputError
from quovadis.report.pages.charts import nice_ticks
from quovadis.report.pages.content import Chart
from quovadis.report.training_page import (
    RunCost,
    TrainingHistory,
    TrainingPage,
    read_training,
    write,
    write_training_report,
)
from quovadis.report.training_page.curves import curves_sections
from quovadis.report.training_page.sections import training_content
from quovadis.report.training_page.thumbnails import SIDE, thumbnail
from support.page import Page
from support.training_runs import BATCHES, LABELS, write_head_run, write_run


def write_report(folder: Path, **settings: object) -> str:
    write_run(folder, **settings)  # type: ignore[arg-type]
    return write_training_report(read_training(folder), folder).read_text("utf-8")


def figures(history: TrainingHistory) -> list[str]:
    table = training_content(history).sections[0].table
    assert table is not None
    return [row[0] for row in table.rows]


def charts(history: TrainingHistory) -> dict[str, Chart]:
    return {chart.title: chart for section in curves_sections(history) for chart in section.charts}


def test_the_best_epoch_is_reported_with_both_accuracies_by_name(tmp_path: Path) -> None:
    page = Page(write_report(tmp_path / "x", best=3))
    assert (
        "The best weights are those of epoch 3 of 4: 9 of 12 validation videos are classified correctly." in page.text
    )
    assert ["video-wise top-1", "75.00 %", "9 of 12", "46.77–91.11 %"] in page.rows
    assert ["clip-wise top-1", "60.00 %", "", ""] in page.rows
    assert "Here each video has 3 clips." in page.text
    assert "Training of x" in page.text


def test_top5_is_shown_where_there_is_one(tmp_path: Path) -> None:
    history = read_training(write_run(tmp_path))
    assert figures(history) == ["video-wise top-1", "clip-wise top-1"]
    with_five = {"video_top1": 0.5, "video_top5": 1.0, "clip_top1": 0.5, "clip_top5": 1.0}
    many = replace(history, epochs=tuple(replace(epoch, figures=with_five) for epoch in history.epochs))
    assert figures(many) == [f"{kind} {top}" for kind in ("video-wise", "clip-wise") for top in ("top-1", "top-5")]


def test_worst_videos_come_least_probable_first(tmp_path: Path) -> None:
    page = Page(write_report(tmp_path))
    rows = [row for row in page.rows if re.fullmatch(r"clip \d+", row[1] if len(row) > 6 else "")]
    assert [row[1:6] for row in rows] == [
        ["clip 11", "jump", "2.1 %", "$spin$", "65.0 %"],
        ["clip 7", LABELS[1], "3.1 %", "jump", "65.0 %"],
        ["clip 3", "wave", "6.2 %", LABELS[1], "65.0 %"],
    ]


def test_one_file_that_asks_for_nothing_and_takes_no_name_for_more_than_text(tmp_path: Path) -> None:
    skipped = {"bad <i>.mp4": "bad <i>.mp4: not a video & more"}
    folder = write_run(tmp_path, skipped=skipped)
    history, commands = read_training(folder), ("quovadis classify a&b.mp4 --weights best.safetensors",)
    text = write_training_report(history, folder, commands=commands).read_text("utf-8")
    page = Page(text)
    assert "https:" not in text
    assert "url(" not in text
    assert "http:" not in text.replace("http://www.w3.org/2000/svg", "")
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "b", "i", "a"})
    assert all((attributes.get("src") or "data:image/").startswith("data:image/") for _, attributes in page.tags)
    assert [*skipped, *skipped.values()] in page.rows
    assert "1 video could not be read" in page.text
    assert commands[0] in page.text


def test_curves_are_of_every_epoch_and_step(tmp_path: Path) -> None:
    found = charts(read_training(write_run(tmp_path, epochs=4, best=3)))
    accuracy = found["Top-1 accuracy by epoch"]
    assert [curve.name for curve in accuracy.curves] == ["video-wise", "clip-wise"]
    assert [x for x, _ in accuracy.curves[0].points] == [1, 2, 3, 4]
    assert accuracy.curves[0].points[2] == (3, 0.75)
    assert accuracy.mark_x == 3
    assert [curve.name for curve in found["Loss by epoch"].curves] == ["training", "validation"]
    rates = found["Learning rate by step"]
    assert [curve.points[0] for curve in rates.curves] == [(1, 0.01), (1, 0.001)]
    assert len(found["Training loss by step"].curves[0].points) == 4 * BATCHES


def test_many_steps_are_averaged(tmp_path: Path) -> None:
    history = read_training(write_run(tmp_path, epochs=1, best=1))
    steps = tuple(replace(history.steps[0], step=number + 1, loss=float(number % 2)) for number in range(3000))
    (curve,) = charts(replace(history, steps=steps))["Training loss by step"].curves
    assert len(curve.points) <= 300
    assert {y for _, y in curve.points} == {0.5}
    assert curve.points[0][0] == 5.5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": 0, "more_steps": 7}, "No evaluation yet: 7 steps done."),
        ({"epochs": 0}, "No evaluation yet: 0 steps done."),
        ({"epochs": 1, "best": 1}, "epoch 1 of 1"),
        ({"epochs": 2, "best": 1, "more_steps": 3}, "epoch 1 of 2"),
        ({"validation": False}, "Without a validation part"),
    ],
    ids=["before the first evaluation", "before the first step", "one epoch", "interrupted", "no validation"],
)
def test_a_run_in_any_state_has_a_report(tmp_path: Path, settings: dict[str, object], said: str) -> None:
    if not settings.get("more_steps") and settings.get("epochs") == 0:
        tmp_path.joinpath("history.jsonl").touch()
    assert said in Page(write_report(tmp_path, **settings)).text


def test_of_several_labels_a_video_the_figure_is_mean_average_precision(tmp_path: Path) -> None:
    page = Page(write_report(tmp_path, multi_label=True))
    assert "a mean average precision of 65.00 % over 12 validation videos" in page.text
    assert "top-1" not in page.text
    assert "Confusion matrix" not in page.text
    assert ["video-wise mAP", "65.00 %"] in page.rows
    assert ["clip-wise mAP", "60.00 %"] in page.rows
    # The second class has 4 videos; of these the one that is taken for another comes last of them.
    assert [LABELS[1], "4"] in [row[:2] for row in page.rows]


def test_the_stage_head_has_no_curves_but_what_regularises_it(tmp_path: Path) -> None:
    folder = write_head_run(tmp_path)
    history = read_training(folder)
    page = Page(write_training_report(history, folder).read_text("utf-8"))
    assert "The weights are those of the stage head: 9 of 12 validation videos are classified correctly." in page.text
    assert charts(history) == {}
    start = page.rows.index(["0.0001", "62.50 %", ""])
    assert page.rows[start + 1 : start + 3] == [["0.01", "75.00 %", "chosen"], ["1", "50.00 %", ""]]


def test_a_network_trained_after_its_head_says_what_the_head_came_to(tmp_path: Path) -> None:
    write_head_run(tmp_path / "head")
    text = Page(write_report(tmp_path)).text
    assert "The stage head, which it began with, came to 75.00 %." in text


def test_time_memory_and_provenance_are_told(tmp_path: Path) -> None:
    folder = write_run(tmp_path, epochs=4)
    path = write_training_report(read_training(folder), folder, cost=RunCost(3 * 2**30, "a processor"))
    rows = Page(path.read_text("utf-8")).rows
    for row in (
        ["time of steps and evaluations, over all runs", "50.0 seconds"],
        ["most memory", "3.00 GiB"],
        ["machine", "a processor"],
    ):
        assert row in rows
    for row in (
        ["initial weights", "rgb-scratch"],
        ["clip frames", "64"],
        ["sampling", "views 3"],
        ["head_rate", "0.01"],
    ):
        assert row in rows


def test_a_thumbnail_is_a_small_picture_of_the_video(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 48), (250, 10, 10)) for _ in range(3)]
    frames[0].save(tmp_path / "red.gif", save_all=True, append_images=frames[1:], duration=40)
    content = thumbnail(str(tmp_path / "red.gif"))
    assert content is not None
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size) == ("JPEG", (SIDE, SIDE))
        assert np.abs(np.asarray(image.convert("RGB")).mean((0, 1)) - (250, 10, 10)).max() < 4


def test_an_unreadable_video_is_listed_without_a_picture(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    assert thumbnail(str(tmp_path / "text.mp4")) is None
    assert thumbnail(str(tmp_path / "missing.mp4")) is None
    folder = write_run(tmp_path / "run", paths={"clip 11": tmp_path / "text.mp4"})
    history = read_training(folder)
    page = Page(write_training_report(history, folder).read_text("utf-8"))
    assert any(row[-1].endswith("text.mp4") for row in page.rows)
    assert "thumbnail" not in [attributes.get("class") for _, attributes in page.tags]


def test_a_folder_without_a_training_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"history\.jsonl: no such file; give the folder of a training"):
        read_training(tmp_path)


@pytest.mark.parametrize("name", ["history.jsonl", "predictions.jsonl", "best.safetensors"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write_run(tmp_path)
    (folder / name).write_bytes(b"{1")
    with pytest.raises(OutputError, match=rf"{re.escape(name)}: damaged"):
        read_training(folder)


def test_matplotlib_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_run(tmp_path)
    monkeypatch.setattr(write, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match=r"quovadis\[train\]"):
        write_training_report(read_training(folder), folder)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1.4, [0, 0.5, 1, 1.5]), (0, 0.0031, [0, 0.001, 0.002, 0.003, 0.004]), (-1, 99, [-50, 0, 50, 100])],
)
def test_ticks_are_round_numbers_around_the_values(low: float, high: float, expected: list[float]) -> None:
    assert nice_ticks(low, high, 5) == expected


def test_the_page_of_a_training_under_way_is_written_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((1000.0, 1012.0, 1012.0, 1012.0, 1071.0, 1072.0, 1072.0, 1072.0))
    monkeypatch.setattr(write.time, "monotonic", lambda: next(clock))
    page = TrainingPage(write_run(tmp_path, epochs=1, best=1), machine="a processor", commands=["run this next"])
    page.peak_memory_bytes = 2**30
    page.update()
    path = tmp_path / "report.html"
    assert "run this next" in path.read_text("utf-8")
    assert ["most memory", "1.00 GiB"] in Page(path.read_text("utf-8")).rows
    assert ["time, this run", "12.0 seconds"] in Page(path.read_text("utf-8")).rows
    write_run(tmp_path, epochs=2, best=2)
    for epochs in (1, 2):
        page.update()
        assert f"epoch {epochs} of {epochs}" in path.read_text("utf-8")


def test_a_training_that_could_have_no_page_is_refused_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match=r"quovadis\[train\]"):
        TrainingPage(tmp_path)
