"""The whole command on 1, 10 and 60 minutes of video, and how much of a file's time is decoding and inference.

python benchmarks/whole_files.py [--minutes 1 10 60] [--threads 2]
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

from footage import RATE, repeat, sample_frames, write_minute
from machine import peak_megabytes

from quovadis import Dense, Sampling, load
from quovadis.samples import sample_clip
from quovadis.video import open_video


def measure_command(video: Path, threads: int, precision: str) -> dict[str, float]:
    """Run `classify --dense` in a process of its own: seconds from start to end, and its peak memory."""
    command = [sys.executable, "-m", "quovadis", "classify", str(video), "--dense", "--weights", "rgb-scratch"]
    command += ["--precision", precision, "--threads", str(threads), "--format", "jsonl"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, peak_megabytes(process.pid))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return {"seconds": time.perf_counter() - start, "peak_megabytes": peak}


def measure_overlap(video: Path, threads: int, precision: str, rounds: int) -> dict[str, float]:
    """Decode a file, run the network over as many frames in memory, and do both as `classify` does; in turn."""
    sampling = Sampling(clips=Dense())
    frames = sample_frames(video, 60 * RATE)
    model = load("rgb-scratch", threads=threads, precision=precision, calibration_fallback=[frames])

    def decode() -> int:
        with open_video(video) as opened:
            return sum(1 for _ in opened.frames_ahead())

    actions = {
        "decoding": decode,
        "inference": lambda: model.classify(frames, sampling),
        "file": lambda: model.classify(video, sampling),
    }
    model.classify(frames[:200], sampling)
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - start)
    ratios = [
        whole / max(parts)
        for whole, *parts in zip(seconds["file"], seconds["decoding"], seconds["inference"], strict=True)
    ]
    return {name: median(values) for name, values in seconds.items()} | {
        "of_the_greater": median(ratios),
        "least": min(ratios),
        "greatest": max(ratios),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10, 60])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--precision", choices=("f32", "int8"), default="f32")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        minute = Path(folder) / "minute.mp4"
        write_minute(sample_clip(), minute)
        print(measure_overlap(minute, arguments.threads, arguments.precision, 3))
        for minutes in arguments.minutes:
            video = Path(folder) / f"{minutes}.mp4"
            repeat(minute, video, minutes)
            print(minutes, measure_command(video, arguments.threads, arguments.precision), flush=True)


if __name__ == "__main__":
    main()
