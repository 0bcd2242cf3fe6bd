"""Settings in the words of whoever asked for them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from quovadis.inference.feature_options import choose_features
from quovadis.runs.settings import difference, given_options
from quovadis.video import CentreClip, Dense, Sampling, SlidingWindows


def classification(**sampling: Any) -> dict[str, Any]:
    chosen = Sampling(**sampling)
    return {"clip": type(chosen.clips).__name__, **asdict(chosen), "precision": "f32"}


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        (classification(), {"clip": "all", "clip_frames": 79, "stride": None, "windows": None}),
        (classification(clips=SlidingWindows(stride=8)), {"clip_frames": 79, "stride": 8}),
        (classification(clips=CentreClip()), {"clip": "centre", "clip_frames": 79}),
        (classification(clips=Dense()), {"dense": True, "window": 9, "chunk": 16}),
        (choose_features(stride=79).settings(), {"stride": None, "dense": False, "preset": None}),
        (choose_features(windows="full").settings(), {"windows": "full"}),
        (choose_features("video_features").settings(), {"preset": "video_features", "windows": None, "stride": None}),
        (choose_features("i3d").settings(), {"dense": True}),
    ],
)
def test_settings_become_options(settings: dict[str, Any], options: dict[str, Any]) -> None:
    found = given_options(settings)
    assert {name: found.get(name) for name in options} == options


def test_what_differs_is_told_of_both_sides() -> None:
    old, new = choose_features(endpoint="Mixed_4f", fps=12).settings(), choose_features(dense=True).settings()
    said = difference(old, new)
    made, now = said.removeprefix("holds results made ").split(", and this run is ")
    for told in ('with `endpoint="Mixed_4f"`', "with `fps=12`", "without `dense`"):
        assert told in made
    for told in ('with `endpoint="Mixed_5c"`', "with `fps=25`", "with `dense=True`"):
        assert told in now
    assert "lookahead" not in said
    assert "long_side" not in said


def test_what_follows_from_another_protocol_is_not_told() -> None:
    old = {"protocol": "deepmind", "fps": 25.0, "chunk_frames": 320, "precision": "f32"}
    new = {"protocol": "omz", "fps": "native", "clips": 3, "clip_frames": 79, "precision": "f32"}
    assert difference(old, new) == (
        'holds results made with `protocol="deepmind"`, and this run is with `protocol="omz"`'
    )


def test_the_same_settings_do_not_differ() -> None:
    assert difference({"fps": 25, "pool": "all"}, {"pool": "all", "fps": 25.0}) == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"weights_sha256": "a" * 64}, {"weights_sha256": "b" * 64}, "made with weights aaaaaaaaaaaa…, and"),
        ({"weights": "x", "weights_sha256": "a"}, {"weights": "y", "weights_sha256": "b"}, 'is with `weights="y"`'),
        (
            {},
            {"calibration_sha256": "b" * 64},
            "made without calibration, and this run is with calibration bbbbbbbbbbbb…",
        ),
        ({"lookahead_frames": 0}, {"lookahead_frames": 2}, "of another version of quovadis"),
    ],
)
def test_what_is_no_option_has_plain_words(old: dict[str, Any], new: dict[str, Any], said: str) -> None:
    assert said in difference(old, new)
