"""Memory does not grow with a video's length."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import pytest

from support.synthetic import PRINT_PEAK

CLASSIFY = (
    """
import sys
import quovadis
model = quovadis.load("rgb-scratch", threads=2)
# Every frame is decoded and shown; the network runs on some, to keep the test short.
result = model.classify(sys.argv[1], quovadis.Sampling(clips=quovadis.SlidingWindows(clip_frames=16, stride=2500)))
print(len(result.clips))
"""
    + PRINT_PEAK
)


def write_test_source(path: Path, seconds: int, rate: Fraction = Fraction(1, 5)) -> Path:
    """1080p of FFmpeg's test source, at a low rate that makes ten minutes cheap; it is watched at 25 a second."""
    graph = av.filter.Graph()
    source = graph.add("testsrc2", f"size=1920x1080:rate={rate}:duration={seconds}")
    form = graph.add("format", "pix_fmts=yuv420p")
    sink = graph.add("buffersink")
    source.link_to(form)
    form.link_to(sink)
    graph.configure()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for number in range(int(seconds * rate)):
            frame = graph.pull()
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_ten_minutes_of_1080p_peak_within_5_percent_of_one_minute(rgb_scratch_path: Path, tmp_path: Path) -> None:
    peaks = {}
    for minutes, clips in ((1, 1), (10, 6)):
        path = write_test_source(tmp_path / f"{minutes}.mp4", 60 * minutes)
        run = subprocess.run(
            [sys.executable, "-c", CLASSIFY, str(path)], capture_output=True, text=True, check=True, timeout=240
        )
        found, peaks[minutes] = map(int, run.stdout.split())
        assert found == clips
    assert peaks[10] == pytest.approx(peaks[1], rel=0.05)
