"""Results as values: compared, shown in a line or a small table, and turned into dictionaries and pandas tables."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from quovadis import (
    ArchitectureError,
    ClipPrediction,
    EngineOutput,
    FeatureOptions,
    Sampling,
    SlidingWindows,
    StepPrediction,
    VideoFeatures,
)
from quovadis.errors import MissingDependencyError
from quovadis.results.records import CSV_COLUMNS
from support.fake_engine import MeanEngine, recognizer
from support.video_predictions import LABELS, video_prediction

HOSTILE = "<script>alert('&')</script>\x1b[31m\udcff\n.mp4"
"""A file's name: markup, an escape sequence, a byte that is no text, and the end of a line."""
FRAMES = np.zeros((200, 64, 64, 3), np.uint8)


def step(**fields: Any) -> StepPrediction:
    logits = np.array([0.0, 2.0, 1.0], np.float32)
    given = {"index": 4, "start_seconds": 1.28, "end_seconds": 1.6, "step_logits": logits, "logits": logits}
    return StepPrediction(**{**given, "labels": LABELS, **fields})


def features(**options: Any) -> VideoFeatures:
    return recognizer(MeanEngine()).features(FRAMES, FeatureOptions(**options))


def output() -> EngineOutput:
    return recognizer(MeanEngine()).run(np.zeros((1, 79, 32, 32, 3), np.uint8), ["Mixed_4f"])


MAKERS = [video_prediction, lambda: video_prediction().clips[0], step, features, output]


@pytest.mark.parametrize("make", MAKERS)
def test_results_made_alike_are_equal_and_any_other_field_makes_them_differ(make: Any) -> None:
    one, other = make(), make()
    assert one == other
    assert one is not other
    assert one != "something else"
    assert one != step(index=99)
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray):
            changed = value.copy()
            changed.flat[0] += 1
            assert one != replace(one, **{name: changed})
            # Of another shape, though numpy would stretch it.
            assert one != replace(one, **{name: value[:1]}) or len(value) == 1


def test_a_clip_of_a_video_that_differs_makes_the_video_differ() -> None:
    one = video_prediction()
    first, second = one.clips
    assert one != replace(one, clips=(first, replace(second, logits=second.logits + 1)))
    assert one != replace(one, source="another.mp4")


def test_a_rate_that_is_not_known_equals_itself() -> None:
    found = replace(features(), frames_per_second=float("nan"))
    assert found == replace(found)
    assert found.to_dict()["frames_per_second"] is None


@pytest.mark.parametrize("make", MAKERS)
def test_results_have_no_hash(make: Any) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(make())


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (video_prediction, """VideoPrediction('clip, one.mp4': '"quoted"' 50.0 %, 2 clips, 6.32 s)"""),
        (lambda: video_prediction(1), """VideoPrediction('clip, one.mp4': '"quoted"' 50.0 %, 1 clip, 3.16 s)"""),
        (
            lambda: replace(video_prediction(), mean_logits=np.float32([0, 9, 0]), incomplete=True),
            """VideoPrediction('clip, one.mp4': '"quoted"' 100.0 %, 2 steps, 6.32 s, incomplete)""",
        ),
        (lambda: video_prediction().clips[1], """ClipPrediction(1, 3.16-6.32 s: '"quoted"' 50.0 %)"""),
        (step, """StepPrediction(4, 1.28-1.60 s: '"quoted"' 66.5 %)"""),
        (
            lambda: features(sampling=Sampling(clips=SlidingWindows(clip_frames=200))),
            "VideoFeatures('<array>': 1 window x 1024 channels, 0.00-8.00 s)",
        ),
        (features, "VideoFeatures('<array>': 3 windows x 1024 channels, 0.00-8.00 s)"),
        (
            lambda: features(crops=3, pool="space"),
            "VideoFeatures('<array>': 3 windows x 3 crops x 9 time x 1024 channels, 0.00-8.00 s)",
        ),
        (
            output,
            "EngineOutput(step_logits (1, 9, 400), logits (1, 400), probabilities (1, 400), features (1, 9, 1024), "
            "Mixed_4f (1, 39, 3, 4, 5))",
        ),
    ],
)
def test_a_result_shows_what_it_says_in_one_line(make: Any, shown: str) -> None:
    assert repr(make()) == shown


