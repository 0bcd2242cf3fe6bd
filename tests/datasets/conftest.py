"""The twelve videos of `support.colours`, once in every form."""

from __future__ import annotations

from support.evaluation_fixtures import dataset, listed, written

__all__ = ["dataset", "listed", "written"]
