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
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "video"))

from compare import Difference, differences  # noqa: E402
from matrix import Case, covering_cases, make  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402
from numbered import NotWritten  # noqa: E402


@dataclass(frozen=True)
class Outcome:
    """What came of one video."""

    name: str
    found: list[Difference]
    not_written: str | None = None


def try_case(case: Case) -> Outcome:
    return _try(str(case), partial(make, case), frame_seconds=1 / case.frames_per_second)


def try_scenario(index: int) -> Outcome:
    scenario = SCENARIOS[index]
    return _try(str(scenario), scenario.make, has_notes=scenario.has_notes)


def _try(name: str, make_file: Callable[[Path], Path], *, frame_seconds: float = 0.04, has_notes: bool = False) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = make_file(Path(folder))
        except NotWritten as error:
            return Outcome(name, [], str(error).splitlines()[-1] if str(error) else "no reason given")
        try:
            return Outcome(name, differences(path, frame_seconds=frame_seconds, has_notes=has_notes))
        except Exception as error:
            return Outcome(name, [Difference("refused", f"{type(error).__name__}: {error}")])


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
        scenarios = [index for index, scenario in enumerate(SCENARIOS) if options.only in str(scenario)]
        for outcome in chain(pool.map(try_scenario, scenarios), pool.map(try_case, cases)):
            if outcome.not_written:
                print(f"NOT WRITTEN {outcome.name}: {outcome.not_written}", flush=True)
            for difference in outcome.found:
                print(f"{outcome.name} || {difference}", flush=True)
    print(f"{len(cases)} videos in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
