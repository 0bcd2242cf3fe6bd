"""From videos to statistics: the same whatever the workers, the shards, and the way through a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis.errors import EngineError, MetricError, OutputError
from quovadis.fvd import (
    FVDOptions,
    LengthStatistics,
    SetVideo,
    SkippedVideo,
    Statistics,
    distances,
    load_statistics,
    merge_statistics,
    save_statistics,
    set_statistics,
)
from quovadis.metrics import Moments
from quovadis.video import ArrayFrames
from support.fake_engine import CornerEngine, recognizer
from support.synthetic import moving_squares, write_video
from support.video_sets import (
    LOGITS,
    SlowSource,
    measured,
    members_of,
    noise_videos,
    saved,
    side_statistics,
)

OPTIONS = FVDOptions(frames=(9, 16))
RANDOM = FVDOptions(frames=(9,), clips="random", clips_per_video=3)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve videos of 18 frames."""
    folder = tmp_path_factory.mktemp("videos")
    for number, frames in enumerate(noise_videos(12)):
        saved(folder / f"{number}.npy", frames)
    return folder


@pytest.fixture(scope="module")
def statistics(source: Path) -> Statistics:
    return measured(source, OPTIONS)


def features_of(statistics: Statistics, frames: int) -> NDArray[Any]:
    features = statistics.lengths[frames].features
    assert features is not None
    return features


def assert_identical(found: Statistics, expected: Statistics) -> None:
    """To the last bit; the source may be called otherwise."""
    assert found.settings == expected.settings
    assert list(found.lengths) == list(expected.lengths)
    for frames, part in expected.lengths.items():
        other = found.lengths[frames]
        assert other.moments.count == part.moments.count
        np.testing.assert_array_equal(other.moments.mean, part.moments.mean)
        np.testing.assert_array_equal(other.moments.scatter, part.moments.scatter)
        assert (other.features is None) == (part.features is None)
        if part.features is not None:
            np.testing.assert_array_equal(other.features, part.features)
            assert other.features is not None
            assert other.features.dtype == part.features.dtype


def assert_equal_moments(found: Moments, expected: Moments, relative: float = 1e-9) -> None:
    assert found.count == expected.count
    np.testing.assert_allclose(found.mean, expected.mean, rtol=relative)
    scale = np.abs(expected.scatter).max()
    np.testing.assert_allclose(found.scatter, expected.scatter, rtol=relative, atol=relative * scale)


# --- what is measured -------------------------------------------------------------------------------------------------


def test_moments_are_those_of_the_features_in_float64(statistics: Statistics) -> None:
    for frames in OPTIONS.frames:
        features = features_of(statistics, frames)
        assert features.shape == (12, LOGITS)
        moments = statistics.lengths[frames].moments
        wide = features.astype(np.float64)
        np.testing.assert_allclose(moments.mean, wide.mean(0), rtol=1e-12)
        np.testing.assert_allclose(moments.covariance(unbiased=True), np.cov(wide.T), rtol=1e-9, atol=1e-9)


def test_features_are_those_of_the_videos_in_order(source: Path, statistics: Statistics) -> None:
    videos = noise_videos(12)
    # The means of a picture hardly change as it is stretched.
    np.testing.assert_allclose(features_of(statistics, 9)[:, 3], videos[:, 0].mean((1, 2, 3)), atol=12)
    np.testing.assert_allclose(features_of(statistics, 9)[:, 4], videos[:, 8].mean((1, 2, 3)), atol=12)
    np.testing.assert_allclose(features_of(statistics, 16)[:, 4], videos[:, 15].mean((1, 2, 3)), atol=12)
    assert len(np.unique(features_of(statistics, 9)[:, 4].round())) > 6


def test_pooled_features_are_the_mean_over_the_steps(source: Path) -> None:
    options = FVDOptions(frames=(23,), features="pooled")
    videos = noise_videos(3, frames=23, size=(224, 224))
    with_three_steps = set_statistics(recognizer(CornerEngine()), "three", _arrays(videos), options)
    corners = videos[:, :, :9, :9].mean((2, 3, 4)), videos[:, :, -9:, -9:].mean((2, 3, 4))
    expected = [
        [np.mean([part.mean() for part in np.array_split(corner[n], 3)]) for corner in corners] for n in range(3)
    ]
    np.testing.assert_allclose(features_of(with_three_steps, 23), expected, rtol=1e-5)


