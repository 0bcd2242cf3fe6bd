"""How the command line says what messages name: keywords of Python become the flags of the command that runs."""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import Any

from quovadis.errors import in_python, spell_options
from quovadis.faults import DEBUG_VARIABLE

_running: Any = None
"""The context of the command that runs. Threads speak too, so that this is one for all of them."""


def start_command(context: Any) -> None:
    """Take a command, by its context, as the one whose flags are named from now on."""
    global _running
    _running = context


def running() -> Any:
    """Return the context of the command that runs."""
    return _running


def with_flags(text: str) -> str:
    """Return a message with the options in it as flags; those that the running command lacks stay as they are."""
    return spell_options(text, flag)


def flag(name: str, value: str | None) -> str:
    """Return an option as the running command takes it: `precision`, `"f32"` becomes `--precision f32`."""
    if name == DEBUG_VARIABLE:
        return "--debug"
    found = None
    # A file whose name looks like an option may hold anything.
    with suppress(ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        if _running is not None and name.startswith("quovadis."):
            found = _command_line(name.split(".")[1:], value or "()")
        elif _running is not None:
            found = _flag(_running.command, name, None if value is None else ast.literal_eval(value))
    return found or in_python(name, value)


def _flag(command: Any, name: str, value: Any) -> str | None:
    for parameter in command.params:
        if parameter.name == name and parameter.opts[0].startswith("-"):
            if isinstance(value, bool):
                return str((parameter.opts if value else parameter.secondary_opts or parameter.opts)[0])
            values = value if isinstance(value, list) else [value]
            return " ".join(parameter.opts[0] if one is None else f"{parameter.opts[0]} {one}" for one in values)
    return None


def _command_line(path: list[str], arguments: str) -> str | None:
    command = _running.find_root().command
    for part in path:
        command = getattr(command, "commands", {}).get(part)
    call = ast.parse(f"f{arguments}", mode="eval").body
    if command is None or not isinstance(call, ast.Call):
        return None
    given = [str(ast.literal_eval(argument)) for argument in call.args]
    flags = [_flag(command, item.arg or "", ast.literal_eval(item.value)) or "" for item in call.keywords]
    return " ".join(["quovadis", *path, *given, *flags])
