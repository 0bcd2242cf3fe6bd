"""8-bit integers in place of float32: the ranges that calibration found, and how they are kept.

Activations, never negative after ReLU, start at 0 and have a range per convolution. NNCF's post-training quantisation
finds the greatest on real clips; these get headroom, because what is cut off costs far more than coarser steps.
NNCF's bias correction is off. Channels are equalised first. On OpenVINO's graph, whose weights are symmetric per
output channel and whose concatenated branches share a range, the mean change of the top-1 probability on real clips
was 0.07 with ranges at the 99.99th percentile, 0.04 at the calibration's own maximum, 0.02 with headroom (0.03 with
bias correction of weights alone, 0.01 without), 0.013 with channels equalised. The native kernels follow in
`native_integers.py`. The head stays in float32.
"""

from __future__ import annotations

import hashlib
import io
import logging
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import BadZipFile

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13

from quovadis.architecture import HEAD, convolutions
from quovadis.errors import CacheError, EngineError
from quovadis.extras import import_extra
from quovadis.fetch.durable import whole_file
from quovadis.weights.equalization import equalize, equalizing_scales

INPUT_RANGE = (-128 / 127, 1.0)
"""Of normalised pixels: 0, the padding, is one of its 256 levels."""
LEVELS = 256
MOST_WEIGHT = 127
HEADROOM = 1.4
CALIBRATION_CLIPS = 12
"""Clips that calibration looks at, at most."""


@dataclass(frozen=True, eq=False)
class Quantization:
    """What calibration found for one set of weights."""

    ranges: Mapping[str, float]
    """Greatest activation by scope of the convolution that makes it, headroom included; the least is 0."""

    scales: Mapping[str, NDArray[np.float32]]
    """Factor of each output channel by scope: see `quovadis.weights.equalization`."""

    @property
    def identity(self) -> str:
        """SHA-256 of everything in it."""
        digest = hashlib.sha256()
        for scope in sorted(self.ranges):
            digest.update(scope.encode() + np.float32(self.ranges[scope]).tobytes() + self.scales[scope].tobytes())
        return digest.hexdigest()

    @property
    def description(self) -> Mapping[str, str]:
        """What engines tell of it: another calibration gives other results."""
        return {"calibration_sha256": self.identity}

    def save(self, path: Path) -> None:
        """Write it to a file, which appears whole or not at all.

        Raises:
            CacheError: the file cannot be written.
        """
        arrays: dict[str, Any] = {f"{scope}/range": np.array(value, np.float32) for scope, value in self.ranges.items()}
        arrays |= {f"{scope}/scale": value for scope, value in self.scales.items()}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as temporary, temporary.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
        except OSError as error:
            raise CacheError(f"{path}: cannot write the calibration: {error.strerror}") from error

    @classmethod
    def load(cls, path: Path) -> Quantization | None:
        """Read what `save` wrote; None if there is no such file or it is not whole."""
        try:
            # Opened here, because NumPy leaves a damaged file open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                ranges = {scope: float(arrays[f"{scope}/range"]) for scope in _scopes()}
                return cls(ranges, {scope: arrays[f"{scope}/scale"].astype(np.float32) for scope in _scopes()})
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
            return None


def _scopes() -> list[str]:
    return [unit.scope for unit, _ in convolutions() if unit != HEAD.convolution]


Build: TypeAlias = Callable[[Mapping[str, NDArray[np.float32]]], ov.Model]
"""Makes the graph of given tensors; each ReLU is called by its convolution's scope."""


def calibrate(
    tensors: Mapping[str, NDArray[np.float32]], build: Build, clips: Iterable[NDArray[np.uint8]]
) -> Quantization:
    """Equalise the channels of every activation and find its range, by running the network on clips.

    Args:
        tensors: variables by their original names.
        build: makes the graph of such tensors.
        clips: RGB, uint8, shape frames, 224, 224, 3; those of people at work, not of noise.

    Raises:
        MissingDependencyError: NNCF is not installed.
        EngineError: there are no clips.
    """
    samples = [clip[np.newaxis] for clip in clips]
    if not samples:
        raise EngineError("there is no clip to calibrate 8-bit integers on: name a video of your own")
    # NNCF draws its progress on stdout, which belongs to results.
    scales = equalizing_scales(_channel_maxima(build(tensors), samples))
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        # It imports what is deprecated elsewhere.
        warnings.simplefilter("ignore")
        nncf = import_extra("nncf", "calibrating 8-bit integers")
        nncf.set_log_level(logging.ERROR)
        statistics = nncf.quantization.range_estimator
        greatest = statistics.StatisticsCollectorParameters(
            statistics_type=statistics.StatisticsType.MAX, aggregator_type=statistics.AggregatorType.MAX
        )
        parameters = nncf.AdvancedQuantizationParameters(
            disable_bias_correction=True,
            activations_range_estimator_params=statistics.RangeEstimatorParameters(max=greatest),
        )
        quantized = nncf.quantize(
            build(equalize(tensors, scales)),
            nncf.Dataset(samples),
            subset_size=len(samples),
            advanced_parameters=parameters,
        )
    nodes = {node.get_friendly_name(): node for node in quantized.get_ops()}
    return Quantization({scope: HEADROOM * _greatest(nodes[scope]) for scope in _scopes()}, scales)


def _channel_maxima(model: ov.Model, samples: Iterable[NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
    """Return the greatest value of each channel of each ReLU over all samples."""
    nodes = {node.get_friendly_name(): node for node in model.get_ops()}
    axes = opset13.constant(np.array((0, 2, 3, 4), np.int64))
    results = [opset13.result(opset13.reduce_max(nodes[scope], axes)) for scope in _scopes()]
    config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = ov.Core().compile_model(ov.Model(results, model.get_parameters(), "maxima"), "CPU", config)
    maxima: dict[str, NDArray[np.float32]] = {}
    for sample in samples:
        for scope, values in zip(_scopes(), request([sample]).values(), strict=True):
            maxima[scope] = np.maximum(maxima.get(scope, np.float32(0)), values)
    return maxima


def _greatest(activation: ov.Node) -> float:
    """Return the upper bound of the quantiser that reads an activation."""
    readers = (target.get_node() for target in activation.output(0).get_target_inputs())
    quantizer = next(node for node in readers if node.get_type_name() == "FakeQuantize")
    return float(np.max(quantizer.input_value(2).get_node().get_data()))
