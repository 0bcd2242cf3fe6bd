"""Learning rates by step."""

from __future__ import annotations

from itertools import pairwise

import pytest

from quovadis.errors import TrainingError
from quovadis.training import TrainingOptions, scaled
from quovadis.training.schedule import rate_factor


def test_steps_change_exactly_at_their_milestones() -> None:
    options = TrainingOptions(schedule="step", milestones=(10, 20), factors=(0.5, 0.1))
    assert [rate_factor(options, step, 30) for step in (0, 9, 10, 19, 20, 29)] == [1, 1, 0.5, 0.5, 0.1, 0.1]
    tenths = TrainingOptions(schedule="step", milestones=(1, 2, 3))
    assert [rate_factor(tenths, step, 4) for step in range(4)] == pytest.approx([1, 0.1, 0.01, 0.001])


def test_a_cosine_falls_from_one_to_zero_after_the_warm_up() -> None:
    options = TrainingOptions(warmup=4)
    found = [rate_factor(options, step, 24) for step in range(25)]
    assert found[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert found[14] == pytest.approx(0.5)
    assert found[24] == pytest.approx(0.0)
    assert all(after <= before for before, after in pairwise(found[3:]))
    assert rate_factor(TrainingOptions(schedule="constant"), 5, 6) == 1


def test_the_linear_rule_goes_both_ways() -> None:
    options = TrainingOptions(
        head_rate=0.1,
        backbone_rate=0.2,
        global_batch=384,
        schedule="step",
        milestones=(97000,),
        steps=115000,
        warmup=10,
    )
    small = scaled(options, 48)
    assert (small.head_rate, small.backbone_rate) == pytest.approx((0.0125, 0.025))
    assert (small.steps, small.milestones, small.warmup, small.global_batch) == (920000, (776000,), 80, 48)
    assert scaled(small, 384) == options
    assert scaled(options, 768).steps == 57500
    plain = TrainingOptions(head_rate=0.1)
    assert scaled(plain, 7) is plain


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be 1 or more, not 0"),
        ({"momentum": 1.0}, "`momentum` must be 0 or more, and less than 1"),
        ({"head_rate": -1.0}, "head_rate must be 0 or more, not -1"),
        ({"schedule": "linear"}, 'unknown schedule "linear": choose cosine, step, constant'),
        ({"schedule": "step"}, "`milestones` are for"),
        ({"milestones": (1,)}, "`milestones` are for"),
        ({"schedule": "step", "milestones": (3, 2)}, "ascending"),
        ({"schedule": "step", "milestones": (2, 3), "factors": (0.1,)}, "1 `factors` do not fit 2 `milestones`"),
        ({"from_endpoint": "Mixed_9"}, 'no layer is called "Mixed_9"'),
        ({"amp": "fp16"}, '`amp="fp16"` is for `device="cuda"`; leave it out on CPU'),
        ({"sync_batch_norm": True}, "`sync_batch_norm=True` is for"),
        ({"cudnn_benchmark": True}, '`cudnn_benchmark=True` is for `device="cuda"`; leave it out on CPU'),
        ({"ghost_batch": 4}, "`ghost_batch` must divide the batch of 6, and 4 does not"),
        ({"device": "NPU"}, "NPU: training runs on CPU and cuda"),
        ({"loss": "sigmoid", "balance": "weights"}, "is for one class a video"),
    ],
)
def test_options_that_cannot_be_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(TrainingError) as raised:
        TrainingOptions(**settings).check_together()  # type: ignore[arg-type]
    assert message in str(raised.value)
