"""Seconds and memory from the command to its result: what only starts, and one clip, whose first start compiles.

    python benchmarks/start_up.py VIDEO [--runs 5]

The weights must be in the cache; compiled graphs go to a cache of their own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

STARTS = {
    "import quovadis": ["-c", "import quovadis"],
    "quovadis --version": ["-m", "quovadis", "--version"],
    "python alone": ["-c", "pass"],
}
"""What starts and does nothing else, and the interpreter itself, which is in all of them."""
CLASSIFY = ["-m", "quovadis", "classify", "--weights", "rgb-scratch", "--clip", "centre"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    for name, command in STARTS.items():
        # The first run reads files that the system does not have in memory yet.
        (_, *later), peak = measure(command, arguments.runs + 1, dict(os.environ))
        print(f"{name}: median {median(later):.3f} s, peak {peak:.0f} MiB")
    # Not before: a process counts what it was forked from, so that this one has to be smaller than what it measures.
    from quovadis import samples, weights

    video = arguments.video or str(samples.sample_clip())
    path = weights.pull("rgb-scratch")
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "weights").symlink_to(path.parents[1])
        environment = {**os.environ, "QUOVADIS_HOME": home}
        (first, *later), peak = measure([*CLASSIFY, video], arguments.runs + 1, environment)
    print(f"one clip: first start {first:.2f} s, later starts median {median(later):.2f} s, peak {peak:.0f} MiB")


def measure(arguments: list[str], runs: int, environment: dict[str, str]) -> tuple[list[float], float]:
    """Run Python and return the seconds of each run, and the largest resident set of any in MiB."""
    seconds, peak = [], 0
    for _ in range(runs):
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds.append(time.perf_counter() - start)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
        peak = max(peak, usage.ru_maxrss)
    # macOS counts bytes, and others kibibytes.
    return seconds, peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
