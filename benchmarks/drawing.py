"""Draws what `run.py` measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

OURS, THEIRS = "#0b7285", "#adb5bd"

PARTS = ("single_clip", "dense", "commands")
"""What is drawn."""


def draw(found: dict[str, Any], path: Path) -> None:
    """Write a PNG: one clip by engine, dense mode beside sliding windows, memory by length of video."""
    figure, (clip, stream, memory) = plt.subplots(
        1, 3, figsize=(15, 4.4), width_ratios=(2.4, 1.1, 1.1), layout="constrained"
    )
    rows = sorted(found["single_clip"], key=lambda row: row["seconds"], reverse=True)
    colours = [OURS if row["name"].startswith("ours") else THEIRS for row in rows]
    bars = clip.barh(
        [row["title"] for row in rows],
        [row["seconds"] for row in rows],
        xerr=[
            [row["seconds"] - row["least"] for row in rows],
            [row["greatest"] - row["seconds"] for row in rows],
        ],
        color=colours,
        ecolor="#495057",
    )
    clip.bar_label(bars, [f"{row['seconds']:.2f} s" for row in rows], padding=6)
    clip.set_title("One clip of 79 frames, seconds (median; least to greatest)")
    clip.margins(x=0.12)
    for offset, key, colour in ((-0.2, "dense", OURS), (0.2, "sliding", THEIRS)):
        places = [index + offset for index in range(len(found["dense"]))]
        bars = stream.bar(places, [row[key] for row in found["dense"]], 0.4, color=colour, label=key)
        stream.bar_label(bars, fmt="%.0f")
    stream.set_xticks(range(len(found["dense"])), [row["precision"] for row in found["dense"]])
    stream.set_title("A prediction every 8 frames,\nframes a second")
    stream.legend(frameon=False)
    for precision, marker in (("f32", "o"), ("int8", "s")):
        rows = [row for row in found["commands"] if row["precision"] == precision]
        minutes = [str(row["minutes"]) for row in rows]
        memory.plot(minutes, [row["peak_megabytes"] for row in rows], marker=marker, label=precision)
    memory.set_ylim(0, 1.2 * max(row["peak_megabytes"] for row in found["commands"]))
    memory.set_title("Peak memory,\nMB by minutes of video")
    memory.legend(frameon=False)
    for axes in (clip, stream, memory):
        axes.spines[["top", "right"]].set_visible(False)
    machines = [found["measured"][part]["machine"] for part in PARTS]
    # Named once where all parts were measured on one.
    named = dict.fromkeys(f"{machine['processor']}, {machine['threads']} threads" for machine in machines)
    figure.supxlabel("; ".join(named), fontsize=9)
    figure.savefig(path, dpi=110)
    plt.close(figure)
