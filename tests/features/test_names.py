"""What features are called: by their video, and never like those of another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quovadis.features.formats import FeatureFormat, file_names
from quovadis.features.names import default_folder, output_names
from quovadis.inference.feature_options import choose_features
from quovadis.options import ModelOptions

PARTS = st.sampled_from(["a", "b", "A", "a__b", "clip", "clip.json", "clip-2", "Clip", ".hidden", "x:y", "x_y", "ß"])
"""Names in which upper case, joined folders, second files, numbers and what cannot stand in a name meet."""
SUFFIXES = st.sampled_from(["", ".mp4", ".avi", ".MP4", ".tar.gz"])
PATHS = st.builds(
    lambda folders, stem, suffix: "/" + "/".join([*folders, stem + suffix]),
    st.lists(PARTS, max_size=3),
    PARTS,
    SUFFIXES,
)
ANYTHING = st.text(min_size=1, max_size=30).filter(lambda text: "\0" not in text)


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["/v/clip.mp4"], ["clip"]),
        (["/v/a.mp4", "/v/b.mp4"], ["a", "b"]),
        # Two of a name: both have their folder before it.
        (["/v/a/clip.mp4", "/v/b/clip.mp4", "/v/b/other.mp4"], ["a__clip", "b__clip", "other"]),
        # As many folders as it takes.
        (["/v/a/x/clip.mp4", "/v/b/x/clip.mp4"], ["a__x__clip", "b__x__clip"]),
        # Beside each other: the suffix.
        (["/v/clip.mp4", "/v/clip.avi"], ["clip.mp4", "clip.avi"]),
        # The same video twice.
        (["/v/clip.mp4", "/v/clip.mp4"], ["clip-2", "clip-3"]),
        # On some systems upper and lower case are one.
        (["/v/a/Clip.mp4", "/v/b/clip.mp4"], ["a__Clip", "b__clip"]),
        # Only the last suffix goes; a hidden file does not stay hidden.
        (["/v/clip.part1.mp4", "/v/.secret.mp4"], ["clip.part1", "secret"]),
        (["https://host/a/clip.mp4?token=x/y", "/v/clip.mp4"], ["a__clip", "v__clip"]),
        (["/v/x:y.mp4"], ["x_y"]),
    ],
)
def test_names_by_example(sources: Sequence[str], names: Sequence[str]) -> None:
    assert output_names(sources) == names


def test_a_folder_of_images_keeps_all_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "shot.v2").mkdir()
    assert output_names([str(tmp_path / "shot.v2"), str(tmp_path / "shot.v3")]) == ["shot.v2", "shot"]


@given(sources=st.lists(PATHS | ANYTHING, max_size=12))
def test_no_two_videos_share_a_file_on_any_system(sources: list[str]) -> None:
    names = output_names(sources)
    assert len(names) == len(sources)
    for form in get_args(FeatureFormat):
        files = [file.casefold() for name in names for file in file_names(form, name)]
        assert len(set(files)) == len(files)
    for name in names:
        assert name
        assert not name.startswith(".")
        assert not set(name) & set("/\\:")


@given(stem=st.text("abß漢🎬", min_size=1, max_size=60), folder=st.text("a漢", min_size=1, max_size=80))
def test_names_are_short_enough_for_file_systems_with_every_suffix(stem: str, folder: str) -> None:
    # As long as names get: 255 bytes.
    stem = (stem * 255).encode()[:251].decode("utf-8", "ignore")
    names = output_names([f"/{folder}/{stem}.mp4", f"/{folder}/{stem}.avi", f"/x/{stem}.mp4", f"/x/{folder}.mp4"])
    assert len(set(names)) == 4
    assert all(len(f".{name}_timestamps_ms.npy.part".encode()) <= 255 for name in names)


@given(sources=st.lists(PATHS | ANYTHING, unique=True, max_size=10), data=st.data())
def test_a_run_over_the_rest_gives_the_names_of_one_run_over_all(sources: list[str], data: st.DataObject) -> None:
    whole = dict(zip(sources, output_names(sources), strict=True))
    # Any of the videos may have been done before the interruption.
    done = data.draw(st.sets(st.sampled_from(sources))) if sources else set()
    rest = [source for source in sources if source not in done]
    names = output_names(rest, {source: whole[source] for source in done})
    assert names == [whole[source] for source in rest]


@given(sources=st.lists(PATHS, unique=True, max_size=8), known=st.dictionaries(PATHS, PARTS, max_size=8))
def test_a_name_that_is_taken_stays_with_its_video(sources: list[str], known: dict[str, str]) -> None:
    names = output_names(sources, known)
    assert {name.casefold() for name in known.values()}.isdisjoint(name.casefold() for name in names)


@pytest.mark.parametrize(
    ("preset", "chosen", "model", "folder"),
    [
        (None, {}, {}, "features"),
        (None, {"clip_frames": 79, "stride": 79}, {}, "features"),
        ("i3d", {}, {}, "features-i3d"),
        ("video_features", {}, {}, "features-video_features"),
        ("video_features", {"clip_frames": 16}, {}, "features-video_features-clip-frames-16"),
        (None, {"endpoint": "Mixed_4f", "pool": "space", "file_format": "hdf5"}, {}, "features-Mixed_4f-space-hdf5"),
        (None, {"dense": True, "crops": 10, "fps": 12.5}, {}, "features-dense-crops-10-fps-12.5"),
        (None, {"stride": 8, "windows": "full"}, {}, "features-stride-8-windows-full"),
        (None, {}, {"weights": "rgb-scratch", "precision": "f32"}, "features-rgb-scratch"),
        (None, {}, {"weights": "models/mine.pt", "precision": "int8"}, "features-models__mine.pt-int8"),
        (None, {}, {"weights": "/others/mine.pt"}, "features-others__mine.pt"),
        (None, {}, {"weights": "./mine.onnx"}, "features-mine.onnx"),
    ],
)
def test_each_combination_of_options_has_a_folder(
    preset: Any, chosen: dict[str, Any], model: dict[str, Any], folder: str
) -> None:
    usual = "video_features" if preset == "video_features" else "npy"
    options = choose_features(preset, **{name: value for name, value in chosen.items() if name != "file_format"})
    found = default_folder(preset, options, chosen.get("file_format", usual), ModelOptions(**model))
    assert found == Path(folder)
