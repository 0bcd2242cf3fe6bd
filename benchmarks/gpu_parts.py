"""Parts of a benchmark on a GPU, one after the other: those that fail are reported, and the rest go on."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gpu_case import ASSETS, Bench, Record
from rich.console import Console
from rich.table import Table


def run_parts(parser: argparse.ArgumentParser, parts: Mapping[str, Callable[[Bench], Any]], output: Path) -> None:
    """Run the parts that the command line asks for, and end the process.

    Figures go to a JSON file after every part, and to a table.
    """
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the script")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="the folder that holds assets/ and oracle/")
    parser.add_argument("--output", type=Path, default=output)
    parser.add_argument("--only", choices=parts, nargs="+", default=list(parts))
    parser.add_argument("--small", action="store_true", help="short clips and few rounds: a trial of the script")
    arguments = parser.parse_args()
    bench = Bench(arguments.device, arguments.assets, arguments.small)
    console = Console(width=150, highlight=False)
    found: Record = {}
    failed = False
    for part in arguments.only:
        start = time.perf_counter()
        try:
            found[part] = parts[part](bench)
        except Exception as error:  # one part must not cost the others
            failed = True
            found[part] = {"failed": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
        found.setdefault("part_seconds", {})[part] = time.perf_counter() - start
        arguments.output.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        show(console, part, found[part], found["part_seconds"][part])
    sys.exit(failed)


def show(console: Console, part: str, value: Any, seconds: float) -> None:
    """Print a part: a table where it is rows."""
    console.print(f"\n{part} ({seconds:.1f} s)")
    if isinstance(value, dict):
        for key, item in value.items():
            console.print(f"  {key}: {item}", markup=False)
        return
    keys = list(dict.fromkeys(key for row in value for key in row))
    table = Table(*keys)
    for row in value:
        table.add_row(*(_cell(row.get(key)) for key in keys))
    console.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, dict) and "clips_a_second" in value:
        return f"{value['clips_a_second']:.1f} clips/s, {value['seconds'] * 1e3:.2f} ms"
    if isinstance(value, dict) and all(isinstance(item, dict) for item in value.values()):
        return ", ".join(
            f"{key} {max(float(x) for x in item.values() if not isinstance(x, bool)):.1e}"
            for key, item in list(value.items())[-2:]
        )
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None else str(value).replace("[", r"\[")
