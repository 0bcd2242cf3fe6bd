"""The network in PyTorch, for NVIDIA GPUs: half precision, channels last, a compiled graph for each shape of clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quovadis.engines.base import EngineOutput, EngineStream, Pixels, check_clips, check_endpoints
from quovadis.errors import EngineError
from quovadis.extras import import_extra
from quovadis.torch import I3D, I3DOutput, normalize
from quovadis.weights.model import make_weights

if not TYPE_CHECKING:
    import_extra("torch", "the engine torch")

import torch
from torch import Tensor


class TorchEngine:
    """The network on one PyTorch device.

    On CUDA it computes in float16, compiled into one graph for each shape of clips; on the CPU in float32 as it is.
    Logits of float16 differ from float32's by about 1e-2. Calls from several threads wait for each other.
    """

    clips_at_once = 1

    def __init__(
        self, tensors: Mapping[str, NDArray[np.float32]], *, device: str = "cuda", threads: int | None = None
    ) -> None:
        """Move the network to the device; it is compiled when the first clip is run.

        Args:
            tensors: variables by their original names.
            device: `cuda`, `cuda:1` …, or `cpu`.
            threads: CPU threads, of the whole process; None leaves them as they are.

        Raises:
            EngineError: PyTorch has no such device here.
        """
        try:
            self._device = torch.device(device)
            # Only doing something tells whether a device works.
            torch.zeros(1, device=self._device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).partition("\n")[0]
            raise EngineError(f'PyTorch cannot use "{device}" here: {reason}; choose --device CPU') from error
        if threads is not None:
            torch.set_num_threads(threads)
        self._half = self._device.type == "cuda"
        self._dtype = torch.float16 if self._half else torch.float32
        model = I3D.from_pretrained(make_weights(tensors, Path("weights"), "weights")).eval().requires_grad_(False)
        self._model: I3D = model.to(self._device, self._dtype).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self._graphs: dict[tuple[str, ...], Callable[[Tensor], I3DOutput]] = {}
        self._lock = Lock()

    @cached_property
    def description(self) -> Mapping[str, str]:
        """Engine, its version, device and precision."""
        is_cuda = self._device.type == "cuda"
        device = f"{self._device} ({torch.cuda.get_device_name(self._device)})" if is_cuda else str(self._device)
        precision = "f16" if self._half else "f32"
        return {"engine": "torch", "version": torch.__version__, "device": device, "precision": precision}

    def run(self, clips: Pixels, endpoints: Sequence[str] = ()) -> EngineOutput:
        """Run the network on `clips`; see `base.Engine.run`."""
        check_clips(clips)
        names = check_endpoints(endpoints)
        with self._lock, torch.inference_mode():
            try:
                pixels = torch.from_numpy(np.ascontiguousarray(clips)).to(self._device)
                output = self._graph(names)(pixels)
                # The mean of float16 steps and their softmax are taken in float32.
                step_logits = output.step_logits.float()
                logits = step_logits.mean(1)
                return EngineOutput(
                    step_logits=_array(step_logits),
                    logits=_array(logits),
                    probabilities=_array(logits.softmax(1)),
                    features=_array(output.features),
                    endpoints={name: _array(output.endpoints[name].permute(0, 2, 3, 4, 1)) for name in names},
                )
            except RuntimeError as error:
                reason = str(error).partition("\n")[0]
                raise EngineError(f"{self._device} failed to run clips of shape {clips.shape}: {reason}") from error

    def _graph(self, endpoints: tuple[str, ...]) -> Callable[[Tensor], I3DOutput]:
        if endpoints not in self._graphs:
            model, dtype = self._model, self._dtype

            def forward(pixels: Tensor) -> I3DOutput:
                return model.run(normalize(pixels).to(dtype), endpoints)

            compiled: Callable[[Tensor], I3DOutput] = (
                torch.compile(forward, mode="max-autotune-no-cudagraphs", dynamic=False) if self._half else forward
            )
            self._graphs[endpoints] = compiled
        return self._graphs[endpoints]

    def open_stream(self) -> EngineStream:
        """Refuse: see the message.

        Raises:
            EngineError: always.
        """
        raise EngineError("the engine torch has no dense mode: choose --device CPU, or windows with --stride")


def _array(values: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = values.float().contiguous().cpu().numpy()
    return array