def _arrays(videos: NDArray[np.uint8]) -> list[SetVideo]:
    return [SetVideo(str(number), ArrayFrames(frames)) for number, frames in enumerate(videos)]


def test_several_lengths_at_once_are_what_each_is_alone(source: Path, statistics: Statistics) -> None:
    for frames in OPTIONS.frames:
        alone = measured(source, FVDOptions(frames=(frames,)))
        assert alone.settings == statistics.settings
        assert_identical(alone, replace(statistics, lengths={frames: statistics.lengths[frames]}))


def test_several_random_clips_count_each(source: Path) -> None:
    features = features_of(measured(source, RANDOM), 9)
    assert features.shape == (36, LOGITS)
    assert len(np.unique(features, axis=0)) > 24


@pytest.mark.parametrize("options", [OPTIONS, RANDOM], ids=["first", "random"])
def test_the_number_of_workers_changes_no_bit(source: Path, options: FVDOptions) -> None:
    assert_identical(measured(source, options, workers=3), measured(source, options, workers=1))


def test_the_order_in_which_videos_are_finished_changes_no_bit(source: Path, statistics: Statistics) -> None:
    last_is_done = Event()
    members = members_of(source)
    slow = [
        replace(members[0], source=SlowSource(members[0].source, wait_for=last_is_done)),
        *members[1:-1],
        replace(members[-1], source=SlowSource(members[-1].source, tell=last_is_done)),
    ]
    found = set_statistics(recognizer(CornerEngine()), str(source), slow, OPTIONS, workers=2)
    assert_identical(found, statistics)


def test_moments_alone_are_the_same_and_hold_no_features(source: Path, statistics: Statistics) -> None:
    found = measured(source, OPTIONS, keep_features=False)
    bare = {frames: LengthStatistics(part.moments) for frames, part in statistics.lengths.items()}
    assert_identical(found, replace(statistics, lengths=bare))


@pytest.mark.parametrize("most", [1, 5, 12, 100])
def test_as_many_videos_are_taken_as_are_wanted_in_natural_order(
    most: int, source: Path, statistics: Statistics
) -> None:
    found = features_of(measured(source, OPTIONS, most_videos=most), 16)
    np.testing.assert_array_equal(found, features_of(statistics, 16)[:most])


