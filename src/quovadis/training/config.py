"""Configurations of trainings: files that people write, recipes that come with Quovadis, and what a run resolved."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

from quovadis.architecture import HEAD
from quovadis.durable import output_file
from quovadis.errors import QuovadisError, TrainingError
from quovadis.escape import escaped, parse_failure
from quovadis.extras import import_extra
from quovadis.training.options import BACKBONE_ONLY, StageName, TrainingOptions, check_effect

CONFIG_NAME = "config.toml"
"""In the folder of a run: all options as they were resolved."""
RECIPES = ("paper-kinetics", "paper-finetune", "charades")
"""Names of the configurations that come with Quovadis."""
_YAML = (".yaml", ".yml")
_EXPONENT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$")


def read_config(name_or_path: str) -> dict[str, Any]:
    """Read a configuration: options by name, as `TrainingOptions`, `ClipSampling` and `RunOptions` have them.

    Args:
        name_or_path: a recipe's name, or a file: TOML, or YAML if it ends in `.yaml` or `.yml`.

    Raises:
        TrainingError: it cannot be read.
        MissingDependencyError: the file is YAML, and PyYAML is not installed.
    """
    if name_or_path in RECIPES:
        return tomllib.loads(recipe_text(name_or_path))
    path = Path(name_or_path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        known = ", ".join(RECIPES)
        raise TrainingError(f"{path}: no such file, nor a recipe, which are {known}", option="config") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise TrainingError(f"{path}: cannot be read: {reason}", option="config") from error
    values = _from_yaml(text, path) if path.suffix.lower() in _YAML else _from_toml(text, path)
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise TrainingError(f"{path}: not a configuration: give options by name, one on each line", option="config")
    return values


def recipe_text(name: str) -> str:
    """Return the file of a recipe, whose comments say where its numbers are from."""
    return resources.files("quovadis.training").joinpath(f"recipes/{name}.toml").read_text(encoding="utf-8")


def _from_toml(text: str, path: Path) -> Any:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise TrainingError(f"{path}: not TOML: {parse_failure(error)}; fix it", option="config") from error


def _from_yaml(text: str, path: Path) -> Any:
    yaml = import_extra("yaml", f"reading {path.name}")

    class Loader(yaml.SafeLoader):  # type: ignore[misc, name-defined]
        """Reads 1e-3 as a number, which in YAML 1.1 must be written 1.0e-3."""

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789."))
    try:
        return yaml.load(text, Loader) or {}
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TrainingError(f"{path}: not YAML: {parse_failure(error)}; fix it", option="config") from error


def resolve(config: Mapping[str, Any], given: Mapping[str, Any], *defaults: Any, origin: str = "config") -> list[Any]:
    """Return options with the values of a configuration, and in their place those that were given beside it.

    Args:
        config: options by name.
        given: options by name, which count before those of the configuration.
        defaults: dataclasses, no two with a field of one name, whose fields the options are.
        origin: what errors call the configuration.

    Raises:
        TrainingError: an unknown name, or a value that is not possible.
    """
    names = {field.name for options in defaults for field in fields(options)}
    for name in config:
        if isinstance(config[name], dict):
            raise TrainingError(f'{origin}: "{name}" is a table: give options by name, in none', option="config")
        if name not in names:
            near = [own for own in names if own.startswith(f"{name}_")] or difflib.get_close_matches(name, names, 1)
            advice = f"is {near[0]} meant?" if near else f"there are {', '.join(sorted(names))}"
            raise TrainingError(f'{origin}: no option is called "{name}": {advice}', option="config")
    values = {**config, **given}
    if "steps" in given and "epochs" not in given:
        values.pop("epochs", None)
    elif "epochs" in given and "steps" not in given:
        # What is asked for counts, and not the configuration's other way to say how long.
        values.pop("steps", None)
    if "schedule" in given and given["schedule"] != "step":
        values = {name: value for name, value in values.items() if name not in ("milestones", "factors")}
    made = []
    for options in defaults:
        own = {field.name: values[field.name] for field in fields(options) if field.name in values}
        try:
            made.append(replace(options, **{name: _listed(value) for name, value in own.items()}))
        except QuovadisError as error:
            if error.option in config and error.option not in given:
                raise TrainingError(f"{origin}: {error}", option="config") from error
            raise
    for options in made:
        if isinstance(options, TrainingOptions):
            options.check_together()
    return made


def check_given(
    config: Mapping[str, Any], given: Mapping[str, Any], stage: StageName, *, origin: str = "config"
) -> None:
    """Refuse options that have no effect in the stage that was chosen.

    A configuration for another stage, such as a recipe, can be taken for any: only where its own stage is the one that
    counts must all of its options have an effect.

    Args:
        config: options by name.
        given: options by name, which count before those of the configuration.
        stage: the one that was chosen.
        origin: what errors call the configuration.

    Raises:
        TrainingError: naming the option.
    """
    _check_length(given)
    check_effect(given, stage)
    _check_frozen(given, {**config, **given}.get("from_endpoint"))
    if "stage" not in given:
        try:
            _check_length(config)
            check_effect(config, stage)
            if "from_endpoint" not in given:
                _check_frozen(config, config.get("from_endpoint"))
        except TrainingError as error:
            raise TrainingError(f"{origin}: {error}", option="config") from error


def _check_length(values: Mapping[str, Any]) -> None:
    if values.get("steps") is not None and values.get("epochs") is not None:
        raise TrainingError("`epochs` has no effect with `steps`: leave one of them out", option="epochs")


def _check_frozen(values: Mapping[str, Any], first_layer: str | None) -> None:
    if first_layer == HEAD.scope:
        for name in (name for name in BACKBONE_ONLY if name in values):
            raise TrainingError(
                f'`{name}` has no effect with `from_endpoint="{first_layer}"`, which trains the last layer alone: '
                "leave one of them out",
                option=name,
            )


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def write_config(path: Path, values: Mapping[str, Any]) -> None:
    """Write options by name as TOML; those without a value are left out.

    Raises:
        OutputError: the file cannot be written.
    """
    lines = [f"{name} = {_written(value)}\n" for name, value in values.items() if value is not None]
    with output_file(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def _written(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_written, value))}]"
    # Of TOML's values these are written as JSON's are, but for numbers such as 1e-07, which are the same too.
    return json.dumps(escaped(str(value)) if isinstance(value, str | Path) else value, ensure_ascii=False)
