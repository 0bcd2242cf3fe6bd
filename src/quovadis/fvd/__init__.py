"""Fréchet Video Distance between sets of videos, by conventions that are named."""

from __future__ import annotations

from quovadis.fvd.compare import MIN_VIDEOS, CompareOptions, SetComparison, SetLike, compare_sets, compare_videos
from quovadis.fvd.distance import Distance, distances
from quovadis.fvd.options import PRESETS, Covariance, FVDOptions, Preset, SetPlan, plan_sets
from quovadis.fvd.set_sources import SetSource, load_set
from quovadis.fvd.set_videos import SetVideo, list_videos
from quovadis.fvd.statistics import LengthStatistics, Statistics, load_statistics, merge_statistics, save_statistics
from quovadis.fvd.video_set import SkippedVideo, set_statistics

__all__ = [
    "MIN_VIDEOS",
    "PRESETS",
    "CompareOptions",
    "Covariance",
    "Distance",
    "FVDOptions",
    "LengthStatistics",
    "Preset",
    "SetComparison",
    "SetLike",
    "SetPlan",
    "SetSource",
    "SetVideo",
    "SkippedVideo",
    "Statistics",
    "compare_sets",
    "compare_videos",
    "distances",
    "list_videos",
    "load_set",
    "load_statistics",
    "merge_statistics",
    "plan_sets",
    "save_statistics",
    "set_statistics",
]
