"""PyTorch on one GPU: is it right, and how fast is it? Needs no network; a few minutes on a large card.

Agreement with the oracle in float32 and half precision, clips a second by batch beside PyTorch's own module, what it
costs to bring frames to the card, memory, threads, errors, and the command. Parts that fail are reported and the rest
go on. Figures go to a JSON file after every part, and to a table at the end.

    python benchmarks/gpu.py [--device cuda] [--assets ../shared] [--output gpu.json] [--only PART …] [--small]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpu_case import ASSETS, Bench, Record, machine
from gpu_checks import commands, errors, oracle, other_inputs, threads
from gpu_speed import speed, transfers
from rich.console import Console
from rich.table import Table

PARTS: dict[str, Callable[[Bench], Any]] = {
    "machine": machine,
    "oracle": oracle,
    "speed": speed,
    "transfers": transfers,
    "commands": commands,
    "other_inputs": other_inputs,
    "threads": threads,
    "errors": errors,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the script")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="the folder that holds assets/ and oracle/")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"))
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--small", action="store_true", help="short clips and few rounds: a trial of the script")
    arguments = parser.parse_args()
    bench = Bench(arguments.device, arguments.assets, arguments.small)
    console = Console(width=150, highlight=False)
    found: Record = {}
    failed = False
    for part in arguments.only:
        start = time.perf_counter()
        try:
            found[part] = PARTS[part](bench)
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


if __name__ == "__main__":
    main()
