"""The report of a training: how it went, how good the network is, and what it still gets wrong."""

from __future__ import annotations

from quovadis.report.training_page.history import TrainingHistory, read_training
from quovadis.report.training_page.sections import RunCost
from quovadis.report.training_page.write import TrainingPage, write_training_report

__all__ = ["RunCost", "TrainingHistory", "TrainingPage", "read_training", "write_training_report"]
