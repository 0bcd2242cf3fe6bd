"""What is lowered."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, log_loss
from torch.nn import functional

from quovadis.metrics import average_precision, mean_average_precision
from quovadis.training import TrainingOptions
from quovadis.training.losses import class_weights, make_loss, one_hot

LOGITS = torch.tensor(np.random.default_rng(0).normal(size=(8, 5)))
TARGETS = torch.arange(8) % 5


def test_one_class_a_video_is_cross_entropy() -> None:
    found = make_loss(TrainingOptions(label_smoothing=0.1))(LOGITS, one_hot(TARGETS, 5))
    torch.testing.assert_close(found, functional.cross_entropy(LOGITS, TARGETS, label_smoothing=0.1), atol=1e-6, rtol=0)
    each = make_loss(TrainingOptions())(LOGITS, one_hot(TARGETS, 5), "none")
    torch.testing.assert_close(each, functional.cross_entropy(LOGITS, TARGETS, reduction="none"), atol=1e-6, rtol=0)


def test_several_classes_a_video_are_the_charades_loss_of_scikit_learn() -> None:
    targets = (np.random.default_rng(1).random((8, 5)) < 0.4).astype(np.float32)
    found = float(make_loss(TrainingOptions(loss="sigmoid"))(LOGITS, torch.from_numpy(targets)))
    scores = LOGITS.sigmoid().numpy()
    expected = np.mean([log_loss(targets[:, index], scores[:, index], labels=[0, 1]) for index in range(5)])
    assert found == pytest.approx(expected, abs=1e-6)


def test_mean_average_precision_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(2)
    targets = generator.random((50, 6)) < 0.3
    # Rounded, so that scores tie.
    scores = generator.random((50, 6)).round(1)
    expected = [average_precision_score(targets[:, index], scores[:, index]) for index in range(6)]
    np.testing.assert_allclose(average_precision(scores, targets), expected, atol=1e-12)
    targets[:, 2] = False
    expected.pop(2)
    assert mean_average_precision(scores, targets) == pytest.approx(np.mean(expected))
    assert np.isnan(mean_average_precision(scores[:, 2:3], targets[:, 2:3]))


def test_rare_classes_weigh_more_and_videos_weigh_one_on_average() -> None:
    counts = [8, 2, 0]
    weights = class_weights(counts)
    assert weights == [0.625, 2.5, 0.0]
    assert np.average(weights, weights=counts) == pytest.approx(1)
    loss = make_loss(TrainingOptions(balance="weights"), counts)
    each = loss(torch.zeros(2, 3), one_hot(torch.tensor([0, 1]), 3), "none")
    assert float(each[1] / each[0]) == pytest.approx(4)
