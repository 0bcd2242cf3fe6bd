"""Make hundreds of numbered videos of every kind and compare what is read with FFmpeg.

    python scripts/video_matrix.py --count 400 --jobs 4

Prints each difference and a summary; ends with exit code 1 if a difference is not listed as meant
(`tests/support/meant.py`), or if one that is listed did not occur.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.compare import Difference  # noqa: E402
from support.matrix_files import matrix_files  # noqa: E402
from support.meant import MEANT, reason_for  # noqa: E402
from support.numbered import NotWritten  # noqa: E402


@dataclass(frozen=True)
class Outcome:
    """What came of one video."""

    name: str
    found: tuple[Difference, ...] = ()
    not_written: str = ""


def try_file(index: int, count: int, seed: int) -> Outcome:
    # By its index: what makes a file is no value that another process could be given.
    file = matrix_files(count, seed)[index]
    with tempfile.TemporaryDirectory() as folder:
        try:
            path, reference = file.prepare(Path(folder))
        except NotWritten as error:
            return Outcome(file.name, not_written=str(error).splitlines()[-1] if str(error) else "no reason given")
        try:
            return Outcome(file.name, tuple(file.compare(path, reference)))
        except Exception as error:
            return Outcome(file.name, (Difference("refused", f"{type(error).__name__}: {error}"),))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400, help="videos of the product of axes, beside the scenarios")
    parser.add_argument("--seed", type=int, default=0, help="which of them")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--only", default="", help="a text that the names of the videos hold")
    options = parser.parse_args()
    began = time.monotonic()
    names = [file.name for file in matrix_files(options.count, options.seed)]
    indices = [index for index, name in enumerate(names) if options.only in name]
    used: Counter[str] = Counter()
    unlisted = not_written = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        for outcome in pool.map(partial(try_file, count=options.count, seed=options.seed), indices):
            if outcome.not_written:
                not_written += 1
                print(f"not written  {outcome.name}: {outcome.not_written}", flush=True)
            for difference in outcome.found:
                meant = reason_for(outcome.name, difference)
                if meant is None:
                    unlisted += 1
                else:
                    used[meant.reason] += 1
                print(f"{'DIFFERENT' if meant is None else 'as meant'}  {outcome.name} | {difference}", flush=True)
    print(f"\n{len(indices)} videos, {len(indices) - not_written} written, in {time.monotonic() - began:.0f} s")
    print(f"{unlisted:5} differences that are not listed")
    for meant in MEANT:
        print(f"{used[meant.reason]:5} {meant.reason}")
    # A listed difference that is no more may go from the list; only a whole run can tell.
    is_whole = not options.only and options.count >= 400
    return 1 if unlisted or (is_whole and len(used) < len(MEANT)) else 0


if __name__ == "__main__":
    sys.exit(main())