def test_the_line_of_hostile_names_is_short_and_escaped() -> None:
    shown = repr(video_prediction(source=HOSTILE * 50))
    assert len(shown) < 160
    assert shown.isprintable()
    labels = ("x" * 9999, *LABELS[1:])
    assert len(repr(step(labels=labels, logits=np.float32([9, 0, 0])))) < 160


def test_a_clip_and_a_step_as_dictionaries() -> None:
    (clip, _) = video_prediction().clips
    best = {"index": 1, "label": '"quoted"', "probability": 0.5}
    assert clip.to_dict(1) == {
        "index": 0,
        "start_seconds": 0.0,
        "end_seconds": 3.16,
        "frames": 79,
        "looped": False,
        "top": [best],
    }
    assert video_prediction().to_dict(1)["clips"][0] == clip.to_dict(1)
    found = step(delay_seconds=0.25).to_dict(2)
    assert list(found) == ["index", "start_seconds", "end_seconds", "delay_seconds", "top"]
    assert found["delay_seconds"] == 0.25
    assert [one["label"] for one in found["top"]] == ['"quoted"', "[red]markup[/red]"]


@pytest.mark.parametrize("count", [None, "5", 2.0, -1, True])
def test_the_number_of_classes_is_a_whole_number(count: Any) -> None:
    result = video_prediction()
    for act in (result.top, result.to_dict, result.to_rows, result.to_pandas, result.clips[0].top):
        with pytest.raises(ArchitectureError, match=r"^count must be") as refused:
            act(count)
        assert refused.value.option == "count"
    assert result.top(np.int64(2)) == result.top(2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "result",
    [
        replace(video_prediction(source=HOSTILE), notes=(HOSTILE,)),
        replace(features(), source=HOSTILE),
    ],
)
def test_every_dictionary_can_be_encoded_whatever_the_name(result: Any) -> None:
    document = json.loads(json.dumps(result.to_dict(), ensure_ascii=False).encode())
    assert document["source"] == HOSTILE.replace("\udcff", "\\udcff")


def test_tables_of_notebooks_have_short_captions_and_no_letters_that_turn_others_round() -> None:
    for result in (
        video_prediction(source="a" * 4000 + "\u202e.mp4"),
        replace(features(), source="a" * 4000 + "\u202e"),
    ):
        caption = Outline(result._repr_html_()).text
        assert "\u202e" not in caption
        assert "aa…aa" in caption
        assert len(caption) < 400


@pytest.mark.parametrize("make", MAKERS)
def test_every_result_is_a_dictionary_that_json_takes(make: Any) -> None:
    document = make().to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert all(name.isidentifier() for name in document)


def test_the_dictionary_of_features_has_their_values() -> None:
    found = features()
    document = found.to_dict()
    np.testing.assert_array_equal(np.array(document["values"], np.float32), found.values)
    assert (document["axes"], document["source"]) == (["windows", "channels"], "<array>")


def test_segments_are_a_method_of_the_result_and_stand_in_records_if_they_are_its_timeline() -> None:
    result = video_prediction(3)
    assert [(one.label, one.start_seconds, one.end_seconds) for one in result.segments(threshold=0.4)] == [
        ('"quoted"', 0.0, 6.32),
        ("[red]markup[/red]", 6.32, 9.48),
    ]
    assert result.segments(0.6) == ()
    assert "segments" not in result.to_dict()
    with_timeline = replace(result, timeline=result.segments())
    assert [one["label"] for one in with_timeline.to_dict()["segments"]] == ['"quoted"', "[red]markup[/red]"]


