"""What TensorFlow itself makes of files that the product wrote, without the product."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def run_in_tensorflow(graph_file: Path, checkpoint: Path, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Return a frozen graph's outputs for frames, shape T, H, W, 3, its shapes, and a checkpoint's variables."""
    import tensorflow as tf

    pixels = frames[np.newaxis].astype(np.float32) / 127.5 - 1
    definition = tf.compat.v1.GraphDef.FromString(graph_file.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.compat.v1.import_graph_def(definition, name="")
    x, y = graph.get_tensor_by_name("Placeholder:0"), graph.get_tensor_by_name("Softmax:0")
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.compat.v1.Session(graph=graph, config=config) as session:
        softmax, logits = session.run([y, y.op.inputs[0]], {x: pixels})
    reader = tf.train.load_checkpoint(str(checkpoint))
    variables = {f"variable:{name}": reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    shapes = {"placeholder": np.array(x.shape.as_list()), "output": np.array(y.shape.as_list())}
    return {"softmax": softmax, "logits": logits, **shapes, **variables}
