"""Weights for the kernels on the matrix unit (AMX): 16 bits, as two bytes, without a transform.

Feature maps hold 0..255 as in `native_integers.py`. The unit multiplies bytes; a weight of 16 bits is 256 times an
upper byte plus a lower one, both signed, and the sums of both fit in 32 bits whatever the video shows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quovadis.engines.native_library import LANES, AmxConvolution, AmxStem, aligned_empty, padded_channels

DEPTH = 64
"""Inputs that are multiplied at once: a tile's row."""
BYTE_QMAX = 127
WEIGHT_QMAX = BYTE_QMAX * 256 + 127
_UNALIGNED = 32
"""Channels from which on pixels begin at a multiple of `DEPTH`, where the processor reads them in one go."""
_STEM_LINES = 3


def pack_pointwise(
    kernel: NDArray[np.float32],
    bias: NDArray[np.float32],
    output_scale: NDArray[np.float32] | float,
    *,
    in_bytes: bool = False,
) -> AmxConvolution:
    """Round and pack a kernel of integer inputs, shape 1, 1, 1, in, out.

    Args:
        kernel: its weights.
        bias: shape out.
        output_scale: of the outputs, one or for each channel.
        in_bytes: whether weights have 8 bits, which takes half the time.
    """
    rounded, scale = _rounded(kernel[0, 0, 0][:, np.newaxis], in_bytes=in_bytes)
    return _packed(rounded.swapaxes(0, 1), scale, bias, output_scale, len(rounded), in_bytes=in_bytes)


def pack_3x3x3(
    kernel: NDArray[np.float32],
    bias: NDArray[np.float32],
    output_scale: NDArray[np.float32] | float,
    *,
    in_bytes: bool = False,
) -> AmxConvolution:
    """Round and pack a kernel of integer inputs, shape 3, 3, 3, in, out; see `pack_pointwise`.

    The three pixels of a line are one run of inputs.
    """
    channels = padded_channels(kernel.shape[3])
    if channels > _UNALIGNED:
        channels += -channels % DEPTH
    padded = np.pad(kernel, ((0, 0), (0, 0), (0, 0), (0, channels - kernel.shape[3]), (0, 0)))
    rounded, scale = _rounded(padded.reshape(27, channels, -1), in_bytes=in_bytes)
    return _packed(rounded.reshape(9, 3 * channels, -1), scale, bias, output_scale, channels, in_bytes=in_bytes)


def pack_stem(
    kernel: NDArray[np.float32], bias: NDArray[np.float32], output_scale: NDArray[np.float32] | float
) -> AmxStem:
    """Round and pack a kernel of pixels of -127.5..127.5, shape 7, 7, 7, 3, out; see `pack_pointwise`.

    Three lines are one run of inputs, pixel by pixel: of a frame the first three and the next three, then the last ones
    of three frames. Pixels are multiplied as -128..127.
    """
    out = kernel.shape[-1]
    rounded, scale = _rounded(kernel.reshape(-1, 1, out), in_bytes=False)
    taps = rounded.reshape(7, 7, 7, 3, out)
    in_frames = taps[:, :6].reshape(14, _STEM_LINES, 7, 3, out)
    last = np.pad(taps[:, 6], ((0, 2), (0, 0), (0, 0), (0, 0))).reshape(3, _STEM_LINES, 7, 3, out)
    runs = np.concatenate([in_frames, last]).transpose(0, 2, 1, 3, 4).reshape(17, -1, out)
    # 256ths of a level times the upper byte count as much as levels times the lower one.
    fractions = _upper_byte(runs)
    packed = _packed(np.concatenate([runs, fractions]), scale, bias, output_scale, 3, in_bytes=False)
    sums = np.zeros((8, 8, 8, packed.out_channels))
    sums[1:, 1:, 1:, :out] = (taps.sum(3) * scale / output_scale).cumsum(0).cumsum(1).cumsum(2) / 2
    return AmxStem(**vars(packed), halves=sums.astype(np.float32))


def _upper_byte(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    upper: NDArray[np.int64] = (weights + 128) >> 8
    return upper


def _rounded(weights: NDArray[np.float32], *, in_bytes: bool) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return whole weights, shape members of a group, groups, out, and the step of each output channel.

    With 8 bits, some of a group are rounded the other way, those nearest to the middle, so that their errors cancel:
    what they are multiplied with is alike, be it an input channel's neighbouring pixels or, in a 1x1x1, all inputs,
    none of which is negative. In Conv3d_2c_3x3 and after it this removes a quarter of all errors.
    """
    exact = weights.astype(np.float64)
    scale = np.abs(exact).max((0, 1)) / (BYTE_QMAX if in_bytes else WEIGHT_QMAX)
    scale[scale == 0] = 1
    exact /= scale
    rounded = np.rint(exact).astype(np.int64)
    if in_bytes:
        errors = rounded - exact
        excess = np.rint(errors.sum(0))
        rank = errors.argsort(0).argsort(0)
        rounded += (rank < -excess).astype(np.int64) - (rank >= len(rank) - excess)
    return rounded, scale


def _packed(
    runs: NDArray[np.int64],
    scale: NDArray[np.float64],
    bias: NDArray[np.float32],
    output_scale: NDArray[np.float32] | float,
    in_channels: int,
    *,
    in_bytes: bool,
) -> AmxConvolution:
    """Pack whole weights of shape runs, inputs, out; each run is padded to a multiple of `DEPTH`."""
    _, depth, channels = runs.shape
    out = padded_channels(channels)
    padded = np.pad(runs, ((0, 0), (0, -depth % DEPTH), (0, -channels % (2 * LANES))))
    # Piece, fours of inputs, input, panel, group, channel.
    if in_bytes:
        groups = padded.reshape(-1, DEPTH // 4, 4, padded.shape[-1] // (2 * LANES), 2, LANES)
    else:
        upper = _upper_byte(padded)
        both = np.stack([upper, padded - 256 * upper], axis=-1)[:, :, :out]
        groups = both.reshape(-1, DEPTH // 4, 4, out // LANES, LANES, 2).swapaxes(4, 5)
    in_order = groups.transpose(3, 0, 4, 1, 5, 2)
    weights = aligned_empty(in_order.shape, np.int8)
    weights[...] = in_order
    steps = np.ones(out, np.float32)
    steps[:channels] = scale / output_scale
    offset = np.zeros(out, np.float32)
    offset[:channels] = bias / output_scale
    return AmxConvolution(
        weights.ravel(),
        steps,
        offset,
        in_channels,
        out,
        in_bytes,
    )
