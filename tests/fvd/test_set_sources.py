"""One side of a comparison: what it is put together from, and how many videos are taken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis.errors import MetricError, OutputError
from quovadis.fvd import (
    FVDOptions,
    SetVideo,
    Statistics,
    load_statistics,
    save_statistics,
    set_statistics,
)
from quovadis.fvd.set_sources import are_files
from quovadis.video import ArrayFrames
from support.fake_engine import CornerEngine, recognizer
from support.video_sets import noise_videos, saved, side_statistics

OPTIONS = FVDOptions(frames=(9, 16))
VIDEOS = noise_videos(5)


def measure(source: str, members: Sequence[SetVideo]) -> Statistics:
    return set_statistics(recognizer(CornerEngine()), source, members, OPTIONS)


@pytest.fixture
def shards(tmp_path: Path) -> list[str]:
    """Three videos, then two."""
    for number, frames in enumerate(VIDEOS):
        saved(tmp_path / ("first" if number < 3 else "second") / f"{number}.npy", frames)
    return [str(tmp_path / "first"), str(tmp_path / "second")]


@pytest.fixture
def kept(shards: list[str], tmp_path: Path) -> Path:
    path = tmp_path / "kept.npz"
    save_statistics(side_statistics(shards, measure), path)
    return path


@pytest.mark.parametrize("most", [1, 3, 4, 9])
def test_as_many_videos_are_taken_of_all_sources_together(most: int, shards: list[str]) -> None:
    found = side_statistics(shards, measure, most_videos=most).lengths[16].features
    assert found is not None
    np.testing.assert_array_equal(found, measure_all()[:most])


def measure_all() -> NDArray[np.float64]:
    members: list[SetVideo] = [SetVideo(f"{number}.npy", ArrayFrames(frames)) for number, frames in enumerate(VIDEOS)]
    features = measure("all", members).lengths[16].features
    assert features is not None
    return features


def test_rows_of_features_are_taken_as_videos_are(tmp_path: Path) -> None:
    features = np.random.default_rng(0).normal(size=(7, 3))
    side = side_statistics([saved(tmp_path / "a.npy", features)], measure, most_videos=4)
    assert side.lengths[0].moments.count == 4


def test_no_videos_can_be_taken_of_statistics(kept: Path) -> None:
    with pytest.raises(MetricError, match=r"kept\.npz: no single videos can be taken .* leave `most_videos` out"):
        side_statistics([str(kept)], measure, most_videos=2)


def test_a_source_named_twice_is_refused(shards: list[str]) -> None:
    again = str(Path(shards[0]) / ".." / "first")
    with pytest.raises(MetricError, match="given twice in one set"):
        side_statistics([*shards, again], measure)


@pytest.mark.parametrize("as_kept", [True, False])
def test_statistics_are_used_only_if_they_were_measured_as_asked_for(as_kept: bool, kept: Path) -> None:
    sources = ["absent"] if as_kept else [str(kept)]
    more = {"stats_path": kept} if as_kept else {}
    found = side_statistics(sources, measure, wanted={"features": "logits", "clips": "first"}, frames=[16], **more)  # type: ignore[arg-type]
    assert found.lengths[16].moments.count == 5
    with pytest.raises(
        MetricError,
        match=r"kept\.npz was measured with other settings \(`features`: logits, not pooled\); ask for",
    ):
        side_statistics(sources, measure, wanted={"features": "pooled"}, **more)  # type: ignore[arg-type]
    with pytest.raises(MetricError, match=r"kept\.npz: has no clips of 64 frames, but of 9, 16; ask for these"):
        side_statistics(sources, measure, frames=[16, 64], **more)  # type: ignore[arg-type]


def test_statistics_are_kept_under_a_name_that_they_are_known_by(shards: list[str], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"real\.txt: .* ends in \.npz; call it real\.npz"):
        side_statistics(shards, measure, stats_path=tmp_path / "real.txt")


def test_files_are_told_from_videos(kept: Path, tmp_path: Path) -> None:
    assert are_files(["a", str(kept)], None)
    assert are_files(["a"], kept)
    assert not are_files(["a", "b.npy"], tmp_path / "absent.npz")


def test_how_each_part_was_measured_is_kept_with_it(shards: list[str], kept: Path) -> None:
    saved(Path(shards[1]) / "short.npy", VIDEOS[0, :12])
    first, second = side_statistics(shards, measure).provenance
    assert (first["source"], first["videos"], first["failures"]) == (shards[0], 3, [])
    short = f"{shards[1]}/short.npy"
    assert second["failures"] == [
        {"source": short, "error": f"{short}: too short for clips of 16 frames", "kind": "VideoError"}
    ]
    assert (second["weights"], second["engine"]) == ("fake", "corners")
    assert [part["source"] for part in load_statistics(kept).provenance] == shards
