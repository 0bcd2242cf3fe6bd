"""What becomes of frames at the end that no full window covers: `--windows full`, `loop` and `join`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import quovadis.cli.features as command
from quovadis.errors import ArchitectureError, VideoError
from quovadis.escape import counted_are
from quovadis.features import FeatureOptions, FeatureRow, feature_rows, video_features
from quovadis.video import Sampling, SlidingWindows
from quovadis.video.sampling import Remainder
from support.command_line import invoke_features
from support.fake_engine import MeanEngine
from support.numbered_frames import numbered_frames, numbers, write_gray

LENGTHS = st.integers(1, 200)
SIZES = st.integers(9, 24)
STRIDES = st.integers(1, 60)


def windows_of(
    length: int, size: int, stride: int | None = None, *, remainder: Remainder, **options: object
) -> list[tuple[list[int], FeatureRow]]:
    """Which frames each window has, and its row."""
    engine = MeanEngine()
    windows = SlidingWindows(clip_frames=size, stride=stride, remainder=remainder)
    chosen = FeatureOptions(sampling=Sampling(clips=windows), **options)  # type: ignore[arg-type]
    rows = list(feature_rows(engine, numbered_frames(length), chosen, name="clip.mp4"))
    return [(numbers(clip), row) for clip, row in zip(engine.clips, rows, strict=True)]


def test_full_windows_of_16_frames_every_16_are_a_16th_of_the_frames_at_every_length() -> None:
    for length in range(1, 400):
        if length < 16:
            with pytest.raises(VideoError, match=f"clip.mp4: {counted_are(length, 'frame')} too few: features need 16"):
                windows_of(length, 16, remainder="drop")
            continue
        made = windows_of(length, 16, remainder="drop")
        assert len(made) == length // 16
        assert [frames for frames, _ in made] == [[*range(16 * k, 16 * k + 16)] for k in range(length // 16)]


@given(length=LENGTHS, size=SIZES, stride=STRIDES)
def test_looped_windows_cover_every_frame_and_have_one_length(length: int, size: int, stride: int) -> None:
    made = windows_of(length, size, stride, remainder="loop")
    # The windows that fit, and one more where a frame is left that none of them covers.
    starts = [start for start in range(0, length, stride) if start + size <= length]
    following = starts[-1] + stride if starts else 0
    if not starts or (starts[-1] + size < length and following < length):
        starts.append(following)
    assert len(made) == len(starts)
    for (frames, row), start in zip(made, starts, strict=True):
        real = [*range(start, min(start + size, length))]
        assert frames == [real[place % len(real)] for place in range(size)]
        assert row.looped == (len(real) < size)
        assert row.start_seconds == pytest.approx(start / 25)
        assert row.end_seconds == pytest.approx((real[-1] + 1) / 25)
    if stride <= size:
        assert set().union(*(frames for frames, _ in made)) == set(range(length))


@given(length=LENGTHS, size=SIZES, data=st.data())
def test_joined_windows_are_the_full_ones_and_the_last_goes_on_to_the_end(
    length: int, size: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, size))
    made = windows_of(length, size, stride, remainder="join")
    if length < size:
        # There is no window to join: it is looped, as always.
        ((frames, row),) = made
        assert frames == [place % length for place in range(size)]
        assert row.looped
        return
    starts = [start for start in range(0, length, stride) if start + size <= length]
    ends = [start + size for start in starts[:-1]] + [length]
    assert [frames for frames, _ in made] == [[*range(*span)] for span in zip(starts, ends, strict=True)]
    assert not any(row.looped for _, row in made)
    assert [row.end_seconds for _, row in made] == pytest.approx([end / 25 for end in ends])


@pytest.mark.parametrize("pool", ["space", "none"])
def test_looped_windows_have_one_shape_whatever_the_pool(pool: str) -> None:
    for length in (1, 16, 17, 31, 33):
        shapes = {row.values.shape for _, row in windows_of(length, 16, remainder="loop", pool=pool)}
        assert shapes == {(1, 1024) if pool == "space" else (2, 7, 7, 1024)}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"remainder": "full"}, "choose mixed, loop, join, drop"),
        ({"remainder": "join", "pool": "space"}, "need one shape"),
        ({"remainder": "join", "pool": "none"}, "need one shape"),
        ({"remainder": "join", "clip_frames": 16, "stride": 17}, "cannot join"),
    ],
)
def test_what_has_no_meaning_is_refused(options: dict[str, Any], said: str) -> None:
    pool = options.pop("pool", "all")
    with pytest.raises(ArchitectureError, match=re.escape(said)):
        FeatureOptions(sampling=Sampling(clips=SlidingWindows(**options)), pool=pool)


# --- on the command line ----------------------------------------------------------------------------------------------


def chosen(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> FeatureOptions:
    """The options that the command makes of its arguments."""
    made: list[FeatureOptions] = []
    original = command.choose_features

    def watched(*arguments: object, **options: object) -> FeatureOptions:
        made.append(original(*arguments, **options))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(command, "choose_features", watched)
    invoke_features(*arguments)
    return made[0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ("mixed", 0)),
        (("--windows", "full"), ("drop", 0)),
        (("--windows", "loop"), ("loop", 0)),
        (("--windows", "join"), ("join", 0)),
        (("--like", "video_features"), ("drop", 1)),
        # Asked for by name, a full window counts whether or not a frame follows it.
        (("--like", "video_features", "--windows", "full"), ("drop", 0)),
        (("--like", "video_features", "--windows", "loop"), ("loop", 0)),
    ],
)
def test_the_command_takes_the_three_by_name(
    arguments: tuple[str, ...], expected: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = chosen(monkeypatch, *arguments)
    assert (options.windows.remainder, options.windows.lookahead_frames) == expected


@pytest.mark.parametrize("dense", ["--dense", "--like=i3d"])
def test_the_command_refuses_windows_of_what_has_none(dense: str) -> None:
    for windows in ("full", "loop", "join"):
        result = invoke_features(dense, "--windows", windows)
        assert result.returncode == 2
        assert f"--windows {windows} has no effect with {dense.replace('=', ' ')}" in result.stderr


def test_of_a_file_every_full_snippet_counts_and_no_other(tmp_path: Path) -> None:
    options = FeatureOptions(sampling=Sampling(clips=SlidingWindows(clip_frames=16, remainder="drop"), fps="native"))
    for frames in (16, 31, 32):
        path = write_gray(tmp_path / f"{frames}.mp4", frames)
        made = video_features(MeanEngine(), path, options)
        assert made.values.shape == (frames // 16, 1024)
        assert made.axes == ("windows", "channels")
        np.testing.assert_allclose(made.end_seconds, [16 * (k + 1) / 25 for k in range(frames // 16)])
