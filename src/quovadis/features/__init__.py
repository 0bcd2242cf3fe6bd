"""Features of videos: what the network knows before it names a class, for other models to learn from."""

from __future__ import annotations

from quovadis.inference.feature_options import PRESETS, FeatureOptions, Pool, Preset
from quovadis.inference.feature_rows import FeatureRow, VideoFeatures, feature_rows, video_features

__all__ = [
    "PRESETS",
    "FeatureOptions",
    "FeatureRow",
    "Pool",
    "Preset",
    "VideoFeatures",
    "feature_rows",
    "video_features",
]
