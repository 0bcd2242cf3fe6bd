"""TF-slim's Inception-v1 for images with random weights, built and saved by TensorFlow.

It is written from the architecture and independently of the product's tables. `python -m support.slim_inception FOLDER`
writes checkpoints and what TensorFlow computes with them, in a process of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from support.image_networks import BLOCKS, as_input, random_image

Arrays = dict[str, NDArray[np.float32]]
SLIM_CLASSES = 11


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


if __name__ == "__main__":
    write_slim(Path(sys.argv[1]))
