"""What int8 is calibrated on, what is told of it, and that it is the same for the same videos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis import precision
from quovadis.engines import calibration
from quovadis.engines.quantization import (
    CALIBRATION_CLIPS,
    ENOUGH_VIDEOS,
    CalibrationVideo,
    Provenance,
    Quantization,
    quantized_scopes,
)
from quovadis.errors import EngineError
from quovadis.precision import calibration_videos, quantization_for, with_views
from quovadis.recognizer import MAKER_NAMES
from quovadis.version import __version__
from quovadis.video.augment import augmented
from quovadis.weights import InputSpecification, Weights
from support.synthetic import moving_squares, write_video

Clip = NDArray[np.uint8]


class FakeNetwork:
    """Its greatest activations are the mean of the clip's first frame."""

    clips: int

    def __init__(self, tensors: object) -> None:
        FakeNetwork.clips = 0

    def of(self, clip: Clip) -> dict[str, NDArray[np.float32]]:
        assert clip.shape == (79, 224, 224, 3)
        FakeNetwork.clips += 1
        return dict.fromkeys(quantized_scopes(), np.array([clip[0].mean(), 1], np.float32))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(calibration, "ActivationMaxima", FakeNetwork)
    # Quick ones; those that are real are tested on smaller clips.
    monkeypatch.setattr(precision, "augmented", repeat)
    return tmp_path / "home"


@pytest.fixture
def weights() -> Weights:
    return Weights({}, "fake", "ab" * 32, Path("fake.safetensors"))


def noise(seed: int, clips: int = 1) -> Clip:
    """Small frames: they are made larger like those of a video."""
    return np.random.default_rng(seed).integers(0, 256, (79 * clips, 32, 32, 3), np.uint8)


def calibrated(weights: Weights, videos: list[Clip]) -> tuple[Quantization, list[str]]:
    lines: list[str] = []
    found = quantization_for(weights, "int8", videos, (), lines.append)  # type: ignore[arg-type]
    assert found is not None
    return found, lines


def test_few_clips_are_filled_up_with_other_views_of_them(weights: Weights) -> None:
    found, lines = calibrated(weights, [noise(0, clips=2)])
    assert FakeNetwork.clips == CALIBRATION_CLIPS
    assert found.provenance is not None
    assert found.provenance.views == CALIBRATION_CLIPS - 2
    clips = f"{CALIBRATION_CLIPS} clips (2, and {CALIBRATION_CLIPS - 2} other views of them)"
    assert lines[0] == f"calibrating int8 for fake on {clips}; it is kept for the next time"


def test_what_short_videos_lack_the_later_ones_give() -> None:
    videos = calibration_videos([noise(0), noise(1, clips=9), noise(2, clips=9)], print)
    assert [len(video.clips) for video in videos] == [1, 6, 5]


def test_clips_are_as_the_weights_were_trained(tmp_path: Path) -> None:
    video = str(write_video(tmp_path / "a.mp4", moving_squares(100), rate=25))
    trained = InputSpecification(clip_frames=20, fps=12.5)
    (slow,) = calibration_videos([video], print, trained)
    (usual,) = calibration_videos([video], print)
    assert [clip.shape[0] for clip in slow.clips] == [20, 20, 20]
    assert [clip.shape[0] for clip in usual.clips] == [79, 79]
    np.testing.assert_array_equal(slow.clips[0][3], usual.clips[0][6])


def test_of_many_videos_the_first_give_a_clip_each() -> None:
    videos = calibration_videos([noise(seed) for seed in range(CALIBRATION_CLIPS + 2)], print)
    assert [len(video.clips) for video in videos] == [1] * CALIBRATION_CLIPS


def test_little_to_calibrate_on_is_told_with_the_fix_each_time(weights: Weights) -> None:
    made, lines = calibrated(weights, [noise(0)])
    told = f'{ENOUGH_VIDEOS} videos or more are better; calibrate on them once with `calibration=["SOURCE"]`'
    assert made.provenance is not None
    assert lines[1] == f"int8 is calibrated on {made.provenance}: {told}"
    assert str(made.provenance).startswith("1 clip of 1 video, 20")
    for asked in ("int8", "auto"):
        again: list[str] = []
        # What else is there does not replace it: results depend on it.
        kept = quantization_for(weights, asked, None, [noise(seed) for seed in range(9)], again.append)  # type: ignore[arg-type]
        assert again == lines[1:]
        assert kept is not None
        assert kept.identity == made.identity


