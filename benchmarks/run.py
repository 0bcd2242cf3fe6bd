"""Everything that is claimed of speed and memory, in one table: `make bench`.

Peers run side by side, on the same threads, taking turns; so do dense mode and sliding windows, and decoding, inference
and both. Figures go to docs/performance.json and are drawn in docs/performance.png.

    python benchmarks/run.py [--quick] [--threads 2] [--clips FOLDER] [--output docs/performance]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dense
import drawing
import footage
import int8_agreement
import machine
import peers
import roofline
import whole_files
from rich.console import Console
from rich.table import Table

from quovadis.samples import sample_clip

ROOT = Path(__file__).resolve().parents[1]
CLIPS = Path(os.environ.get("QUOVADIS_ASSETS", ROOT.parent / "shared")) / "clips"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true", help="fewer rounds, at most 10 minutes of video")
    parser.add_argument("--clips", type=Path, default=CLIPS, help="videos on which int8 is compared with float32")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "performance")
    arguments = parser.parse_args()
    threads, quick = arguments.threads, arguments.quick
    found: dict[str, Any] = {
        "machine": machine.describe(threads),
        "date": datetime.now(UTC).date().isoformat(),
        "command": "make bench",
    }
    tables = []

    def add(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        tables.append(_table(title, columns, rows))
        CONSOLE.print(tables[-1])

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found["roofline"] = roofline.measure(threads)
        frames = footage.sample_frames(sample_clip(), 60 * footage.RATE)
        peers.prepare(folder, frames[None, :79], frames[: 79 * 6].reshape(-1, 79, *frames.shape[1:]))
        found["single_clip"] = peers.measure(list(peers.PEERS), folder, threads, 5 if quick else 15)
        add("One clip of 79 frames", *_single_clip(found["single_clip"], found["roofline"]))
        found["dense"] = [
            dense.measure(frames, precision=precision, threads=threads, rounds=1 if quick else 2)
            for precision in ("f32", "int8")
        ]
        add("A prediction every 8 frames of a 60 s video", *_dense(found["dense"]))
        minute = folder / "minute.mp4"
        footage.write_minute(sample_clip(), minute)
        found["overlap"] = [
            {"precision": precision} | whole_files.measure_overlap(minute, threads, precision, 3 if quick else 7)
            for precision in ("f32", "int8")
        ]
        add("A 60 s file, H.264, 340x256", *_overlap(found["overlap"]))
        found["commands"] = []
        for minutes in (1, 10) if quick else (1, 10, 60):
            video = folder / f"{minutes}.mp4"
            footage.repeat(minute, video, minutes)
            for precision in ("f32", "int8"):
                measured = whole_files.measure_command(video, threads, precision)
                found["commands"].append({"minutes": minutes, "precision": precision} | measured)
        add("classify --dense, the whole command", *_commands(found["commands"]))
    if arguments.clips.is_dir():
        found["int8_agreement"] = int8_agreement.measure(arguments.clips, stride=40, threads=threads)
        add("int8 against float32, real clips", *_agreement(found["int8_agreement"]))
    else:
        print(f"int8 is not compared with float32: there is no folder {arguments.clips}; name one with --clips")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    drawing.draw(found, arguments.output.with_suffix(".png"))
    CONSOLE.rule()
    for key, value in found["machine"].items():
        CONSOLE.print(f"{key}: {value}", highlight=False)
    CONSOLE.print(*tables)


CONSOLE = Console(width=120)
Cells = tuple[Iterable[str], Iterable[Iterable[str]]]


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _single_clip(rows: list[dict[str, Any]], limits: dict[str, float]) -> Cells:
    columns = ("engine", "seconds", "least to greatest", "of OpenVINO's time", "of the matrix peak", "peak MB")
    by_name = {row["name"]: row["seconds"] for row in rows}

    def of_peak(row: dict[str, Any]) -> str:
        return f"{limits['clip_gflop'] / row['seconds'] / limits['matrix_gflops']:.2f}"

    print(f"int8: {by_name['ours-int8'] / by_name['openvino-nncf']:.3f} of NNCF's default")
    return columns, [
        (
            row["title"],
            f"{row['seconds']:.3f}",
            f"{row['least']:.3f} … {row['greatest']:.3f}",
            f"{row['of_openvino']:.2f}",
            of_peak(row),
            f"{row['peak_megabytes']:.0f}",
        )
        for row in rows
    ]


def _dense(rows: list[dict[str, Any]]) -> Cells:
    columns = ("precision", "dense, frames/s", "sliding, frames/s", "times as fast", "least to greatest")
    return columns, [
        (
            row["precision"],
            f"{row['dense']:.0f}",
            f"{row['sliding']:.1f}",
            f"{row['ratio']:.2f}",
            f"{row['least']:.2f} … {row['greatest']:.2f}",
        )
        for row in rows
    ]


def _overlap(rows: list[dict[str, Any]]) -> Cells:
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
        for row in rows
    ]


def _commands(rows: list[dict[str, Any]]) -> Cells:
    columns = ("minutes of video", "precision", "seconds", "times real time", "peak MB")
    return columns, [
        (
            str(row["minutes"]),
            row["precision"],
            f"{row['seconds']:.1f}",
            f"{60 * row['minutes'] / row['seconds']:.1f}",
            f"{row['peak_megabytes']:.0f}",
        )
        for row in rows
    ]


def _agreement(found: dict[str, dict[str, float]]) -> Cells:
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
        for mode, row in found.items()
    ]


if __name__ == "__main__":
    main()
