"""Videos for the commands: those of the jobs' own tests."""

from __future__ import annotations

from support.evaluation_fixtures import listed, written
from support.feature_fixtures import originals, videos
from support.remembering import borrowed_model, one_network

__all__ = ["borrowed_model", "listed", "one_network", "originals", "videos", "written"]
