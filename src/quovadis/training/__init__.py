"""Training I3D: on one's own videos, or as the paper did."""

from __future__ import annotations

from quovadis.training.options import TrainingOptions, scaled

__all__ = ["TrainingOptions", "scaled"]
