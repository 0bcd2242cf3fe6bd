"""One 79-frame clip through each engine: ours and its peers, each in a process of its own, taking turns.

A peer gets the same clip as its graph takes it, ready in memory: uint8 frames, floats of 0..255 where the graph
normalises them, or floats of -1..1 where it does not. Its answer is logits or probabilities of 400 classes. A wrong
answer ends the benchmark: a peer's time counts only if it computes the same. Run by `run.py`.

    python benchmarks/peers.py PEER FOLDER THREADS     serves one peer: a line in, a line of JSON out
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypedDict

import numpy as np
from machine import peak_megabytes

Run = Callable[[np.ndarray], np.ndarray]
Setup = Callable[[Path, int], Run]

GRAPH = "i3d-rgb.frozen.pb"
ONNX = "i3d-rgb.onnx"
CLIP = "clip.npy"
CALIBRATION = "calibration.npy"

FLOAT32_TOLERANCE = 1e-5
INT8_TOLERANCE = 0.05
"""The greatest difference that a probability may have from the expected one."""


def prepare(folder: Path, clip: np.ndarray, calibration: np.ndarray) -> None:
    """Write what peers read: the clip, the calibration clips, the graph as a frozen graph and as ONNX.

    Args:
        folder: where to write.
        clip: uint8, shape 1, 79, 224, 224, 3.
        calibration: more clips of this shape, for int8.
    """
    from quovadis import convert

    np.save(folder / CLIP, clip)
    np.save(folder / CALIBRATION, calibration)
    convert("rgb-scratch", folder / GRAPH, to="tensorflow-graph", verify=False)
    convert("rgb-scratch", folder / ONNX, to="onnx", verify=False)


# --- the peers ------------------------------------------------------------------------------------------------------


def _ours(folder: Path, threads: int, *, int8: bool = False, instruction_set: str = "") -> Run:
    from quovadis.engines import NativeEngine
    from quovadis.engines.calibration import ActivationMaxima, calibrate
    from quovadis.weights import load_weights

    tensors = load_weights("rgb-scratch").tensors
    quantization = calibrate(map(ActivationMaxima(tensors).of, np.load(folder / CALIBRATION))) if int8 else None
    engine = NativeEngine(tensors, threads=threads, quantization=quantization, instruction_set=instruction_set)
    return lambda clip: engine.run(clip).probabilities


def _ours_int8(folder: Path, threads: int) -> Run:
    return _ours(folder, threads, int8=True)


def _ours_avx2(folder: Path, threads: int) -> Run:
    return _ours(folder, threads, instruction_set="avx2")


def _normalized(clip: np.ndarray) -> np.ndarray:
    return (clip.astype(np.float32) - 127.5) / 127.5


def _openvino(folder: Path, threads: int, *, nncf: bool = False) -> Run:
    from quovadis.openvino_runtime import ov, without_telemetry

    core = ov.Core()
    model = core.read_model(folder / GRAPH)
    if nncf:
        with without_telemetry():
            import nncf as nncf_package  # noqa: TID251

        dataset = nncf_package.Dataset([_normalized(clip)[np.newaxis] for clip in np.load(folder / CALIBRATION)])
        model = nncf_package.quantize(model, dataset, subset_size=len(np.load(folder / CALIBRATION)))
    config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    request = core.compile_model(model, "CPU", config).create_infer_request()
    x = _normalized(np.load(folder / CLIP))
    return lambda clip: request.infer({0: x}, share_inputs=True)[0].copy()


def _openvino_nncf(folder: Path, threads: int) -> Run:
    return _openvino(folder, threads, nncf=True)


def _onnxruntime(folder: Path, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(folder / ONNX), options, providers=["CPUExecutionProvider"])
    # Our ONNX takes pixels of 0..255 in B,D,C,H,W: mean and scale are in the graph.
    x = np.ascontiguousarray(np.load(folder / CLIP).transpose(0, 1, 4, 2, 3), np.float32)
    name = session.get_inputs()[0].name
    return lambda clip: session.run(None, {name: x})[0]


def _torch(folder: Path, threads: int, *, compiled: bool = False) -> Run:
    import torch

    from quovadis.torch import I3D, normalize

    torch.set_num_threads(threads)
    model = I3D.from_pretrained("rgb-scratch").eval().requires_grad_(False)
    x = normalize(torch.from_numpy(np.load(folder / CLIP))).contiguous()
    if compiled:
        import torch._inductor.config

        torch._inductor.config.freezing = True
        model = torch.compile(model)

    def run(clip: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(x).numpy()

    return run


def _torch_compiled(folder: Path, threads: int) -> Run:
    return _torch(folder, threads, compiled=True)


def _tensorflow(folder: Path, threads: int) -> Run:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    definition = tf.compat.v1.GraphDef.FromString((folder / GRAPH).read_bytes())
    names = [node.name for node in definition.node]
    source = next(node.name for node in definition.node if node.op == "Placeholder")
    graph = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    function = graph.prune(f"{source}:0", f"{names[-1]}:0")
    x = tf.constant(_normalized(np.load(folder / CLIP)))
    return lambda clip: function(x).numpy()


@dataclass(frozen=True)
class Peer:
    """An engine, as the table calls it."""

    title: str
    setup: Setup
    tolerance: float = FLOAT32_TOLERANCE


PEERS: dict[str, Peer] = {
    "ours": Peer("quovadis, f32", _ours),
    "ours-int8": Peer("quovadis, int8", _ours_int8, INT8_TOLERANCE),
    "ours-avx2": Peer("quovadis, f32, AVX2 only", _ours_avx2),
    "openvino": Peer("OpenVINO, f32", _openvino),
    "openvino-nncf": Peer("OpenVINO + NNCF default, int8", _openvino_nncf, INT8_TOLERANCE),
    "onnxruntime": Peer("onnxruntime, f32", _onnxruntime),
    "torch-compile": Peer("torch.compile with freezing, f32", _torch_compiled),
    "tensorflow": Peer("TensorFlow, original graph, f32", _tensorflow),
    "torch": Peer("PyTorch eager, f32", _torch),
}


def require_correct(name: str, probabilities: np.ndarray, expected: np.ndarray) -> float:
    """Return the greatest difference of a peer's probabilities, shape 400, from the expected ones.

    Raises:
        SystemExit: it is more than the peer's tolerance, or the answer is no 400 numbers.
    """
    if probabilities.shape != expected.shape:
        raise SystemExit(f"{PEERS[name].title}: an answer of shape {probabilities.shape} in place of {expected.shape}")
    difference = float(np.abs(probabilities - expected).max())
    # Written so that NaN fails too.
    if not difference <= PEERS[name].tolerance:
        raise SystemExit(
            f"{PEERS[name].title} gives a wrong answer: a probability is {difference:.2g} from the expected one, and"
            f" {PEERS[name].tolerance:g} is allowed; check which pixels and layout its graph takes"
        )
    return difference


# --- taking turns ---------------------------------------------------------------------------------------------------


class Answer(TypedDict):
    """What a peer says of one run."""

    seconds: float
    peak_megabytes: float
    probabilities: list[float]


class _Process:
    """A peer at work in a process of its own."""

    def __init__(self, name: str, folder: Path, threads: int) -> None:
        command = [sys.executable, __file__, name, str(folder), str(threads)]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.name = name

    def ask(self) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        # Libraries print on stdout; answers are marked.
        for line in self._process.stdout:
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
        raise SystemExit(f"{self.name} died")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def measure(names: list[str], folder: Path, threads: int, rounds: int, expected: np.ndarray) -> list[dict[str, object]]:
    """Run the clip in every peer, `rounds` times in turn, after one run to warm up. Seconds are medians.

    Args:
        names: peers, with `openvino` among them.
        folder: what `prepare` wrote.
        threads: that compute.
        rounds: how often each peer's time is taken.
        expected: probabilities of the clip, shape 400.

    Raises:
        SystemExit: a peer died, or gave a wrong answer.
    """
    processes: dict[str, _Process] = {}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    differences: dict[str, float] = {}
    answers: dict[str, Answer] = {}
    try:
        for name in names:
            print(f"starting {PEERS[name].title}", file=sys.stderr, flush=True)
            processes[name] = _Process(name, folder, threads)
            # One after the other, so that compiling one does not disturb the next.
            require_correct(name, np.array(processes[name].ask()["probabilities"]), expected)
        for _ in range(rounds):
            for name, process in processes.items():
                answers[name] = process.ask()
                differences[name] = require_correct(name, np.array(answers[name]["probabilities"]), expected)
                seconds[name].append(answers[name]["seconds"])
    finally:
        for process in processes.values():
            process.close()
    stock = np.array(seconds["openvino"])
    return [
        {
            "name": name,
            "title": PEERS[name].title,
            "seconds": median(seconds[name]),
            "least": min(seconds[name]),
            "greatest": max(seconds[name]),
            "of_openvino": median(np.array(seconds[name]) / stock),
            "peak_megabytes": answers[name]["peak_megabytes"],
            "probability_difference": differences[name],
            "runs": seconds[name],
        }
        for name in names
    ]


def probabilities_of(output: np.ndarray) -> np.ndarray:
    """Return a peer's logits or probabilities as probabilities, one row."""
    values = np.asarray(output, np.float64).reshape(-1)
    if abs(values.sum() - 1) > 1e-3:
        values = np.exp(values - values.max())
        values /= values.sum()
    return values


def _serve(name: str, folder: Path, threads: int) -> None:
    run = PEERS[name].setup(folder, threads)
    clip = np.load(folder / CLIP)
    for _ in sys.stdin:
        start = time.perf_counter()
        output = run(clip)
        seconds = time.perf_counter() - start
        answer = Answer(
            seconds=seconds,
            peak_megabytes=peak_megabytes("self"),
            probabilities=probabilities_of(output).round(7).tolist(),
        )
        print(f"answer {json.dumps(answer)}", flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
