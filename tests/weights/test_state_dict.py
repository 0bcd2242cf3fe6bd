"""State dicts of the two ports: read into the original tensors, and refused with the key that is wrong."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from quovadis.architecture import convolution_variables
from quovadis.errors import MissingDependencyError, WeightsError
from quovadis.weights import Weights, read_weights
from quovadis.weights.folding import fold_batch_norm
from quovadis.weights.state_dict import HASSONY2, NAMINGS, PIERGIAJ, QUOVADIS, Naming, module_names, to_state_dict
from support.own_classes import with_classes

State = dict[str, Any]


@pytest.fixture(scope="module")
def official(rgb_scratch_path: Path) -> Weights:
    return read_weights(rgb_scratch_path)


@pytest.fixture(scope="module")
def as_in_port(official: Weights) -> State:
    return {key: torch.tensor(array) for key, array in to_state_dict(official.tensors, PIERGIAJ).items()}


@pytest.fixture
def state(as_in_port: State) -> State:
    """As piergiaj's port names them; its tensors are for all tests."""
    return dict(as_in_port)


@pytest.fixture
def zeros(as_in_port: State) -> State:
    """The same names and shapes without the values, which are quick to write."""
    return {key: torch.zeros(1, dtype=value.dtype).expand(value.shape) for key, value in as_in_port.items()}


@pytest.mark.parametrize(
    ("naming", "keys"),
    [
        (
            PIERGIAJ,
            {
                "Conv3d_1a_7x7.conv3d.weight": (64, 3, 7, 7, 7),
                "Conv3d_1a_7x7.bn.weight": (64,),
                "Mixed_3b.b0.conv3d.weight": (64, 192, 1, 1, 1),
                "Mixed_3b.b1a.conv3d.weight": (96, 192, 1, 1, 1),
                "Mixed_3b.b1b.conv3d.weight": (128, 96, 3, 3, 3),
                "Mixed_5b.b2b.bn.running_var": (128,),
                "Mixed_5c.b3b.bn.bias": (128,),
                "logits.conv3d.weight": (400, 1024, 1, 1, 1),
                "logits.conv3d.bias": (400,),
            },
        ),
        (
            HASSONY2,
            {
                "conv3d_1a_7x7.conv3d.weight": (64, 3, 7, 7, 7),
                "conv3d_2c_3x3.batch3d.running_mean": (192,),
                "mixed_3b.branch_0.conv3d.weight": (64, 192, 1, 1, 1),
                "mixed_3b.branch_1.0.conv3d.weight": (96, 192, 1, 1, 1),
                "mixed_5b.branch_2.1.batch3d.weight": (128,),
                "mixed_5c.branch_3.1.conv3d.weight": (128, 832, 1, 1, 1),
                "conv3d_0c_1x1.conv3d.weight": (400, 1024, 1, 1, 1),
                "conv3d_0c_1x1.conv3d.bias": (400,),
            },
        ),
        (
            QUOVADIS,
            {
                "Mixed_5b.Branch_2.Conv3d_0a_3x3.conv_3d.weight": (128, 32, 3, 3, 3),
                "Logits.Conv3d_0c_1x1.conv_3d.bias": (400,),
            },
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Naming) else "",
)
def test_keys_and_shapes_are_those_of_the_port(
    naming: Naming, keys: dict[str, tuple[int, ...]], official: Weights
) -> None:
    made = to_state_dict(official.tensors, naming)
    assert {key: made[key].shape for key in keys} == keys
    assert len(made) == 230 + (57 if naming.norm_scale else 0)
    assert all((made[key] == 1).all() for key in made if key.endswith((".bn.weight", ".batch3d.weight")))


@pytest.mark.parametrize("naming", NAMINGS, ids=lambda naming: naming.name)
def test_a_ports_values_convert_to_the_same_230_tensors(naming: Naming, official: Weights, tmp_path: Path) -> None:
    made: State = {key: torch.tensor(array) for key, array in to_state_dict(official.tensors, naming).items()}
    counters = {f"{module}.{naming.norm}.num_batches_tracked": torch.tensor(7) for _, module in module_names(naming)}
    counters.popitem()  # the head has no batch norm
    torch.save(made | counters, tmp_path / "port.pt")
    read = read_weights(tmp_path / "port.pt")
    assert read.sha256 == official.sha256
    assert read.name == "rgb-scratch"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model_state_dict": state},
        lambda state: {"epoch": 3, "optimizer": {"lr": 0.1}, "model": {"net": {"params": state}}},
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {f"model._orig_mod.module.{key}": value for key, value in state.items()},
        lambda state: {"state_dict": {f"backbone.i3d.{key}": value for key, value in state.items()}},
        lambda state: {"state_dict": state, "best": np.float64(0.8), "epoch": np.int64(3), "losses": np.ones(3)},
    ],
    ids=["state_dict", "model_state_dict", "nested", "DataParallel", "compiled", "backbone", "NumPy"],
)
def test_what_training_scripts_wrap_around_a_state_dict_is_taken_off(
    wrap: Callable[[State], State], state: State, official: Weights, tmp_path: Path
) -> None:
    torch.save(wrap(state), tmp_path / "wrapped.pth")
    assert read_weights(tmp_path / "wrapped.pth").sha256 == official.sha256