def test_enough_videos_are_told_without_advice_and_replace_the_earlier_ones(weights: Weights) -> None:
    small, _ = calibrated(weights, [noise(0)])
    made, lines = calibrated(weights, [noise(seed) for seed in range(ENOUGH_VIDEOS)])
    assert lines[1] == f"int8 is calibrated on {made.provenance}"
    kept = quantization_for(weights, "auto", None, (), lines.append)
    assert kept is not None
    assert kept.identity == made.identity != small.identity


def test_a_calibration_is_kept_for_its_weights_and_damage_is_found(weights: Weights, home: Path) -> None:
    lines: list[str] = []
    with pytest.raises(EngineError, match="has to be calibrated on real clips once"):
        quantization_for(weights, "int8", None, (), lines.append)
    assert quantization_for(weights, "auto", None, (), lines.append) is None
    assert quantization_for(weights, "f32", None, (), lines.append) is None
    assert not lines
    made, _ = calibrated(weights, [noise(0)])
    (path,) = (home / "quantization").iterdir()
    assert path.name == f"{weights.sha256}.npz"
    again = quantization_for(weights, "auto", None, (), lines.append)
    assert again is not None
    assert again.identity == made.identity
    whole = path.read_bytes()
    for damage in (b"", b"PK", whole[:1000], whole[:-100]):
        path.write_bytes(damage)
        assert Quantization.load(path) is None


def test_the_same_videos_make_the_same_calibration(weights: Weights) -> None:
    first, second = (calibrated(weights, [noise(0), noise(1)])[0] for _ in range(2))
    assert first.identity == second.identity
    assert calibrated(weights, [noise(0), noise(2)])[0].identity != first.identity


def test_other_views_are_of_the_clips_in_turn_and_depend_on_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "augmented", augmented)
    clips = [np.full((3, 8, 8, 3), shade, np.uint8) for shade in (100, 1)]
    views = with_views(clips)
    assert len(views) == CALIBRATION_CLIPS
    # Brightness changes by a third at most.
    assert [view.mean() > 50 for view in views] == [True, False] * (CALIBRATION_CLIPS // 2)
    np.testing.assert_array_equal(views, with_views(clips))


def test_the_file_tells_what_it_was_made_of(weights: Weights, home: Path) -> None:
    found, _ = calibrated(weights, [noise(0), noise(1)])
    (path,) = (home / "quantization").iterdir()
    assert path.name == f"{weights.sha256}.npz"
    with np.load(path, allow_pickle=False) as arrays:
        document = json.loads(str(arrays["provenance"]))
    assert document["quovadis"] == __version__
    assert document["weights"] == "fake"
    assert [(video["name"], video["clips"]) for video in document["videos"]] == [("<array>", 1), ("<array>", 1)]
    assert len({video["pixels_sha256"] for video in document["videos"]}) == 2
    read = Quantization.load(path)
    assert read is not None
    assert read.provenance == found.provenance


def test_results_name_their_calibration_and_only_its_hash_decides_them() -> None:
    videos = CalibrationVideo("a.mp4", 3, ""), CalibrationVideo("b.mp4", 9, "")
    made_of = Provenance("fake", videos, 0, "2026-11-27", "1")
    description = Quantization({}, {}, made_of).description
    assert description["calibration"] == "12 clips of 2 videos, 2026-11-27"
    assert [name for name in description if name not in MAKER_NAMES] == ["calibration_sha256"]


def test_ranges_are_the_greatest_activations_with_headroom_and_shared_where_branches_meet() -> None:
    def maxima(value: float) -> Iterator[tuple[str, NDArray[np.float32]]]:
        for number, scope in enumerate(quantized_scopes()):
            yield scope, np.array([value + number, 1], np.float32)

    found = calibration.calibrate([dict(maxima(1)), dict(maxima(3))])
    assert found.ranges["Conv3d_1a_7x7"] == pytest.approx(3 * calibration.HEADROOM)
    ends = [f"Mixed_4b/Branch_{index}" for index in range(4)]
    shared = {found.ranges[scope] for scope in found.ranges if scope.startswith(tuple(ends)) and "0b" in scope}
    assert len(shared) == 1
    last = {found.ranges[scope] for scope in found.ranges if scope.startswith("Mixed_5c") and "0b" in scope}
    assert len(last) == 3


def test_the_run_that_calibrates_computes_with_what_later_runs_read(weights: Weights, home: Path) -> None:
    first = quantization_for(weights, "int8", [noise(0), noise(1)], (), lambda _: None)
    later = quantization_for(weights, "int8", None, (), lambda _: None)
    assert first is not None
    assert later is not None
    assert first.ranges == later.ranges
    for scope, scale in first.scales.items():
        assert scale.dtype == np.float32
        np.testing.assert_array_equal(scale, later.scales[scope])
