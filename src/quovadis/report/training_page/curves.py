"""The curves of a training: loss, accuracy by epoch, learning rates by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from quovadis.report.pages.content import Chart, Curve, Section
from quovadis.report.training_page.history import TrainingEpoch, TrainingHistory, TrainingStep

_MAX_POINTS = 300
"""Of a curve by steps: of more steps, neighbours are averaged."""


def curves_sections(history: TrainingHistory) -> list[Section]:
    """Return the curves, as far as the training has come; none of the stage `head`, which has no steps."""
    if not history.steps:
        return []
    charts = [_losses(history), _figures(history), _step_losses(history), _rates(history)]
    return [Section("Curves", charts=tuple(chart for chart in charts if chart is not None))]


def _losses(history: TrainingHistory) -> Chart | None:
    curves = (
        _curve("training", history.epochs, lambda epoch: epoch.train_loss),
        _curve("validation", history.epochs, lambda epoch: epoch.loss),
    )
    return _by_epoch("Loss by epoch", curves, history)


def _figures(history: TrainingHistory) -> Chart | None:
    name = "map" if history.is_multi_label else "top1"
    title = "Mean average precision by epoch" if history.is_multi_label else "Top-1 accuracy by epoch"
    curves = (
        _curve("video-wise", history.epochs, lambda epoch: epoch.figures.get(f"video_{name}", float("nan"))),
        _curve("clip-wise", history.epochs, lambda epoch: epoch.figures.get(f"clip_{name}", float("nan"))),
    )
    return _by_epoch(title, curves, history, is_share=True)


def _by_epoch(
    title: str, curves: tuple[Curve, ...], history: TrainingHistory, *, is_share: bool = False
) -> Chart | None:
    shown = tuple(curve for curve in curves if any(y == y for _, y in curve.points))
    if not shown:
        return None
    best = history.best
    return Chart(title, shown, "epoch", is_share, None if best is None else best.epoch, "best epoch")


def _curve(name: str, epochs: Sequence[TrainingEpoch], value: Callable[[TrainingEpoch], float]) -> Curve:
    return Curve(name, tuple((float(epoch.epoch), value(epoch)) for epoch in epochs))


def _step_losses(history: TrainingHistory) -> Chart:
    return Chart("Training loss by step", (_by_step("training", history.steps, lambda step: step.loss),), "step")


def _rates(history: TrainingHistory) -> Chart | None:
    rates = (("last layer", "head_rate"), ("other layers", "backbone_rate"))
    factors = _by_step("", history.steps, lambda step: step.rate_factor).points
    curves = tuple(
        Curve(title, tuple((step, factor * history.options[name]) for step, factor in factors))
        for title, name in rates
        if name in history.options
    )
    return Chart("Learning rate by step", curves, "step") if curves else None


def _by_step(name: str, steps: Sequence[TrainingStep], value: Callable[[TrainingStep], float]) -> Curve:
    length = -(-len(steps) // _MAX_POINTS)
    pieces = [steps[start : start + length] for start in range(0, len(steps), length)]
    return Curve(name, tuple((fmean(one.step for one in piece), fmean(map(value, piece))) for piece in pieces))
