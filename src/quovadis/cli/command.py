"""What every command does before and besides its own work: no name may be empty, and `--debug` is heard anywhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from quovadis.cli.spelling import start_command
from quovadis.errors import QuovadisError
from quovadis.faults import show_tracebacks


def _debug(value: bool) -> None:
    if value:
        show_tracebacks()


Debug = Annotated[
    bool,
    typer.Option("--debug", help="Show the traceback of an unexpected error.", is_eager=True, callback=_debug),
]


class StrictCommand(TyperCommand):
    """A command whose arguments and options are never empty, as they are where a script's variable is not set."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line.

        Raises:
            QuovadisError: a value is empty. A path would become the current folder.
        """
        given = list(args)
        rest = super().parse_args(ctx, args)
        # As they were written: of a path nothing but "." is left by now.
        values, _, _ = self.make_parser(ctx).parse_args(args=given)
        for parameter in self.params:
            value = values.get(parameter.name or "")
            if any(isinstance(one, str) and not one for one in (value if isinstance(value, list | tuple) else [value])):
                argument = str(parameter.metavar or parameter.name).strip("[].").upper()
                name = parameter.opts[0] if parameter.opts[0].startswith("-") else argument
                raise QuovadisError(f"{name}: the value is empty; is a variable not set?")
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command, whose flags messages name from now on."""
        start_command(ctx)
        return super().invoke(ctx)


def add_command(app: typer.Typer, function: Callable[..., None], name: str | None = None) -> None:
    """Make a function a command of an app, with what every command has."""

    @wraps(function)
    def run(*, debug: bool, **values: Any) -> None:
        function(**values)

    signature = inspect.signature(function, eval_str=True)
    extra = inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Debug)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), extra])  # type: ignore[attr-defined]
    run.__annotations__ = {**function.__annotations__, "debug": Debug}
    app.command(name, cls=StrictCommand)(run)
