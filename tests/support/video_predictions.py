"""A result with names that every form of output has to quote."""

from __future__ import annotations

import numpy as np

from quovadis.results import ClipPrediction, VideoPrediction, WeightsIdentity

LABELS = ("a, b", '"quoted"', "[red]markup[/red]")


def video_prediction(clips: int = 2, source: str = "clip, one.mp4") -> VideoPrediction:
    probabilities = np.array([0.2, 0.5, 0.3], np.float32)
    return VideoPrediction(
        source=source,
        clips=tuple(
            ClipPrediction(
                index=place,
                start_seconds=3.16 * place,
                end_seconds=3.16 * (place + 1),
                frames=79,
                looped=False,
                logits=np.log(np.roll(probabilities, 0 if place % 4 < 2 else 1)),
                labels=LABELS,
            )
            for place in range(clips)
        ),
        weights=WeightsIdentity("rgb-scratch", "0" * 64),
        engine={"engine": "openvino"},
        labels=LABELS,
    )
