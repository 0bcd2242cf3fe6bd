"""PyTorch on one GPU: is it right, and how fast is it? Needs no network; a few minutes on a large card.

Agreement with the oracle in float32 and half precision, clips a second by batch beside PyTorch's own module, what it
costs to bring frames to the card, memory, threads, errors, and the command. Parts that fail are reported and the rest
go on. Figures go to a JSON file after every part, and to a table at the end.

    python benchmarks/gpu.py [--device cuda] [--assets ../shared] [--output gpu.json] [--only PART …] [--small]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpu_case import Bench, machine
from gpu_checks import commands, errors, oracle, other_inputs, threads
from gpu_parts import run_parts
from gpu_speed import speed, transfers

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
    run_parts(parser, PARTS, Path("gpu.json"))


if __name__ == "__main__":
    main()
