"""Fréchet Video Distance over videos from Python: what the command computes, of whatever holds videos."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import quovadis
from quovadis.errors import ArchitectureError, MetricError
from quovadis.fvd import SetComparison, compare, compare_videos
from quovadis.metrics import fvd
from support.fake_engine import CornerEngine, MeanEngine, recognizer
from support.synthetic import write_video
from support.video_sets import Videos, noise_videos, saved

REAL, FAKE = noise_videos(4), noise_videos(3, seed=1)


def write_videos(folder: Path, videos: Videos) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{number}.avi" for number in range(len(videos))]
    for path, frames in zip(paths, videos, strict=True):
        write_video(path, frames, codec="ffv1", pixel_format="bgr0")
    return paths


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    write_videos(tmp_path / "real", REAL)
    write_videos(tmp_path / "fake", FAKE)
    return tmp_path / "real", tmp_path / "fake"


def distance(real: Any, fake: Any, **options: Any) -> SetComparison:
    notices: list[str] = []
    return compare_videos(real, fake, model=recognizer(CornerEngine()), notify=notices.append, **options)


def test_the_same_videos_have_the_same_distance_in_every_form(folders: tuple[Path, Path]) -> None:
    (expected,) = distance(*folders).distances
    assert (expected.frames, expected.clips_a, expected.clips_b) == (16, 4, 3)
    for real in (
        str(folders[0]),
        sorted(folders[0].iterdir()),
        (str(path) for path in sorted(folders[0].iterdir())),
        REAL,
        list(REAL),
        [REAL[:1], REAL[1:]],
    ):
        (found,) = distance(real, FAKE).distances
        assert (found.fvd, found.kvd) == (expected.fvd, expected.kvd)


def test_random_clips_of_a_list_of_files_are_those_of_their_folder(folders: tuple[Path, Path]) -> None:
    choice: dict[str, Any] = {"clips": "random", "clips_per_video": 2, "seed": 3, "frames": 9}
    listed = distance(sorted(folders[0].iterdir()), folders[1], **choice)
    assert listed.distances[0].fvd == distance(*folders, **choice).distances[0].fvd
    assert listed.real.source == str(folders[0])


def test_one_short_video_of_a_list_is_left_out_and_told(folders: tuple[Path, Path], tmp_path: Path) -> None:
    write_video(tmp_path / "short.avi", REAL[0, :8], codec="ffv1", pixel_format="bgr0")
    told: list[str] = []
    found = compare_videos(
        [*sorted(folders[0].iterdir()), tmp_path / "short.avi"],
        folders[1],
        model=recognizer(CornerEngine()),
        notify=told.append,
    )
    assert found.distances[0].clips_a == 4
    assert f"left out: {tmp_path / 'short.avi'}: too short for clips of 16 frames" in told


def test_features_need_no_network_and_equal_the_metric_of_arrays() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(30, 4)), generator.normal(size=(40, 4))
    (found,) = compare_videos(a, b, model="no such weights").distances
    assert found.fvd == fvd(a, b)
    assert found.interval is None
    (found,) = compare_videos(a, b, resamples=5, with_kvd=False).distances
    assert found.interval is not None
    assert found.kvd is None


def test_a_preset_gives_the_covariance_and_options_take_precedence() -> None:
    like = distance(REAL, FAKE, preset="stylegan-v")
    assert like.covariance == "population"
    assert like.real.settings is not None
    assert (like.real.settings["clips"], like.real.settings["coordinate_mode"]) == ("random", "half-pixel")
    assert distance(REAL, FAKE, preset="stylegan-v", covariance="unbiased").covariance == "unbiased"


def test_statistics_are_kept_and_found_again(folders: tuple[Path, Path], tmp_path: Path) -> None:
    options: dict[str, Any] = {"model": recognizer(MeanEngine()), "frames": [9, 16], "notify": lambda _: None}
    first = compare_videos(*folders, stats_path=tmp_path / "real.npz", **options)
    again = compare_videos(tmp_path / "real.npz", folders[1], **options)
    assert [one.fvd for one in again.distances] == [one.fvd for one in first.distances]


def test_the_default_network_is_the_original_metrics_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def load(options: quovadis.ModelOptions, **_: Any) -> quovadis.Recognizer:
        asked.append((str(options.weights), str(options.precision)))
        return recognizer(CornerEngine())

    monkeypatch.setattr(compare, "load", load)
    compare_videos(REAL, FAKE, notify=lambda _: None)
    compare_videos(REAL, FAKE, model=quovadis.ModelOptions("mine.ckpt", precision="int8"), notify=lambda _: None)
    assert asked == [("rgb-scratch", "f32"), ("mine.ckpt", "f32")]


def test_a_model_in_another_precision_is_refused() -> None:
    engine = CornerEngine()
    engine.description["precision"] = "int8"
    with pytest.raises(MetricError, match="in float32, not in int8: load the model with `precision='f32'`"):
        compare_videos(REAL, FAKE, model=recognizer(engine))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((REAL, []), {}, "a set without videos"),
        ((REAL, [3]), {}, "made of paths, arrays and tensors, not of int"),
        ((REAL, None), {}, "made of paths, arrays and tensors, not of NoneType"),
        ((REAL, FAKE.astype(np.int32)), {}, "<array>: an array of int32"),
        ((REAL, "no/such/folder"), {}, "no/such/folder: no such file or folder"),
        ((REAL, FAKE), {"resamples": 1}, "2 `resamples` or more"),
        ((REAL, FAKE), {"covariance": "none"}, 'unknown covariance "none": choose unbiased, population'),
        ((REAL, FAKE), {"resume": "kept.sqlite"}, "leave `resume` out"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    arguments: tuple[Any, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(MetricError, match=message) as refused:
        distance(*arguments, **options)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("preset", "x", 'unknown preset "x": choose original, stylegan-v'),
        ("preset", 3, 'preset must be "original", "stylegan-v" or None, not 3'),
        ("frames", "16", "frames must be a whole number, not '16'"),
        ("frames", 16.0, "frames must be a whole number, not 16.0"),
        ("frames", [16, "32"], "frames must be a whole number, not '32'"),
        ("frames", True, "not True"),
        ("clips", "all", 'unknown clips "all": choose first, random'),
        ("fake_clips", 1, "fake_clips must be"),
        ("clips_per_video", 0, "clips_per_video must be 1 or more, not 0"),
        ("frame_step", "2", "frame_step must be a whole number"),
        ("seed", "x", "seed must be a whole number or None, not 'x'"),
        ("seed", -1, "seed must be 0 or more, not -1"),
        ("features", "pool", 'unknown features "pool": choose logits, pooled'),
        ("coordinate_mode", 2, "coordinate_mode must be"),
        ("covariance", 1, "covariance must be"),
        ("with_kvd", "no", "with_kvd must be True or False, not 'no'"),
        ("resamples", "5", "resamples must be a whole number, not '5'"),
        ("resamples", -5, "resamples must be 0 or more, not -5"),
        ("resamples", 1, "`resamples` or more"),
        ("most_videos", "2", "most_videos must be a whole number or None, not '2'"),
        ("most_videos", 0, "most_videos must be 2 or more, not 0"),
        ("limits", 3, "limits must be VideoLimits, not 3"),
        ("allow_partial", "no", "allow_partial must be True or False, not 'no'"),
        ("workers", "2", "workers must be a whole number, not '2'"),
        ("workers", 0, "workers must be 1 or more, not 0"),
        ("workers", True, "workers must be a whole number, not True"),
        ("restart", 1, "restart must be True or False, not 1"),
        ("stats_path", 3, "stats_path must be text, a path or None, not 3"),
        ("resume", b"kept.sqlite", "resume must be text, a path or None"),
        ("stats_path", "", "'': an empty name; give a stats_path"),
        ("restart", True, "`restart=True` has no effect without `resume`"),
        ("on_skip", 3, "on_skip must be a function or None, not 3"),
        ("notify", "loud", "notify must be a function or None, not 'loud'"),
        ("model", 3, "model must be Recognizer, ModelOptions, text, a path or None, not 3"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_its_option(option: str, value: Any, said: str) -> None:
    with pytest.raises((ArchitectureError, MetricError)) as refused:
        compare_videos(np.eye(3, 4), np.eye(3, 4) + 1, **{option: value})
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.option == option


def test_whole_numbers_of_numpy_are_taken() -> None:
    found = distance(
        REAL, FAKE, frames=np.int64(9), resamples=np.uint8(3), most_videos=np.int32(3), workers=np.int64(1)
    )
    assert [(one.frames, one.clips_a, one.clips_b) for one in found.distances] == [(9, 3, 3)]
    json.dumps(found.to_dict())


def test_tensors_are_what_their_arrays_are() -> None:
    expected = distance(REAL, FAKE).distances
    real, fake = torch.from_numpy(REAL), torch.from_numpy(FAKE)
    assert distance(real, fake.movedim(-1, 2)).distances == expected
    assert distance(real.movedim(-1, 1), list(fake)).distances == expected
    features = np.eye(4, 3, dtype=np.float32)
    assert distance(torch.from_numpy(features), features).distances == distance(features, features).distances


def test_comparisons_are_equal_by_value_and_after_pickling() -> None:
    found = distance(REAL, FAKE, resamples=3)
    assert found == distance(REAL, FAKE, resamples=3) == pickle.loads(pickle.dumps(found))
    assert found.real == pickle.loads(pickle.dumps(found.real))
    assert found != distance(REAL, REAL, resamples=3)
    assert found.real != found.fake
    assert found != "FVD"
    unsure = replace(found, distances=[replace(found.distances[0], kvd=float("nan"))])
    assert unsure == pickle.loads(pickle.dumps(unsure)) != found
    with pytest.raises(TypeError, match="unhashable"):
        hash(found)


def test_a_record_can_be_encoded_whatever_the_name(tmp_path: Path) -> None:
    found = distance(REAL, FAKE)
    odd = replace(found, real=replace(found.real, source="\udcff.mp4"))
    assert json.loads(json.dumps(odd.to_dict(), ensure_ascii=False).encode())["real"]["source"] == "\\udcff.mp4"


def test_clips_too_short_for_the_network_are_refused() -> None:
    with pytest.raises(ArchitectureError, match="network needs at least 9"):
        distance(REAL, FAKE, frames=8)


def test_a_comparison_shows_its_figures_and_turns_into_the_record_of_the_command() -> None:
    found = distance(REAL, FAKE)
    (one,) = found.distances
    assert repr(found) == f"SetComparison('<array>' and '<array>': FVD {one.fvd:.4f} (4 and 3 clips))"
    assert repr(found.real) == "Statistics('<array>': clips: 4 of 16 frames)"
    document = json.loads(json.dumps(found.to_dict()))
    assert document["distances"][0]["fvd"] == one.fvd
    assert document["real"]["measured"][0]["videos"] == 4


def test_what_is_done_is_found_again(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """`resume` with a list of files finds each of them again, wherever else it was measured."""
    engine = MeanEngine()
    options: dict[str, Any] = {"resume": tmp_path / "kept.sqlite", "notify": lambda _: None}
    first = compare_videos(sorted(folders[0].iterdir()), folders[1], model=recognizer(engine), **options)
    runs = len(engine.shapes)
    again = compare_videos(sorted(folders[0].iterdir()), folders[1], model=recognizer(engine), **options)
    assert len(engine.shapes) == runs == len(REAL) + len(FAKE)
    assert again.distances[0].fvd == first.distances[0].fvd
    # A video that has changed is measured again.
    shutil.copy(folders[1] / "0.avi", folders[0] / "0.avi")
    compare_videos(sorted(folders[0].iterdir()), folders[1], model=recognizer(engine), **options)
    assert len(engine.shapes) == runs + 1


def test_features_that_are_saved_are_compared_as_they_are(tmp_path: Path) -> None:
    a, b = np.eye(3, 4) + 1, np.eye(3, 4)
    found = compare_videos(saved(tmp_path / "a.npy", a), [Path(saved(tmp_path / "b.npy", b))])
    features = found.real.lengths[0].features
    assert features is not None
    np.testing.assert_array_equal(features, a)


@pytest.mark.parametrize(("features", "dimensions"), [("logits", 400), ("pooled", 1024)])
def test_features_of_other_dimensions_than_the_network_gives_are_refused_before_it_is_loaded(
    features: Any, dimensions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("quovadis.fvd.compare.load", load)
    others = np.zeros((20, 8), np.float32)
    with pytest.raises(MetricError, match=f"<array> has features of 8 dimensions, <array> of {dimensions}; measure"):
        compare_videos(REAL, others, features=features)
    with pytest.raises(MetricError, match="of 8 dimensions"):
        compare_videos([*REAL, others], REAL, features=features)
