"""Fréchet Video Distance between sets of videos, by conventions that are named."""

from __future__ import annotations

from quovadis.fvd.distance import Distance, check_plan, distances
from quovadis.fvd.members import Member, read_members
from quovadis.fvd.options import LIKE, Covariance, FVDOptions, Like
from quovadis.fvd.sides import side_statistics
from quovadis.fvd.statistics import LengthStatistics, Statistics, load_statistics, merge_statistics, save_statistics
from quovadis.fvd.video_set import SkippedVideo, set_settings, set_statistics

__all__ = [
    "LIKE",
    "Covariance",
    "Distance",
    "FVDOptions",
    "LengthStatistics",
    "Like",
    "Member",
    "SkippedVideo",
    "Statistics",
    "check_plan",
    "distances",
    "load_statistics",
    "merge_statistics",
    "read_members",
    "save_statistics",
    "set_settings",
    "set_statistics",
    "side_statistics",
]
