"""Everything that is claimed of speed and memory, in one table: `make bench`.

Peers run side by side, on the same threads, taking turns; so do dense mode and sliding windows, and decoding, inference
and both. Figures go to docs/performance.json and are drawn in docs/performance.png.

    python benchmarks/run.py [--quick] [--only PART …] [--threads 2] [--clips FOLDER] [--output docs/performance]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dense
import drawing
import footage
import int8_agreement
import machine
import numpy as np
import oracle
import peers
import roofline
import whole_files
from rich.console import Console
from rich.table import Table

from quovadis import load
from quovadis.samples import sample_clip

ROOT = Path(__file__).resolve().parents[1]
CLIPS = oracle.ASSETS / "clips"


PARTS = ("single_clip", "dense", "overlap", "commands", "int8_agreement")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true", help="fewer rounds, at most 10 minutes of video")
    parser.add_argument("--only", choices=PARTS, nargs="+", help="measure these again and keep the rest of the file")
    parser.add_argument("--clips", type=Path, default=CLIPS, help="videos on which int8 is compared with float32")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "performance")
    arguments = parser.parse_args()
    report = arguments.output.with_suffix(".json")
    found: dict[str, Any] = json.loads(report.read_text("utf-8")) if arguments.only else {"command": "make bench"}
    with tempfile.TemporaryDirectory() as name:
        _measure(found, Path(name), arguments)
    # A part that is measured again may be of another machine than the rest.
    measured = {"machine": machine.describe(arguments.threads), "date": datetime.now(UTC).date().isoformat()}
    found.setdefault("measured", {}).update(dict.fromkeys(arguments.only or PARTS, measured))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    if missing := [part for part in drawing.PARTS if part not in found]:
        CONSOLE.print(f"no picture is drawn: {', '.join(missing)} not measured yet")
    else:
        drawing.draw(found, arguments.output.with_suffix(".png"))
    for part in PARTS:
        if part in found:
            CONSOLE.print(_table(part, found))
            for key, value in found["measured"][part]["machine"].items():
                CONSOLE.print(f"{key}: {value}", highlight=False)


def _measure(found: dict[str, Any], folder: Path, arguments: argparse.Namespace) -> None:
    threads, quick = arguments.threads, arguments.quick
    wanted = arguments.only or PARTS
    frames = footage.sample_frames(sample_clip(), 60 * footage.RATE)
    minute = folder / "minute.mp4"
    footage.write_minute(sample_clip(), minute)
    if "single_clip" in wanted:
        found["roofline"] = roofline.measure(threads)
        clip, expected = _clip_and_answer(frames)
        peers.prepare(folder, clip, frames[: 79 * 6].reshape(-1, 79, *frames.shape[1:]))
        found["single_clip"] = peers.measure(list(peers.PEERS), folder, threads, 5 if quick else 15, expected)
    if "dense" in wanted:
        found["dense"] = [
            dense.measure(frames, precision=precision, threads=threads, rounds=1 if quick else 2)
            for precision in PRECISIONS
        ]
    if "overlap" in wanted:
        found["overlap"] = [
            {"precision": precision} | whole_files.measure_overlap(minute, threads, precision, 3 if quick else 9)
            for precision in PRECISIONS
        ]
    if "commands" in wanted:
        found["commands"] = []
        for minutes in (1, 10) if quick else (1, 10, 60):
            video = folder / f"{minutes}.mp4"
            footage.repeat(minute, video, minutes)
            for precision in PRECISIONS:
                measured = whole_files.measure_command(video, threads, precision)
                found["commands"].append({"minutes": minutes, "precision": precision} | measured)
    if "int8_agreement" in wanted:
        if arguments.clips.is_dir():
            found["int8_agreement"] = int8_agreement.measure(arguments.clips, stride=40, threads=threads)
        else:
            print(f"int8 is not compared with float32: there is no folder {arguments.clips}; name one with --clips")


def _clip_and_answer(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the original's sample and what DeepMind's graph says of it; without them the first frames and OpenVINO."""
    if oracle.ASSETS.is_dir():
        return oracle.clip(), peers.probabilities_of(oracle.logits())
    print(f"no folder {oracle.ASSETS}: peers are compared with our graph on OpenVINO, not with DeepMind's")
    clip = frames[np.newaxis, :79]
    return clip, load("rgb-scratch", engine="openvino").run(clip).probabilities[0]


PRECISIONS = ("f32", "int8")
CONSOLE = Console(width=120)
Cells = tuple[Iterable[str], Iterable[Iterable[str]]]


def _table(part: str, found: dict[str, Any]) -> Table:
    title, cells = TABLES[part]
    columns, rows = cells(found)
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _single_clip(found: dict[str, Any]) -> Cells:
    columns = ("engine", "seconds", "least to greatest", "of OpenVINO's time", "of NNCF's time", "peak MB")
    rows = found["single_clip"]
    quantized = next(row["seconds"] for row in rows if row["name"] == "openvino-nncf")
    return columns, [
        (
            row["title"],
            f"{row['seconds']:.3f}",
            f"{row['least']:.3f} … {row['greatest']:.3f}",
            f"{row['of_openvino']:.2f}",
            f"{row['seconds'] / quantized:.2f}",
            f"{row['peak_megabytes']:.0f}",
        )
        for row in rows
    ]


def _dense(found: dict[str, Any]) -> Cells:
    columns = ("precision", "dense, frames/s", "sliding, frames/s", "times as fast", "least to greatest")
    return columns, [
        (
            row["precision"],
            f"{row['dense']:.0f}",
            f"{row['sliding']:.1f}",
            f"{row['ratio']:.2f}",
            f"{row['least']:.2f} … {row['greatest']:.2f}",
        )
        for row in found["dense"]
    ]


def _overlap(found: dict[str, Any]) -> Cells:
    columns = ("precision", "decoding alone, s", "inference alone, s", "file, s", "of the greater", "least to greatest")
    return columns, [
        (
            row["precision"],
            f"{row['decoding']:.2f}",
            f"{row['inference']:.2f}",
            f"{row['file']:.2f}",
            f"{row['of_the_greater']:.2f}",
            f"{row['least']:.2f} … {row['greatest']:.2f}",
        )
        for row in found["overlap"]
    ]


def _commands(found: dict[str, Any]) -> Cells:
    columns = ("minutes of video", "precision", "seconds", "times real time", "peak MB")
    return columns, [
        (
            str(row["minutes"]),
            row["precision"],
            f"{row['seconds']:.1f}",
            f"{60 * row['minutes'] / row['seconds']:.1f}",
            f"{row['peak_megabytes']:.0f}",
        )
        for row in found["commands"]
    ]


def _agreement(found: dict[str, Any]) -> Cells:
    columns = ("mode", "predictions", "top-1 agreement", "change of its probability: mean", "worst", "KL, mean")
    return columns, [
        (
            mode,
            f"{row['predictions']:.0f}",
            f"{100 * row['agreement']:.1f} %",
            f"{row['mean_change']:.4f}",
            f"{row['worst_change']:.4f}",
            f"{row['mean_divergence']:.5f}",
        )
        for mode, row in found["int8_agreement"].items()
    ]


TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], Cells]]] = {
    "single_clip": ("One clip of 79 frames", _single_clip),
    "dense": ("A prediction every 8 frames of a 60 s video", _dense),
    "overlap": ("A 60 s file, H.264, 340x256", _overlap),
    "commands": ("classify --dense, the whole command", _commands),
    "int8_agreement": ("int8 against float32, real clips", _agreement),
}


if __name__ == "__main__":
    main()