class Outline(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


@pytest.mark.parametrize(
    "result",
    [
        video_prediction(source=HOSTILE),
        replace(video_prediction(), notes=(HOSTILE,)),
        step(labels=(HOSTILE, HOSTILE, HOSTILE)),
        replace(features(), source=HOSTILE),
    ],
)
def test_notebooks_show_a_small_table_in_which_names_are_text(result: Any) -> None:
    page = result._repr_html_()
    outline = Outline(page)
    assert outline.tags <= {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "p"}
    assert not outline.attributes
    assert "<script>alert('&')</script>\\x1b[31m\\udcff\\n.mp4" in outline.text
    page.encode()
    assert len(page) < 3000


def test_the_table_of_a_video_shows_its_best_classes_and_that_of_features_a_row_a_window() -> None:
    text = Outline(video_prediction()._repr_html_()).text
    assert "clip, one.mp4: 2 clips, 6.32 s, rgb-scratch" in text
    assert '"quoted" 50.0 %' in text
    many = features(sampling=Sampling(clips=SlidingWindows(clip_frames=9, stride=9)))
    assert "more" in Outline(many._repr_html_()).text


def test_without_pandas_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    for result in (video_prediction(), step(), features()):
        with pytest.raises(MissingDependencyError, match=r"a table of (results|features) .*\[pandas\]"):
            result.to_pandas()


def test_a_pandas_table_has_the_columns_and_rows_of_csv() -> None:
    result = video_prediction(source=HOSTILE)
    table = replace(result, timeline=result.segments()).to_pandas(2)
    assert tuple(table.columns) == CSV_COLUMNS[:-1]
    assert list(table["scope"]) == ["video", "video", "clip", "clip", "clip", "clip", "segment"]
    assert list(table["clip"].dropna()) == [0, 0, 1, 1, 0]
    assert table["index"].dtype.kind == "i"
    assert table["source"][0] == HOSTILE.encode("utf-8", "backslashreplace").decode()
    clips = table[(table["scope"] == "clip") & (table["rank"] == 1)]
    assert list(clips["start_seconds"]) == [0.0, 3.16]
    np.testing.assert_allclose(clips["probability"], [0.5, 0.5])
    one = result.clips[0].to_pandas(3)
    assert list(one["label"]) == ['"quoted"', "[red]markup[/red]", "a, b"]
    assert list(step().to_pandas(1).columns) == [
        "start_seconds",
        "end_seconds",
        "rank",
        "index",
        "label",
        "probability",
    ]


def test_a_pandas_table_of_features_has_a_row_a_window_and_a_column_a_channel() -> None:
    found = features()
    table = found.to_pandas()
    assert table.shape == (3, 1024)
    assert list(table.index.names) == ["start_seconds", "end_seconds"]
    assert table.columns.name == "channels"
    np.testing.assert_array_equal(table.to_numpy(), found.values)
    crops = features(crops=3).to_pandas()
    assert list(crops.columns.names) == ["crops", "channels"]
    np.testing.assert_array_equal(crops[2].to_numpy(), features(crops=3).values[:, 2])


def test_a_clip_and_a_step_say_their_classes_alike() -> None:
    clip = ClipPrediction(**{**vars(video_prediction().clips[0]), "logits": step().logits})
    assert clip.top(2) == step().top(2)
    np.testing.assert_array_equal(clip.probabilities, step().probabilities)


def test_arrays_of_results_cannot_be_written_to_and_those_that_they_were_made_of_can() -> None:
    result = video_prediction()
    logits = np.array(result.clips[0].logits)
    clip = replace(result.clips[0], logits=logits)
    before = result.top(5), clip.top(5)
    for array in (result.probabilities, clip.logits, clip.probabilities, result.clips[0].logits):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert (result.top(5), clip.top(5)) == before
    logits[0] += 1
    assert np.array(clip.logits).flags.writeable
