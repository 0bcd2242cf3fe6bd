"""The timeline of a video as a picture."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from quovadis.durable import output_file
from quovadis.errors import MissingDependencyError, OutputError
from quovadis.results import VideoPrediction
from quovadis.video.source import short_name


def check_plot_dependency() -> None:
    """Refuse to promise a picture that cannot be drawn.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise MissingDependencyError("matplotlib", "plot", "drawing the timeline")


def picture_formats() -> list[str]:
    """Return the suffixes of pictures that can be drawn, without their dots."""
    from matplotlib.backend_bases import FigureCanvasBase

    return sorted(FigureCanvasBase.get_supported_filetypes())


def plot_timeline(result: VideoPrediction, path: Path, count: int = 5) -> None:
    """Draw the probability of the video's `count` best classes over time, one step a clip, their segments shaded.

    Args:
        result: a video's prediction.
        path: picture to write; the suffix says the format: .png, .svg, .pdf …
        count: how many classes to draw.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        OutputError: the picture cannot be written.
    """
    check_plot_dependency()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A figure of its own, not pyplot: no global state, no window system.
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    edges = np.array([clip.start_seconds for clip in result.clips] + [result.clips[-1].end_seconds])
    for prediction in result.top(count):
        values = np.array([clip.probabilities[prediction.index] for clip in result.clips])
        lines = axes.stairs(values, edges, baseline=None, linewidth=2, label=prediction.label)
        for segment in result.timeline or ():
            if segment.index == prediction.index:
                axes.axvspan(segment.start_seconds, segment.end_seconds, color=lines.get_edgecolor(), alpha=0.15, lw=0)
    axes.set(xlabel="seconds", ylabel="probability", ylim=(-0.02, 1.02), xlim=(edges[0], edges[-1]))
    # A file name may hold what matplotlib reads as a formula, and bytes that are no text.
    name = short_name(result.source).encode("utf-8", "replace").decode()
    axes.set_title(name, loc="left", fontsize="medium", parse_math=False)
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize="small")
    try:
        # The format is given, because the picture is first written under another name.
        with output_file(path) as temporary:
            figure.savefig(temporary, dpi=120, format=path.suffix.removeprefix(".") or "png")
    except ValueError as error:
        raise OutputError(f"{path}: cannot write the picture: {error}") from error
