"""Which frames of a video are measured."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quovadis.errors import ArchitectureError
from quovadis.fvd import FVDOptions
from quovadis.fvd.video_set import clip_windows
from support.video_sets import measured, noise_videos, saved

CHOICES = st.builds(
    lambda clips, several, seed, step: FVDOptions(
        clips=clips, clips_per_video=several if clips == "random" else 1, seed=seed, frame_step=step
    ),
    st.sampled_from(["first", "random"]),
    st.integers(1, 5),
    st.integers(0, 2**63),
    st.integers(1, 6),
)


def starts_of(name: str, count: int, frames: int = 16, **options: int) -> list[int]:
    return [window[0] for window in clip_windows(name, count, frames, FVDOptions(clips="random", **options))]  # type: ignore[arg-type]


@given(count=st.integers(0, 300), frames=st.integers(9, 40), options=CHOICES, name=st.text(max_size=8))
def test_clips_lie_within_the_video_and_are_evenly_spaced(
    count: int, frames: int, options: FVDOptions, name: str
) -> None:
    windows = clip_windows(name, count, frames, options)
    places = max(count - (frames - 1) * options.frame_step, 0)
    assert len(windows) == min(options.clips_per_video, places)
    for window in windows:
        assert len(window) == frames
        assert window[0] >= 0
        assert window[-1] < count
        assert {b - a for a, b in pairwise(window)} == {options.frame_step}
        assert options.clips == "random" or window[0] == 0


@given(count=st.integers(16, 300), options=CHOICES, name=st.text(max_size=8))
def test_the_same_seed_and_name_are_the_same_clips(count: int, options: FVDOptions, name: str) -> None:
    assert clip_windows(name, count, 16, options) == clip_windows(name, count, 16, options)


def test_first_clips_need_no_count_of_frames() -> None:
    options = FVDOptions(frame_step=3)
    assert clip_windows("a.mp4", None, 9, options) == [[0, 3, 6, 9, 12, 15, 18, 21, 24]]
    assert clip_windows("a.mp4", None, 9, options) == clip_windows("b.mp4", 25, 9, options)


def test_seed_name_and_length_each_decide_where_clips_start() -> None:
    same = starts_of("a.mp4", 1000, clips_per_video=4, seed=1)
    assert len(set(same)) == 4
    assert starts_of("a.mp4", 1000, clips_per_video=4, seed=2) != same
    assert starts_of("b.mp4", 1000, clips_per_video=4, seed=1) != same
    assert starts_of("a.mp4", 1000, frames=17, clips_per_video=4, seed=1) != same


def test_the_first_random_clips_stay_as_more_are_taken() -> None:
    assert starts_of("a.mp4", 1000, clips_per_video=8)[:3] == starts_of("a.mp4", 1000, clips_per_video=3)


def test_a_video_as_long_as_a_clip_has_one_place_for_it() -> None:
    assert starts_of("a.mp4", 16, clips_per_video=3) == [0]


@given(count=st.integers(16, 60), clips=st.integers(1, 50), seed=st.integers(0, 100))
def test_no_clip_is_taken_twice_and_as_many_as_there_is_room_for(count: int, clips: int, seed: int) -> None:
    starts = starts_of("a.mp4", count, clips_per_video=clips, seed=seed)
    assert len(set(starts)) == len(starts) == min(clips, count - 15)
    assert all(0 <= start <= count - 16 for start in starts)


@pytest.mark.parametrize("vary", ["name", "seed", "clip"])
def test_starts_are_uniform_whatever_is_varied(vary: str) -> None:
    places, drawn = 10, 5000
    count = places + 15
    if vary == "name":
        starts = [starts_of(f"video{number}.mp4", count)[0] for number in range(drawn)]
    elif vary == "seed":
        starts = [starts_of("a.mp4", count, seed=number)[0] for number in range(drawn)]
    else:
        # The second clip of each, of those places that the first has left.
        starts = [starts_of("a.mp4", count, clips_per_video=2, seed=number)[1] for number in range(drawn)]
    found = np.bincount(starts, minlength=places)
    assert len(found) == places
    # Chi squared with 9 degrees of freedom, of which 33.7 is exceeded once in 10,000 times.
    assert ((found - drawn / places) ** 2 / (drawn / places)).sum() < 33.7


def test_a_name_that_is_no_text_has_clips_too() -> None:
    assert starts_of("\udcff.mp4", 100) == starts_of("\udcff.mp4", 100)


@pytest.mark.parametrize("clips", ["first", "random"])
@pytest.mark.parametrize("step", [1, 2])
def test_the_network_sees_the_frames_of_the_clip(clips: str, step: int, tmp_path: Path) -> None:
    # Frame i has the level i.
    frames = np.broadcast_to(np.arange(40, dtype=np.uint8)[:, None, None, None], (40, 4, 4, 3))
    source = saved(tmp_path / "clip.npy", np.ascontiguousarray(frames))
    options = FVDOptions(frames=(9,), clips=clips, frame_step=step, seed=5)  # type: ignore[arg-type]
    (window,) = clip_windows("clip.npy", 40, 9, options)
    assert (window[0] == 0) == (clips == "first")
    features = measured(source, options).lengths[9].features
    assert features is not None
    mean, first, last = features[0, 0], features[0, 3], features[0, 4]
    assert (first, mean, last) == pytest.approx((window[0], window[4], window[8]))


def test_the_clips_of_a_video_do_not_depend_on_those_beside_it(tmp_path: Path) -> None:
    options = FVDOptions(frames=(9,), clips="random", clips_per_video=2)
    videos = noise_videos(4, frames=40)
    for number, frames in enumerate(videos):
        saved(tmp_path / "all" / f"{number}.npy", frames)
    saved(tmp_path / "elsewhere" / "2.npy", videos[2])
    whole = measured(tmp_path / "all", options).lengths[9].features
    alone = measured(tmp_path / "elsewhere", options).lengths[9].features
    assert whole is not None
    np.testing.assert_array_equal(whole[4:6], alone)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": ()}, "the network needs at least 9"),
        ({"frames": (16, 8)}, "the network needs at least 9"),
        ({"frames": (16, 16)}, "each length once"),
        ({"clips": "last"}, 'unknown clips "last": choose first, random'),
        ({"features": "mixed"}, 'unknown features "mixed": choose logits, pooled'),
        ({"coordinate_mode": "corner"}, 'unknown coordinate_mode "corner": choose half-pixel, asymmetric'),
        ({"clips_per_video": 2}, "a video has one beginning"),
        ({"clips": "random", "clips_per_video": 0}, "1 or more"),
        ({"frame_step": 0}, "1 or more"),
        ({"clips": "random", "seed": -1}, "seed must be 0 or more"),
    ],
    ids=str,
)
def test_choices_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        FVDOptions(**options)  # type: ignore[arg-type]
