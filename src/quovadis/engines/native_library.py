"""The compiled kernels as Python calls them; see `native/kernels.hpp`."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import Triple
from quovadis.errors import EngineError
from quovadis.native.build import INSTRUCTION_SETS, LIBRARY, unsupported_machine

AMX = "amx"
"""Instruction set of the matrix unit's kernels for int8; the rest is AVX-512's."""
CACHE_LINE = 64
PANEL = 32
"""Output channels for which weights are packed together."""
LANES = 16
"""Feature maps have a multiple of this number of channels, the last of them zero if need be."""


class BufferView(Structure):
    """Frames `first` to `end` - 1 of a feature map in memory."""

    _fields_ = (
        ("data", c_void_p),
        ("first", c_int64),
        ("end", c_int64),
        ("height", c_int64),
        ("width", c_int64),
        ("stride", c_int64),
    )


class KernelGeometry(Structure):
    """Kernel, stride and the padding before, for time, height and width."""

    _fields_ = (("kernel", c_int64 * 3), ("stride", c_int64 * 3), ("padding", c_int64 * 3))

    def __init__(self, kernel: Triple, stride: Triple, padding: Triple) -> None:
        super().__init__(kernel, stride, padding)


@dataclass(frozen=True, eq=False)
class PackedConvolution:
    """A convolution's weights as its kernel reads them."""

    weights: NDArray[np.float32]
    """For each panel of output channels: points, depth, channels of the panel."""
    bias: NDArray[np.float32]
    in_channels: int
    out_channels: int


@dataclass(frozen=True, eq=False)
class IntegerConvolution:
    """A convolution's weights as the kernels on 8-bit feature maps read them."""

    weights: NDArray[np.int16] | NDArray[np.int8]
    """For each panel of output channels: points, words of inputs, channels of the panel, word (2 int16, 4 int8)."""
    scale: NDArray[np.float32]
    """Step of each sum, for each panel: points, channels of the panel."""
    bias: NDArray[np.float32]
    in_channels: int
    out_channels: int


@dataclass(frozen=True, eq=False)
class AmxConvolution:
    """A convolution's weights as the kernels for AMX read them."""

    weights: NDArray[np.int8]
    """For each panel of output channels: 64 inputs each time, two groups, four of the inputs, channel, input.

    A panel is 16 channels, and its groups upper and lower bytes; or, of 8-bit weights, 32 channels in two groups.
    """
    scale: NDArray[np.float32]
    """Step of each output channel's sums."""
    bias: NDArray[np.float32]
    in_channels: int
    out_channels: int
    in_bytes: bool
    """Whether weights have 8 bits."""


@dataclass(frozen=True, eq=False)
class AmxStem(AmxConvolution):
    """The same of the stem; behind all inputs' weights come those that fractions of pixels are multiplied with."""

    halves: NDArray[np.float32]
    """What the first 0 to 7 taps along each axis add for half a level of a pixel; shape 8, 8, 8, channels."""


