"""Distances between sets, and what is said of how sure they are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.fvd import FVDOptions, LengthStatistics, Statistics, distances
from quovadis.fvd.distance import check_before, comparable_options
from quovadis.metrics import bootstrap, fvd, kvd
from support.video_sets import LOGITS, measured, noise_videos, saved

SETTINGS = {"clips": "first", "features": "logits"}


def normal(count: int, dimensions: int, seed: int, shift: float = 0.0) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).normal(size=(count, dimensions)) + shift).astype(np.float32)


def statistics(
    name: str, features: NDArray[np.float32], *, lengths: tuple[int, ...] = (16,), elsewhere: bool = False
) -> Statistics:
    part = LengthStatistics.of(features)
    if elsewhere:
        return Statistics(name, None, {0: part})
    return Statistics(name, SETTINGS, dict.fromkeys(lengths, part))


REAL, FAKE = normal(40, 6, 0), normal(50, 6, 1, 0.5)


def test_distances_are_those_of_the_features() -> None:
    (found,) = distances(statistics("real", REAL), statistics("fake", FAKE))
    assert (found.frames, found.dimensions, found.clips_a, found.clips_b) == (16, 6, 40, 50)
    assert found.fvd == pytest.approx(fvd(REAL, FAKE), rel=1e-9)
    assert found.kvd == pytest.approx(kvd(REAL, FAKE), rel=1e-9)
    assert found.interval is None
    assert found.warnings == ()


@pytest.mark.parametrize("covariance", ["unbiased", "population"])
def test_the_covariance_is_divided_as_asked_for(covariance: str) -> None:
    (found,) = distances(statistics("real", REAL), statistics("fake", FAKE), covariance=covariance)  # type: ignore[arg-type]
    assert found.fvd == pytest.approx(fvd(REAL, FAKE, covariance=covariance), rel=1e-9)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [3, 8, 40])
def test_a_set_is_at_no_distance_from_itself_however_small_it_is(count: int) -> None:
    real = statistics("real", 100 * REAL[:count])
    (found,) = distances(real, real, with_kvd=False)
    assert found.fvd == pytest.approx(0, abs=1e-6)


def test_a_measured_set_is_at_no_distance_from_itself(tmp_path: Path) -> None:
    source = saved(tmp_path / "videos.npy", noise_videos(8))
    options = FVDOptions(frames=(9, 16))
    found = distances(measured(source, options), measured(source, options))
    assert [distance.frames for distance in found] == [9, 16]
    for distance in found:
        assert distance.fvd == pytest.approx(0, abs=1e-6)


def test_either_set_may_come_first() -> None:
    real, fake = statistics("real", REAL), statistics("fake", FAKE)
    (there,), (back,) = distances(real, fake), distances(fake, real)
    assert there.fvd == pytest.approx(back.fvd, rel=1e-9)
    assert there.kvd == pytest.approx(back.kvd, rel=1e-9)
    assert (there.clips_a, there.clips_b) == (back.clips_b, back.clips_a)


# --- warnings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 6, 7])
def test_too_few_clips_for_the_dimensions_are_warned_of(count: int) -> None:
    (found,) = distances(statistics("real", REAL), statistics("fake", FAKE[:count]))
    if count > 6:
        assert found.warnings == ()
    else:
        (warning,) = found.warnings
        assert warning.startswith(
            f"fake: {count} clips of 16 frames in 6 dimensions: the covariance has rank {count - 1} at"
        )


def test_each_set_that_is_too_small_is_named() -> None:
    (found,) = distances(statistics("real", REAL[:6]), statistics("fake", FAKE[:5]))
    assert [warning.partition(":")[0] for warning in found.warnings] == ["real", "fake"]


@pytest.mark.parametrize(("count", "dimensions"), [(20, 400), (30, 25)])
def test_the_rank_is_what_the_warning_says(count: int, dimensions: int) -> None:
    features = normal(count, dimensions, 2)
    rank = np.linalg.matrix_rank(np.cov(features.astype(np.float64).T))
    (found,) = distances(statistics("a", features), statistics("b", features))
    assert rank == min(count - 1, dimensions)
    assert bool(found.warnings) == (rank < dimensions)


@pytest.mark.parametrize(("with_kvd", "resamples"), [(True, 0), (False, 5), (True, 5)])
def test_without_features_there_is_no_kernel_distance_and_no_interval_which_is_said(
    with_kvd: bool, resamples: int, tmp_path: Path
) -> None:
    source = saved(tmp_path / "videos.npy", noise_videos(8))
    options = FVDOptions(frames=(9,))
    bare, full = measured(source, options, keep_features=False), measured(source, options)
    (found,) = distances(full, bare, with_kvd=with_kvd, resamples=resamples)
    assert found.kvd is None
    assert found.interval is None
    assert found.fvd == pytest.approx(0, abs=1e-6)
    assert found.warnings == ("the statistics hold no features, which KVD and the bootstrap need",)


def test_features_that_nobody_asked_for_are_not_missed(tmp_path: Path) -> None:
    source = saved(tmp_path / "videos.npy", noise_videos(8))
    bare = measured(source, FVDOptions(frames=(9,)), keep_features=False)
    (found,) = distances(bare, bare, with_kvd=False)
    assert (found.kvd, found.warnings) == (None, ())


@pytest.mark.parametrize("covariance", ["unbiased", "population"])
def test_one_clip_is_too_few(covariance: str) -> None:
    with pytest.raises(MetricError, match=r"^fake: 1 clip of 16 frames is too few; give 2 or more$"):
        distances(statistics("real", REAL), statistics("fake", FAKE[:1]), covariance=covariance)  # type: ignore[arg-type]


def test_what_a_set_lacks_is_told_once_where_it_is_compared_with_itself() -> None:
    lone = statistics("ds", REAL[:1])
    with pytest.raises(MetricError, match=r"^ds: 1 clip of 16 frames is too few; give 2 or more$"):
        distances(lone, lone)


# --- intervals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance", ["unbiased", "population"])
def test_the_interval_is_the_bootstraps_of_the_same_distance(covariance: str) -> None:
    (found,) = distances(
        statistics("real", REAL),
        statistics("fake", FAKE),
        covariance=covariance,  # type: ignore[arg-type]
        resamples=20,
        seed=4,
    )
    expected = bootstrap(
        lambda a, b: fvd(a, b, covariance=covariance),  # type: ignore[arg-type]
        REAL,
        FAKE,
        resamples=20,
        seed=4,
        floor=0.0,
    )
    assert found.interval == expected
    assert found.interval is not None
    assert found.interval.estimate == pytest.approx(found.fvd, rel=1e-9)
    assert 0 <= found.interval.lower <= found.fvd <= found.interval.upper


def test_clips_of_one_video_are_resampled_together() -> None:
    # Five clips of each of eight videos, all alike: eight samples, not forty.
    real, fake = np.repeat(REAL[:8], 5, axis=0), FAKE
    together = replace(LengthStatistics.of(real), videos=np.repeat(np.arange(8), 5))
    (apart,) = distances(statistics("real", real), statistics("fake", fake), resamples=60)
    (found,) = distances(Statistics("real", SETTINGS, {16: together}), statistics("fake", fake), resamples=60)
    assert found.fvd == apart.fvd
    assert found.interval is not None
    assert apart.interval is not None
    assert found.interval.standard_error > 1.5 * apart.interval.standard_error


def test_resamples_are_told() -> None:
    told: list[None] = []
    sets = (statistics(name, REAL, lengths=(16, 128)) for name in ("real", "fake"))
    distances(*sets, resamples=7, on_resample=lambda: told.append(None))
    assert len(told) == 14


def test_the_seed_decides_the_interval() -> None:
    sets = statistics("real", REAL), statistics("fake", FAKE)
    one, same, other = (distances(*sets, resamples=10, seed=seed)[0].interval for seed in (1, 1, 2))
    assert one == same != other


def test_a_distance_is_a_document_of_json() -> None:
    (found,) = distances(statistics("real", REAL[:5]), statistics("fake", FAKE), resamples=5)
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["fvd"] == found.fvd
    assert document["kvd"] == found.kvd
    assert document["frames"] == 16
    assert document["interval"]["resamples"] == 5
    assert document["warnings"] == list(found.warnings)
    assert len(found.warnings) == 1


# --- lengths ----------------------------------------------------------------------------------------------------------


def test_every_length_that_both_have_is_compared_the_shortest_first() -> None:
    real, fake = statistics("real", REAL, lengths=(128, 16, 9)), statistics("fake", FAKE, lengths=(64, 16, 128))
    assert [distance.frames for distance in distances(real, fake)] == [16, 128]
    assert [distance.frames for distance in distances(real, fake, frames=[128])] == [128]


def test_a_length_that_is_wanted_and_missing_is_refused() -> None:
    real, fake = statistics("real.npz", REAL, lengths=(16,)), statistics("fake", FAKE, lengths=(16, 128))
    for sets in ((real, fake), (fake, real)):
        missing = r"^real\.npz: has no clips of 128 frames, but of 16; .* `frames=\[128\]`$"
        with pytest.raises(MetricError, match=missing):
            distances(*sets, frames=[16, 128])


def test_a_length_without_a_distance_does_not_cost_the_others_theirs() -> None:
    parts = {9: LengthStatistics.of(REAL), 16: LengthStatistics.of(REAL[:1])}
    real, fake = Statistics("real", SETTINGS, parts), statistics("fake", FAKE, lengths=(9, 16, 128))
    told: list[str] = []
    (found,) = distances(real, fake, frames=[9, 16, 128], on_missing=told.append)
    assert (found.frames, found.fvd) == (9, pytest.approx(fvd(REAL, FAKE), rel=1e-9))
    assert told == [
        "real: has no clips of 128 frames, but of 9, 16; ask for these, or measure it again with `frames=[128]`",
        "real: 1 clip of 16 frames is too few; give 2 or more",
    ]
    # Without any there is nothing to go on with.
    with pytest.raises(MetricError, match="1 clip of 16 frames is too few"):
        distances(real, fake, frames=[16], on_missing=told.append)


def test_sets_without_a_length_in_common_are_refused() -> None:
    real, fake = statistics("real", REAL, lengths=(16, 9)), statistics("fake", FAKE, lengths=(128,))
    with pytest.raises(MetricError, match=r"no length of clips in common: real has 9, 16 and fake has 128; .*`frames`"):
        distances(real, fake)


def test_sets_that_do_not_go_together_are_refused_before_the_network_runs() -> None:
    known = statistics("real.npz", REAL, lengths=(16, 64))
    elsewhere = statistics("real.npy", REAL, elsewhere=True)
    dimension = known.lengths[16].moments.dimension
    check_before([statistics("real.npz", REAL, lengths=(16,)), elsewhere], [])
    check_before([known], [("fake", SETTINGS, FVDOptions(frames=(9, 64)), dimension)])
    check_before([elsewhere], [("fake", SETTINGS, FVDOptions(frames=(9,)), dimension)])
    for planned, said in (
        (("fake", {**SETTINGS, "features": "pooled"}, FVDOptions(frames=(64,)), dimension), "`features`: "),
        (("fake", SETTINGS, FVDOptions(frames=(9,)), dimension), "no length of clips in common"),
        (("fake", SETTINGS, FVDOptions(frames=(64,)), 1024), f"real.npz has features of {dimension} dimensions"),
    ):
        with pytest.raises(MetricError, match=said):
            check_before([known], [planned])
    with pytest.raises(MetricError, match=r"real\.npy has features from elsewhere and fake has 9, 16"):
        check_before([elsewhere], [("fake", SETTINGS, FVDOptions(frames=(9, 16)), dimension)])


def test_a_set_whose_distance_could_not_be_told_is_refused_before_any_work() -> None:
    real, elsewhere = statistics("real.npz", REAL, lengths=(16, 64)), statistics("real.npy", REAL, elsewhere=True)
    options = FVDOptions(frames=(9, 64, 128))
    assert comparable_options(real, "fake", SETTINGS, options) == replace(options, frames=(64,))
    assert comparable_options(real, "fake", {**SETTINGS, "clips": "random"}, options) == replace(options, frames=(64,))
    assert comparable_options(elsewhere, "fake", {"features": "pooled"}, options) == options
    with pytest.raises(MetricError, match=r"^real\.npz: has no clips of 9 frames, but of 16, 64; .* `frames=\[9\]`$"):
        comparable_options(real, "fake", SETTINGS, FVDOptions(frames=(9,)))
    with pytest.raises(MetricError, match=r"^real\.npz and fake were .* \(`features`: logits and pooled\)"):
        comparable_options(real, "fake", {**SETTINGS, "features": "pooled"}, options)


# --- features from elsewhere ------------------------------------------------------------------------------------------


def test_features_from_elsewhere_are_compared_with_any_one_length() -> None:
    real, fake = statistics("real", REAL, lengths=(16,)), statistics("fake.npy", FAKE, elsewhere=True)
    expected = pytest.approx(fvd(REAL, FAKE), rel=1e-9)
    for sets, frames in (((real, fake), 16), ((fake, real), 16), ((fake, fake), 0)):
        (found,) = distances(*sets)
        assert found.frames == frames
        assert found.fvd == (expected if frames else pytest.approx(0, abs=1e-6))
    (asked,) = distances(real, fake, frames=[16])
    assert asked.frames == 16


def test_features_from_elsewhere_do_not_say_which_of_several_lengths_is_theirs() -> None:
    real, fake = statistics("real", REAL, lengths=(16, 128)), statistics("fake.npy", FAKE, elsewhere=True)
    with pytest.raises(MetricError, match="no length of clips in common"):
        distances(real, fake)


def test_features_of_other_dimensions_are_refused(tmp_path: Path) -> None:
    real = measured(saved(tmp_path / "videos.npy", noise_videos(8)), FVDOptions(frames=(9,)))
    with pytest.raises(
        MetricError, match=rf"videos\.npy has features of {LOGITS} dimensions, fake\.npy of 6; .* same network"
    ):
        distances(real, statistics("fake.npy", FAKE, elsewhere=True))
