"""The text files of a server's repository."""

from __future__ import annotations

from typing import Any

import pytest

from quovadis.export.layouts import LAYOUTS, MODEL_NAME


@pytest.mark.parametrize("name", ["ovms", "triton"])
@pytest.mark.parametrize(
    ("clips", "told"),
    [
        ({}, "RGB, raw 0..255, 25 frames a second, short side 256, centre crop 224; mean and scale are in the model -"),
        (
            {"clip_frames": 16, "fps": 12.5, "short_side": 240, "crop_size": 224},
            "12.5 frames a second, short side 240, centre crop 224; mean and scale are in the model; trained on clips "
            "of 16 frames -",
        ),
        ({"fps": "native", "short_side": 64, "crop_size": 32}, "every frame of a video, short side 256, centre crop"),
    ],
)
def test_the_page_says_which_clips_the_weights_were_trained_on(name: str, clips: dict[str, Any], told: str) -> None:
    layout = LAYOUTS[name]
    page = layout.plan(layout.defaults).texts(("a", "b"), clips)[f"{MODEL_NAME}/README.md"]
    assert told in " ".join(page.split())
