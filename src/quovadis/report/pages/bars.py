"""Measured figures on one axis from 0 to 100 %, with intervals and published figures, drawn by CSS alone."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from quovadis.report.pages.content import Bar, fine_percent, interval_percent

_TICKS = (0, 25, 50, 75, 100)


def bars_html(bars: tuple[Bar, ...]) -> Iterator[str]:
    """Yield the lines of the drawing; none of no bars."""
    if not bars:
        return
    yield '<div class="bars">'
    for bar in bars:
        text = escape(_description(bar))
        yield f'<span class="name">{escape(bar.name)}</span>'
        yield f'<span class="track" role="img" aria-label="{text}" title="{text}">{_track(bar)}</span>'
        yield f'<span class="value">{fine_percent(bar.value)}</span>'
    ticks = "".join(f'<span style="left:{tick}%">{tick} %</span>' for tick in _TICKS)
    yield f'<span></span><span class="axis" aria-hidden="true">{ticks}</span><span></span>'
    yield "</div>"
    yield f'<p class="legend">{_legend(bars)}</p>'


def _track(bar: Bar) -> str:
    parts = []
    if bar.interval is not None:
        lower, upper = bar.interval
        parts.append(f'<span class="range" style="left:{100 * lower:.2f}%;width:{100 * (upper - lower):.2f}%"></span>')
    parts.append(f'<span class="point" style="left:{100 * bar.value:.2f}%"></span>')
    for mark in bar.marks:
        kind = "mark" if mark.same_protocol else "mark other"
        parts.append(f'<span class="{kind}" style="left:{100 * mark.value:.2f}%" title="{escape(mark.text)}"></span>')
    return "".join(parts)


def _description(bar: Bar) -> str:
    parts = [f"{bar.name}: {fine_percent(bar.value)}"]
    if bar.interval is not None:
        parts.append(f"95 % interval {interval_percent(bar.interval)}")
    return "; ".join([*parts, *(mark.text for mark in bar.marks)])


def _legend(bars: tuple[Bar, ...]) -> str:
    marks = [mark for bar in bars for mark in bar.marks]
    parts = ["Line: measured; band: its 95 % interval"]
    if any(mark.same_protocol for mark in marks):
        parts.append("full diamond: published for these weights and this protocol")
    if any(not mark.same_protocol for mark in marks):
        parts.append("hollow diamond: published for these weights, by another protocol")
    return "; ".join(parts) + "."
