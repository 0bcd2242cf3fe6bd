"""Weights of networks that are taken for I3D RGB, recognized by names and shapes alone.

I3D is the name of two networks, on Inception-v1 (DeepMind's, which this package is) and on ResNet-50 (of Wang et al.,
"Non-local neural networks", as SlowFast and mmaction2 have it), and DeepMind's comes as two streams.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from quovadis.errors import WeightsError

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of tensors by name, of TensorFlow's variables or of a state dict."""


@dataclass(frozen=True)
class OtherNetwork:
    """One kind of network that is not this one."""

    what: str
    """Completes "this is …"; `{found}` stands for the text that the test returned."""
    advice: str
    test: Callable[[Shapes], str | None]
    """Returns a text for weights of this kind: what gives them away."""


_FIRST_KERNEL = re.compile(r"conv3d_1a_7x7[./]conv_?3d[./](weight|w)$", re.IGNORECASE)
_RGB_CHANNELS, _FLOW_CHANNELS = 3, 2


def _first_channels(shapes: Shapes) -> set[int]:
    """Return the input channels of every first convolution of I3D on Inception-v1."""
    kernels = [(name, shape) for name, shape in shapes.items() if _FIRST_KERNEL.search(name) and len(shape) == 5]
    return {shape[3] if name.endswith("w") else shape[1] for name, shape in kernels}


def _is_flow(shapes: Shapes) -> str | None:
    return "flow" if _first_channels(shapes) == {_FLOW_CHANNELS} else None


def _is_two_streams(shapes: Shapes) -> str | None:
    return "both" if _first_channels(shapes) == {_RGB_CHANNELS, _FLOW_CHANNELS} else None


def _names(*patterns: str, axes: int | None = None) -> Callable[[Shapes], str | None]:
    """Recognize a state dict that has, for each pattern, a name in which it is found (and a tensor of so many axes)."""

    def test(shapes: Shapes) -> str | None:
        if _RGB_CHANNELS in _first_channels(shapes):
            # I3D RGB, with another network beside it.
            return None
        found = [
            next((name for name, s in shapes.items() if re.search(p, name) and axes in (None, len(s))), None)
            for p in patterns
        ]
        return found[0] if all(found) else None

    return test


_INCEPTION = "weights of I3D on Inception-v1 are needed; quovadis weights pull rgb-imagenet fetches the original ones"

OTHER_NETWORKS: tuple[OtherNetwork, ...] = (
    OtherNetwork(
        "I3D's optical-flow stream (its first convolution takes 2 channels)",
        "only the RGB stream is supported: give the file of the RGB stream, such as rgb_imagenet",
        _is_flow,
    ),
    OtherNetwork(
        "both streams of I3D in one file",
        "only the RGB stream is supported: save its state dict alone",
        _is_two_streams,
    ),
    OtherNetwork(
        "a 3D network on ResNet ({found}), such as the I3D on ResNet-50 of mmaction2 and SlowFast, another network",
        _INCEPTION,
        _names(r"(^|\.)(layer1\.0|res_blocks\.0|s2\.pathway0_res0|res2_0)(\.|_).*weight$", axes=5),
    ),
    OtherNetwork(
        "an image network on ResNet ({found}), another network",
        _INCEPTION,
        _names(r"(^|\.)layer1\.0\..*weight$", axes=4),
    ),
    OtherNetwork(
        "Inception-v1 for images ({found})",
        "quovadis inflate makes I3D of it",
        _names(r"(^|/)Conv2d_1a_7x7/weights$|(^|\.)inception3a\.branch1\.conv\.weight$", axes=4),
    ),
    OtherNetwork(
        "a transformer ({found}), another network",
        _INCEPTION,
        _names(r"(^|[._])(attn|attention|self_attn|qkv)\."),
    ),
    OtherNetwork(
        "S3D ({found}), another network, whose convolutions are split into space and time",
        _INCEPTION,
        _names(r"(^|\.)((base|features)\.\d+\.|conv_1a\.|Conv3d_1a_7x7\.)(conv_s|0\.0|conv1|conv_spatial)\.weight$"),
    ),
    OtherNetwork("C3D ({found}), another network", _INCEPTION, _names(r"(^|\.)conv3a\.", r"(^|\.)fc6\.")),
)
"""Every kind that is known; the first that matches is reported."""


def refuse_other_network(shapes: Shapes, source: Path) -> None:
    """Refuse weights that are known to be another network's.

    Args:
        shapes: of all tensors, by name.
        source: the file, for the message.

    Raises:
        WeightsError: naming the network, and what to do.
    """
    for network in OTHER_NETWORKS:
        found = network.test(shapes)
        if found is not None:
            what = network.what.replace("{found}", found)
            raise WeightsError(f"{source}: not the weights of I3D RGB but {what}; {network.advice}")
