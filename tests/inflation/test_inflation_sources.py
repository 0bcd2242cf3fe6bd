"""What is inflated: every way that the two networks are saved, the last layer, and files that cannot be inflated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

import quovadis
from quovadis.architecture import variable_shapes
from quovadis.errors import LabelsError, OutputError, QuovadisError, WeightsError
from quovadis.inflation.image_weights import ImageWeights, read_image_weights
from quovadis.inflation.source import read_source
from quovadis.weights import read_weights
from support.googlenet import TORCHVISION_CLASSES, googlenet
from support.slim_inception import SLIM_CLASSES, slim_variables

Arrays = dict[str, NDArray[Any]]
HEAD = "RGB/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d"
FIRST = "InceptionV1/InceptionV1/Conv2d_1a_7x7"


@pytest.fixture(scope="module")
def slim() -> Arrays:
    return dict(slim_variables())


@pytest.fixture(scope="module")
def torchvision() -> Arrays:
    return {name: value.numpy() for name, value in googlenet().state_dict().items()}


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Arrays], Path]:
    """Save arrays in a file whose names decide what they are, whichever framework they are from."""

    def write(tensors: Arrays) -> Path:
        path = tmp_path / "source.safetensors"
        save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, path)
        return path

    return write


def inflated(source: Path, **options: Any) -> dict[str, NDArray[np.float32]]:
    path = source.with_name("i3d.safetensors")
    quovadis.inflate(source, path, overwrite=True, **options)
    return dict(read_weights(path).tensors)


def image_weights(source: Path) -> ImageWeights:
    """Read what inflation begins with; all that comes after is the same for every file."""
    return read_image_weights(read_source(source))


def assert_same(a: ImageWeights, b: ImageWeights, rtol: float = 0) -> None:
    assert a.layers.keys() == b.layers.keys()
    for name, layer in a.layers.items():
        for part, values in vars(layer).items():
            other = vars(b.layers[name])[part]
            np.testing.assert_allclose(values, other, rtol=rtol, atol=rtol / 10, err_msg=f"{name}: {part}")
    assert a.head is not None
    assert b.head is not None
    np.testing.assert_allclose(a.head.kernel, b.head.kernel, rtol=rtol, atol=rtol / 10)
    np.testing.assert_allclose(a.head.bias, b.head.bias, rtol=rtol, atol=rtol / 10)


def test_filters_are_repeated_and_divided_by_their_extent(slim: Arrays, save: Callable[[Arrays], Path]) -> None:
    tensors = inflated(save(slim))
    assert {name: tensor.shape for name, tensor in tensors.items()} == dict(variable_shapes(SLIM_CLASSES))
    kernel = tensors["RGB/inception_i3d/Conv3d_1a_7x7/conv_3d/w"]
    for step in range(7):
        np.testing.assert_allclose(kernel[step], slim[f"{FIRST}/weights"] / 7, rtol=1e-6)
    misnamed = "InceptionV1/InceptionV1/Mixed_5b/Branch_2/Conv2d_0a_3x3"
    second = tensors["RGB/inception_i3d/Mixed_5b/Branch_2/Conv3d_0a_3x3/conv_3d/w"]
    np.testing.assert_allclose(second[1], slim[f"{misnamed}/weights"] / 3, rtol=1e-6)
    np.testing.assert_array_equal(
        tensors["RGB/inception_i3d/Conv3d_2b_1x1/conv_3d/w"][0], slim["InceptionV1/InceptionV1/Conv2d_2b_1x1/weights"]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inception_v1.ckpt", "v2.ckpt", "v2.ckpt.index", "v2.ckpt.data-00000-of-00001"])
def test_both_formats_of_tensorflow_give_the_same_and_what_training_left_is_ignored(
    name: str, slim_folder: Path, slim: Arrays, save: Callable[[Arrays], Path]
) -> None:
    assert_same(image_weights(slim_folder / name), image_weights(save(slim)))


def test_a_scale_of_batch_norm_is_folded_exactly(slim: Arrays, save: Callable[[Arrays], Path]) -> None:
    plain = image_weights(save(slim))
    gamma = np.linspace(0.5, 2, 64, dtype="f")
    scaled = {
        **slim,
        f"{FIRST}/weights": slim[f"{FIRST}/weights"] / gamma,
        f"{FIRST}/BatchNorm/moving_mean": slim[f"{FIRST}/BatchNorm/moving_mean"] / gamma,
        f"{FIRST}/BatchNorm/gamma": gamma,
    }
    assert_same(image_weights(save(scaled)), plain, rtol=1e-6)


def test_any_scope_and_precision_of_the_variables_is_read(slim: Arrays, save: Callable[[Arrays], Path]) -> None:
    plain = image_weights(save(slim))
    other = {f"module/{name.replace('InceptionV1/InceptionV1', 'InceptionV1')}": value for name, value in slim.items()}
    assert_same(image_weights(save(other)), plain)
    assert_same(image_weights(save({name: value.astype(np.float64) for name, value in slim.items()})), plain)
    assert_same(image_weights(save({name: value.astype(np.float16) for name, value in slim.items()})), plain, rtol=1e-2)


def test_a_state_dict_is_read_with_prefixes_wrappers_and_without_auxiliary_heads(
    torchvision: Arrays, save: Callable[[Arrays], Path], googlenet_path: Path, tmp_path: Path
) -> None:
    expected = image_weights(save(torchvision))
    bare = {name: value for name, value in torchvision.items() if not name.startswith("aux")}
    assert_same(image_weights(save({f"module.{name}": value for name, value in bare.items()})), expected)
    assert_same(image_weights(googlenet_path), expected)
    state = {f"model.{name}": torch.from_numpy(value) for name, value in torchvision.items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "wrapped.pt")
    assert_same(image_weights(tmp_path / "wrapped.pt"), expected)


def test_without_classes_the_last_layer_is_inflated_too(
    slim: Arrays, torchvision: Arrays, save: Callable[[Arrays], Path]
) -> None:
    tensors = inflated(save(slim))
    np.testing.assert_array_equal(tensors[f"{HEAD}/w"][0], slim["InceptionV1/Logits/Conv2d_0c_1x1/weights"])
    np.testing.assert_array_equal(tensors[f"{HEAD}/b"], slim["InceptionV1/Logits/Conv2d_0c_1x1/biases"])
    tensors = inflated(save(torchvision))
    np.testing.assert_array_equal(tensors[f"{HEAD}/w"][0, 0, 0], torchvision["fc.weight"].T)
    np.testing.assert_array_equal(tensors[f"{HEAD}/b"], torchvision["fc.bias"])


def test_classes_make_a_new_last_layer_from_a_seed(
    slim: Arrays, save: Callable[[Arrays], Path], tmp_path: Path
) -> None:
    said: list[str] = []
    source, path = save(slim), tmp_path / "i3d.safetensors"
    done = quovadis.inflate(source, path, labels=["wave", "nod", "point"], notify=said.append)
    assert (done.head, done.seed, done.num_classes) == ("random", 0, 3)
    assert said == [f"{path}: its last layer has random weights: train it before its predictions mean anything"]
    weights = read_weights(path)
    assert weights.labels == ("wave", "nod", "point")
    kernel = weights.tensors[f"{HEAD}/w"]
    # A normal distribution of deviation 1/32 that is cut off at two of them has a deviation of 0.88 / 32.
    assert np.abs(kernel).max() <= 2 / 32
    assert kernel.std() == pytest.approx(0.88 / 32, rel=0.05)
    assert not weights.tensors[f"{HEAD}/b"].any()
    np.testing.assert_array_equal(inflated(source, num_classes=3)[f"{HEAD}/w"], kernel)
    assert (inflated(source, num_classes=3, seed=1)[f"{HEAD}/w"] != kernel).any()


def test_the_sources_last_layer_is_kept_with_names_for_its_classes(
    slim: Arrays, save: Callable[[Arrays], Path]
) -> None:
    source, names = save(slim), [f"object {number}" for number in range(SLIM_CLASSES)]
    tensors = inflated(source, keep_head=True, labels=names)
    np.testing.assert_array_equal(tensors[f"{HEAD}/b"], slim["InceptionV1/Logits/Conv2d_0c_1x1/biases"])
    assert read_weights(source.with_name("i3d.safetensors")).labels == tuple(names)
    with pytest.raises(LabelsError, match="3 class names, but the network has 11 classes"):
        inflated(source, keep_head=True, labels=["a", "b", "c"])
    with pytest.raises(LabelsError, match="2 class names, but the network has 5 classes"):
        inflated(source, num_classes=5, labels=["a", "b"])


def test_a_network_without_a_last_layer_needs_classes(torchvision: Arrays, save: Callable[[Arrays], Path]) -> None:
    source = save({name: value for name, value in torchvision.items() if not name.startswith("fc.")})
    for options in ({}, {"keep_head": True}):
        with pytest.raises(WeightsError, match=r"source\.safetensors: has no last layer to inflate; give .*`labels`"):
            inflated(source, **options)
    assert inflated(source, num_classes=2)[f"{HEAD}/b"].shape == (2,)


def test_the_file_says_what_it_is_and_how_it_was_made(
    torchvision: Arrays, save: Callable[[Arrays], Path], tmp_path: Path
) -> None:
    # Names of other classes beside the source are not those of the new layer.
    (tmp_path / "labels.txt").write_text("tench\ngoldfish\n")
    source, path = save(torchvision), tmp_path / "new" / "i3d.safetensors"
    done = quovadis.inflate(source, path, labels=["wave", "nod", "point"], input_scaling="imagenet", seed=7)
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    assert json.loads(metadata["labels"]) == ["wave", "nod", "point"]
    assert (metadata["weights"], metadata["source"]) == ("i3d", "source.safetensors")
    assert metadata["sha256"] == done.weights.sha256 == read_weights(path).sha256
    assert json.loads(metadata["input"]) == {"crop_size": 224, "mean": 127.5, "scale": 127.5}
    assert json.loads(metadata["inflation"]) == {
        "source": "source.safetensors",
        "network": "torchvision's GoogLeNet",
        "head": "random",
        "seed": 7,
        "input_scaling": "imagenet",
    }
    assert json.loads(json.dumps(done.to_dict()))["path"] == str(path)


def _zeros(*names: str) -> Arrays:
    return {name: np.zeros((1, 1, 1, 1), "f") for name in names}


OTHERS = {
    "ResNet of torchvision": (_zeros("conv1.weight", "layer1.0.conv1.weight"), r"weights of ResNet \(layer1"),
    "ResNet of TF-slim": (_zeros("resnet_v1_50/conv1/weights"), "weights of ResNet"),
    "Inception-v2 of TF-slim": (_zeros("InceptionV2/InceptionV2/Conv2d_1a_7x7/weights"), "weights of Inception-v2"),
    "Inception-v3 of TF-slim": (_zeros("InceptionV3/Conv2d_1a_3x3/weights"), "weights of Inception-v3"),
    "Inception-v3 of torchvision": (_zeros("Conv2d_1a_3x3.conv.weight"), "weights of Inception-v3"),
    "BN-Inception": (_zeros("conv1_7x7_s2.weight"), "weights of BN-Inception"),
    "Caffe's GoogLeNet": (_zeros("conv1/7x7_s2.weight"), "Caffe's GoogLeNet, without batch norm and with 5x5 kernels"),
    "I3D": (_zeros("RGB/inception_i3d/Conv3d_1a_7x7/conv_3d/w"), "weights of I3D itself"),
    "unknown": (_zeros("some.weight"), r"not Inception-v1 for images: its names, such as some\.weight, are unknown"),
}


@pytest.mark.parametrize(("tensors", "said"), OTHERS.values(), ids=OTHERS)
def test_other_networks_are_named(tensors: Arrays, said: str, save: Callable[[Arrays], Path]) -> None:
    with pytest.raises(WeightsError, match=rf"source\.safetensors: .*{said}.*give TF-slim's Inception-v1 or") as caught:
        inflated(save(tensors))
    assert str(caught.value).isprintable()


def without(tensors: Arrays, *ends: str) -> Arrays:
    return {name: value for name, value in tensors.items() if not name.endswith(ends)}


CHANGES: dict[str, tuple[Callable[[Arrays], Arrays], str]] = {
    "5x5 kernels": (
        lambda t: {**t, "inception3a.branch3.1.conv.weight": np.zeros((32, 16, 5, 5), "f")},
        r"inception3a\.branch3\.1\.conv\.weight is a 5x5 kernel, .* where I3D has 3x3",
    ),
    "another width": (
        lambda t: {**t, "inception4b.branch1.conv.weight": np.zeros((80, 512, 1, 1), "f")},
        r"inception4b\.branch1\.conv\.weight has the shape \(80, 512, 1, 1\), but Inception-v1 needs \(160, 512,",
    ),
    "another norm": (
        lambda t: {**t, "conv2.bn.running_mean": np.zeros(32, "f")},
        r"conv2\.bn\.running_mean has the shape \(32,\), but Inception-v1 needs \(64,\)",
    ),
    "no batch norm": (
        lambda t: without(t, "bn.running_mean"),
        r"57 of 228 tensors of torchvision's .* without batch norm",
    ),
    "one more layer": (
        lambda t: {**t, "inception5c.branch1.conv.weight": np.zeros((384, 1024, 1, 1), "f")},
        r"I3D has no layer for inception5c\.branch1\.conv\.weight",
    ),
    "NaN": (
        lambda t: {**t, "conv3.bn.bias": np.full(192, np.nan, "f")},
        r"conv3\.bn\.bias holds values that are no numbers \(NaN or infinity\)",
    ),
    "too large": (
        lambda t: {**t, "conv3.bn.bias": np.full(192, 1e300)},
        r"conv3\.bn\.bias holds values that are no numbers .* or are beyond float32",
    ),
    "negative variance": (
        lambda t: {**t, "conv1.bn.running_var": np.full(64, -1, "f")},
        r"conv1\.bn\.running_var holds a variance below 0",
    ),
    "integers": (
        lambda t: {**t, "conv1.conv.weight": np.zeros((64, 3, 7, 7), "i1")},
        r"conv1\.conv\.weight holds int8",
    ),
    "no bias": (lambda t: without(t, "fc.bias"), r"fc\.bias is missing"),
    "a head of other features": (
        lambda t: {**t, "fc.weight": np.zeros((TORCHVISION_CLASSES, 2048), "f")},
        r"fc\.weight has the shape \(10, 2048\)",
    ),
}


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=CHANGES)
def test_a_network_that_is_not_quite_inception_v1_is_refused_by_the_tensor(
    change: Callable[[Arrays], Arrays], said: str, torchvision: Arrays, save: Callable[[Arrays], Path]
) -> None:
    source = save(change(torchvision))
    with pytest.raises(WeightsError, match=rf"source\.safetensors: {said}") as caught:
        inflated(source)
    assert "\n" not in str(caught.value)
    assert not source.with_name("i3d.safetensors").exists()


def test_networks_for_images_given_as_weights_are_sent_to_inflation(
    slim: Arrays, torchvision: Arrays, save: Callable[[Arrays], Path]
) -> None:
    for tensors in (slim, torchvision):
        with pytest.raises(WeightsError, match=r"but Inception-v1 for images \(.*; quovadis inflate makes I3D of it"):
            read_weights(save(tensors))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.ckpt", None, "no such file"),
        ("empty.pth", b"", "not weights but an empty file"),
        ("lfs.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        ("google.caffemodel", b"\x0a\x09GoogLeNet\xa2\x06\x05abcde", "a Caffe model"),
        ("graph.pb", b"\x0a\x05\x0a\x01a\x12\x00", "TensorFlow frozen graph, which inflation does not read"),
        ("cut.pth", b"PK\x03\x04" + bytes(99), "end is missing"),
    ],
)
def test_files_that_hold_no_network_are_refused(name: str, content: bytes | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=rf"{name}: .*{said}"):
        quovadis.inflate(tmp_path / name, tmp_path / "i3d.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_v1_checkpoint_that_is_cut_short_is_refused(share: float, slim_folder: Path, tmp_path: Path) -> None:
    data = (slim_folder / "inception_v1.ckpt").read_bytes()
    path = tmp_path / "inception_v1.ckpt"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(WeightsError, match=r"inception_v1\.ckpt: not a whole TensorFlow V1 checkpoint: the end of"):
        quovadis.inflate(path, tmp_path / "i3d.safetensors")


def test_destinations_that_cannot_be_written_are_refused(slim: Arrays, save: Callable[[Arrays], Path]) -> None:
    source = save(slim)
    folder = source.parent
    (folder / "there.safetensors").write_bytes(b"precious")
    (folder / "folder.safetensors").mkdir()
    (folder / "file").write_bytes(b"")
    for destination, said in {
        folder / "there.safetensors": "is there already; `overwrite=True` replaces it",
        folder / "folder.safetensors": "is a folder",
        folder / "i3d.onnx": "inflation writes .safetensors files",
        folder / "file" / "i3d.safetensors": "cannot be written: ",
        "": "an empty name",
    }.items():
        with pytest.raises(OutputError) as caught:
            quovadis.inflate(source, destination)
        assert said in str(caught.value)
    assert (folder / "there.safetensors").read_bytes() == b"precious"
    with pytest.raises(OutputError, match="is the source itself"):
        quovadis.inflate(source, source, overwrite=True)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"num_classes": 0}, "num_classes must be 1 or more, not 0"),
        ({"num_classes": 2, "seed": -1}, "seed must be 0 or more, not -1"),
        ({"num_classes": 2, "keep_head": True}, "`num_classes` has no effect with `keep_head=True`"),
        ({"input_scaling": "caffe"}, 'unknown input_scaling "caffe": choose symmetric, unit, imagenet'),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_read(options: Any, said: str) -> None:
    with pytest.raises(quovadis.QuovadisError) as caught:
        quovadis.inflate("absent.ckpt", "absent.safetensors", **options)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": 3}, "source must be text or a path, not 3"),
        ({"source": {"weights": 1}}, "source must be text or a path"),
        ({"destination": None}, "destination must be text or a path, not None"),
        ({"num_classes": "12"}, "num_classes must be a whole number or None, not '12'"),
        ({"num_classes": 1.5}, "num_classes must be a whole number or None, not 1.5"),
        ({"num_classes": True}, "num_classes must be a whole number or None, not True"),
        ({"seed": None}, "seed must be a whole number, not None"),
        ({"keep_head": "no"}, "keep_head must be True or False, not 'no'"),
        ({"overwrite": 1}, "overwrite must be True or False, not 1"),
        ({"labels": 3}, "labels must be a file or a list of names, not 3"),
    ],
)
def test_an_argument_of_another_type_is_refused_by_name(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    usual = {"source": tmp_path / "absent.pth", "destination": tmp_path / "i3d.safetensors"}
    with pytest.raises(QuovadisError, match=re.escape(message)) as refused:
        quovadis.inflate(**{**usual, **given})
    assert [refused.value.option] == list(given)
