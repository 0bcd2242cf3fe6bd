"""How a function becomes a command: options from fields, no name may be empty, and `--debug` is heard anywhere."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, fields, is_dataclass, replace
from functools import wraps
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import ParameterInfo

from quovadis.cli.help import HELP, OPTIONS, Row, declared_flags, help_text, parameter_row, usage_of
from quovadis.cli.spelling import start_command
from quovadis.cli.usage import (
    Excludes,
    Rule,
    UsageError,
    check_standard_input,
    check_together,
    command_line_checks,
    files_like_options,
    spelled,
    usage_message,
)
from quovadis.faults import show_tracebacks
from quovadis.limits import VideoLimits
from quovadis.options import ModelOptions
from quovadis.video.source import STANDARD_INPUT
from quovadis.weights import CATALOGUE
from quovadis.weights.load import AUTO

SAMPLING, OUTPUT, MODEL_PANEL, RUN = "Sampling", "Output", "Model", "Run"
"""Groups of options that several commands have."""
GROUPS: Mapping[Any, str] = {ModelOptions: MODEL_PANEL, VideoLimits: "Limits"}
"""Groups of the fields of classes of options."""
SHORT = {"weights": "-w"}
"""Short names of fields of options."""
LONG = {"from_endpoint": "--from", "file_format": "--dataset-format"}
"""Long names of fields of options, where they are other than the field's."""


def one_of(*names: str) -> Callable[[str], list[str]]:
    """Return what completes a value in a shell: those of the names that begin so; where none does, files."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete


complete_weights = one_of(AUTO, *CATALOGUE)
COMPLETIONS: Mapping[str, Any] = {"weights": complete_weights}
"""What completes the value of a field, where its type does not tell."""
HELP_ROW = Row(HELP, "-h, --help", "Show this message and exit.")


def _debug(value: bool) -> None:
    if value:
        show_tracebacks()


Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        help="Show the traceback of an unexpected error.",
        is_eager=True,
        callback=_debug,
        rich_help_panel=HELP,
    ),
]


QUIET_HELP = "Show only errors on stderr, and no table if results go to a file."
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help=QUIET_HELP, rich_help_panel=RUN)]
"""Of every command, so that a script can give it to all; some have nothing to leave out."""


class StrictCommand(TyperCommand):
    """A command whose arguments and options are never empty, and all have an effect together."""

    rules: ClassVar[Mapping[str, list[Rule]]] = {}
    """Which options go together, by the name of the parameter that the rules are about."""
    parameters: ClassVar[tuple[inspect.Parameter, ...]] = ()
    examples: ClassVar[str] = ""
    paths: ClassVar[frozenset[str]] = frozenset()
    """Parameters that are local paths, by name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line.

        Raises:
            UsageError: a value is empty, as that of a variable that is not set; a path would become the current folder.
                Or an address is given for a local path, which would have one slash less; or a file whose name begins
                with a dash, and so is read as options.
        """
        start_command(ctx)
        try:
            return self._parse(ctx, list(args))
        except UsageError as error:
            file = next(iter(files_like_options(args)), None)
            # Another option that is unknown has nothing to do with the file.
            unknown = getattr(error, "option_name", None)
            if file is None or ctx.resilient_parsing or (unknown is not None and not file.startswith(unknown)):
                raise
            raise UsageError(
                f"{usage_message(error)}; {file} is read as options: a file of this name is ./{file}", ctx
            ) from error

    def _parse(self, ctx: Any, args: list[str]) -> list[str]:
        there = [] if ctx.resilient_parsing else [file for file in files_like_options(args) if os.path.lexists(file)]
        if there:
            raise UsageError("what begins with a dash is an option", ctx)
        # As they are written: of a path nothing but "." would be left.
        values, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        for parameter in () if ctx.resilient_parsing else self.params:
            value = values.get(parameter.name or "")
            name = spelled(ctx, parameter.name or "", None)
            given_values: Sequence[Any] = value if isinstance(value, list | tuple) else [value]
            if parameter.name == "sources":
                check_standard_input(given_values)
            for one in given_values:
                if one == "":
                    raise UsageError(f"{name}: the value is empty; is a variable not set?", ctx)
                if parameter.name in self.paths and isinstance(one, str) and "://" in one:
                    raise UsageError(f"{name}: {one} is an address; give a local path", ctx)
                if parameter.name in self.paths and one == STANDARD_INPUT and name.isupper():
                    raise UsageError(f"{name}: - is no file; one of this name is ./-", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, whose flags messages name from now on.

        Raises:
            UsageError: options have no effect together.
        """
        start_command(ctx)
        check_together(ctx, self.rules)
        return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        rows = [parameter_row(parameter) for parameter in self.parameters]
        usage, summary = usage_of(self.parameters), self.help or ""
        formatter.write(help_text(ctx.command_path, summary, [*rows, HELP_ROW], usage, self.examples))


class CommandGroup(TyperGroup):
    """Several commands; without one of them it shows which there are."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line up to the command's name."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        commands = {name: command for name, command in self.commands.items() if not command.hidden}
        rows = [
            Row(str(getattr(command, "rich_help_panel", None) or "Commands"), name, command.help or "")
            for name, command in commands.items()
        ]
        for parameter in self.get_params(ctx):
            short = next((f"{one}, " for one in parameter.opts if not one.startswith("--")), "    ")
            long = next(one for one in parameter.opts if one.startswith("--"))
            rows.append(Row(OPTIONS, f"{short}{long}", str(getattr(parameter, "help", "") or "")))
        formatter.write(help_text(ctx.command_path, self.help or "", rows, "[OPTIONS] COMMAND [ARGS]..."))


@dataclass(frozen=True)
class Without:
    """Beside a class of options, in `Annotated`: fields that the command does not offer, and leaves as they are."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


