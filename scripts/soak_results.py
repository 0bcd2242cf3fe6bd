"""Stop runs that have an older file of results at random moments, and look at what is left: `make soak`.

    python scripts/soak_results.py VIDEO [--moments 60] [--seed 0]

Each run classifies one video several times over an older file, as JSON, JSON lines or CSV, and is sent SIGINT, SIGTERM
or SIGKILL at a moment chosen at random between its start and its end. What is left has to be the older file to the
byte, or the whole new one; no traceback may be shown. Exit code 1 if that fails once.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

SUFFIXES = ("json", "jsonl", "csv")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
OLD = b"the results of another day\n"
VIDEOS = 4


def command(video: Path, output: Path) -> list[str]:
    options = ["-w", "rgb-scratch", "--threads", "1", "--clip-frames", "9", "--duration", "0.5", "-o", str(output)]
    return [sys.executable, "-m", "quovadis", "classify", *[str(video)] * VIDEOS, *options]


def measure(video: Path, folder: Path) -> tuple[float, dict[str, bytes]]:
    """Return how many seconds a whole run takes, and what it writes in each format."""
    wholes = {}
    started = time.monotonic()
    for suffix in SUFFIXES:
        path = folder / f"whole.{suffix}"
        subprocess.run(command(video, path), check=True, stdout=subprocess.DEVNULL)
        wholes[suffix] = path.read_bytes()
    return (time.monotonic() - started) / len(SUFFIXES), wholes


def stop_one(video: Path, folder: Path, suffix: str, number: signal.Signals, seconds: float) -> tuple[bytes, str]:
    """Run over an older file, stop it, and return what the file holds and what was said."""
    path = folder / f"keep.{suffix}"
    path.write_bytes(OLD)
    with subprocess.Popen(
        command(video, path), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep(seconds)
        process.send_signal(number)
        _, errors = process.communicate()
    return path.read_bytes(), errors


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--moments", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator, counts, wrong = random.Random(arguments.seed), Counter[str](), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds, wholes = measure(arguments.video, folder)
        for moment in range(arguments.moments):
            suffix, number = SUFFIXES[moment % 3], SIGNALS[moment // 3 % 3]
            after = generator.uniform(0, 1.1 * seconds)
            found, errors = stop_one(arguments.video, folder, suffix, number, after)
            state = "old" if found == OLD else "new" if found == wholes[suffix] else "neither"
            counts[f"{number.name} {state}"] += 1
            if state == "neither" or "Traceback" in errors:
                wrong += 1
                print(f"{number.name} after {after:.2f} s, {suffix}: {state}\n{errors}", file=sys.stderr)
    print(f"{arguments.moments} moments of runs of {seconds:.1f} s: {wrong} wrong; {dict(sorted(counts.items()))}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
