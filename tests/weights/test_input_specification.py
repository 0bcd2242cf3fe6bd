"""What a weights file says of the clips it was trained on: what is read of it, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quovadis.errors import WeightsError
from quovadis.weights import InputSpecification
from quovadis.weights.input_specification import UNSPECIFIED, input_from_json

SOURCE = Path("runs/best.safetensors")
ALL = InputSpecification(clip_frames=32, fps=12.5, short_side=256, crop_size=224, mean=127.5, scale=127.5)


@pytest.mark.parametrize("specified", [ALL, UNSPECIFIED, InputSpecification(fps="native")])
def test_what_is_written_is_read_again(specified: InputSpecification) -> None:
    assert input_from_json(specified.to_json(), SOURCE) == specified


def test_only_what_is_known_is_written() -> None:
    assert json.loads(InputSpecification(clip_frames=32).to_json()) == {"clip_frames": 32}


@pytest.mark.parametrize("text", [None, "", "no JSON", "[1]", "null", "12", "[" * 100_000, '"native"', '{"a": 1'])
def test_what_is_no_object_specifies_nothing(text: str | None) -> None:
    assert input_from_json(text, SOURCE) == UNSPECIFIED


def test_unknown_fields_are_passed_over() -> None:
    assert input_from_json('{"channels": "RGB", "fps": 12.5}', SOURCE) == InputSpecification(fps=12.5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("clip_frames", value) for value in (0, 8, -3, 1025, 10**30, 32.5, True, "32", [32], {})],
        *[("fps", value) for value in (0, -25, 1e-9, 1001, 10**400, float("nan"), float("inf"), "fast", True, [25])],
        *[("short_side", value) for value in (0, -1, 10**6, "256")],
        *[("crop_size", value) for value in (0, 10**6, 0.5)],
        *[("mean", value) for value in (0, 117, float("nan"), -float("inf"), "127.5")],
        *[("scale", value) for value in (0, 1, 10**400)],
    ],
)
def test_impossible_values_are_one_line_that_names_file_and_field(field: str, value: Any) -> None:
    with pytest.raises(WeightsError, match=rf'runs/best\.safetensors: .* "input" cannot be: {field} ') as found:
        input_from_json(json.dumps({field: value}), SOURCE)
    assert len(str(found.value)) < 300
    assert "\n" not in str(found.value)
    # No option of a command would help.
    assert found.value.option is None
