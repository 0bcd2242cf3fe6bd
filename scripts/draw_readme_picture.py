"""Draw the README's picture of the table and the timeline, from a real clip and the real network.

    python scripts/draw_readme_picture.py [VIDEO]

Writes docs/classify.svg and docs/timeline.png.
"""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

import quovadis
from quovadis.report.plot import plot_timeline
from quovadis.report.table import prediction_table

ROOT = Path(__file__).resolve().parents[1]
ASSETS = Path(os.environ.get("QUOVADIS_ASSETS", ROOT.parent / "shared"))


def main() -> None:
    video = Path(sys.argv[1]) if len(sys.argv) > 1 else ASSETS / "clips" / "clean_and_jerk.mp4"
    result = quovadis.load("rgb-scratch").classify(video)
    result = replace(result, source=video.name)
    console = Console(record=True, width=86, file=io.StringIO(), force_terminal=True)
    console.print(prediction_table(result))
    console.save_svg(str(ROOT / "docs" / "classify.svg"), title=f"quovadis classify {video.name}")
    plot_timeline(result, ROOT / "docs" / "timeline.png")


if __name__ == "__main__":
    main()
