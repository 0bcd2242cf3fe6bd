"""Checkpoints to read: the original one, rebuilt, and several kinds that TensorFlow writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quovadis.weights import TensorFlowCheckpoint, read_weights

WRITE_WITH_TENSORFLOW = """
import sys
import numpy as np
import tensorflow as tf

folder = sys.argv[1]
generator = np.random.default_rng(0)
values = {
    "float32": generator.standard_normal((3, 4, 5)).astype(np.float32),
    "float64": generator.standard_normal(7),
    "half": generator.standard_normal(6).astype(np.float16),
    "int32": generator.integers(-1000, 1000, (2, 3)).astype(np.int32),
    "int64": np.int64(1) << np.arange(40, 50),
    "uint8": np.arange(256, dtype=np.uint8),
    "bool": np.array([True, False, True]),
    "complex64": np.array([1 + 2j], np.complex64),
    "scalar": np.float32(2.5),
    "empty": np.zeros((0, 3), np.float32),
    "rounds": np.float32([1.0, -2.5, 0.0]),
}
np.savez(f"{folder}/values.npz", **values)
tensors = {name: tf.constant(value) for name, value in values.items()}
tensors["bfloat16"] = tf.cast(values["rounds"], tf.bfloat16)
tensors["text"] = tf.constant([["a", "longer text"], ["", "\\x00\\xff"]])
names = sorted(tensors)

def save(prefix, names):
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names),
                      tensors=[tensors[name] for name in names])

save(f"{folder}/plain.ckpt", names)
save(f"{folder}/one.ckpt", names[:5])
save(f"{folder}/two.ckpt", names[5:])
tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=[f"{folder}/one.ckpt", f"{folder}/two.ckpt"],
                              destination_prefix=f"{folder}/sharded.ckpt", delete_old_dirs=False)

with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.compat.v1.get_variable("partitioned", initializer=tf.reshape(tf.range(3000.0), (100, 30)),
                              partitioner=tf.compat.v1.fixed_size_partitioner(3))
    session.run(tf.compat.v1.global_variables_initializer())
    tf.compat.v1.train.Saver().save(session, f"{folder}/saver/model.ckpt", write_meta_graph=False)

with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.compat.v1.get_variable("partitioned", initializer=tf.reshape(tf.range(3000.0), (100, 30)),
                              partitioner=tf.compat.v1.fixed_size_partitioner(3))
    for name in ("float32", "float64", "int64"):
        tf.compat.v1.get_variable(name, initializer=tf.constant(values[name]))
    session.run(tf.compat.v1.global_variables_initializer())
    saver = tf.compat.v1.train.Saver(write_version=tf.compat.v1.train.SaverDef.V1)
    saver.save(session, f"{folder}/v1.ckpt", write_meta_graph=False, write_state=False)

module = tf.Module()
module.kernel = tf.Variable(values["float32"])
tf.train.Checkpoint(module=module).save(f"{folder}/object/ckpt")
"""


@pytest.fixture(scope="session")
def tensorflow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What TensorFlow 2 writes, in a process of its own: it takes seconds and memory, and warns."""
    folder = tmp_path_factory.mktemp("tensorflow")
    run = subprocess.run(
        [sys.executable, "-c", WRITE_WITH_TENSORFLOW, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
    )
    if run.returncode != 0:
        pytest.fail(f"TensorFlow, which the test extra installs, wrote no checkpoints: {run.stderr[-2000:]}")
    return folder


@pytest.fixture(scope="session")
def original_checkpoint(assets: Path, rgb_scratch_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DeepMind's `rgb_scratch`: the original index, and the data file rebuilt by putting each tensor at its offset."""
    prefix = tmp_path_factory.mktemp("rgb_scratch") / "model.ckpt"
    index = assets / "assets" / "checkpoints" / "rgb_scratch" / "model.ckpt.index"
    prefix.with_name("model.ckpt.index").write_bytes(index.read_bytes())
    tensors = read_weights(rgb_scratch_path).tensors
    checkpoint = TensorFlowCheckpoint(prefix)
    data = bytearray(sum(tensor.nbytes for tensor in tensors.values()))
    for name in checkpoint:
        entry = checkpoint.entry(name)
        data[entry.offset : entry.offset + entry.size] = tensors[name].tobytes()
    (path,) = checkpoint.data_paths
    path.write_bytes(data)
    return prefix
