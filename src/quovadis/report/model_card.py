"""The model card, computed from the architecture."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from quovadis.architecture import (
    CLIP_FRAMES,
    FRAME_SIZE,
    INPUT_CHANNELS,
    NUM_CLASSES,
    PIXEL_MEAN,
    PIXEL_SCALE,
    flops,
    folded_parameters,
    multiply_adds,
    stored_parameters,
    summarize,
    time_steps,
    variable_shapes,
)
from quovadis.report.fitted_table import Column, FittedTable

PUBLISHED_ACCURACY = (
    ("rgb-imagenet", "Kinetics-400 validation", 65.96, 86.01),
    ("rgb-imagenet", "Kinetics-400 validation, 400 videos", 67.0, 88.7),
    ("rgb-imagenet", "Kinetics-400 test", 71.1, 89.3),
    ("rgb-scratch", "Kinetics-400 test", 68.4, 88.0),
)
"""Top-1 and top-5 in per cent, as published: Open Model Zoo's `i3d-rgb-tf`, and kinetics-i3d's README."""


def model_card(frames: int = CLIP_FRAMES, size: int = FRAME_SIZE, *, own_classes: int | None = None) -> dict[str, Any]:
    """Compute the model card for one clip, in JSON's types.

    Args:
        frames: of the clip.
        size: width and height of its frames, in pixels.
        own_classes: number of classes of other weights than those of Kinetics-400, such as the user's own, without
            published figures; None: the card is that of Kinetics-400.

    Raises:
        ArchitectureError: the network cannot take such a clip.
    """
    original, converted = [1, frames, size, size, INPUT_CHANNELS], [1, frames, INPUT_CHANNELS, size, size]
    classes = NUM_CLASSES if own_classes is None else own_classes
    rows = summarize(frames, size, size, num_classes=classes)
    folded = folded_parameters(classes)
    normalization = f"(x - {PIXEL_MEAN}) / {PIXEL_SCALE}"
    output = {"name": "Softmax", "shape": [1, classes], "layout": "B,C", "values": "probabilities in [0, 1]"}
    return {
        "name": "i3d-rgb",
        "task": f"video classification, {'Kinetics-400, ' if own_classes is None else ''}{classes} classes",
        "gflops": round(flops(frames, size, size, num_classes=classes) / 1e9, 3),
        "gmacs": round(multiply_adds(frames, size, size, num_classes=classes) / 1e9, 3),
        "mparams": round(folded / 1e6, 2),
        "parameters_folded": folded,
        "parameters_stored": stored_parameters(classes),
        "tensors_stored": len(variable_shapes()),
        "time_steps": time_steps(frames),
        "original": {
            "input": {
                "name": "Placeholder",
                "shape": original,
                "layout": "B,D,H,W,C",
                "values": f"RGB in [-1, 1]: {normalization}",
            },
            "output": output,
        },
        "converted": {
            "input": {
                "name": "Placeholder",
                "shape": converted,
                "layout": "B,D,C,H,W",
                "values": "RGB, raw 0..255; mean and scale inside",
            },
            "output": output,
        },
        "published_accuracy": [
            {"weights": weights, "dataset": dataset, "top1": top1, "top5": top5}
            for weights, dataset, top1, top5 in (PUBLISHED_ACCURACY if own_classes is None else ())
        ],
        "stages": [
            {
                "name": row.name,
                "shape": list(row.shape),
                "parameters": row.parameters,
                "gflops": round(row.flops / 1e9, 3),
            }
            for row in rows
        ],
    }


def model_card_table(card: dict[str, Any]) -> RenderableType:
    """Draw what `model_card` computed."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    facts.add_row("task", card["task"])
    facts.add_row("GFLOPs", f"{card['gflops']:.3f}   ({card['gmacs']:.3f} G multiply-adds in convolutions)")
    stored = f"{card['parameters_folded']:,} folded; {card['parameters_stored']:,} stored"
    facts.add_row("MParams", f"{card['mparams']:.2f}   ({stored} in {card['tensors_stored']} tensors)")
    for form in ("original", "converted"):
        for direction in ("input", "output"):
            port = card[form][direction]
            sizes = ",".join(map(str, port["shape"]))
            facts.add_row(f"{form} {direction}", f"{port['name']}  {sizes}  {port['layout']}  {port['values']}")
    for row in card["published_accuracy"]:
        published = f"top-1 {row['top1']} %, top-5 {row['top5']} % on {row['dataset']} (published)"
        facts.add_row(f"accuracy {row['weights']}", published)
    shape = Column("output T,H,W,C", is_optional=True)
    stages = FittedTable(Column("stage", is_text=True), shape, Column("parameters"), Column("GFLOPs"))
    for stage in card["stages"]:
        sizes = ",".join(map(str, stage["shape"]))
        stages.add_row(stage["name"], sizes, f"{stage['parameters']:,}", f"{stage['gflops']:.3f}")
    stages.add_row("total", "", f"{card['parameters_folded']:,}", f"{card['gflops']:.3f}", style="bold")
    return Group(Text("i3d-rgb", style="bold"), facts, "", stages)