def test_values_of_numpy_are_not_made(state: State, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            # What numpy.dtype would make of this is nobody's business: its stand-in makes nothing.
            return (np.dtype, ("O", False, True), (3, "|", None, None, None, -1, -1, 63))

    torch.save({"state_dict": state, "x": Hostile(), "y": np.float32(1)}, tmp_path / "a.pt")
    assert read_weights(tmp_path / "a.pt").name == "rgb-scratch"
    state["Mixed_3b.b0.bn.bias"] = np.float64(1.0)
    torch.save(state, tmp_path / "b.pt")
    with pytest.raises(WeightsError, match=r"Mixed_3b\.b0\.bn\.bias is no tensor but scalar"):
        read_weights(tmp_path / "b.pt")


@pytest.mark.parametrize("beside", ["criterion.weight", "Conv3d_1a_7x7.conv3d.weight"])
def test_tensors_beside_a_network_with_a_prefix_are_refused(beside: str, zeros: State, tmp_path: Path) -> None:
    prefixed = {f"model.{key}": value for key, value in zeros.items()}
    torch.save({**prefixed, beside: torch.zeros(1)}, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match=r"save its state dict alone|missing"):
        read_weights(tmp_path / "a.pt")


def test_a_dictionary_that_holds_itself_ends(tmp_path: Path) -> None:
    endless: State = {}
    endless["model"] = endless
    torch.save(endless, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match="not a state dict of I3D"):
        read_weights(tmp_path / "a.pt")


@pytest.mark.parametrize("naming", NAMINGS, ids=lambda naming: naming.name)
def test_a_head_of_any_size_is_read_and_must_agree_with_its_bias(
    naming: Naming, official: Weights, tmp_path: Path
) -> None:
    made = to_state_dict(with_classes(official, 157), naming)
    torch.save({key: torch.tensor(array) for key, array in made.items()}, tmp_path / "charades.pt")
    read = read_weights(tmp_path / "charades.pt")
    assert (read.num_classes, read.known_labels, read.labels[156]) == (157, None, "class 156")
    (bias,) = (key for key in made if made[key].shape == (157,))
    torch.save(
        {key: torch.tensor(made[key])[:12] if key == bias else torch.tensor(made[key]) for key in made},
        tmp_path / "bad.pt",
    )
    with pytest.raises(WeightsError, match=r"has the shape \(12,\), but the network needs \(157,\)"):
        read_weights(tmp_path / "bad.pt")


def test_files_from_before_pytorch_1_6_are_read(state: State, official: Weights, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "old", _use_new_zipfile_serialization=False)
    assert read_weights(tmp_path / "old").sha256 == official.sha256


def test_a_scale_that_was_trained_is_kept_in_kernel_and_mean(state: State, official: Weights, tmp_path: Path) -> None:
    scale = torch.linspace(0.5, 2, 64)
    state["Conv3d_1a_7x7.bn.weight"] = scale
    torch.save(state, tmp_path / "tuned.pt")
    unit = next(unit for unit, module in module_names(PIERGIAJ) if module == "Conv3d_1a_7x7")
    before, after = (fold_batch_norm(w.tensors, unit) for w in (official, read_weights(tmp_path / "tuned.pt")))
    beta = official.tensors[str(convolution_variables(unit).beta)]
    np.testing.assert_allclose(after.kernel, before.kernel * scale.numpy(), rtol=1e-6)
    np.testing.assert_allclose(after.bias - beta, (before.bias - beta) * scale.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions_are_widened_or_narrowed(dtype: torch.dtype, state: State, tmp_path: Path) -> None:
    torch.save({key: value.to(dtype) for key, value in state.items()}, tmp_path / "a.pt")
    tensor = read_weights(tmp_path / "a.pt").tensors["RGB/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d/b"]
    assert np.array_equal(tensor, state["logits.conv3d.bias"].to(dtype).float().numpy())


class Harmless:
    pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("Mixed_4c.b1b.conv3d.weight"), r"without Mixed_4c\.b1b\.conv3d\.weight \(1 missing\)"),
        (lambda s: s.update({"flow.conv3d.weight": torch.zeros(1)}), r"has no flow\.conv3d\.weight"),
        (lambda s: s.update({"logits.conv3d.bias": torch.zeros(157)}), r"logits\.conv3d\.bias has the shape \(157,\)"),
        (lambda s: s.update({"Mixed_3b.b0.bn.bias": [1.0, 2.0]}), r"Mixed_3b\.b0\.bn\.bias is no tensor but list"),
        (
            lambda s: s.update({"Mixed_3b.b0.bn.bias": torch.zeros(64, dtype=torch.int64)}),
            r"Mixed_3b\.b0\.bn\.bias holds int64",
        ),
        (
            lambda s: s.update({"Mixed_3b.b0.bn.bias": torch.zeros(64).to_sparse()}),
            r"Mixed_3b\.b0\.bn\.bias is a sparse",
        ),
        (lambda s: s.update({"Mixed_3b.b0.bn.bias": torch.full((64,), torch.nan)}), "no numbers"),
        (lambda s: s.update({"note": Harmless()}), "could run code, so it was not opened"),
        (lambda s: s.clear(), "not a state dict of I3D"),
    ],
)
def test_a_state_dict_that_is_not_the_networks_is_refused_with_the_keys_name(
    change: Callable[[State], object], message: str, zeros: State, tmp_path: Path
) -> None:
    change(zeros)
    torch.save(zeros, tmp_path / "bad.pt")
    with pytest.raises(WeightsError, match=message) as caught:
        read_weights(tmp_path / "bad.pt")
    assert str(tmp_path / "bad.pt") in str(caught.value)


