"""Clips that the seed, the epoch and the index decide, and nothing else."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quovadis.datasets import Action, Dataset, Example
from quovadis.errors import ArchitectureError, VideoError
from quovadis.training.clips import ClipDataset, ClipSampling, Remainder, epoch_order
from quovadis.video import open_video
from quovadis.video.crop_view import CropView, CropViewConverter
from quovadis.video.timeline import SeekError
from support.synthetic import ORIENTATIONS, as_stored, moving_squares, set_display_matrix, write_video

SMALL = ClipSampling(frames=12, short_side=40, crop=32)


def dataset(*paths: Path, labels: tuple[str, ...] = ("a", "b")) -> Dataset:
    examples = [Example(path.name, number % len(labels), path) for number, path in enumerate(paths)]
    return Dataset(paths[0].parent, "list", tuple(examples), labels)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("clips")
    pictures = list(moving_squares(40, 96, 64))
    return dataset(
        write_video(folder / "long.mp4", pictures, options={"g": "10", "bf": "2"}),
        write_video(folder / "short.mp4", pictures[:7]),
        write_video(folder / "long.avi", pictures, codec="mpeg4"),
    )


def test_a_clip_is_always_the_same_and_changes_with_each_of_three_numbers(videos: Dataset) -> None:
    source = ClipDataset(videos, SMALL, seed=1)
    for index, example in enumerate(videos.examples):
        clip = source.clip(4, index)
        assert clip.clip.shape == (12, 32, 32, 3)
        assert clip.clip.dtype == np.uint8
        assert (clip.target, clip.key, clip.index) == (example.label, example.key, index)
        again = pickle.loads(pickle.dumps(ClipDataset(videos, SMALL, seed=1))).clip(4, index)
        np.testing.assert_array_equal(clip.clip, again.clip)
    clips = [ClipDataset(videos, SMALL, seed=seed).clip(epoch, 0).clip for seed, epoch in ((1, 4), (1, 5), (2, 4))]
    assert len({clip.tobytes() for clip in clips}) == 3


def test_clips_of_many_epochs_begin_everywhere_and_are_mirrored_half_the_time(
    videos: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []
    views = []

    def choose(reader: object, choose: Callable[[int], list[int]], count: object, **view: Callable[[], object]) -> None:
        asked.append(choose(20))
        views.append(view["converter"]()._view)  # type: ignore[attr-defined]
        raise VideoError("enough")

    monkeypatch.setattr("quovadis.training.clips.chosen_frames", choose)
    source = ClipDataset(videos, SMALL)
    for epoch in range(300):
        with pytest.raises(VideoError):
            source.clip(epoch, 0)
    assert {indices[0] for indices in asked} == {*range(20 - 12 + 1)}
    assert all(indices == [*range(indices[0], indices[0] + 12)] for indices in asked)
    assert 0.4 < np.mean([view.mirrored for view in views]) < 0.6
    assert np.std([view.top for view in views]) == pytest.approx(1 / 12**0.5, rel=0.15)
    assert abs(np.corrcoef([view.top for view in views], [view.left for view in views])[0, 1]) < 0.2


def test_a_short_video_is_looped(videos: Dataset) -> None:
    clip = ClipDataset(videos, SMALL).clip(0, 1).clip
    np.testing.assert_array_equal(clip[7:], clip[:5])


def test_both_ways_to_find_frames_give_the_same_clip(videos: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ClipDataset(videos, SMALL)
    expected = [source.clip(epoch, 0).clip for epoch in range(3)]

    def fail(*arguments: object) -> None:
        raise SeekError("no seeking")

    monkeypatch.setattr("quovadis.video.reader.Video.frames_at", fail)
    for epoch, clip in enumerate(expected):
        np.testing.assert_array_equal(source.clip(epoch, 0).clip, clip)


def test_views_of_validation_are_evenly_spread_and_as_for_inference(videos: Dataset) -> None:
    with open_video(videos.examples[0].path or "") as video:
        frames = np.stack([frame.pixels for frame in video])
    source = ClipDataset(videos, ClipSampling(frames=16, views=3), training=False)
    for view, start in enumerate((0, 12, 24, 0)):
        np.testing.assert_array_equal(source.clip(view, 0).clip, frames[start : start + 16])
    middle = ClipDataset(videos, ClipSampling(frames=16), training=False).clip(0, 0).clip
    np.testing.assert_array_equal(middle, frames[12:28])


def test_a_square_of_any_share_lies_where_it_should_however_the_video_was_held(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:64, :96]
    picture = np.stack([2 * rows, 2 * columns, np.full_like(rows, 60)], axis=-1).astype(np.uint8)
    found = {}
    for name, orientation in ORIENTATIONS.items():
        path = write_video(tmp_path / "v.mp4", [as_stored(picture, orientation)], options={"crf": "4"})
        set_display_matrix(path, orientation)
        for area in (None, 0.5):
            view = CropView(short_side=64, size=32, top=1.0, left=0.25, area=area, mirrored=area is not None)
            with open_video(path, converter=lambda view=view: CropViewConverter(view)) as video:
                found[name, area] = next(iter(video)).pixels.astype(int)
    for name in ORIENTATIONS:
        # 32 x 32 of 64 x 96: the last rows, and a quarter of 64 columns to the left of it.
        cut = picture[32:, 16:48].astype(int)
        assert np.abs(found[name, None][2:-2, 2:-2, :2] - cut[2:-2, 2:-2, :2]).max() <= 12, name
        # Half the area is a square of 55.4 pixels, which leaves 8.6 above, and 10.1 of 40.6 to the left.
        shown = found[name, 0.5][:, ::-1]
        assert shown[16, 16, :2] == pytest.approx([2 * (8.6 + 28.6), 2 * (10.1 + 28.6)], abs=8), name


def test_shares_of_the_frame_are_within_their_bounds(videos: Dataset) -> None:
    source = ClipDataset(videos, ClipSampling(frames=9, short_side=40, crop=32, scales=(0.3, 0.6)))
    views = [source._converter(np.random.default_rng(seed).random(6))()._view for seed in range(50)]  # type: ignore[attr-defined]
    assert all(0.3 <= view.area <= 0.6 and 0.75 <= view.proportion <= 4 / 3 for view in views)
    assert source.clip(0, 0).clip.shape == (9, 32, 32, 3)
    assert hash(ClipSampling(scales=[0.3, 0.6])) == hash(ClipSampling(scales=(0.3, 0.6)))  # type: ignore[arg-type]


def test_targets_of_several_classes_are_those_that_are_shown(videos: Dataset) -> None:
    path = videos.examples[0].path
    actions = (Action(0, 0.0, 0.3), Action(2, 1.2, 9.0))
    several = Dataset(Path("x"), "charades", (Example("v", -1, path, actions=actions),), ("a", "b", "c"))
    source = ClipDataset(several, ClipSampling(frames=9, short_side=40, crop=32))
    seen = {tuple(source.clip(epoch, 0).target) for epoch in range(40)}  # type: ignore[arg-type]
    assert seen == {(1, 0, 0), (0, 0, 0), (0, 0, 1)}
    whole = ClipDataset(several, ClipSampling(frames=9), training=False)
    np.testing.assert_array_equal(whole.clip(0, 0).target, np.float32([1, 0, 1]))
    np.testing.assert_array_equal(whole.targets, np.float32([[1, 0, 1]]))


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"frames": 0}, "frames"),
        ({"views": 0}, "views"),
        ({"fps": 0}, "fps"),
        ({"crop": 300}, "crop"),
        ({"scales": (0.5, 0.2)}, "scales"),
        ({"scales": (0.5, 1.2)}, "scales"),
        ({"scales": [0.5]}, "scales"),
    ],
)
def test_a_sampling_that_cannot_be_is_refused(options: dict[str, object], option: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        ClipSampling(**options)  # type: ignore[arg-type]
    assert caught.value.option == option


COUNTS = st.integers(1, 60)
WORLDS = st.integers(1, 4)
BATCHES = st.integers(1, 7)


@given(seed=st.integers(0, 2**40), epoch=st.integers(0, 99), count=COUNTS)
def test_every_clip_comes_once(seed: int, epoch: int, count: int) -> None:
    assert sorted(epoch_order(seed, epoch, count)) == [*range(count)]


@given(count=COUNTS, world=WORLDS, batch=BATCHES, remainder=st.sampled_from(["wrap", "drop", "keep"]))
def test_the_parts_of_processes_are_the_batches_of_one(
    count: int, world: int, batch: int, remainder: Remainder
) -> None:
    whole = epoch_order(3, 2, count, batch=batch * world, remainder=remainder)
    parts = [
        epoch_order(3, 2, count, batch=batch, rank=rank, world_size=world, remainder=remainder) for rank in range(world)
    ]
    joined: list[int] = []
    for start in range(0, max(map(len, parts)), batch):
        joined += [index for part in parts for index in part[start : start + batch].tolist()]
    assert joined == whole.tolist()
    if remainder == "keep":
        assert sorted(joined) == [*range(count)]
    else:
        assert len({len(part) for part in parts}) == 1
        assert len(parts[0]) % batch == 0
        if remainder == "wrap" or count < batch * world:
            assert {*joined} == {*range(count)}


@given(classes=st.lists(st.integers(0, 5), min_size=1, max_size=60), epoch=st.integers(0, 9))
def test_balanced_classes_come_equally_often_and_their_clips_in_turn(classes: list[int], epoch: int) -> None:
    labels = np.array(classes)
    order = epoch_order(1, epoch, len(labels), classes=labels)
    counts = np.bincount(labels[order], minlength=6)[np.unique(labels)]
    assert len(order) == len(labels)
    assert counts.max() - counts.min() <= 1
    for label in np.unique(labels):
        own = np.bincount(order, minlength=len(labels))[labels == label]
        # Parts of two shuffles, and all of those between.
        assert own.max() - own.min() <= 2


def test_a_rare_class_is_seen_as_often_and_all_of_a_frequent_one_in_time() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    seen: set[int] = set()
    for epoch in range(2):
        seen.update(epoch_order(0, epoch, 100, classes=labels).tolist())
    assert seen == {*range(100)}


def test_weights_say_how_often_a_clip_comes() -> None:
    weights = np.array([1.0, 3.0, 0.0, 4.0])
    order = np.concatenate([epoch_order(0, epoch, 4, weights=weights) for epoch in range(2000)])
    np.testing.assert_allclose(np.bincount(order, minlength=4) / len(order), weights / 8, atol=0.02)


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = {epoch_order(seed, epoch, 30).tobytes() for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16
    assert epoch_order(5, 1, 30, shuffle=False).tolist() == [*range(30)]
