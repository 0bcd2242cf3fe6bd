"""Curves over epochs or steps as SVG within the page, in its colours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from quovadis.report.pages.content import Chart, Curve, fine_number, percent

# A chart is hardly wider than a phone: on wide screens two stand side by side, so that their text is never small.
_WIDTH, _HEIGHT = 420, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 10, 40
_MAX_DOTS = 40
"""Of a curve with more points only the line is drawn."""
_Y_TICKS, _X_TICKS = 5, 6


def charts_html(charts: tuple[Chart, ...]) -> Iterator[str]:
    """Yield the lines of all drawings; none of no charts."""
    if not charts:
        return
    yield '<div class="charts">'
    for chart in charts:
        yield "<figure>"
        yield f"<figcaption>{escape(chart.title)}</figcaption>"
        yield from _Axes(chart).svg()
        names = " ".join(
            f'<span class="key curve{index}">{escape(curve.name)}</span>' for index, curve in enumerate(chart.curves)
        )
        mark = f' <span class="key mark">{escape(chart.mark_text)}</span>' if chart.mark_x is not None else ""
        yield f'<p class="legend">{names}{mark}</p>'
        yield "</figure>"
    yield "</div>"


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """Return round numbers, at most `count`, the first not above `low` and the last not below `high`."""
    span = high - low
    for exponent in range(math.floor(math.log10(span)) - 2, math.floor(math.log10(span)) + 2):
        for digit in (1, 2, 5):
            step = digit * 10.0**exponent
            first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
            if last - first < count:
                return [round(number * step, 12) for number in range(first, last + 1)]
    return [low, high]  # pragma: no cover - one of twelve steps always fits


class _Axes:
    """Where the points of a chart stand in its drawing."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        points = [point for curve in chart.curves for point in curve.points if math.isfinite(point[1])]
        xs, ys = ([point[axis] for point in points] or [0.0] for axis in (0, 1))
        self.x_low, self.x_high = min(xs), max(xs)
        if self.x_low == self.x_high:
            self.x_low, self.x_high = self.x_low - 0.5, self.x_high + 0.5
        if chart.is_share:
            self.y_ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
        else:
            low, high = min(0.0, *ys), max(ys)
            self.y_ticks = nice_ticks(low, high if high > low else low + 1, _Y_TICKS)

    def svg(self) -> Iterator[str]:
        yield (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(self._description())}" '
            'xmlns="http://www.w3.org/2000/svg">'
        )
        for tick in self.y_ticks:
            y = self._y(tick)
            text = f"{100 * tick:.0f} %" if self.chart.is_share else fine_number(tick)
            yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        for tick in self._x_ticks():
            yield f'<text x="{self._x(tick):.1f}" y="{_HEIGHT - 24}" text-anchor="middle">{fine_number(tick)}</text>'
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        yield f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(self.chart.x_title)}</text>'
        if self.chart.mark_x is not None:
            x = self._x(self.chart.mark_x)
            text = escape(self.chart.mark_text)
            yield f'<line class="best" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}">'
            yield f"<title>{text}</title></line>"
        for index, curve in enumerate(self.chart.curves):
            yield from self._curve(index, curve)
        yield "</svg>"

    def _curve(self, index: int, curve: Curve) -> Iterator[str]:
        for run in _runs(curve.points):
            places = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in run)
            if len(run) > 1:
                yield f'<polyline class="curve{index}" points="{places}"/>'
            if len(run) == 1 or len(curve.points) <= _MAX_DOTS:
                for x, y in run:
                    yield f'<circle class="curve{index}" cx="{self._x(x):.1f}" cy="{self._y(y):.1f}" r="2.5">'
                    value = percent(y) if self.chart.is_share else fine_number(y)
                    yield f"<title>{escape(curve.name)}, {escape(self.chart.x_title)} {x:g}: {value}</title></circle>"

    def _x_ticks(self) -> list[float]:
        # Epochs and steps are whole numbers; ticks outside of the curves are left out.
        ticks = nice_ticks(self.x_low, self.x_high, _X_TICKS + 2)
        return [tick for tick in ticks if self.x_low <= tick <= self.x_high and tick == round(tick)]

    def _x(self, x: float) -> float:
        return _LEFT + (x - self.x_low) / (self.x_high - self.x_low) * (_WIDTH - _LEFT - _RIGHT)

    def _y(self, y: float) -> float:
        low, high = self.y_ticks[0], self.y_ticks[-1]
        return _HEIGHT - _BOTTOM - (y - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def _description(self) -> str:
        """Return the chart in words, for who cannot see it."""
        parts = []
        for curve in self.chart.curves:
            values = [y for _, y in curve.points if math.isfinite(y)]
            shown = [percent(y) if self.chart.is_share else fine_number(y) for y in values]
            parts.append(f"{curve.name} from {shown[0]} to {shown[-1]}" if shown else f"{curve.name}: no figures")
        return f"{self.chart.title}: {'; '.join(parts)}"


def _runs(points: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    """Yield the parts of a curve between its gaps."""
    run: list[tuple[float, float]] = []
    for point in points:
        if math.isfinite(point[1]):
            run.append(point)
        elif run:
            yield run
            run = []
    if run:
        yield run
