"""What `quovadis doctor` found, as plain lines to read and to paste; imports nothing that may be broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def diagnosis_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each fact, by section, and in the end what is wrong."""
    for name, section in found.items():
        if name != "problems" and section:
            yield f"{name}:"
            items = section.items() if isinstance(section, Mapping) else enumerate(section, start=1)
            for key, value in items:
                yield f"  {_label(key)}: {_text(key, value)}"
    problems = found["problems"]
    yield from (f"problem: {problem}" for problem in problems)
    if not problems:
        yield "no problem found"


def _label(key: Any) -> str:
    # Sizes are shown in MB.
    words = str(key).split("_")
    return " ".join(words[:-1] if words[1:] == ["bytes"] else ["size" if word == "bytes" else word for word in words])


def _text(key: Any, value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(f'{key}.{name}', one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value / 1e6:.1f} MB" if "bytes" in str(key) else str(value)
