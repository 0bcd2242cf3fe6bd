"""The tree of errors."""

from __future__ import annotations

import inspect

from quovadis import errors
from quovadis.errors import ArchitectureError, MissingDependencyError, QuovadisError, VideoError
from quovadis.runs.executor import video_error


def test_every_error_derives_from_the_one_root_and_stands_in_the_drawing() -> None:
    classes = [
        member for _, member in inspect.getmembers(errors, inspect.isclass) if member.__module__ == errors.__name__
    ]
    assert len(classes) > 5
    for member in classes:
        assert issubclass(member, QuovadisError)
        assert member.__name__ in str(errors.__doc__)


def test_an_error_that_is_raised_again_keeps_its_option() -> None:
    for error in (ArchitectureError("too short", option="frames"), ArchitectureError("give more `frames`")):
        again = error.restated(f"clip.mp4: {error}", VideoError)
        assert (type(again), again.option) == (VideoError, "frames")
        assert str(again) == f"clip.mp4: {error}"
        assert video_error("clip.mp4", error).option == "frames"


def test_a_missing_package_gives_the_exact_line_to_run() -> None:
    assert 'pip install "quovadis[plot]"' in str(MissingDependencyError("matplotlib", "plot", "drawing"))
