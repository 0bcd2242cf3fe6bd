"""Options that do not go together are refused, and those that play no part change nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quovadis.architecture import ENDPOINTS
from quovadis.errors import ArchitectureError
from quovadis.features import PRESETS, FeatureOptions
from quovadis.inference.feature_options import choose_features, like_video_features
from quovadis.video import CentreClip, Dense, Sampling, SlidingWindows, TimeSpan
from support.command_line import invoke_features
from support.video_features import as_the_original_does

DENSE = Sampling(clips=Dense())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"endpoint": "Mixed_9z"}, "no endpoint is called"),
        ({"endpoint": "Logits"}, "no endpoint is called"),
        ({"pool": "time"}, 'unknown pool "time": choose none, space, all'),
        ({"sampling": Sampling(clips=CentreClip())}, "all of a video"),
        ({"sampling": DENSE, "endpoint": "Mixed_4f"}, "for another endpoint or the whole map leave dense mode out"),
        ({"sampling": DENSE, "pool": "none"}, "leave dense mode out"),
    ],
)
def test_impossible_options_are_refused_when_they_are_made(options: dict[str, object], said: str) -> None:
    with pytest.raises(ArchitectureError, match=said) as refused:
        FeatureOptions(**options)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("frames", "said"), [(-1, "must be 0 or more"), (1, "full windows alone")])
def test_frames_that_are_to_follow_a_window_go_with_full_windows_alone(frames: int, said: str) -> None:
    with pytest.raises(ArchitectureError, match=said):
        SlidingWindows(lookahead_frames=frames)


def test_a_layer_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ArchitectureError) as refused:
        FeatureOptions(endpoint="Input")
    assert all(name in str(refused.value) for name in ENDPOINTS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dense", "--clip-frames", "20"], "--clip-frames has no effect with --dense"),
        (["--dense", "--windows", "full"], "--windows full has no effect with --dense"),
        (["--like", "i3d", "--stride", "3"], "--stride has no effect with --like i3d"),
        (["--like", "i3d", "--endpoint", "Mixed_4f"], "Mixed_5c"),
        (["--dense", "--pool", "none"], "--pool none has no effect with --dense"),
        (["--like", "video_features", "--stride", "66"], "video_features"),
        (["--like", "video_features", "--clip-frames", "16", "--stride", "18"], "17"),
    ],
)
def test_the_command_refuses_options_without_a_meaning(arguments: list[str], said: str) -> None:
    result = invoke_features(*arguments)
    assert result.returncode == 2
    assert said in result.stderr


def test_the_command_refuses_windows_that_are_dense() -> None:
    result = invoke_features("--like", "video_features", "--dense")
    assert result.returncode == 2
    assert "--dense has no effect with --like video_features" in result.stderr


def test_in_python_dense_mode_has_no_windows_either() -> None:
    for options in ({"clip_frames": 20}, {"stride": 3}, {"windows": "full"}, {"pool": "none"}):
        with pytest.raises(ArchitectureError, match="dense mode"):
            choose_features(dense=True, **options)  # type: ignore[arg-type]


# --- video_features ---------------------------------------------------------------------------------------------------


def test_the_preset_is_what_the_original_documents() -> None:
    options = PRESETS["video_features"]
    assert (options.windows.clip_frames, options.windows.frames_between_clips) == (64, 64)
    assert (options.sampling.fps, options.endpoint, options.pool) == ("native", "Mixed_5c", "all")
    assert options.shortest_frames == 65
    assert like_video_features(24, 12).shortest_frames == 25
    with pytest.raises(ArchitectureError, match="stacks of 8 frames"):
        like_video_features(8)


@pytest.mark.parametrize("stack", [9, 16, 64])
def test_a_step_that_the_original_does_not_make_is_refused(stack: int) -> None:
    # It throws away what it has read, a frame more than a stack, and no more.
    longest = as_the_original_does(400, stack, stack + 1)
    for step in (stack + 2, 2 * stack):
        assert as_the_original_does(400, stack, step) == longest
        with pytest.raises(ArchitectureError, match=f"it steps {stack + 1} frames at most"):
            like_video_features(stack, step)
    assert like_video_features(stack, stack + 1).windows.stride == stack + 1


@pytest.mark.parametrize(("frames", "noted"), [("64", False), ("20", False), ("10", True), ("66", True), ("21", True)])
def test_stacks_that_the_originals_network_pads_in_another_way_have_one_note(frames: str, noted: bool) -> None:
    result = invoke_features("--like", "video_features", "--clip-frames", frames)
    notes = [line for line in result.stderr.splitlines() if "note:" in line]
    assert len(notes) == noted
    assert all(f"stacks of {frames} frames" in note and "multiples of 4" in note for note in notes)


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"pool": "space"},
        {"sampling": replace(DENSE, clips=Dense(window_steps=3))},
    ],
)
def test_what_plays_no_part_in_dense_features_makes_them_no_others(change: dict[str, object]) -> None:
    assert FeatureOptions(sampling=DENSE).settings() == FeatureOptions(**{"sampling": DENSE, **change}).settings()  # type: ignore[arg-type]


def test_a_stride_that_is_written_out_makes_windows_no_others() -> None:
    written = FeatureOptions(sampling=Sampling(clips=SlidingWindows(stride=79)))
    assert FeatureOptions().settings() == written.settings()


def test_what_does_play_a_part_makes_features_others() -> None:
    windows, dense = Sampling(), DENSE
    different = [
        FeatureOptions(),
        FeatureOptions(sampling=dense),
        FeatureOptions(pool="space"),
        FeatureOptions(endpoint="Mixed_4f"),
        FeatureOptions(sampling=Sampling(clips=SlidingWindows(remainder="drop"))),
        FeatureOptions(sampling=Sampling(clips=SlidingWindows(remainder="drop", lookahead_frames=1))),
        *(FeatureOptions(sampling=replace(chosen, fps="native")) for chosen in (windows, dense)),
        *(FeatureOptions(sampling=replace(chosen, span=TimeSpan(start_seconds=1))) for chosen in (windows, dense)),
        *(FeatureOptions(sampling=replace(chosen, span=TimeSpan(duration_seconds=1))) for chosen in (windows, dense)),
        FeatureOptions(sampling=replace(windows, clips=SlidingWindows(stride=40))),
        FeatureOptions(sampling=replace(windows, clips=SlidingWindows(clip_frames=64))),
        FeatureOptions(sampling=replace(dense, clips=Dense(chunk_frames=32))),
        like_video_features(),
    ]
    settings = [str(sorted(options.settings().items(), key=str)) for options in different]
    assert len(set(settings)) == len(settings)
