"""What `--help` prints: parameters in groups, fit for any terminal, examples at the end."""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

import typer
from typer.models import ArgumentInfo, ParameterInfo

ARGUMENTS, OPTIONS, HELP = "Arguments", "Options", "Help"
"""Groups of parameters that name none, and of those that every command has."""
MAX_WIDTH = 100
MAX_NAMES = 28
"""Columns for the names of options; longer ones have a line of their own."""
NARROW = 60
"""Columns below which every option's help stands under its names."""
METAVARS: Mapping[Any, str] = {int: "N", float: "X", Path: "PATH", str: "NAME"}


class Row(NamedTuple):
    """A line of help."""

    group: str
    names: str
    """Of an option with what it takes, of an argument, or of a command."""
    text: str


def parameter_row(parameter: inspect.Parameter) -> Row:
    """Return the help on a command's parameter, annotated as Typer wants it."""
    kind, *notes = get_args(parameter.annotation)
    info = next(note for note in notes if isinstance(note, ParameterInfo))
    kind, choices = _plain(kind)
    is_argument = isinstance(info, ArgumentInfo)
    metavar = info.metavar or ("|".join(choices) or METAVARS.get(kind, "NAME"))
    facts = []
    names = _argument_name(parameter, info) if is_argument else _option_names(parameter.name, info, kind, metavar)
    if choices and info.metavar is None and len(names) > MAX_NAMES:
        facts.append(", ".join(choices))
        names = _option_names(parameter.name, info, kind, "NAME")
    if info.min is not None:
        facts.append(f"{info.min:g} or more" if info.max is None else f"{info.min:g} to {info.max:g}")
    if default := _default(info.show_default, parameter.default):
        facts.append(f"default: {default}")
    group = info.rich_help_panel or (ARGUMENTS if is_argument else OPTIONS)
    return Row(group, names, " ".join([info.help or "", *([f"[{'; '.join(facts)}]"] if facts else [])]))


def help_text(path: str, summary: str, rows: Iterable[Row], usage: str, examples: str = "") -> str:
    """Return all of a command's help, for the terminal as wide as it is.

    Args:
        path: the command as it is typed, without its parameters.
        summary: what it does.
        rows: its parameters, or commands.
        usage: what follows `path`.
        examples: lines that are shown as they are.
    """
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
    indent = " " * len(head := f"Usage: {path} ")
    lines = textwrap.wrap(usage, width, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)
    lines += ["", *textwrap.wrap(summary, width)]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    column = 4 + max(len(row.names) for members in groups.values() for row in members if len(row.names) <= MAX_NAMES)
    for group, members in groups.items():
        lines += ["", typer.style(f"{group}:", bold=True)]
        for row in members:
            lines += _row_lines(row, column, width)
    if examples:
        lines += ["", typer.style("Examples:", bold=True), *textwrap.indent(examples, "  ").splitlines()]
    return "\n".join(lines) + "\n"


def usage_of(parameters: Iterable[inspect.Parameter]) -> str:
    """Return what follows a command's name: `[OPTIONS] SOURCE...`."""
    pieces = ["[OPTIONS]"]
    for parameter in parameters:
        info = next(note for note in get_args(parameter.annotation)[1:] if isinstance(note, ParameterInfo))
        if isinstance(info, ArgumentInfo):
            name = _argument_name(parameter, info)
            pieces.append(name if parameter.default is inspect.Parameter.empty else f"[{name}]")
    return " ".join(pieces)


def _row_lines(row: Row, column: int, width: int) -> list[str]:
    first = f"  {row.names}"
    is_beside = width >= NARROW and len(first) <= column - 2
    indent = column if width >= NARROW else 8
    text = textwrap.wrap(row.text, width - indent, break_on_hyphens=False, break_long_words=False)
    lines = [" " * indent + line for line in text]
    if is_beside and lines:
        return [first.ljust(indent) + lines[0].lstrip(), *lines[1:]]
    return [first if width >= NARROW else f"  {row.names.strip()}", *lines]


def _plain(kind: Any) -> tuple[Any, list[str]]:
    """Return the type of one value without `None`, and the choices of a `Literal`."""
    if get_origin(kind) is Literal:
        return str, [str(choice) for choice in get_args(kind)]
    inner = [one for one in get_args(kind) if one is not type(None)]
    return _plain(inner[0]) if inner else (kind, [])


def declared_flags(info: ParameterInfo) -> list[str]:
    """Return the flags that an option declares; Typer takes the first for a default until it has read them."""
    return [flag for flag in (info.default, *(info.param_decls or ())) if isinstance(flag, str) and flag[:1] == "-"]


def _option_names(name: str, info: ParameterInfo, kind: Any, metavar: str) -> str:
    """Return an option's names and what it takes; they stand under each other, with a short one in front or without."""
    declared = declared_flags(info)
    plain = f"--{name.replace('_', '-')}"
    long = next(
        (one for one in declared if one.startswith("--")), f"{plain}/--no-{plain[2:]}" if kind is bool else plain
    )
    short = next((one for one in declared if not one.startswith("--")), None)
    return f"{'    ' if short is None else f'{short}, '}{long}{'' if kind is bool else f' {metavar}'}"


def _argument_name(parameter: inspect.Parameter, info: ParameterInfo) -> str:
    return (info.metavar or parameter.name.upper()).strip("[]")


def _default(shown: object, default: object) -> str:
    if isinstance(shown, str):
        return shown
    if shown is False or default is inspect.Parameter.empty or default is None or isinstance(default, bool):
        return ""
    return f"{default:g}" if isinstance(default, float) else str(default)
