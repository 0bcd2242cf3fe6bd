"""Inception-v1 for images with random weights: as TF-slim writes it in TensorFlow, and as torchvision does in PyTorch.

Both are written from the architecture and independently of the product's tables. `python -m support.image_networks FOLDER`
writes TF-slim's checkpoints and what TensorFlow computes with them, in a process of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Arrays = dict[str, NDArray[np.float32]]
SLIM_CLASSES, TORCHVISION_CLASSES = 11, 10
IMAGE_SIZE = 224
BLOCKS = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
"""Channels by block: branch 0; branch 1, reduced and 3x3; branch 2, reduced and 3x3; branch 3."""


def random_image(seed: int = 0) -> NDArray[np.uint8]:
    """A picture with structure of every size, shape 224, 224, 3."""
    generator = np.random.default_rng(seed)
    sizes = (7, 28, 112, 224)
    layers = [np.kron(generator.random((n, n, 3)), np.ones((IMAGE_SIZE // n,) * 2 + (1,))) for n in sizes]
    return np.rint(255 * sum(layers) / len(layers)).astype(np.uint8)


def as_input(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The picture as both published networks take it: from -1 to 1."""
    return (image.astype(np.float32) / 127.5 - 1).astype(np.float32)


def slim_units() -> list[tuple[str, int, int, int]]:
    """Name, extent of the kernel, channels taken and made, of every convolution but the last."""
    units = [("Conv2d_1a_7x7", 7, 3, 64), ("Conv2d_2b_1x1", 1, 64, 64), ("Conv2d_2c_3x3", 3, 64, 192)]
    channels = 192
    for block, (b0, b1a, b1b, b2a, b2b, b3) in BLOCKS.items():
        scope = f"Mixed_{block}"
        # As in the published checkpoint.
        second = "Conv2d_0a_3x3" if block == "5b" else "Conv2d_0b_3x3"
        units += [
            (f"{scope}/Branch_0/Conv2d_0a_1x1", 1, channels, b0),
            (f"{scope}/Branch_1/Conv2d_0a_1x1", 1, channels, b1a),
            (f"{scope}/Branch_1/Conv2d_0b_3x3", 3, b1a, b1b),
            (f"{scope}/Branch_2/Conv2d_0a_1x1", 1, channels, b2a),
            (f"{scope}/Branch_2/{second}", 3, b2a, b2b),
            (f"{scope}/Branch_3/Conv2d_0b_1x1", 1, channels, b3),
        ]
        channels = b0 + b1b + b2b + b3
    return units


def slim_variables(seed: int = 0) -> Arrays:
    """The variables of TF-slim's network by name, such that activations keep their size from layer to layer."""
    generator = np.random.default_rng(seed)
    values: Arrays = {}
    for name, extent, taken, made in slim_units():
        scope, fan_in = f"InceptionV1/InceptionV1/{name}", extent * extent * taken
        kernel = generator.standard_normal((extent, extent, taken, made)) * np.sqrt(2 / fan_in)
        values[f"{scope}/weights"] = kernel.astype("f")
        values[f"{scope}/BatchNorm/beta"] = generator.normal(0, 0.2, made).astype("f")
        values[f"{scope}/BatchNorm/moving_mean"] = generator.normal(0, 0.2, made).astype("f")
        values[f"{scope}/BatchNorm/moving_variance"] = generator.uniform(0.5, 1.5, made).astype("f")
    scope = "InceptionV1/Logits/Conv2d_0c_1x1"
    values[f"{scope}/weights"] = (generator.standard_normal((1, 1, 1024, SLIM_CLASSES)) / 32).astype("f")
    values[f"{scope}/biases"] = generator.standard_normal(SLIM_CLASSES).astype("f")
    return values


