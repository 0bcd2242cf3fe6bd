"""Results as records, and the file they go to."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from quovadis.errors import OutputError, VideoError
from quovadis.report.table import MAX_CLIP_ROWS, prediction_table
from quovadis.results import VideoPrediction
from quovadis.results.record_file import RecordFile
from quovadis.results.records import RecordFormat, record_writer
from support.video_predictions import video_prediction


def written(record_format: RecordFormat) -> str:
    stream = io.StringIO()
    writer = record_writer(record_format, stream, 2)
    writer.result(video_prediction())
    writer.failure("bad.mp4", VideoError("bad.mp4: empty"))
    writer.close()
    return stream.getvalue()


def test_top_ranks_by_probability_and_never_gives_more_than_there_are() -> None:
    assert [p.label for p in video_prediction().top(2)] == ['"quoted"', "[red]markup[/red]"]
    assert len(video_prediction().top(99)) == 3


def test_json_holds_results_and_failures() -> None:
    document = json.loads(written("json"))
    assert document["results"][0]["top"][0] == {"index": 1, "label": '"quoted"', "probability": 0.5}
    assert document["failures"] == [{"source": "bad.mp4", "error": "bad.mp4: empty", "kind": "VideoError"}]


def test_json_lines_hold_one_object_a_video() -> None:
    first, second = map(json.loads, written("jsonl").splitlines())
    assert first["clips"][1]["start_seconds"] == 3.16
    assert second["error"] == "bad.mp4: empty"


def test_csv_survives_commas_and_quotes() -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    assert rows[0]["source"] == "clip, one.mp4"
    assert rows[0]["label"] == '"quoted"'
    assert rows[-1]["error"] == "bad.mp4: empty"
    assert len(rows) == 2 + 2 * 2 + 1


def drawn(result: VideoPrediction) -> str:
    console = Console(file=io.StringIO(), width=100, record=True)
    console.print(prediction_table(result))
    return console.export_text()


def test_the_table_shows_labels_as_they_are_and_every_clip_with_its_seconds() -> None:
    text = drawn(video_prediction(clips=3))
    assert "[red]markup[/red]" in text
    assert "3.16 – 6.32" in text
    assert "6.32 – 9.48" in text


def test_a_long_timeline_joins_neighbours_of_one_class() -> None:
    text = drawn(video_prediction(clips=MAX_CLIP_ROWS + 4))
    assert "0.00 – 6.32" in text
    assert "0.00 – 3.16" not in text


def test_a_whole_document_replaces_the_older_file_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    with RecordFile(path, whole=True) as stream:
        stream.write("new")
        stream.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_lines_reach_the_file_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "result.jsonl"
    with RecordFile(path, whole=False) as stream:
        stream.write("line\n")
        stream.flush()
        assert path.read_text() == "line\n"


def test_a_folder_that_does_not_exist_is_made_for_the_first_result(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "deeper" / "result.json"
    with RecordFile(path, whole=True) as stream:
        assert list(tmp_path.iterdir()) == []
        stream.write("{}")
    assert path.read_text() == "{}"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file/result.json", "file/deeper/result.json"):
        with pytest.raises(OutputError, match=r"result\.json: cannot"), RecordFile(tmp_path / name, whole=True):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
