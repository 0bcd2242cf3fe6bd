"""Learning rates by the optimiser's step; a function of it, so that there is nothing to save."""

from __future__ import annotations

from math import cos, pi

from quovadis.training.options import TrainingOptions


def rate_factor(options: TrainingOptions, step: int, steps: int) -> float:
    """Return what the first learning rates are multiplied by.

    Args:
        options: the schedule, its milestones and factors, and the steps of warm-up.
        step: the optimiser's, from 0.
        steps: of the whole training, after which a cosine has come to zero.
    """
    warmup = min((step + 1) / options.warmup, 1.0) if options.warmup else 1.0
    if options.schedule == "constant":
        return warmup
    if options.schedule == "cosine":
        past = max(step - options.warmup, 0) / max(steps - options.warmup, 1)
        return warmup * 0.5 * (1 + cos(pi * min(past, 1.0)))
    factors = options.factors or tuple(10.0 ** -(place + 1) for place in range(len(options.milestones)))
    reached = sum(step >= milestone for milestone in options.milestones)
    return warmup * (factors[reached - 1] if reached else 1.0)
