"""Inflation: I3D begun from a network for images, Inception-v1, as the paper begins from one trained on ImageNet.

Each filter is repeated along time and divided by its temporal extent, so that a video of one repeated picture gives
what the picture gave (paper, section 3, "Bootstrapping 3D filters from 2D filters").
"""

from __future__ import annotations

from quovadis.inflation.file import Inflation, check_name, inflate
from quovadis.inflation.input_scaling import InputScaling

__all__ = ["Inflation", "InputScaling", "check_name", "inflate"]
