"""Metrics: how far two sets of videos are apart, and how often a classifier is right, each with its uncertainty."""

from __future__ import annotations

from quovadis.metrics.accuracy import Proportion, WilsonInterval, confusion_matrix, ranks, wilson_interval
from quovadis.metrics.average_precision import average_precision, mean_average_precision
from quovadis.metrics.bootstrap import BootstrapInterval, bootstrap
from quovadis.metrics.frechet import frechet_distance, fvd
from quovadis.metrics.kernel import kvd
from quovadis.metrics.mcnemar import mcnemar
from quovadis.metrics.moments import Moments

__all__ = [
    "BootstrapInterval",
    "Moments",
    "Proportion",
    "WilsonInterval",
    "average_precision",
    "bootstrap",
    "confusion_matrix",
    "frechet_distance",
    "fvd",
    "kvd",
    "mcnemar",
    "mean_average_precision",
    "ranks",
    "wilson_interval",
]
