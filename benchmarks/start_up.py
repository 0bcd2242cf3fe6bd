"""Seconds from the command to the result of one clip: the first start, which compiles, and later ones.

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

from quovadis import samples, weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    video = arguments.video or str(samples.sample_clip())
    path = weights.pull("rgb-scratch")
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "QUOVADIS_HOME": home}
        (Path(home) / "weights").symlink_to(path.parents[1])
        command = [sys.executable, "-m", "quovadis", "classify", video, "--weights", "rgb-scratch", "--clip", "centre"]
        seconds = []
        for _ in range(arguments.runs + 1):
            start = time.perf_counter()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - start)
    print(f"first start {seconds[0]:.2f} s, later starts median {median(seconds[1:]):.2f} s")


if __name__ == "__main__":
    main()
