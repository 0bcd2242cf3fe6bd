"""What is wrong with a command line whatever the files are: one class of error, and which options go together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import typer

from quovadis.cli.spelling import running, with_flags
from quovadis.errors import MissingDependencyError, QuovadisError
from quovadis.video.source import STANDARD_INPUT
from quovadis.video.sources import standard_input

UsageError: Any = typer.BadParameter.__bases__[0]
"""A wrong command line: one line on stderr, where to read more, and exit code 2."""
_PLAIN = {
    r"Value error, ": "",
    r"Input should be ": "must be ",
    r"Invalid value for ": "invalid ",
    r"a valid integer\b[^:]*": "a whole number",
    r"a valid number\b[^:]*": "a number",
    r"Unable to parse input string as an integer, exceeded maximum size": "must be a number of fewer digits",
    r"must be greater than or equal to (\S+)": r"must be \1 or more",
    r"must be less than or equal to (\S+)": r"must be \1 or less",
}


def usage_message(error: Any) -> str:
    """Return what is wrong with a command line, in one line without the ornaments of Typer's sentences."""
    said = " ".join(error.format_message().split()).removesuffix(".")
    for ornament, plain in _PLAIN.items():
        said = re.sub(ornament, plain, said)
    said = re.sub(r"'(-[\w-]+)'", r"\1", said)
    said = re.sub(r"^Got unexpected extra arguments?(?:\(s\))? \((.*)\)$", r"unexpected argument: \1", said)
    if possibilities := getattr(error, "possibilities", None):
        # Typer names them in the order of the alphabet.
        nearest = get_close_matches(error.option_name, possibilities, 1, cutoff=0)[0]
        said = re.sub(r" \(Possible options: .*\)$|; did you mean .*\?$", f"; did you mean {nearest}?", said)
    return said if said[1:2].isupper() else f"{said[:1].lower()}{said[1:]}"


@contextmanager
def command_line_checks() -> Iterator[None]:
    """Turn errors into usage errors: what is refused here is wrong whatever the files and the machine are.

    Raises:
        UsageError: in place of a `QuovadisError`, except that a package is missing, which is no fault of the command.
    """
    try:
        yield
    except MissingDependencyError:
        raise
    except QuovadisError as error:
        raise UsageError(with_flags(str(error)), running()) from error


class _Rule:
    """Options that another one depends on: by name, set to anything, or set to a value, or one of several."""

    def __init__(self, *names: str, **values: object) -> None:
        self.wanted: dict[str, object] = {**dict.fromkeys(names, ...), **values}

    def met(self, context: Any) -> list[str]:
        """Return the options that are set so, as the command line spells them."""
        return [
            spelled(context, name, context.params[name])
            for name, wanted in self.wanted.items()
            if _holds(context.params.get(name), wanted)
        ]


class Needs(_Rule):
    """Beside an option, in `Annotated`: it has an effect only with one of these."""

    def check(self, context: Any, name: str) -> None:
        """Refuse the option, which was given, without any of those that the command has."""
        there = {key: wanted for key, wanted in self.wanted.items() if key in context.params}
        if there and not self.met(context):
            values = {key: True if wanted is ... else wanted for key, wanted in there.items()}
            others = " or ".join(spelled(context, key, value) for key, value in values.items())
            raise UsageError(f"{_given(context, name)} has no effect without {others}", context)


class Excludes(_Rule):
    """Beside an option, in `Annotated`: no effect with any of these, unless its value is one that goes with them."""

    def __init__(self, *names: str, unless: object = (), **values: object) -> None:
        super().__init__(*names, **values)
        self._unless = unless

    def check(self, context: Any, name: str) -> None:
        """Refuse the option, which was given, with any of these."""
        for other in () if _holds(context.params[name], self._unless) else self.met(context):
            raise _no_effect(context, name, other)


class Alone:
    """Beside an option, in `Annotated`: no other has an effect with it, but for some."""

    def __init__(self, *allowed: str) -> None:
        self.allowed = {*allowed, "debug"}

    def check(self, context: Any, name: str) -> None:
        """Refuse whatever else was given."""
        for other in context.params:
            if other not in {name, *self.allowed} and is_given(context, other):
                raise _no_effect(context, other, _given(context, name))


Rule = Needs | Excludes | Alone


def check_together(context: Any, rules: Mapping[str, list[Rule]]) -> None:
    """Refuse options that have no effect together.

    Args:
        context: of the command, its parameters read.
        rules: by the name of the parameter that they are about.

    Raises:
        UsageError: naming both options.
    """
    for name, notes in rules.items():
        for rule in notes if is_given(context, name) else ():
            rule.check(context, name)


def files_like_options(arguments: Sequence[str]) -> list[str]:
    """Return the arguments that look like files and, since their names begin with one dash, are read as options."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return [one for one in options if re.fullmatch(r"-[^\W\d_-].*\.\w+", one)]


def check_standard_input(sources: Sequence[str]) -> None:
    """Refuse to read standard input twice, or to wait for a person to type a video.

    Raises:
        UsageError: it is given twice, or nothing is piped in.
    """
    if sources.count(STANDARD_INPUT) > 1:
        raise UsageError("- is given twice, but standard input can be read only once")
    if STANDARD_INPUT in sources:
        with command_line_checks():
            standard_input()


def is_given(context: Any, name: str) -> bool:
    """Tell whether a parameter stands on the command line, also if it has the value it would have anyhow."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def spelled(context: Any, name: str, value: object) -> str:
    """Return a parameter as the command line has it: `--dense`, `--clip centre`, `FAKE`."""
    parameter = next(one for one in context.command.params if one.name == name)
    if not parameter.opts[0].startswith("-"):
        return str(parameter.metavar or parameter.name).strip("[].").upper()
    if isinstance(value, bool):
        return str((parameter.opts if value else parameter.secondary_opts or parameter.opts)[0])
    choice = value[0] if isinstance(value, tuple) else value
    return f"{parameter.opts[0]} {choice}" if isinstance(choice, str) else str(parameter.opts[0])


def _given(context: Any, name: str) -> str:
    return spelled(context, name, context.params[name])


def _holds(value: object, wanted: object) -> bool:
    return bool(value) if wanted is ... else value in wanted if isinstance(wanted, tuple) else value == wanted


def _no_effect(context: Any, name: str, other: str) -> Exception:
    error: Exception = UsageError(f"{_given(context, name)} has no effect with {other}; leave one of them out", context)
    return error
