"""The table of the network against the paper's figures and TensorFlow's arithmetic."""

from __future__ import annotations

import subprocess
import sys
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quovadis.architecture import (
    ENDPOINTS,
    HEAD,
    STAGES,
    Convolution,
    MaxPool,
    Mixed,
    check_input_size,
    convolutions,
    endpoint_shapes,
    flops,
    folded_parameters,
    interpret,
    multiply_adds,
    output_channels,
    same_padding,
    stored_parameters,
    summarize,
    time_steps,
    variable_shapes,
)
from quovadis.errors import ArchitectureError


def test_operations_are_the_model_cards_278_981_gflops() -> None:
    assert round(flops() / 1e9, 3) == 278.981


def test_parameters_are_the_model_cards_12_69_million() -> None:
    assert folded_parameters() == 12_689_984
    assert round(folded_parameters() / 1e6, 2) == 12.69


def test_the_checkpoint_holds_12_704_544_values_in_230_tensors() -> None:
    assert stored_parameters() == 12_704_544
    assert len(variable_shapes()) == 230


def test_there_are_57_convolutions_with_batch_norm_and_the_head() -> None:
    assert sum(1 for _ in convolutions()) == 58


def test_multiply_adds_are_half_of_the_convolutions_operations() -> None:
    pools_and_the_rest = flops() - 2 * multiply_adds()
    assert 0 < pools_and_the_rest < 0.01 * flops()


@given(size=st.integers(1, 400), kernel=st.integers(1, 7), stride=st.integers(1, 3))
def test_same_padding_gives_as_many_outputs_as_strides_fit(size: int, kernel: int, stride: int) -> None:
    before, after = same_padding(size, kernel, stride)
    outputs = -(-size // stride)
    assert 0 <= before <= after <= before + 1
    assert (size + before + after - kernel) // stride + 1 == outputs or before + after == 0


@pytest.mark.parametrize(
    ("size", "padding"), [(79, (3, 3)), (80, (2, 3)), (224, (2, 3))], ids=["79 frames", "80 frames", "224 pixels"]
)
def test_the_first_convolution_is_padded_as_tensorflow_does(size: int, padding: tuple[int, int]) -> None:
    assert same_padding(size, 7, 2) == padding


@given(frames=st.integers(9, 1000))
def test_there_is_one_step_for_each_eight_frames_less_one(frames: int) -> None:
    assert time_steps(frames) == -(-frames // 8) - 1


@given(frames=st.integers(9, 300), height=st.integers(193, 400), width=st.integers(193, 400))
def test_every_input_of_at_least_nine_frames_has_shapes(frames: int, height: int, width: int) -> None:
    shapes = endpoint_shapes(frames, height, width)
    assert tuple(shapes) == ENDPOINTS
    assert shapes["Mixed_5c"] == (-(-frames // 8), -(-height // 32), -(-width // 32), 1024)


def test_operations_of_the_stages_add_up_to_the_whole() -> None:
    assert sum(row.flops for row in summarize(64)) == flops(64)


def test_eight_frames_are_refused_with_what_is_needed() -> None:
    with pytest.raises(ArchitectureError, match="at least 9"):
        endpoint_shapes(8)


def test_frames_too_small_for_the_average_pool_are_refused() -> None:
    check_input_size(79, 193, 193)
    with pytest.raises(ArchitectureError, match="192x224"):
        check_input_size(79, 192, 224)


def test_the_misnamed_convolution_of_the_checkpoint_keeps_its_name() -> None:
    misnamed = [name for name in variable_shapes() if "Branch_2/Conv3d_0a_3x3" in name]
    assert len(misnamed) == 4
    assert all("Mixed_5b" in name for name in misnamed)


def test_kernels_are_stored_time_height_width_in_out() -> None:
    shape = variable_shapes()["RGB/inception_i3d/Mixed_3c/Branch_1/Conv3d_0b_3x3/conv_3d/w"]
    assert shape == (3, 3, 3, 128, 192)


def test_interpreting_with_shapes_as_tensors_gives_the_shapes_of_the_summary() -> None:
    """A backend that carries shapes alone: what is counted and what is built come from the same walk."""

    class Shapes:
        def convolution(self, x: tuple[int, ...], unit: Convolution) -> tuple[int, ...]:
            return (*self.strided(x, unit.stride), unit.channels)

        def max_pool(self, x: tuple[int, ...], unit: MaxPool) -> tuple[int, ...]:
            return (*self.strided(x, unit.stride), x[-1])

        def concatenate(self, branches: list[tuple[int, ...]], unit: Mixed) -> tuple[int, ...]:
            assert len({branch[:-1] for branch in branches}) == 1
            return (*branches[0][:-1], sum(branch[-1] for branch in branches))

        @staticmethod
        def strided(x: tuple[int, ...], stride: tuple[int, int, int]) -> tuple[int, ...]:
            return tuple(-(-size // step) for size, step in zip(x[:3], stride, strict=True))

    walked: dict[str, tuple[int, ...]] = dict(interpret(Shapes(), (79, 224, 224, 3)))
    assert walked == endpoint_shapes(79)


def test_the_architecture_is_the_design_documents_table() -> None:
    channels = [3]
    for stage in STAGES:
        channels.append(output_channels(stage, channels[-1]))
    assert channels[1:] == [64, 64, 64, 192, 192, 256, 480, 480, 512, 512, 512, 528, 832, 832, 832, 1024]
    assert prod(HEAD.pool) == 2 * 7 * 7


@pytest.mark.slow
def test_the_description_loads_neither_numpy_nor_anything_of_the_package_but_its_errors() -> None:
    code = "import sys, quovadis.architecture; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    loaded = set(run.stdout.split())
    assert "numpy" not in loaded
    ours = {name for name in loaded if name.startswith("quovadis") and not name.startswith("quovadis.architecture")}
    assert ours == {"quovadis", "quovadis.lazy", "quovadis.version", "quovadis.errors"}
