"""Fréchet Video Distance between sets of videos, by conventions that are named."""

from __future__ import annotations

from quovadis.fvd.distance import Distance, check_before, comparable_options, distances
from quovadis.fvd.set_videos import Member, read_members
from quovadis.fvd.options import LIKE, Covariance, FVDOptions, Like, SetPlan, plan_sets
from quovadis.fvd.set_sources import Side, are_files, prepare_side
from quovadis.fvd.statistics import (
    LengthStatistics,
    Statistics,
    check_lengths,
    load_statistics,
    merge_statistics,
    save_statistics,
)
from quovadis.fvd.video_set import SkippedVideo, set_dimension, set_settings, set_statistics

__all__ = [
    "LIKE",
    "Covariance",
    "Distance",
    "FVDOptions",
    "LengthStatistics",
    "Like",
    "Member",
    "SetPlan",
    "Side",
    "SkippedVideo",
    "Statistics",
    "are_files",
    "check_before",
    "check_lengths",
    "comparable_options",
    "distances",
    "load_statistics",
    "merge_statistics",
    "plan_sets",
    "prepare_side",
    "read_members",
    "save_statistics",
    "set_dimension",
    "set_settings",
    "set_statistics",
]
