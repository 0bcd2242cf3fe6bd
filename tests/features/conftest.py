"""Videos of which features are extracted."""

from __future__ import annotations

from support.feature_fixtures import originals, videos

__all__ = ["originals", "videos"]
