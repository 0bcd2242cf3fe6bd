"""Make hundreds of numbered videos of every kind and compare what is read with FFmpeg.

    python scripts/video_matrix.py --count 400 --jobs 4

Prints each difference and a summary; ends with exit code 1 if a difference is not listed as meant, or if one that is
listed did not occur.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "video"))

from compare import Difference, differences  # noqa: E402
from matrix import Case, covering_cases, make  # noqa: E402
from numbered import NotWritten  # noqa: E402


@dataclass(frozen=True)
class Outcome:
    """What came of one video."""

    name: str
    found: list[Difference]
    not_written: str | None = None


def try_case(case: Case) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = make(case, Path(folder))
        except NotWritten as error:
            return Outcome(str(case), [], str(error).splitlines()[-1] if str(error) else "no reason given")
        try:
            return Outcome(str(case), differences(path, frame_seconds=1 / case.frames_per_second))
        except Exception as error:
            return Outcome(str(case), [Difference("refused", f"{type(error).__name__}: {error}")])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400, help="videos of the product of axes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="text in the name of a video")
    options = parser.parse_args()
    began = time.monotonic()
    cases = [case for case in covering_cases(options.count, options.seed) if options.only in str(case)]
    with ProcessPoolExecutor(options.jobs) as pool:
        for outcome in pool.map(try_case, cases):
            if outcome.not_written:
                print(f"NOT WRITTEN {outcome.name}: {outcome.not_written}", flush=True)
            for difference in outcome.found:
                print(f"{outcome.name} || {difference}", flush=True)
    print(f"{len(cases)} videos in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
