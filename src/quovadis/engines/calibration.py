"""Calibration of 8-bit integers: the range of every activation, found by running the network on real clips.

The greatest activation of each channel decides: channels are equalised first, and ranges get headroom, because what is
cut off costs far more than coarser steps. On OpenVINO's graph, whose weights are symmetric per output channel and whose
concatenated branches share a range, the mean change of the top-1 probability on real clips was 0.07 with ranges at the
99.99th percentile, 0.04 at the calibration's own maximum, 0.02 with headroom, 0.013 with channels equalised. NNCF finds
the same ranges (equal to 1e-5) with the greatest value of all clips as its statistic and its bias correction off, in
three times the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import STAGES, Mixed
from quovadis.engines.openvino_graph import build_graph
from quovadis.engines.quantization import Quantization, quantized_scopes
from quovadis.errors import EngineError
from quovadis.openvino_runtime import opset13, ov, refuse_after_fork
from quovadis.weights.equalization import equalizing_scales

HEADROOM = 1.4

Maxima = Mapping[str, NDArray[np.float32]]
"""Greatest activation of each channel, by scope of the convolution whose ReLU makes it."""


class ActivationMaxima:
    """The network in float32, ready to tell the greatest activations of clips."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        """Compile the graph of variables by their original names."""
        refuse_after_fork()
        model = build_graph(tensors)
        nodes = {node.get_friendly_name(): node for node in model.get_ops()}
        axes = opset13.constant(np.array((0, 2, 3, 4), np.int64))
        results = [opset13.result(opset13.reduce_max(nodes[scope], axes)) for scope in quantized_scopes()]
        config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        self._compiled = ov.Core().compile_model(ov.Model(results, model.get_parameters(), "maxima"), "CPU", config)

    def of(self, clip: NDArray[np.uint8]) -> Maxima:
        """Return the greatest activations of a clip: RGB, uint8, shape frames, 224, 224, 3."""
        found = self._compiled([clip[np.newaxis]]).values()
        return {scope: values.copy() for scope, values in zip(quantized_scopes(), found, strict=True)}


def calibrate(maxima: Iterable[Maxima]) -> Quantization:
    """Return how to equalise the channels of every activation and which range each then has.

    Args:
        maxima: those of each clip, of people at work, not of noise.

    Raises:
        EngineError: there are no clips.
    """
    clips = list(maxima)
    if not clips:
        raise EngineError("there is no clip to calibrate 8-bit integers on: name a video of your own")
    greatest = {scope: np.max([clip[scope] for clip in clips], axis=0) for scope in quantized_scopes()}
    scales = equalizing_scales(greatest)
    # As float32, as which they are kept: the first run is to compute what later ones do.
    ranges = {scope: float(np.float32(HEADROOM * np.max(greatest[scope] * scales[scope]))) for scope in greatest}
    # Branches that are concatenated share a range; those of the last stage go to the head, which is not quantised.
    for stage in STAGES[:-1]:
        if isinstance(stage, Mixed):
            ends = [branch[-1].scope for branch in stage.branches]
            ranges |= dict.fromkeys(ends, max(ranges[scope] for scope in ends))
    return Quantization(ranges, scales)
