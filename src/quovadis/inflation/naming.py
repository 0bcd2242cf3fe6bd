"""What TF-slim and torchvision call the variables of Inception-v1 for images, by the layer of I3D that they become.

TF-slim: research/slim/nets/inception_v1.py of tensorflow/models. torchvision: torchvision/models/googlenet.py. Like
I3D, both have 3x3 kernels where the figure of the GoogLeNet paper has 5x5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from quovadis.architecture import STAGES, Convolution, Mixed, convolutions, is_head


@dataclass(frozen=True)
class Naming:
    """How one implementation names the variables of a layer, which follow the name of the layer itself."""

    network: str
    """What the implementation is called in messages."""
    separator: str
    """Stands between the scopes of a name."""
    layer_name: Callable[[Convolution], str]
    kernel_axes: tuple[int, int, int, int]
    """Where the axes h, w, in, out stand in a kernel."""
    kernel: str
    beta: str
    moving_mean: str
    moving_variance: str
    gamma: str
    """Of the scale of batch norm, which some networks do not have."""
    head: str
    """The last layer, whatever scope it stands under."""
    head_kernel: str
    head_bias: str
    auxiliary: tuple[str, ...] = ()
    """Scopes of heads that only training uses."""


def _slim_layer(unit: Convolution) -> str:
    # The names of I3D's scopes are TF-slim's, with the misnamed layer of Mixed_5b/Branch_2.
    return unit.scope.replace("Conv3d", "Conv2d")


def _torchvision_layers() -> Mapping[str, str]:
    names: dict[str, str] = {}
    for stage in STAGES:
        if isinstance(stage, Convolution):
            names[stage.scope] = f"conv{len(names) + 1}"
        elif isinstance(stage, Mixed):
            # Mixed_3b is inception3a: TF-slim counts the pool before it too.
            level, letter = stage.scope[-2], chr(ord(stage.scope[-1]) - 1)
            for number, branch in enumerate(stage.branches, 1):
                for position, unit in enumerate(branch):
                    place = "" if len(branch) == 1 else f".{position}"
                    names[unit.scope] = f"inception{level}{letter}.branch{number}{place}"
    return names


_TORCHVISION_LAYERS = _torchvision_layers()

SLIM = Naming(
    "TF-slim's Inception-v1",
    separator="/",
    layer_name=_slim_layer,
    kernel_axes=(0, 1, 2, 3),
    kernel="/weights",
    beta="/BatchNorm/beta",
    moving_mean="/BatchNorm/moving_mean",
    moving_variance="/BatchNorm/moving_variance",
    gamma="/BatchNorm/gamma",
    head="Logits/Conv2d_0c_1x1",
    head_kernel="/weights",
    head_bias="/biases",
)
TORCHVISION = Naming(
    "torchvision's GoogLeNet",
    separator=".",
    layer_name=lambda unit: _TORCHVISION_LAYERS[unit.scope],
    kernel_axes=(2, 3, 1, 0),
    kernel=".conv.weight",
    beta=".bn.bias",
    moving_mean=".bn.running_mean",
    moving_variance=".bn.running_var",
    gamma=".bn.weight",
    head="fc",
    head_kernel=".weight",
    head_bias=".bias",
    auxiliary=("aux1.", "aux2."),
)
NAMINGS = (SLIM, TORCHVISION)
KNOWN_NETWORKS = " or ".join(naming.network for naming in NAMINGS)

IMAGE_LAYERS: tuple[tuple[Convolution, int], ...] = tuple(
    (unit, in_channels) for unit, in_channels in convolutions() if not is_head(unit)
)
"""Every layer but the last, with its number of input channels; kernels of images lack the axis of time."""


def find_naming(names: Iterable[str]) -> tuple[Naming, str] | None:
    """Return the naming that tensors follow and the scope or prefix before all their names; None if it is unknown."""
    names = frozenset(names)
    best: tuple[int, Naming, str] | None = None
    for naming in NAMINGS:
        kernels = [naming.layer_name(unit) + naming.kernel for unit, _ in IMAGE_LAYERS]
        for prefix in sorted(scopes_before(names, kernels[0], naming)):
            count = sum(f"{prefix}{kernel}" in names for kernel in kernels)
            if best is None or count > best[0]:
                best = count, naming, prefix
    return None if best is None else best[1:]


def scopes_before(names: Iterable[str], end: str, naming: Naming) -> set[str]:
    """Return the scopes or prefixes of all names that end so, with the separator at their end."""
    separator = naming.separator
    return {name.removesuffix(end) for name in names if f"{separator}{name}".endswith(f"{separator}{end}")}
