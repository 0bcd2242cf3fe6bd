"""The stage `head`: a new last layer on features that are computed once, in minutes and without a GPU.

The network's logits are linear in its pooled features and the clip's are their mean over time, so that the layer is a
multinomial logistic regression on one vector a clip: convex, and solved exactly by L-BFGS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quovadis.architecture import HEAD, convolution_variables
from quovadis.training.evaluate import Evaluation, summarize
from quovadis.training.head_features import HeadFeatures
from quovadis.training.losses import Loss, make_loss, one_hot
from quovadis.training.options import TrainingOptions
from quovadis.weights import Weights
from quovadis.weights.model import make_weights

PENALTIES = tuple(10.0**exponent for exponent in range(-5, 2))
"""Strengths of L2 on the layer that are tried, for features of unit variance."""
DEFAULT_PENALTY = 1e-2
"""Without a validation part to choose by."""
_ITERATIONS = 200


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A last layer and how good it is."""

    weights: NDArray[np.float32]
    """Shape 1024,classes."""
    bias: NDArray[np.float32]
    """Shape classes."""
    penalty: float
    """Strength of L2 that was chosen."""
    train_loss: float
    """Mean over the clips it was trained on, without the penalty."""
    evaluation: Evaluation | None
    """On the validation part; None: there is none."""
    tried: Mapping[float, float]
    """Score on the validation part by strength of L2."""

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits of features, whose last axis is of 1024 values."""
        found: NDArray[np.float32] = features @ self.weights + self.bias
        return found

    def put_on(self, backbone: Weights, labels: Sequence[str], path: Path) -> Weights:
        """Return the backbone's weights with this layer in place of their own.

        Args:
            backbone: what the features were computed with.
            labels: the class names, in output order.
            path: where the weights will be written.
        """
        names = convolution_variables(HEAD.convolution)
        tensors = {**backbone.tensors, names.weights: self.weights.reshape(1, 1, 1, *self.weights.shape)}
        return make_weights({**tensors, str(names.bias): self.bias}, path, path.stem, tuple(labels))


def train_head(
    training: HeadFeatures,
    validation: HeadFeatures | None,
    classes: int,
    options: TrainingOptions,
    *,
    on_penalty: Callable[[float, Evaluation], None] | None = None,
) -> TrainedHead:
    """Train the last layer with the strength of L2 that does best on the validation part.

    Args:
        training: features of the training part.
        validation: of the validation part; None: there is none, and the strength is `DEFAULT_PENALTY`.
        classes: how many there are.
        options: of which the loss, label smoothing and the balance of classes play a part.
        on_penalty: called with each strength that was tried, and what it came to.
    """
    targets = one_hot(torch.from_numpy(training.targets), classes)
    counts = targets.sum(0).tolist()
    loss = make_loss(options, counts)
    clip_weights = _balance(targets, counts) if options.balance == "sampler" else None
    problem = _Problem(training.values, targets, loss, clip_weights)
    if validation is None:
        return _head(problem, DEFAULT_PENALTY, None, {})
    tried: dict[float, Evaluation] = {}
    solutions: dict[float, Tensor] = {}
    start = None
    # From strong to weak: each solution is near the next one.
    for penalty in sorted(PENALTIES, reverse=True):
        start = solutions[penalty] = problem.solve(penalty, start)
        tried[penalty] = _evaluate(problem, solutions[penalty], validation, classes, options)
        if on_penalty is not None:
            on_penalty(penalty, tried[penalty])
    # Among equals, the one that is surer of what is right. Not the strongest within a standard error of the best, which
    # of ten videos is 10 to 15 %: hardly any strength lies outside, so that the strongest would win whatever they show.
    best = max(tried, key=lambda penalty: (tried[penalty].score, -tried[penalty].loss))
    scores = {penalty: found.score for penalty, found in tried.items()}
    return _head(problem, best, tried[best], scores, solutions[best])


class _Problem:
    """Logistic regression on clips, in float64 and with features of zero mean and unit variance."""

    def __init__(
        self, features: NDArray[np.float32], targets: Tensor, loss: Loss, weights: NDArray[np.float64] | None
    ) -> None:
        views = features.shape[1]
        values = torch.from_numpy(features.reshape(-1, features.shape[2])).double()
        self._targets = targets.double().repeat_interleave(views, 0)
        share = np.ones(len(features)) if weights is None else weights
        self._share = torch.from_numpy(share / share.sum()).repeat_interleave(views) / views
        self._mean, self._deviation = values.mean(0), values.std(0, correction=0).clamp_min(1e-6)
        self._values = (values - self._mean) / self._deviation
        self._loss = loss

    def solve(self, penalty: float, start: Tensor | None) -> Tensor:
        """Return the layer for standardised features, shape 1025,classes, the bias last."""
        shape = self._values.shape[1] + 1, self._targets.shape[1]
        layer = torch.zeros(shape, dtype=torch.float64) if start is None else start.clone()
        layer.requires_grad_(True)
        solver = torch.optim.LBFGS(
            [layer], max_iter=_ITERATIONS, tolerance_grad=1e-7, tolerance_change=1e-10, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            solver.zero_grad()
            value = self.value(layer) + penalty / 2 * layer[:-1].square().sum()
            value.backward()  # type: ignore[no-untyped-call]
            return value

        solver.step(closure)  # type: ignore[no-untyped-call]
        return layer.detach()

    def value(self, layer: Tensor) -> Tensor:
        """Return the mean loss, to which clips count by their weights."""
        logits = self._values @ layer[:-1] + layer[-1]
        found: Tensor = (self._loss(logits, self._targets, "none") * self._share).sum()
        return found

    def raw(self, layer: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return weights and bias for features as they are."""
        weights = layer[:-1] / self._deviation[:, None]
        bias = layer[-1] - self._mean @ weights
        return weights.float().numpy(), bias.float().numpy()


def _head(
    problem: _Problem,
    penalty: float,
    evaluation: Evaluation | None,
    tried: Mapping[float, float],
    layer: Tensor | None = None,
) -> TrainedHead:
    layer = problem.solve(penalty, None) if layer is None else layer
    weights, bias = problem.raw(layer)
    return TrainedHead(weights, bias, penalty, float(problem.value(layer)), evaluation, tried)


def _evaluate(
    problem: _Problem, layer: Tensor, part: HeadFeatures, classes: int, options: TrainingOptions
) -> Evaluation:
    weights, bias = problem.raw(layer)
    logits = torch.from_numpy(part.values @ weights + bias)
    multi_label = options.loss == "sigmoid"
    scores = (logits.sigmoid() if multi_label else logits.softmax(-1)).numpy()
    targets = one_hot(torch.from_numpy(part.targets), classes)
    plain = make_loss(options)
    clips: dict[tuple[str, int], Any] = {}
    for number, key in enumerate(part.keys):
        of_clips = plain(logits[number], targets[number].expand(logits.shape[1], -1), "none").tolist()
        for view, value in enumerate(of_clips):
            clips[key, view] = scores[number, view], targets[number].numpy(), value
    return summarize(clips, multi_label=multi_label)


def _balance(targets: Tensor, counts: Sequence[float]) -> NDArray[np.float64]:
    """Return a weight for each video with which each class counts alike."""
    inverse = np.array([1 / count if count else 0.0 for count in counts])
    found: NDArray[np.float64] = targets.double().numpy() @ inverse
    return found