PrintFormat = Annotated[
    Literal["table", "json"],
    typer.Option("--format", help="What to print.", rich_help_panel=OUTPUT),
    Excludes("as_json", unless="json"),
]


def add_command(
    app: typer.Typer, function: Callable[..., None], name: str | None = None, *, group: str | None = None
) -> None:
    """Make a function a command of an app, with what every command has.

    A parameter whose type is a class of options becomes an option for each field: its name, type, default and help. A
    command with `--json` and no `--format` of its own gets one, of which `--json` is the short form. `--quiet`, where
    the function does not take it, changes nothing. Examples are what follows "Examples:" in the docstring.

    Args:
        app: gets the command.
        function: does the work, with Typer's annotations, and rules on what goes together (`quovadis.cli.usage`).
        name: of the command; None: the function's.
        group: under which the command is listed.
    """
    parameters: list[inspect.Parameter] = []
    expanded: dict[str, tuple[Any, list[str]]] = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        # Of `Annotated[X, note]` these are X and the notes; of a plain class nothing.
        options, *notes = get_args(parameter.annotation) or (parameter.annotation,)
        if not is_dataclass(options):
            parameters.append(parameter)
            continue
        hidden = {name for note in notes for name in note.names}
        named = [field for field in fields(options) if field.name not in hidden]
        parameters += [_field_parameter(options, field, parameter.default) for field in named]
        expanded[parameter.name] = parameter.default, [field.name for field in named]
    names = {parameter.name for parameter in parameters}
    prints = "as_json" in names and not any(map(_names_format, parameters))
    if prints:
        index = [parameter.name for parameter in parameters].index("as_json")
        parameters.insert(index, _keyword("print_format", "table", PrintFormat))
    has_quiet = "quiet" in names
    parameters += [] if has_quiet else [_keyword("quiet", False, Quiet)]
    parameters.append(_keyword("debug", False, Debug))
    rules = {one.name: found for one in parameters if (found := _rules(one))}
    parameters = [one.replace(annotation=_without_rules(one.annotation)) for one in parameters]

    @wraps(function)
    def run(*, debug: bool, **values: Any) -> None:
        if not has_quiet:
            del values["quiet"]
        if prints:
            values["as_json"] |= values.pop("print_format") == "json"
        with command_line_checks():
            for group, (defaults, names) in expanded.items():
                values[group] = replace(defaults, **{one: values.pop(one) for one in names})
        function(**values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    summary, _, examples = (inspect.getdoc(function) or "").partition("\n\nExamples:\n")
    attributes = {
        "rules": rules,
        "parameters": tuple(parameters),
        "examples": inspect.cleandoc(examples),
        "paths": frozenset(one.name for one in parameters if _takes_path(one.annotation)),
    }
    kind = type("Command", (StrictCommand,), attributes)
    app.command(name, cls=kind, help=summary, rich_help_panel=group)(run)


def _takes_path(annotation: Any) -> bool:
    return annotation is Path or any(map(_takes_path, get_args(annotation)))


def _keyword(name: str, default: Any, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation)


def _names_format(parameter: inspect.Parameter) -> bool:
    infos = (note for note in get_args(parameter.annotation)[1:] if isinstance(note, ParameterInfo))
    return any("--format" in declared_flags(info) for info in infos)


def _rules(parameter: inspect.Parameter) -> list[Rule]:
    return [note for note in get_args(parameter.annotation)[1:] if isinstance(note, Rule)]


def _without_rules(annotation: Any) -> Any:
    kind, *notes = get_args(annotation)
    return Annotated[(kind, *(note for note in notes if not isinstance(note, Rule)))]


def _flags(field: Field[Any], flag: str, kind: Any) -> list[str]:
    """Return what Typer is told of a field's flags; told nothing, it makes `--name`, or `--name/--no-name`."""
    if field.name in SHORT:
        return [flag, SHORT[field.name]]
    return [flag] if field.name in LONG or (kind is bool and not field.default) else []


def _field_parameter(options: Any, field: Field[Any], defaults: Any) -> inspect.Parameter:
    """Return the parameter of a field of a class of options."""
    kind = get_type_hints(options)[field.name]
    if PathLike[str] in get_args(kind):
        # A file, a name or, in Python, more: on the command line a text.
        kind = str | None if NoneType in get_args(kind) else str
    elif get_origin(kind) is Sequence:
        kind = list[get_args(kind)[0]]  # type: ignore[misc]
    flag = LONG.get(field.name) or f"--{field.name.replace('_', '-')}"
    settings: dict[str, Any] = {
        "flags": _flags(field, flag, kind),
        "rules": [],
        "rich_help_panel": GROUPS.get(options),
        "autocompletion": COMPLETIONS.get(field.name),
        **field.metadata,
    }
    flags, rules = settings.pop("flags"), settings.pop("rules")
    annotation = Annotated[(kind, typer.Option(*flags, **settings), *rules)]  # type: ignore[valid-type]
    default = getattr(defaults, field.name)
    return _keyword(field.name, list(default) if isinstance(default, tuple) else default, annotation)
