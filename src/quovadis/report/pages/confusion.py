"""The confusion matrix as a picture."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quovadis.evaluation.predictions import VideoScores
from quovadis.metrics import confusion_matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_NAMES = 40
"""More classes have numbers on the axes, a few of them."""
_LONGEST_NAME = 40
_MAX_TICKS = 20
_MIN_INCHES, _MAX_INCHES, _INCHES_A_CLASS = 3.0, 10.0, 0.25
_DOTS_PER_INCH = 120
_LARGE_EXPONENT = 1 / 3
_LARGE_TICKS = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 1)
"""On the bar of colours of a large matrix."""


def confusion_png(predictions: VideoScores) -> bytes:
    """Draw what share of each class's videos was taken for which class, of the classes that occur, as PNG."""
    figure = confusion_figure(predictions)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A script that the font lacks is drawn as boxes; the tables have the names.
        warnings.filterwarnings("ignore", "Glyph")
        # The version of matplotlib in the file would make pictures differ that are alike.
        figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH, bbox_inches="tight", metadata={"Software": None})
    return buffer.getvalue()


def confusion_figure(predictions: VideoScores) -> Figure:
    """Return the picture before it is a file: the matrix, and beside it the bar of colours."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import Normalize, PowerNorm
    from matplotlib.figure import Figure

    shares, occurring = _shares(predictions)
    side = min(max(_INCHES_A_CLASS * len(occurring), _MIN_INCHES), _MAX_INCHES)
    # A figure of its own, not pyplot: no global state, no window system. Names stand outside of it; the picture grows.
    figure = Figure(figsize=(side, side))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    if not len(occurring):
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no video was evaluated", ha="center", va="center")
        return figure
    colours = colormaps["Blues"].with_extremes(bad="0.85")
    is_large = names_are_numbers(predictions)
    # Among many classes one is seldom taken for the same other: a few hundredths must show too.
    norm = PowerNorm(_LARGE_EXPONENT, 0, 1) if is_large else Normalize(0, 1)
    image = axes.imshow(shares, cmap=colours, norm=norm, interpolation="nearest")
    bar = figure.colorbar(image, cax=figure.add_axes((1 + 0.2 / side, 0, 0.15 / side, 1)))
    if is_large:
        bar.set_ticks(_LARGE_TICKS, labels=[f"{tick:g}" for tick in _LARGE_TICKS])
        bar.minorticks_off()
    bar.set_label("share of the class's videos, by its cube root" if is_large else "share of the class's videos")
    _name_axes(axes, occurring, predictions.labels)
    return figure


def names_are_numbers(predictions: VideoScores) -> bool:
    """Tell whether so many classes occur that the picture has their numbers, not their names."""
    return len(_occurring(predictions)[1]) > MAX_NAMES


def _occurring(predictions: VideoScores) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the class that each video was taken for, and the classes that occur."""
    predicted = predictions.video_probabilities.argmax(axis=1)
    return predicted, np.union1d(predicted, predictions.truth)


def _shares(predictions: VideoScores) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the matrix, not a number where a class has no videos, and the classes that it is of."""
    predicted, occurring = _occurring(predictions)
    counts = confusion_matrix(predicted, predictions.truth, len(predictions.labels))[np.ix_(occurring, occurring)]
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.full(counts.shape, np.nan)
    np.divide(counts, totals, out=shares, where=totals > 0)
    return shares, occurring


def _name_axes(axes: Any, occurring: NDArray[np.int64], labels: tuple[str, ...]) -> None:
    count = len(occurring)
    if count <= MAX_NAMES:
        ticks, names, what = range(count), [_name(labels[index]) for index in occurring], ""
    else:
        ticks = range(0, count, -(-count // _MAX_TICKS))
        names, what = [str(occurring[index]) for index in ticks], ", by number of the output"
    # Names may hold what matplotlib reads as a formula.
    axes.set_xticks(ticks, names, rotation=90 if count <= MAX_NAMES else 0, parse_math=False)
    axes.set_yticks(ticks, names, parse_math=False)
    axes.set(xlabel=f"predicted class{what}", ylabel=f"class{what}")


def _name(label: str) -> str:
    """Return a name that can be drawn: text on one line, not too long."""
    line = " ".join(label.encode("utf-8", "replace").decode().split())
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 1] + "…"
