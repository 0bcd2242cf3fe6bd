"""Videos that only motion tells apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quovadis.datasets import read_dataset
from quovadis.errors import DatasetError
from quovadis.training.synthetic import MOTION_CLASSES, motion_frames, write_motion_dataset
from quovadis.video import open_video


def measured(label: int, seed: int, frames: int = 24) -> np.ndarray:
    """Return for each frame where the shape is, how large it is, and how it is turned: shape frames, 3.

    Angles are doubled, of the longest extent: half a turn of a bar looks the same.
    """
    found = []
    for picture in motion_frames(label, np.random.default_rng(seed), frames=frames, size=96):
        inside = (np.abs(picture.astype(int) - picture[0, 0]).max(2) > 50).nonzero()
        rows, columns = (axis - axis.mean() for axis in inside)
        angle = np.arctan2(2 * (rows * columns).mean(), (columns**2).mean() - (rows**2).mean())
        found.append((inside[1].mean(), len(rows), angle))
    values = np.array(found)
    values[:, 2] = np.unwrap(values[:, 2])
    return values


@pytest.mark.parametrize("label", range(6))
def test_one_of_three_changes_goes_one_way_and_tells_the_class(label: int) -> None:
    signs = [np.sign(measured(label, seed)[-1] - measured(label, seed)[0]) for seed in range(3)]
    kind = label // 2
    expected = {"moving left": -1, "moving right": 1, "growing": 1, "shrinking": -1}
    for seed in range(3):
        values = measured(label, seed)[:, kind]
        steps = np.sign(np.diff(values))
        # A pixel more or less apart.
        assert abs(steps.sum()) >= 0.8 * len(steps), (label, seed)
        others = [np.sign(np.diff(measured(label, seed)[:, other])) for other in {0, 1, 2} - {kind}]
        assert all(abs(other.sum()) <= 0.5 * len(other) for other in others), (label, seed)
        if MOTION_CLASSES[label] in expected:
            assert np.sign(values[-1] - values[0]) == expected[MOTION_CLASSES[label]]
    # Rows count downwards: an angle that grows turns clockwise as one sees it.
    if kind == 2:
        assert {sign[2] for sign in signs} == {1 if MOTION_CLASSES[label] == "turning clockwise" else -1}


def test_frames_without_their_order_are_alike_in_all_classes() -> None:
    # Each of the three goes through the same values in every class, each of them once.
    for seed in (3, 5):
        places, areas, angles = np.sort([measured(label, seed) for label in range(6)], axis=1).transpose(2, 0, 1)
        np.testing.assert_allclose(places[1:], np.broadcast_to(places[0], places[1:].shape), atol=3)
        np.testing.assert_allclose(areas[1:], np.broadcast_to(areas[0], areas[1:].shape), rtol=0.1)
        spans = np.ptp(angles, axis=1)
        np.testing.assert_allclose(spans, spans[0], rtol=0.1)


def test_classes_of_a_pair_are_each_other_played_backwards() -> None:
    for first in (0, 2, 4):
        values = [measured(label, 7)[:, first // 2] for label in (first, first + 1)]
        spans = [value - value[0] for value in (values[0], values[1][::-1])]
        np.testing.assert_allclose(spans[0] / np.ptp(spans[0]), spans[1] / np.ptp(spans[1]), atol=0.15)


def test_without_distractors_only_one_thing_changes() -> None:
    frames = list(motion_frames(0, np.random.default_rng(0), frames=4, size=64, distractors=False))
    areas = [(np.abs(frame.astype(int) - frame[0, 0]).max(2) > 50).sum() for frame in frames]
    assert max(areas) - min(areas) < 0.1 * max(areas)


def test_a_dataset_is_written_that_is_read_as_folders_and_is_always_the_same(tmp_path: Path) -> None:
    options = {"videos_per_class": 2, "frames": 10, "size": 32}
    folders = [
        write_motion_dataset(tmp_path / name, seed=seed, **options) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    dataset = read_dataset(folders[0], None)
    assert sorted(dataset.labels) == sorted(MOTION_CLASSES)
    assert len(dataset.existing) == 12
    with open_video(dataset.existing[0].path or "", fps="native") as video:
        assert len(list(video)) == 10
    contents = [[path.read_bytes() for path in sorted(folder.rglob("*.mp4"))] for folder in folders]
    assert contents[0] == contents[1]
    assert not {*contents[0]} & {*contents[2]}


@pytest.mark.parametrize("wrong", [{"videos_per_class": 0}, {"frames": 1}, {"size": 15}, {"size": 8}])
def test_numbers_that_make_no_video_are_refused(wrong: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be made"):
        write_motion_dataset(tmp_path, **{"videos_per_class": 1, **wrong})


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"file.*cannot be written"):
        write_motion_dataset(tmp_path / "file", videos_per_class=1)