class RunsCode:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("pwned"),))


def test_a_pickle_that_would_run_code_is_not_run(tmp_path: Path, zeros: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({**zeros, "x": RunsCode()}, "evil.pt")
    Path("plain.pt").write_bytes(pickle.dumps(RunsCode()))
    for name in ("evil.pt", "plain.pt"):
        with pytest.raises(WeightsError, match=name):
            read_weights(Path(name))
    assert not Path("pwned").exists()


def test_a_damaged_file_is_named(state: State, tmp_path: Path) -> None:
    path = tmp_path / "cut.pt"
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(WeightsError, match=r"cut\.pt: not a PyTorch state dict, or damaged"):
        read_weights(path)


def test_without_pytorch_the_line_that_installs_it_is_told(
    zeros: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(zeros, tmp_path / "a.pt")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "quovadis\[torch\]"'):
        read_weights(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("bias", "said"),
    [
        (torch.zeros(400, device="meta"), "float32 on meta"),
        (torch.zeros(400, dtype=torch.float8_e4m3fn), "float8_e4m3fn on cpu"),
        (np.zeros(400, np.float32), "no tensor but a NumPy array"),
    ],
)
def test_a_tensor_without_values_that_numpy_has_is_named(bias: Any, said: str, zeros: State, tmp_path: Path) -> None:
    key = "logits.conv3d.bias"
    torch.save({**zeros, key: bias}, tmp_path / "odd.pt")
    with pytest.raises(WeightsError, match=f"{key} is .*{said}"):
        read_weights(tmp_path / "odd.pt")


def test_an_empty_dictionary_hides_no_state_dict(state: State, tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "model": {}, "net": state}, tmp_path / "net.pt")
    assert read_weights(tmp_path / "net.pt").num_classes == 400