def test_more_clips_than_one_batch_of_moments(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quovadis.fvd.video_set._BATCH_ROWS", 32)
    options = FVDOptions(frames=(9,), clips="random", clips_per_video=60)
    members = _arrays(noise_videos(5, frames=23, size=(2, 2)))
    found = set_statistics(recognizer(CornerEngine()), "many", members, options).lengths[9]
    assert found.features is not None
    # 15 places each.
    assert len(found.features) == 5 * 15
    assert_equal_moments(found.moments, Moments.of(found.features))


def test_progress_is_told(source: Path) -> None:
    class Observer:
        def __init__(self) -> None:
            self.told: list[object] = []

        def start(self, total: int, done: int) -> None:
            self.told.append((total, done))

        def reach(self, video: str, part: float) -> None:
            pass

        def advance(self, note: str) -> None:
            self.told.append(note)

    observer = Observer()
    measured(source, FVDOptions(frames=(9,)), most_videos=3, observer=observer)
    assert observer.told == [(3, 0), "", "", ""]


# --- what is left out -------------------------------------------------------------------------------------------------


def uneven(folder: Path) -> list[SetVideo]:
    """Videos of 20, 15, 8 and 16 frames, one that is none, and one that is cut off."""
    for number, frames in enumerate([20, 15, 8, 16]):
        write_video(folder / f"{number}.mkv", moving_squares(frames, 64, 64), codec="ffv1", pixel_format="bgr0")
    (folder / "4.mkv").write_bytes(b"no video")
    whole = (folder / "0.mkv").read_bytes()
    (folder / "5.mkv").write_bytes(whole[: len(whole) // 3])
    return members_of(folder)


@pytest.mark.parametrize("clips", ["first", "random"])
@pytest.mark.parametrize("workers", [1, 3])
def test_videos_that_are_too_short_or_unreadable_are_told_and_do_not_count(
    clips: str, workers: int, tmp_path: Path
) -> None:
    told: list[SkippedVideo] = []
    options = FVDOptions(frames=(9, 16), clips=clips)  # type: ignore[arg-type]
    found = set_statistics(
        recognizer(CornerEngine()), "uneven", uneven(tmp_path), options, workers=workers, on_skip=told.append
    )
    assert {frames: part.moments.count for frames, part in found.lengths.items()} == {9: 3, 16: 2}
    assert [video.name for video in told] == ["1.mkv", "2.mkv", "4.mkv", "5.mkv"]
    assert told[0].reason == "too short for clips of 16 frames"
    assert told[1].reason == "too short for clips of 9, 16 frames"
    assert "4.mkv: " in told[2].reason
    assert "5.mkv: " in told[3].reason


def test_videos_that_do_not_count_may_go_unsaid(tmp_path: Path) -> None:
    assert measured_lengths(uneven(tmp_path)) == {9: 3, 16: 2}


def measured_lengths(members: Sequence[SetVideo]) -> dict[int, int]:
    found = set_statistics(recognizer(CornerEngine()), "set", members, OPTIONS)
    return {frames: part.moments.count for frames, part in found.lengths.items()}


def test_frame_steps_make_clips_reach_further(tmp_path: Path) -> None:
    options = FVDOptions(frames=(9,), frame_step=2)
    found = set_statistics(recognizer(CornerEngine()), "uneven", uneven(tmp_path), options)
    # 17 frames are needed.
    assert found.lengths[9].moments.count == 1


@pytest.mark.parametrize("clips", ["first", "random"])
def test_a_length_without_a_clip_is_left_out_and_a_set_without_any_is_refused(source: Path, clips: str) -> None:
    options = FVDOptions(frames=(16, 19, 30), clips=clips)  # type: ignore[arg-type]
    assert list(measured(source, options).lengths) == [16]
    with pytest.raises(MetricError, match=r"none of its videos gives a clip of 19, 30 frames; .*`frames`") as caught:
        measured(source, replace(options, frames=(19, 30)))
    assert str(caught.value).startswith(f"{source}: ")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_device_that_fails_ends_the_whole(source: Path, workers: int) -> None:
    class Failing(CornerEngine):
        def run(self, clips, endpoints=()):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            if len(self.shapes) >= 3:
                raise EngineError("out of memory")
            return super().run(clips, endpoints)

    failing = recognizer(Failing())
    with pytest.raises(EngineError, match="out of memory"):
        set_statistics(failing, str(source), members_of(source), OPTIONS, workers=workers)


# --- shards -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cuts", "options"),
    [
        pytest.param((1, 2, 9), OPTIONS, id="first"),
        pytest.param((6,), RANDOM, id="random"),
        pytest.param((6,), OPTIONS, id="first, in halves", marks=pytest.mark.soak),
        pytest.param((1, 2, 9), RANDOM, id="random, in many", marks=pytest.mark.soak),
    ],
)
def test_merged_shards_are_what_one_pass_gives(source: Path, options: FVDOptions, cuts: tuple[int, ...]) -> None:
    members = members_of(source)
    edges = [0, *cuts, len(members)]
    network = recognizer(CornerEngine())
    parts = [set_statistics(network, f"shard {a}", members[a:b], options) for a, b in pairwise(edges)]
    merged, whole = merge_statistics(parts), measured(source, options)
    assert merged.settings == whole.settings
    assert merged.source == " + ".join(part.source for part in parts)
    for frames, part in whole.lengths.items():
        assert_equal_moments(merged.lengths[frames].moments, part.moments)
        np.testing.assert_array_equal(merged.lengths[frames].features, part.features)


def test_merged_files_are_what_one_pass_gives(source: Path, statistics: Statistics, tmp_path: Path) -> None:
    members = members_of(source)
    for name, part in (("a.npz", members[:5]), ("b.npz", members[5:])):
        save_statistics(set_statistics(recognizer(CornerEngine()), name, part, OPTIONS), tmp_path / name)

    def measure(source: str, members: Sequence[SetVideo]) -> Statistics:
        raise AssertionError("nothing is to be measured")

    merged = side_statistics([str(tmp_path / "a.npz"), str(tmp_path / "b.npz")], measure)
    for frames, part in statistics.lengths.items():
        assert_equal_moments(merged.lengths[frames].moments, part.moments)
    (none, _) = distances(merged, statistics)
    assert none.fvd <= 1e-6


def test_a_shard_may_be_a_file_and_another_a_folder(source: Path, statistics: Statistics, tmp_path: Path) -> None:
    half = set_statistics(recognizer(CornerEngine()), "half", members_of(source)[:6], OPTIONS)
    save_statistics(half, tmp_path / "half.npz")
    for number, frames in list(enumerate(noise_videos(12)))[6:]:
        saved(tmp_path / "rest" / f"{number}.npy", frames)

    def measure(source: str, members: Sequence[SetVideo]) -> Statistics:
        return set_statistics(recognizer(CornerEngine()), source, members, OPTIONS)

    merged = side_statistics([str(tmp_path / "half.npz"), str(tmp_path / "rest")], measure)
    for frames, part in statistics.lengths.items():
        assert_equal_moments(merged.lengths[frames].moments, part.moments)


def test_features_are_lost_where_one_shard_has_none(statistics: Statistics, source: Path) -> None:
    bare = measured(source, OPTIONS, keep_features=False)
    assert merge_statistics([statistics, bare]).lengths[9].features is None
    assert merge_statistics([bare, statistics]).lengths[9].features is None
    assert merge_statistics([bare, statistics]).lengths[9].moments.count == 24


SAMPLED = [
    ({"clips": "random"}, "clips"),
    ({"clips": "random", "clips_per_video": 2}, "clips_per_video"),
]
CHANGES = [
    ({"frame_step": 2}, "frame_step"),
    ({"coordinate_mode": "half-pixel"}, "coordinate_mode"),
    ({"features": "pooled"}, "features"),
]


@pytest.mark.parametrize(("change", "name"), CHANGES + SAMPLED, ids=[name for _, name in CHANGES + SAMPLED])
def test_sets_of_other_settings_are_not_merged(change: dict[str, Any], name: str, source: Path) -> None:
    base = FVDOptions(frames=(9,))
    a, b = measured(source, base, most_videos=3), measured(source, replace(base, **change), most_videos=3)
    with pytest.raises(MetricError, match=rf"other settings \(.*`{name}`: \S+ and \S+.*\); measure both") as caught:
        merge_statistics([a, b])
    assert "\n" not in str(caught.value)
    assert str(source) in str(caught.value)


@pytest.mark.parametrize(("change", "name"), CHANGES, ids=[name for _, name in CHANGES])
def test_sets_whose_features_are_of_another_kind_are_not_compared(
    change: dict[str, Any], name: str, source: Path
) -> None:
    base = FVDOptions(frames=(9,))
    a, b = measured(source, base, most_videos=3), measured(source, replace(base, **change), most_videos=3)
    with pytest.raises(MetricError, match=rf"other settings \(`{name}`: \S+ and \S+\); measure both"):
        distances(a, b)


@pytest.mark.parametrize("change", [change for change, _ in SAMPLED], ids=str)
def test_other_clips_of_the_videos_are_compared(change: dict[str, Any], source: Path) -> None:
    # StyleGAN-V takes random clips of the real videos and the first of the generated ones.
    base = FVDOptions(frames=(9,))
    a, b = measured(source, replace(base, **change), most_videos=4), measured(source, base, most_videos=4)
    (found,) = distances(a, b)
    assert (found.clips_a, found.clips_b) == (4 * change.get("clips_per_video", 1), 4)


def test_sets_of_other_weights_are_refused(source: Path) -> None:
    options = FVDOptions(frames=(9,))
    a = measured(source, options, most_videos=3)
    b = set_statistics(recognizer(CornerEngine(), "1" * 64), "b", members_of(source)[:3], options)
    with pytest.raises(MetricError, match=f"`weights`: SHA-256 {'0' * 12}… and {'1' * 12}…"):
        distances(a, b)


def test_seeds_may_differ(source: Path) -> None:
    a, b = (measured(source, replace(RANDOM, seed=seed), most_videos=4) for seed in (1, 2))
    assert not np.array_equal(features_of(a, 9), features_of(b, 9))
    assert merge_statistics([a, b]).lengths[9].moments.count == 24
    assert distances(a, b)[0].clips_a == 12


def test_the_seed_of_first_clips_is_no_setting(source: Path) -> None:
    found = measured(source, FVDOptions(frames=(9,), seed=3), most_videos=2).settings
    assert found == {
        "clips": "first",
        "clips_per_video": 1,
        "frame_step": 1,
        "coordinate_mode": "asymmetric",
        "features": "logits",
        "weights_sha256": "0" * 64,
    }


def test_shards_of_other_lengths_are_not_merged(source: Path, statistics: Statistics) -> None:
    other = measured(source, FVDOptions(frames=(9,)), most_videos=2)
    with pytest.raises(
        MetricError, match=r"with clips of 9 frames cannot be merged with .* has clips of 9, 16 frames; .*`frames`"
    ):
        merge_statistics([statistics, other])


def test_features_from_elsewhere_are_not_merged_with_clips(source: Path, tmp_path: Path) -> None:
    elsewhere = side_statistics([saved(tmp_path / "a.npy", np.ones((4, LOGITS), np.float32))], no_measure)
    with pytest.raises(MetricError, match=r"a\.npy with features from elsewhere cannot be merged with .* 9 frames"):
        merge_statistics([measured(source, FVDOptions(frames=(9,))), elsewhere])


def test_features_of_other_dimensions_are_not_merged(tmp_path: Path) -> None:
    sources = [saved(tmp_path / f"{width}.npy", np.ones((4, width), np.float32)) for width in (5, 6)]
    with pytest.raises(MetricError, match=r"6\.npy cannot be merged with .*5\.npy: .* 5 dimensions .* of 6"):
        side_statistics(sources, no_measure)


def no_measure(source: str, members: Sequence[SetVideo]) -> Statistics:
    raise AssertionError("no network is needed")


def test_nothing_is_not_merged() -> None:
    with pytest.raises(MetricError, match="nothing to merge"):
        merge_statistics([])


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_features", [True, False])
def test_what_is_saved_is_loaded_to_the_last_bit(statistics: Statistics, keep_features: bool, tmp_path: Path) -> None:
    path = tmp_path / "real.npz"
    save_statistics(statistics, path, keep_features=keep_features)
    loaded = load_statistics(path)
    assert loaded.source == str(path)
    expected = dict(statistics.lengths)
    if not keep_features:
        expected = {frames: LengthStatistics(part.moments) for frames, part in expected.items()}
    assert_identical(loaded, replace(statistics, lengths=expected))
    # Nothing beside it, and what is there is replaced.
    save_statistics(loaded, path)
    assert [found.name for found in tmp_path.iterdir()] == ["real.npz"]


def test_features_from_elsewhere_are_saved_and_loaded(tmp_path: Path) -> None:
    features = np.random.default_rng(1).normal(size=(7, 3))
    side = side_statistics([saved(tmp_path / "features.npy", features)], no_measure, stats_path=tmp_path / "kept.npz")
    assert side.settings is None
    assert_identical(load_statistics(tmp_path / "kept.npz"), side)
    np.testing.assert_array_equal(features_of(side, 0), features)
    assert features_of(side, 0).dtype == np.float64


def test_the_file_can_be_read_without_us(statistics: Statistics, tmp_path: Path) -> None:
    save_statistics(statistics, tmp_path / "real.npz")
    with np.load(tmp_path / "real.npz", allow_pickle=False) as arrays:
        assert json.loads(str(arrays["document"]))["settings"] == statistics.settings
        assert int(arrays["count_16"]) == 12
        np.testing.assert_array_equal(arrays["features_16"], features_of(statistics, 16))


def test_a_source_that_is_no_text_is_saved(statistics: Statistics, tmp_path: Path) -> None:
    save_statistics(replace(statistics, source="\udcff.mp4"), tmp_path / "real.npz")
    assert_identical(load_statistics(tmp_path / "real.npz"), statistics)


def test_kept_statistics_are_written_then_read_and_told(source: Path, statistics: Statistics, tmp_path: Path) -> None:
    kept = tmp_path / "kept.npz"

    def measure(source: str, members: Sequence[SetVideo]) -> Statistics:
        return set_statistics(recognizer(CornerEngine()), source, members, OPTIONS)

    told: list[str] = []
    first = side_statistics([str(source)], measure, stats_path=kept, notify=told.append)
    assert told == []
    second = side_statistics([str(source)], no_measure, stats_path=kept, notify=told.append)
    assert_identical(first, statistics)
    assert_identical(second, statistics)
    assert told == [f"{kept} exists: its statistics of 12, 12 clips are used in place of {source}"]


def test_statistics_that_cannot_be_kept_are_refused_before_any_work(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file.kept\.npz: cannot be written"):
        side_statistics([str(source)], no_measure, stats_path=tmp_path / "file" / "kept.npz")


@pytest.mark.parametrize("place", ["file/real.npz", "folder.npz"])
def test_statistics_that_cannot_be_written_are_an_error_and_leave_nothing(
    place: str, statistics: Statistics, tmp_path: Path
) -> None:
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        save_statistics(statistics, tmp_path / place)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["file", "folder.npz"]


def assert_refused(path: Path, message: str = "not statistics that quovadis fvd wrote") -> None:
    with pytest.raises(MetricError, match=message) as caught:
        load_statistics(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_cut_off_anywhere_is_refused(statistics: Statistics, tmp_path: Path) -> None:
    path = tmp_path / "real.npz"
    save_statistics(statistics, path)
    content = path.read_bytes()
    for length in [0, 1, *range(20, len(content), len(content) // 60), len(content) - 1]:
        path.write_bytes(content[:length])
        assert_refused(path)


def test_a_damaged_file_is_refused_or_harmless(statistics: Statistics, tmp_path: Path) -> None:
    """What lies in no checksum, such as the time in the archive's directory, may be anything."""
    path = tmp_path / "real.npz"
    save_statistics(statistics, path)
    content = path.read_bytes()
    generator = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(content)
        damaged[generator.integers(len(content))] ^= 1 << generator.integers(8)
        path.write_bytes(damaged)
        try:
            loaded = load_statistics(path)
        except MetricError as error:
            assert str(path) in str(error)  # noqa: PT017 - either way is right
            refused += 1
        else:
            for frames, part in loaded.lengths.items():
                np.testing.assert_array_equal(part.moments.mean, statistics.lengths[frames].moments.mean)
    assert refused > 200


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.npz"
    np.savez(path, mu=np.zeros(3), sigma=np.eye(3))
    assert_refused(path)
    path.write_text("a text")
    assert_refused(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    assert_refused(path)
    np.savez(path, document=np.array([{}], object), allow_pickle=True)
    assert_refused(path)
    path.unlink()
    assert_refused(path, "no such file")
    path.mkdir()
    assert_refused(path)


DOCUMENT = '{"format": "quovadis fvd 1", "settings": null}'


@pytest.mark.parametrize(
    "change",
    [
        {"document": '{"format": "quovadis fvd 2", "settings": null}'},
        {"document": '{"format": "quovadis fvd 1"}'},
        {"document": '{"format": "quovadis fvd 1", "settings": 3}'},
        {"document": "[]"},
        {"document": "{"},
        {"count_0": None},
        {"count_0": -1},
        {"count_0": [1, 2]},
        {"mean_0": None},
        {"mean_0": [0.0, np.nan]},
        {"mean_0": ["a", "b"]},
        {"scatter_0": np.eye(3)},
        {"scatter_0": [[1.0, 2.0], [3.0, 4.0]]},
        {"features_0": np.ones((4, 2))},
        {"features_0": np.ones((5, 3))},
    ],
    ids=str,
)
def test_a_file_whose_parts_do_not_fit_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "real.npz"
    arrays: dict[str, Any] = {
        "document": DOCUMENT,
        "count_0": 5,
        "mean_0": np.zeros(2),
        "scatter_0": np.eye(2),
        "features_0": np.ones((5, 2)),
    }
    np.savez(path, **arrays)
    assert load_statistics(path).lengths[0].moments.count == 5
    np.savez(path, **{name: value for name, value in {**arrays, **change}.items() if value is not None})
    assert_refused(path)


def test_paths_and_lengths_are_taken_as_users_write_them(tmp_path: Path) -> None:
    made = Statistics("made", None, {16: LengthStatistics(Moments.of(np.eye(4)), None, None)})
    save_statistics(made, str(tmp_path / "made.npz"))
    found = load_statistics(str(tmp_path / "made.npz"))
    assert distances(found, found, frames=16, with_kvd=False)[0].fvd == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda made: load_statistics(None), "path must be text or a path, not None"),
        (lambda made: load_statistics(""), "'': an empty name; give a path"),
        (lambda made: merge_statistics([made, None]), "sets must be a list of Statistics"),
        (lambda made: distances(made, None), "b must be Statistics, not None"),
        (lambda made: distances(made, made, covariance="sample"), 'unknown covariance "sample"'),
    ],
)
def test_an_argument_of_another_type_is_refused_by_name(call: Any, message: str) -> None:
    made = Statistics("made", None, {16: LengthStatistics(Moments.of(np.eye(4)), None, None)})
    with pytest.raises(MetricError, match=message):
        call(made)
