"""Stop runs that have an older file of results at random moments, and look at what is left: `make soak`.

    python scripts/soak_results.py VIDEO [--moments 60] [--seed 0]

Each run classifies one video several times over an older file, as JSON, JSON lines or CSV, and is sent SIGINT, SIGTERM
or SIGKILL at a moment chosen at random between its start and its end. What is left has to be the older file to the
byte, or the whole new one; no traceback may be shown.

Then `classify --resume` and `fvd --resume` are killed (SIGKILL) at random moments, again and again until a run comes to
its end, which has to print the bytes of an undisturbed one. Exit code 1 if any of that fails once.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
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


def resumable_commands(folder: Path) -> dict[str, list[str]]:
    """Return commands over two folders of videos, by name, without the file to resume from."""
    quovadis = [sys.executable, "-m", "quovadis"]
    sets, network = [str(folder / "real"), str(folder / "fake")], ["-w", "rgb-scratch", "--threads", "1", "--quiet"]
    return {
        "classify": [*quovadis, "classify", *sets, *network, "--clip-frames", "9", "--duration", "0.5", "--json"],
        "fvd": [*quovadis, "fvd", *sets, *network, "--frames", "9", "--json"],
    }


def soak_resuming(video: Path, folder: Path, kills: int, generator: random.Random) -> int:
    """Kill runs that can go on, and return how many of them ended with another result than undisturbed ones."""
    for number, name in enumerate(["real"] * 3 + ["fake"] * 3):
        (folder / name).mkdir(exist_ok=True)
        shutil.copy(video, folder / name / f"{number}{video.suffix}")
    wrong = 0
    for name, run in resumable_commands(folder).items():
        started = time.monotonic()
        whole = subprocess.run(run, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        seconds, killed, ended, round_number = time.monotonic() - started, 0, 0, 0
        while killed < kills:
            resume = [*run, "--resume", str(folder / f"{name}-{round_number}.sqlite"), "--workers", str(killed % 3 + 1)]
            with subprocess.Popen(resume, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                timer = threading.Timer(generator.uniform(0, 1.1 * seconds), process.kill)
                timer.start()
                found, errors = process.communicate()
                timer.cancel()
            if process.returncode == -signal.SIGKILL:
                killed += 1
                continue
            ended, round_number = ended + 1, round_number + 1
            if process.returncode or found != whole:
                wrong += 1
                print(f"{name} --resume, round {round_number}: another result\n{errors.decode()}", file=sys.stderr)
        print(f"{name} --resume: killed {killed} times, {ended} came to their end, {wrong} wrong so far")
    return wrong


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
        wrong += soak_resuming(arguments.video, folder, arguments.moments // 2, generator)
    print(f"{arguments.moments} moments of runs of {seconds:.1f} s: {wrong} wrong; {dict(sorted(counts.items()))}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
