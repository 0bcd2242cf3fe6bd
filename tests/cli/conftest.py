"""Videos for the commands: those of the jobs' own tests."""

from __future__ import annotations

from support.evaluation_fixtures import listed, written
from support.feature_fixtures import originals, videos

__all__ = ["listed", "originals", "videos", "written"]