def aligned_empty(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Return an array that begins with a cache line: what the kernels read of it at once then lies in one."""
    bytes_needed = prod(shape) * np.dtype(dtype).itemsize
    room = np.empty(bytes_needed + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + bytes_needed].view(dtype).reshape(shape)


def padded_channels(channels: int) -> int:
    """Return the number of channels in memory."""
    return -(-channels // LANES) * LANES


def pack(weights: NDArray[np.float32], bias: NDArray[np.float32]) -> PackedConvolution:
    """Pack weights of shape points, depth, out, and pad their output channels."""
    points, depth, channels = weights.shape
    padded = padded_channels(channels)
    packed = aligned_empty((padded, points * depth), np.float32)
    packed[...] = 0
    for start in range(0, padded, PANEL):
        panel = packed[start : start + PANEL].reshape(points, depth, -1)
        own = weights[..., start : start + PANEL]
        panel[..., : own.shape[-1]] = own
    offset = np.zeros(padded, np.float32)
    offset[:channels] = bias
    return PackedConvolution(packed.ravel(), offset, depth, padded)


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(LIBRARY))
    floats, view, window = c_void_p, POINTER(BufferView), POINTER(KernelGeometry)
    library.quovadis_open.argtypes = (c_char_p, c_int)
    library.quovadis_open.restype = c_void_p
    library.quovadis_close.argtypes = (c_void_p,)
    library.quovadis_instruction_set.argtypes = (c_void_p,)
    library.quovadis_instruction_set.restype = c_char_p
    library.quovadis_pointwise.argtypes = (c_void_p, view, c_int64, floats, floats, c_int64, view, c_int)
    library.quovadis_convolve3.argtypes = (c_void_p, view, c_int64, floats, floats, c_int64, view)
    library.quovadis_stem.argtypes = (c_void_p, view, c_int, floats, floats, c_int64, view, window)
    library.quovadis_max_pool.argtypes = (c_void_p, view, c_int64, view, window)
    library.quovadis_has_integers.argtypes = (c_void_p,)
    integers = (c_void_p, c_void_p, c_void_p, c_int64)
    library.quovadis_integer_pointwise.argtypes = (c_void_p, view, c_int64, *integers, view)
    library.quovadis_integer_pointwise_bytes.argtypes = (c_void_p, view, c_int64, *integers, view)
    library.quovadis_integer_pointwise_shorts.argtypes = (c_void_p, view, c_int64, *integers, view)
    library.quovadis_integer_convolve3.argtypes = (c_void_p, view, c_int64, *integers, view)
    library.quovadis_integer_stem.argtypes = (c_void_p, view, c_int, *integers, view, window)
    library.quovadis_integer_max_pool.argtypes = (c_void_p, view, c_int64, view, window)
    library.quovadis_integer_max_pool_shorts.argtypes = (c_void_p, view, c_int64, view, window)
    library.quovadis_has_amx.argtypes = (c_void_p,)
    library.quovadis_amx_pointwise.argtypes = (c_void_p, view, c_int64, c_void_p, c_int, *integers[1:], view)
    library.quovadis_amx_convolve3.argtypes = (c_void_p, view, c_int64, c_void_p, c_int, *integers[1:], view)
    library.quovadis_amx_stem.argtypes = (c_void_p, view, c_int, c_void_p, *integers, view, window)
    return library


def instruction_sets() -> tuple[str, ...]:
    """Return the instruction sets that have kernels and that this processor knows, the best first."""
    if not LIBRARY.exists():
        return ()
    found = []
    for name in (AMX, *INSTRUCTION_SETS):
        pool = _library().quovadis_open(name.encode(), 1)
        if pool is not None:
            _library().quovadis_close(pool)
            found.append(name)
    return tuple(found)


def why_unavailable() -> str | None:
    """Say why the kernels cannot be used here; None if they can."""
    reason = unsupported_machine() or why_missing()
    if reason is None and not instruction_sets():
        return "this processor has neither AVX2 nor AVX-512"
    return reason


def why_missing() -> str | None:
    """Say why kernels that there are for this machine are not installed, and what to do; None if all is well."""
    if unsupported_machine() is not None:
        return None
    if not LIBRARY.exists():
        return (
            "the kernels were not compiled when quovadis was installed: install a C++ compiler, g++ or clang++, and "
            "run python -m quovadis.native"
        )
    try:
        instruction_sets()
    except (OSError, AttributeError) as error:
        return f"the kernels cannot be loaded: {error}; python -m quovadis.native compiles them again"
    return None


def has_integers() -> bool:
    """Return whether the kernels on 8-bit feature maps can be used here."""
    return why_unavailable() is None and Kernels(1).has_integers


class Kernels:
    """A pool of threads with the kernels of one instruction set. One call at a time.

    A fork copies no threads: the first call in a forked process starts them again.
    """

    def __init__(self, threads: int, instruction_set: str = "") -> None:
        """Start the threads.

        Args:
            threads: how many compute, the caller's among them.
            instruction_set: `amx`, `avx512` or `avx2`; empty: the best there is.

        Raises:
            EngineError: the kernels were not compiled, or cannot run here.
        """
        reason = why_unavailable()
        if reason is not None:
            raise EngineError(reason)
        self._library = _library()
        self._arguments = instruction_set.encode(), threads
        self._opened = self._library.quovadis_open(*self._arguments)
        self._process = os.getpid()
        if self._opened is None:
            raise EngineError(f'this processor cannot run the kernels for "{instruction_set}"')

    def __del__(self) -> None:
        # Closing waits for the threads to end, and those of the process that this one was forked from are not here.
        if getattr(self, "_opened", None) is not None and self._process == os.getpid():
            self._library.quovadis_close(self._opened)

    @property
    def _pool(self) -> int:
        if self._process != os.getpid():
            # What was opened before the fork is left as it is: its locks may be held for ever.
            self._opened = self._library.quovadis_open(*self._arguments)
            self._process = os.getpid()
        return int(self._opened)

    @property
    def instruction_set(self) -> str:
        """Name of the instruction set in use for float32."""
        return bytes(self._library.quovadis_instruction_set(self._pool)).decode()

    @property
    def has_integers(self) -> bool:
        """Whether `integers` are available: AVX-512 with VNNI."""
        return bool(self._library.quovadis_has_integers(self._pool))

    @property
    def has_amx(self) -> bool:
        """Whether `amx` is available: a processor with AMX, and neither compiler nor caller asked to do without."""
        return bool(self._library.quovadis_has_amx(self._pool))

    @property
    def amx(self) -> AmxKernels:
        """The kernels on the matrix unit, on the same threads.

        Raises:
            EngineError: this processor, the compiled kernels or the chosen instruction set have none.
        """
        if not self.has_amx:
            raise EngineError("the kernels for the matrix unit need a processor with AMX, and a compiler that knows it")
        return AmxKernels(self._library, self._pool, self)

    @property
    def integers(self) -> IntegerKernels:
        """The kernels on 8-bit feature maps, on the same threads.

        Raises:
            EngineError: this processor, or the chosen instruction set, has none.
        """
        if not self.has_integers:
            raise EngineError("the kernels for int8 need a processor with AVX-512 VNNI")
        return IntegerKernels(self._library, self._pool, self)

    def pointwise(self, x: BufferView, packed: PackedConvolution, y: BufferView, *, relu: bool) -> None:
        """Apply a 1x1x1 convolution and its bias to frames `y.first` to `y.end` - 1."""
        self._library.quovadis_pointwise(
            self._pool, byref(x), packed.in_channels, *_addresses(packed), packed.out_channels, byref(y), relu
        )

    def convolve3(self, x: BufferView, packed: PackedConvolution, y: BufferView) -> None:
        """Apply a 3x3x3 convolution of stride 1, one pixel padded on each side, its bias and ReLU."""
        self._library.quovadis_convolve3(
            self._pool, byref(x), packed.in_channels, *_addresses(packed), packed.out_channels, byref(y)
        )

    def stem(
        self, x: BufferView, packed: PackedConvolution, y: BufferView, window: KernelGeometry, *, floats: bool = False
    ) -> None:
        """Scale pixels, uint8 or `floats`, to -1..1, apply the 7x7x7 convolution of stride 2, its bias and ReLU."""
        self._library.quovadis_stem(
            self._pool, byref(x), floats, *_addresses(packed), packed.out_channels, byref(y), byref(window)
        )

    def max_pool(self, x: BufferView, channels: int, y: BufferView, window: KernelGeometry) -> None:
        """Apply a max pool that never sees its padding."""
        self._library.quovadis_max_pool(self._pool, byref(x), channels, byref(y), byref(window))


class IntegerKernels:
    """Kernels on 8-bit feature maps; what the stem makes has 16 bits."""

    def __init__(self, library: ctypes.CDLL, pool: int, owner: Kernels) -> None:
        self._library = library
        self._pool = pool
        self._owner = owner

    def pointwise(self, x: BufferView, packed: IntegerConvolution, y: BufferView, *, wide: bool = False) -> None:
        """Apply a 1x1x1 convolution, its bias and ReLU to frames `y.first` to `y.end` - 1; `wide`: of 16-bit values."""
        kernel = self._library.quovadis_integer_pointwise
        if wide:
            kernel = self._library.quovadis_integer_pointwise_shorts
        elif packed.weights.dtype == np.int8:
            kernel = self._library.quovadis_integer_pointwise_bytes
        kernel(self._pool, byref(x), packed.in_channels, *_integers(packed), packed.out_channels, byref(y))

    def convolve3(self, x: BufferView, packed: IntegerConvolution, y: BufferView) -> None:
        """Apply a 3x3x3 convolution of stride 1, one pixel padded on each side, its bias and ReLU."""
        self._library.quovadis_integer_convolve3(
            self._pool, byref(x), packed.in_channels, *_integers(packed), packed.out_channels, byref(y)
        )

    def stem(
        self, x: BufferView, packed: IntegerConvolution, y: BufferView, window: KernelGeometry, *, floats: bool = False
    ) -> None:
        """Take pixels as -127.5..127.5, apply the 7x7x7 convolution of stride 2, its bias and ReLU; to int16."""
        self._library.quovadis_integer_stem(
            self._pool, byref(x), floats, *_integers(packed), packed.out_channels, byref(y), byref(window)
        )

    def max_pool(
        self, x: BufferView, channels: int, y: BufferView, window: KernelGeometry, *, wide: bool = False
    ) -> None:
        """Apply a max pool that never sees its padding; `wide`: on 16-bit values."""
        kernel = self._library.quovadis_integer_max_pool_shorts if wide else self._library.quovadis_integer_max_pool
        kernel(self._pool, byref(x), channels, byref(y), byref(window))


class AmxKernels:
    """Convolutions of 8-bit feature maps on the matrix unit."""

    def __init__(self, library: ctypes.CDLL, pool: int, owner: Kernels) -> None:
        self._library = library
        self._pool = pool
        self._owner = owner

    def pointwise(self, x: BufferView, packed: AmxConvolution, y: BufferView) -> None:
        """Apply a 1x1x1 convolution, its bias and ReLU to frames `y.first` to `y.end` - 1."""
        weights, *rest = _integers(packed)
        self._library.quovadis_amx_pointwise(
            self._pool, byref(x), packed.in_channels, weights, packed.in_bytes, *rest, packed.out_channels, byref(y)
        )

    def convolve3(self, x: BufferView, packed: AmxConvolution, y: BufferView) -> None:
        """Apply a 3x3x3 convolution of stride 1, one pixel padded on each side, its bias and ReLU."""
        weights, *rest = _integers(packed)
        self._library.quovadis_amx_convolve3(
            self._pool, byref(x), packed.in_channels, weights, packed.in_bytes, *rest, packed.out_channels, byref(y)
        )

    def stem(
        self, x: BufferView, packed: AmxStem, y: BufferView, window: KernelGeometry, *, floats: bool = False
    ) -> None:
        """Take pixels as -127.5..127.5, apply the 7x7x7 convolution of stride 2, its bias and ReLU; to int16."""
        halves = packed.halves.ctypes.data_as(c_void_p)
        self._library.quovadis_amx_stem(
            self._pool, byref(x), floats, *_integers(packed), halves, packed.out_channels, byref(y), byref(window)
        )


def _addresses(packed: PackedConvolution) -> tuple[c_void_p, ...]:
    return tuple(array.ctypes.data_as(c_void_p) for array in (packed.weights, packed.bias))


def _integers(packed: IntegerConvolution | AmxConvolution) -> tuple[c_void_p, ...]:
    return tuple(array.ctypes.data_as(c_void_p) for array in (packed.weights, packed.scale, packed.bias))
