"""Public names that are imported when they are asked for (PEP 562), so that importing the package takes no second."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any


def lazy_attributes(
    package: str, names: Mapping[str, Collection[str]], modules: Collection[str] = ()
) -> tuple[list[str], Callable[[str], Any]]:
    """Return the public names of a package, sorted, and the function that imports one: its `__getattr__`.

    Args:
        package: its full name.
        names: by the module of the package that has them.
        modules: those that are there as attributes without being imported by name.
    """
    homes = {name: f"{package}.{module}" for module, own in names.items() for name in own}

    def attribute(name: str) -> Any:
        if name in homes:
            value = getattr(import_module(homes[name]), name)
        elif name in modules:
            value = import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(import_module(package), name, value)
        return value

    return sorted(homes), attribute
