"""Changes to batches that their seed decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from quovadis.errors import TrainingError
from quovadis.training.transforms import ColourJitter, Mixup, apply_transforms, step_seed

CLIPS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 8, 8, 3), np.uint8))
TARGETS = torch.eye(4)


def test_seeds_of_steps_tell_seed_epoch_and_step_apart() -> None:
    seeds = {step_seed(seed, epoch, step) for seed in range(8) for epoch in range(8) for step in range(8)}
    assert len(seeds) == 512
    assert step_seed(1, 2, 3) == step_seed(1, 2, 3)


@pytest.mark.parametrize("transform", [Mixup(0.5), ColourJitter()])
def test_the_same_seed_gives_the_same_batch_and_another_gives_another(transform: Mixup | ColourJitter) -> None:
    first, again, other = (transform(CLIPS, TARGETS, seed) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert first[0].min() >= 0
    assert first[0].max() <= 255


def test_mixup_mixes_targets_as_clips() -> None:
    clips = torch.eye(4).reshape(4, 1, 1, 4, 1) * 200
    mixed, targets = Mixup(1.0)(clips, TARGETS, 3)
    torch.testing.assert_close(mixed.reshape(4, 4) / 200, targets)
    torch.testing.assert_close(targets.sum(1), torch.ones(4))
    assert ((targets > 0) & (targets < 1)).any()


def test_jitter_is_the_same_for_all_frames_of_a_clip_and_keeps_grays_gray() -> None:
    clips = torch.full((2, 5, 4, 4, 3), 100, dtype=torch.uint8)
    clips[:, :, :2] = 60
    jittered, targets = ColourJitter(0.4, 0.4, 0.4)(clips, TARGETS[:2], 9)
    torch.testing.assert_close(jittered, jittered[:, :1].expand_as(jittered))
    torch.testing.assert_close(jittered, jittered[..., :1].expand_as(jittered))
    assert not torch.equal(jittered[0], jittered[1])
    assert torch.equal(targets, TARGETS[:2])
    still, _ = ColourJitter(0, 0, 0)(CLIPS, TARGETS, 9)
    torch.testing.assert_close(still, CLIPS.float(), atol=1e-3, rtol=0)


def test_transforms_follow_each_other_with_seeds_of_their_own() -> None:
    both = apply_transforms([Mixup(1.0), Mixup(1.0)], CLIPS, TARGETS, 5)
    first = Mixup(1.0)(CLIPS, TARGETS, step_seed(5, 0, 0))
    expected = Mixup(1.0)(*first, step_seed(5, 0, 1))
    assert torch.equal(both[0], expected[0])
    clips, targets = apply_transforms([], CLIPS, TARGETS, 5)
    assert clips is CLIPS
    assert targets is TARGETS


def test_strengths_that_cannot_be_are_refused() -> None:
    with pytest.raises(TrainingError, match="alpha must be above 0"):
        Mixup(0)
    with pytest.raises(TrainingError, match="contrast must be from 0 to 1"):
        ColourJitter(contrast=1.5)
