"""Weights files as tables: which are official, which are cached, whether their checksums hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from quovadis.escape import counted, printable
from quovadis.report.fitted_table import Column, FittedTable
from quovadis.report.training import FIGURE_TITLES, figures_line
from quovadis.training.options import TrainingOptions, unread_options
from quovadis.weights import CATALOGUE, InputSpecification, Verification, cached_path

_MAX_CLASSES = 30
"""Names of classes that are shown."""


def catalogue_records() -> list[dict[str, str | None]]:
    """Return the official weights in JSON's types: name, description, path in the cache or None."""
    records: list[dict[str, str | None]] = []
    for name, entry in CATALOGUE.items():
        path = cached_path(name)
        records.append({"name": name, "description": entry.description, "path": None if path is None else str(path)})
    return records


def catalogue_table() -> RenderableType:
    """List the official weights and where they are cached."""
    path = Column("cached at", is_text=True)
    table = FittedTable(
        Column("name", is_text=True, wraps=False), Column("trained on", is_text=True, is_optional=True), path
    )
    for record in catalogue_records():
        table.add_row(str(record["name"]), str(record["description"]), printable(record["path"] or "not cached"))
    return table


def verification_table(checked: Verification, training: Mapping[str, Any] = MappingProxyType({})) -> RenderableType:
    """Draw what `weights.verify` found, and how the weights were trained.

    Args:
        checked: what it found.
        training: what a file of weights says of its training, as `training_told` returns it; empty: nothing.
    """
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("weights", checked.official_name or ("not official" if checked.sha256 else "no usable weights"))
    if checked.sha256 is not None:
        table.add_row("identity", f"sha256 {checked.sha256}")
        table.add_row("checksums", f"correct for {checked.tensors} tensors, {checked.parameters:,} values")
        table.add_row("classes", escape(printable(_classes(checked))))
        for title, text in (("clips", _clips(checked.input)), *_training(training)):
            if text:
                table.add_row(title, escape(printable(text)))
    for file in checked.files:
        state = {True: ", the official file", False: ", NOT the official file", None: ""}
        table.add_row("file", f"{escape(printable(file.path))}  {file.size:,} bytes{state[file.official]}")
        table.add_row("", f"sha256 {file.sha256}")
    parts: list[RenderableType] = [table]
    if checked.problem is not None:
        parts.append(Text(printable(f"problem: {checked.problem}"), style="bold red"))
    return Group(*parts)


def _classes(checked: Verification) -> str:
    if checked.labels is None or checked.official_name is not None:
        return str(checked.num_classes)
    more = len(checked.labels) - _MAX_CLASSES
    names = (*checked.labels[:_MAX_CLASSES], *([f"and {more} more"] if more > 0 else []))
    return f"{checked.num_classes}: {', '.join(names)}"


def _clips(given: InputSpecification) -> str:
    parts = []
    if given.clip_frames is not None:
        parts.append(f"{given.clip_frames} frames")
    if given.fps is not None:
        parts.append("every frame of a video" if given.fps == "native" else f"{given.fps:g} frames a second")
    if given.short_side is not None:
        parts.append(f"short side {given.short_side}")
    if given.crop_size is not None:
        parts.append(f"crop {given.crop_size}x{given.crop_size}")
    return ", ".join(parts)


def _training(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is to be known of a training, by title; what a file says may be anything."""
    options, step, found = told.get("options"), told.get("step"), told.get("validation")
    if isinstance(options, dict):
        stage = options.get("stage")
        steps = f", {counted(step, 'step')}" if isinstance(step, int) and step else ""
        origin = f", from {told['initial_weights']}" if told.get("initial_weights") else ""
        yield "trained", f"stage {stage}{steps}{origin}"
        ignored = unread_options(stage) | {"stage"} if isinstance(stage, str) else {"stage"}
        defaults = TrainingOptions().to_dict()
        yield (
            "options",
            ", ".join(
                f"{name} {value}"
                for name, value in options.items()
                if name not in ignored and value != defaults.get(name)
            ),
        )
    if isinstance(found, dict):
        figures = {name: found[name] for name in FIGURE_TITLES if isinstance(found.get(name), float | int)}
        over = f", of {counted(videos, 'video')}" if isinstance(videos := found.get("videos"), int) else ""
        yield "validation", f"{figures_line(figures)}{over}" if figures else ""
