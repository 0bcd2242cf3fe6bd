"""How a function becomes a command: options from fields, no name may be empty, and `--debug` is heard anywhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import Field, dataclass, fields, is_dataclass, replace
from functools import wraps
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer.core import TyperCommand

from quovadis.cli.spelling import start_command
from quovadis.errors import QuovadisError
from quovadis.faults import show_tracebacks

SHORT = {"weights": "-w"}
"""Short names of fields of options."""


def _debug(value: bool) -> None:
    if value:
        show_tracebacks()


Debug = Annotated[
    bool,
    typer.Option("--debug", help="Show the traceback of an unexpected error.", is_eager=True, callback=_debug),
]


class StrictCommand(TyperCommand):
    """A command whose arguments and options are never empty, as they are where a script's variable is not set."""

    paths: frozenset[str] = frozenset()
    """Parameters that are local paths, by name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line.

        Raises:
            QuovadisError: a value is empty. A path would become the current folder.
            BadParameter: an address is given for a local path, which would have one slash less.
        """
        given = list(args)
        rest = super().parse_args(ctx, args)
        # As they were written: of a path nothing but "." is left by now.
        values, _, _ = self.make_parser(ctx).parse_args(args=given)
        for parameter in self.params:
            value = values.get(parameter.name or "")
            argument = str(parameter.metavar or parameter.name).strip("[].").upper()
            name = parameter.opts[0] if parameter.opts[0].startswith("-") else argument
            for one in value if isinstance(value, list | tuple) else [value]:
                if one == "":
                    raise QuovadisError(f"{name}: the value is empty; is a variable not set?")
                if parameter.name in self.paths and isinstance(one, str) and "://" in one:
                    raise typer.BadParameter(f"{name}: {one} is an address; give a local path")
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command, whose flags messages name from now on."""
        start_command(ctx)
        return super().invoke(ctx)


@dataclass(frozen=True)
class Without:
    """Beside a class of options, in `Annotated`: fields that the command does not offer, and leaves as they are."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


def add_command(app: typer.Typer, function: Callable[..., None], name: str | None = None) -> None:
    """Make a function a command of an app, with what every command has.

    A parameter whose type is a class of options becomes an option for each field: its name, type, default and help.
    """
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[Any, list[str]]] = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        # Of `Annotated[X, note]` these are X and the notes; of a plain class nothing.
        options, *notes = get_args(parameter.annotation) or (parameter.annotation,)
        if not is_dataclass(options):
            parameters.append(parameter)
            continue
        hidden = {name for note in notes for name in note.names}
        named = [field for field in fields(options) if field.name not in hidden]
        parameters += [_field_parameter(options, field, parameter.default) for field in named]
        groups[parameter.name] = parameter.default, [field.name for field in named]
    parameters.append(
        inspect.Parameter("debug", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False, annotation=Debug)
    )

    @wraps(function)
    def run(*, debug: bool, **values: Any) -> None:
        for group, (defaults, names) in groups.items():
            values[group] = replace(defaults, **{one: values.pop(one) for one in names})
        function(**values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    paths = frozenset(one.name for one in parameters if _takes_path(one.annotation))
    app.command(name, cls=type("Command", (StrictCommand,), {"paths": paths}))(run)


def _takes_path(annotation: Any) -> bool:
    return annotation is Path or any(map(_takes_path, get_args(annotation)))


def _field_parameter(options: Any, field: Field[Any], defaults: Any) -> inspect.Parameter:
    """Return the parameter of a field of a class of options."""
    kind = get_type_hints(options)[field.name]
    if PathLike[str] in get_args(kind):
        # A file, a name or, in Python, more: on the command line a text.
        kind = str | None if NoneType in get_args(kind) else str
    flags = [f"--{field.name.replace('_', '-')}", SHORT[field.name]] if field.name in SHORT else []
    option = typer.Option(*flags, **field.metadata)
    return inspect.Parameter(
        field.name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=getattr(defaults, field.name),
        annotation=Annotated[kind, option],
    )
