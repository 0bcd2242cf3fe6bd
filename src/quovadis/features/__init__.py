"""Features of videos: what the network knows before it names a class, for other models to learn from."""

from __future__ import annotations

from quovadis.inference.feature_options import LIKE, FeatureOptions, Like, Pool
from quovadis.inference.feature_rows import FeatureRow, VideoFeatures, feature_rows, video_features

__all__ = [
    "LIKE",
    "FeatureOptions",
    "FeatureRow",
    "Like",
    "Pool",
    "VideoFeatures",
    "feature_rows",
    "video_features",
]