def write_slim(folder: Path) -> None:
    """Write V1 and V2 checkpoints with TensorFlow 1's saver, and endpoints and logits of `random_image`."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        variables = {name: v1.get_variable(name, initializer=value) for name, value in slim_variables().items()}
        # What a training leaves beside the network.
        kernel = "InceptionV1/InceptionV1/Conv2d_1a_7x7/weights"
        v1.get_variable(f"{kernel}/RMSProp", initializer=np.ones((7, 7, 3, 64), "f"))
        v1.get_variable("global_step", initializer=np.int64(7))
        endpoints = _slim_endpoints(tf, variables, as_input(random_image())[np.newaxis])
        session.run(v1.global_variables_initializer())
        np.savez(folder / "endpoints.npz", **{name: value[0] for name, value in session.run(endpoints).items()})
        for version, name in ((v1.train.SaverDef.V1, "inception_v1.ckpt"), (v1.train.SaverDef.V2, "v2.ckpt")):
            saver = v1.train.Saver(write_version=version)
            saver.save(session, str(folder / name), write_meta_graph=False, write_state=False)


def _slim_endpoints(tf: Any, variables: dict[str, Any], x: Any) -> dict[str, Any]:
    def unit(x: Any, name: str, stride: int = 1) -> Any:
        scope = f"InceptionV1/InceptionV1/{name}"
        y = tf.nn.conv2d(x, variables[f"{scope}/weights"], stride, "SAME")
        norm = [variables[f"{scope}/BatchNorm/{part}"] for part in ("moving_mean", "moving_variance", "beta")]
        return tf.nn.relu(tf.nn.batch_normalization(y, *norm, None, 0.001))

    def pool(x: Any, extent: int, stride: int) -> Any:
        return tf.nn.max_pool2d(x, extent, stride, "SAME")

    ends = {"Conv2d_1a_7x7": (x := unit(x, "Conv2d_1a_7x7", 2)), "MaxPool_2a_3x3": (x := pool(x, 3, 2))}
    ends |= {name: (x := unit(x, name)) for name in ("Conv2d_2b_1x1", "Conv2d_2c_3x3")}
    ends["MaxPool_3a_3x3"] = x = pool(x, 3, 2)
    for block in BLOCKS:
        if block in ("4b", "5b"):
            name, extent = ("MaxPool_4a_3x3", 3) if block == "4b" else ("MaxPool_5a_2x2", 2)
            ends[name] = x = pool(x, extent, 2)
        scope = f"Mixed_{block}"
        second = "Conv2d_0a_3x3" if block == "5b" else "Conv2d_0b_3x3"
        branches = [
            unit(x, f"{scope}/Branch_0/Conv2d_0a_1x1"),
            unit(unit(x, f"{scope}/Branch_1/Conv2d_0a_1x1"), f"{scope}/Branch_1/Conv2d_0b_3x3"),
            unit(unit(x, f"{scope}/Branch_2/Conv2d_0a_1x1"), f"{scope}/Branch_2/{second}"),
            unit(pool(x, 3, 1), f"{scope}/Branch_3/Conv2d_0b_1x1"),
        ]
        ends[scope] = x = tf.concat(branches, 3)
    scope = "InceptionV1/Logits/Conv2d_0c_1x1"
    pooled = tf.nn.avg_pool2d(x, 7, 1, "VALID")
    logits = tf.nn.conv2d(pooled, variables[f"{scope}/weights"], 1, "VALID") + variables[f"{scope}/biases"]
    return {**ends, "Logits": tf.squeeze(logits, [1, 2])}


class _Unit(nn.Module):
    """torchvision's `BasicConv2d`."""

    def __init__(self, taken: int, made: int, **settings: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(taken, made, bias=False, **settings)
        self.bn = nn.BatchNorm2d(made, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class _Inception(nn.Module):
    def __init__(self, taken: int, b0: int, b1a: int, b1b: int, b2a: int, b2b: int, b3: int) -> None:
        super().__init__()
        self.branch1 = _Unit(taken, b0, kernel_size=1)
        self.branch2 = nn.Sequential(_Unit(taken, b1a, kernel_size=1), _Unit(b1a, b1b, kernel_size=3, padding=1))
        # 3x3, as in torchvision's published weights.
        self.branch3 = nn.Sequential(_Unit(taken, b2a, kernel_size=1), _Unit(b2a, b2b, kernel_size=3, padding=1))
        pool = nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True)
        self.branch4 = nn.Sequential(pool, _Unit(taken, b3, kernel_size=1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class _Auxiliary(nn.Module):
    def __init__(self, taken: int) -> None:
        super().__init__()
        self.conv = _Unit(taken, 128, kernel_size=1)
        self.fc1, self.fc2 = nn.Linear(2048, 1024), nn.Linear(1024, TORCHVISION_CLASSES)


class GoogLeNet(nn.Module):
    """torchvision's module, with its names, padding and pools; its auxiliary heads are there and unused.

    With `transform_input`, as torchvision's published weights have it, it takes pixels less ImageNet's mean, divided by
    its deviation, and turns them into -1 to 1 first.
    """

    def __init__(self, transform_input: bool = False) -> None:
        super().__init__()
        self.transform_input = transform_input
        self.conv1 = _Unit(3, 64, kernel_size=7, stride=2, padding=3)
        self.conv2, self.conv3 = _Unit(64, 64, kernel_size=1), _Unit(64, 192, kernel_size=3, padding=1)
        channels = 192
        for block, widths in BLOCKS.items():
            b0, _, b1, _, b2, b3 = widths
            self.add_module(f"inception{block[0]}{chr(ord(block[1]) - 1)}", _Inception(channels, *widths))
            channels = b0 + b1 + b2 + b3
        self.aux1, self.aux2 = _Auxiliary(512), _Auxiliary(528)
        self.fc = nn.Linear(1024, TORCHVISION_CLASSES)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Take B,3,H,W; return feature maps by the names of I3D's endpoints, and the logits."""
        if self.transform_input:
            mean, deviation = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
            x = x * (deviation / 0.5) + (mean - 0.5) / 0.5

        def pool(x: Tensor, extent: int) -> Tensor:
            return functional.max_pool2d(x, extent, 2, ceil_mode=True)

        ends = {"Conv3d_1a_7x7": (x := self.conv1(x)), "MaxPool3d_2a_3x3": (x := pool(x, 3))}
        ends |= {"Conv3d_2b_1x1": (x := self.conv2(x)), "Conv3d_2c_3x3": (x := self.conv3(x))}
        ends["MaxPool3d_3a_3x3"] = x = pool(x, 3)
        for block in BLOCKS:
            if block in ("4b", "5b"):
                name, extent = ("MaxPool3d_4a_3x3", 3) if block == "4b" else ("MaxPool3d_5a_2x2", 2)
                ends[name] = x = pool(x, extent)
            ends[f"Mixed_{block}"] = x = self.get_submodule(f"inception{block[0]}{chr(ord(block[1]) - 1)}")(x)
        return {**ends, "Logits": self.fc(x.mean((2, 3)))}


IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def googlenet(seed: int = 0, *, transform_input: bool = False) -> GoogLeNet:
    """Return torchvision's network in evaluation mode with random weights, scales of batch norm among them."""
    torch.manual_seed(seed)
    model = GoogLeNet(transform_input).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.7, 1.3)
                module.bias.normal_(0, 0.2)
                module.running_mean.normal_(0, 0.2)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return model


if __name__ == "__main__":
    write_slim(Path(sys.argv[1]))
