"""Figures that others published, to set beside one's own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedFigure:
    """Accuracy of some weights on some part of Kinetics-400."""

    weights: str
    part: str
    protocol: str
    """The protocol of ours that it was measured by."""
    top1: float
    """Percent."""
    top5: float
    """Percent."""
    source: str


PUBLISHED = (
    PublishedFigure("rgb-imagenet", "validation, all videos", "omz", 65.96, 86.01, "Open Model Zoo, i3d-rgb-tf"),
    PublishedFigure("rgb-imagenet", "validation, 400 videos", "omz", 67.0, 88.7, "Open Model Zoo, i3d-rgb-tf"),
    PublishedFigure("rgb-imagenet", "validation, 400 videos", "omz", 64.83, 84.58, "Open Model Zoo, accuracy checker"),
    PublishedFigure("rgb-imagenet", "test set", "deepmind", 71.1, 89.3, "kinetics-i3d, README"),
    PublishedFigure("rgb-scratch", "test set", "deepmind", 68.4, 88.0, "kinetics-i3d, README"),
)
"""Open Model Zoo's model card, the reference of its accuracy checker (778 and 1015 of 1200 clips), and the original
repository."""
