"""Where nobody says how a video is sampled, it is sampled as the clips were that the weights were trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis import CentreClip, Dense, FeatureOptions, Sampling, SlidingWindows
from quovadis.inference.feature_options import choose_features
from quovadis.inference.trained_sampling import choose_sampling, other_size, trained_keywords
from quovadis.results.table import read_table
from quovadis.weights import InputSpecification
from support.command_line import load_fakes
from support.command_line import quovadis as command
from support.fake_engine import ColourEngine, MeanEngine, recognizer
from support.synthetic import moving_squares, write_video

TRAINED = InputSpecification(clip_frames=32, fps=12.5)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds: 100 frames at 25 a second, and 50 at 12.5."""
    return write_video(tmp_path_factory.mktemp("video") / "a.mp4", moving_squares(100), rate=25)


@pytest.mark.parametrize(
    ("keywords", "frames"),
    [
        ({}, [32, 32]),
        ({"fps": 25}, [32, 32, 36]),
        ({"clip_frames": 20}, [20, 20, 20]),
        ({"stride": 9}, [32, 32, 32]),
        ({"clip_frames": 79, "fps": 25}, [79, 79]),
        ({"sampling": Sampling()}, [79, 79]),
        ({"clips": CentreClip()}, [79]),
    ],
)
def test_python_takes_what_is_not_given_from_the_weights(
    video: Path, keywords: dict[str, Any], frames: list[int]
) -> None:
    engine = ColourEngine()
    recognizer(engine, specified=TRAINED).classify(video, **keywords)
    assert [shape[0] for shape in engine.shapes] == frames


def test_weights_that_say_nothing_are_shown_what_is_usual(video: Path) -> None:
    engine = ColourEngine()
    recognizer(engine).classify(video)
    assert [shape[0] for shape in engine.shapes] == [79, 79]


def test_many_videos_are_sampled_as_one(video: Path) -> None:
    engine = ColourEngine()
    list(recognizer(engine, specified=TRAINED).classify_many([video, video]))
    assert [shape[0] for shape in engine.shapes] == [32] * 4


def test_a_stream_has_the_rate_and_the_window_of_a_clip(video: Path) -> None:
    model = recognizer(MeanEngine(), specified=TRAINED)
    asked = Sampling(clips=Dense(window_steps=3, chunk_frames=8), fps=12.5)
    for told, other in zip(model.stream(video), model.stream(video, asked), strict=True):
        assert told.start_seconds == other.start_seconds
        np.testing.assert_array_equal(told.logits, other.logits)


@pytest.mark.parametrize(("frames", "steps"), [(79, 9), (64, 7), (32, 3), (16, 1), (9, 1)])
def test_a_window_has_the_steps_of_a_clip(frames: int, steps: int) -> None:
    specified = InputSpecification(clip_frames=frames)
    assert trained_keywords(specified, ["chunk_frames"]) == {"window_steps": steps}
    assert choose_sampling(Dense, specified).clips == Dense(window_steps=steps)


def test_features_are_of_windows_as_in_training(video: Path) -> None:
    model = recognizer(MeanEngine(), specified=TRAINED)
    asked = FeatureOptions(sampling=Sampling(clips=SlidingWindows(clip_frames=32), fps=12.5))
    assert model.features(video).values.shape[0] == 2
    np.testing.assert_array_equal(model.features(video).values, model.features(video, asked).values)


def test_presets_are_what_they_are_called() -> None:
    assert choose_features("i3d", specified=TRAINED) == choose_features("i3d")
    assert choose_features("video_features", specified=TRAINED) == choose_features("video_features")
    assert choose_features(specified=TRAINED).sampling == Sampling(clips=SlidingWindows(clip_frames=32), fps=12.5)
    assert choose_features(specified=TRAINED, fps=25, clip_frames=79) == choose_features()
    assert choose_features(specified=TRAINED, dense=True).sampling == Sampling(clips=Dense(), fps=12.5)


@pytest.mark.parametrize(
    "flags", [[], ["--clip", "centre"], ["--dense"], ["--stride", "16"], ["--fps", "native"], ["--duration", "2"]]
)
def test_classify_without_flags_is_classify_with_those_of_the_training(
    video: Path, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A flag that is given comes last, and counts.
    asked = ["--fps", "12.5", *(["--window", "3"] if "--dense" in flags else ["--clip-frames", "32"])]
    found = []
    for specified, more in ((TRAINED, []), (None, asked)):
        load_fakes(monkeypatch, specified=specified, classify=MeanEngine())
        done = command("classify", video, "--json", *more, *flags)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    assert found[0] == found[1]


def test_results_say_what_was_used(video: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    load_fakes(monkeypatch, specified=TRAINED, classify=MeanEngine())
    assert command("classify", video, "-o", tmp_path / "a.parquet", "-q").returncode == 0
    settings = read_table(tmp_path / "a.parquet").metadata["settings"]
    assert (settings["fps"], settings["clips"]["clip_frames"]) == (12.5, 32)


def test_a_ledger_of_other_sampling_is_refused(video: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    load_fakes(monkeypatch, specified=TRAINED, classify=MeanEngine())
    run = ("classify", video, "--resume", tmp_path / "done.sqlite", "-q")
    assert command(*run).returncode == 0
    assert command(*run, "--fps", "12.5", "--clip-frames", "32").returncode == 0
    refused = command(*run, "--fps", "25")
    assert refused.returncode == 1
    assert "with --fps 12.5, and this run is with --fps 25" in refused.stderr


def test_the_command_features_takes_windows_as_in_training(
    video: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows: list[NDArray[np.float32]] = []
    for number, (specified, flags) in enumerate(((TRAINED, ()), (None, ("--fps", "12.5", "--clip-frames", "32")))):
        load_fakes(monkeypatch, specified=specified, features=MeanEngine())
        out = tmp_path / str(number)
        done = command("features", video, "-o", out, *flags)
        assert done.returncode == 0, done.stderr
        rows.append(np.load(out / "a.npy"))
    assert len(rows[0]) == 2
    np.testing.assert_array_equal(*rows)


@pytest.mark.parametrize(
    ("specified", "said"),
    [
        (TRAINED, None),
        (InputSpecification(short_side=256, crop_size=224), None),
        (InputSpecification(short_side=128, crop_size=112), "112x112 pixels of frames whose short side is 128"),
        (InputSpecification(crop_size=256), "256x256 pixels of frames whose short side is 256"),
    ],
)
def test_another_size_of_frames_is_told(specified: InputSpecification, said: str | None) -> None:
    note = other_size(specified)
    assert note is None if said is None else said in str(note)


def test_a_model_says_what_it_was_trained_on() -> None:
    assert recognizer(specified=TRAINED).input == TRAINED
    assert recognizer().input == InputSpecification()
