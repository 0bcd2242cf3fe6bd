"""The figures of a validation part."""

from __future__ import annotations

import numpy as np
import pytest

from quovadis.training.evaluate import summarize


@pytest.mark.parametrize(("classes", "names"), [(5, {"top1"}), (6, {"top1", "top5"})])
def test_top5_of_five_classes_or_fewer_says_nothing_and_is_left_out(classes: int, names: set[str]) -> None:
    eye = np.eye(classes, dtype=np.float32)
    found = summarize({(str(index), 0): (eye[index], eye[index], 0.5) for index in range(classes)}, multi_label=False)
    assert found.figures == {f"{over}_{name}": 1.0 for over in ("clip", "video") for name in names}
    assert found.score == 1.0
