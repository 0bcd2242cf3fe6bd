"""torchvision's GoogLeNet with random weights, written from the architecture.

It has torchvision's names, padding, pools and auxiliary heads, and is independent of the product's tables.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from support.image_networks import BLOCKS

TORCHVISION_CLASSES = 10
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Unit(nn.Module):
    """torchvision's `BasicConv2d`."""

    def __init__(self, taken: int, made: int, **settings: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(taken, made, bias=False, **settings)
        self.bn = nn.BatchNorm2d(made, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class _Inception(nn.Module):
    def __init__(self, taken: int, b0: int, b1a: int, b1b: int, b2a: int, b2b: int, b3: int) -> None:
        super().__init__()
        self.branch1 = _Unit(taken, b0, kernel_size=1)
        self.branch2 = nn.Sequential(_Unit(taken, b1a, kernel_size=1), _Unit(b1a, b1b, kernel_size=3, padding=1))
        # 3x3, as in torchvision's published weights.
        self.branch3 = nn.Sequential(_Unit(taken, b2a, kernel_size=1), _Unit(b2a, b2b, kernel_size=3, padding=1))
        pool = nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True)
        self.branch4 = nn.Sequential(pool, _Unit(taken, b3, kernel_size=1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class _Auxiliary(nn.Module):
    def __init__(self, taken: int) -> None:
        super().__init__()
        self.conv = _Unit(taken, 128, kernel_size=1)
        self.fc1, self.fc2 = nn.Linear(2048, 1024), nn.Linear(1024, TORCHVISION_CLASSES)


class GoogLeNet(nn.Module):
    """torchvision's module, with its names, padding and pools; its auxiliary heads are there and unused.

    With `transform_input`, as torchvision's published weights have it, it takes pixels less ImageNet's mean, divided by
    its deviation, and turns them into -1 to 1 first.
    """

    def __init__(self, transform_input: bool = False) -> None:
        super().__init__()
        self.transform_input = transform_input
        self.conv1 = _Unit(3, 64, kernel_size=7, stride=2, padding=3)
        self.conv2, self.conv3 = _Unit(64, 64, kernel_size=1), _Unit(64, 192, kernel_size=3, padding=1)
        channels = 192
        for block, widths in BLOCKS.items():
            b0, _, b1, _, b2, b3 = widths
            self.add_module(f"inception{block[0]}{chr(ord(block[1]) - 1)}", _Inception(channels, *widths))
            channels = b0 + b1 + b2 + b3
        self.aux1, self.aux2 = _Auxiliary(512), _Auxiliary(528)
        self.fc = nn.Linear(1024, TORCHVISION_CLASSES)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Take B,3,H,W; return feature maps by the names of I3D's endpoints, and the logits."""
        if self.transform_input:
            mean, deviation = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
            x = x * (deviation / 0.5) + (mean - 0.5) / 0.5

        def pool(x: Tensor, extent: int) -> Tensor:
            return functional.max_pool2d(x, extent, 2, ceil_mode=True)

        ends = {"Conv3d_1a_7x7": (x := self.conv1(x)), "MaxPool3d_2a_3x3": (x := pool(x, 3))}
        ends |= {"Conv3d_2b_1x1": (x := self.conv2(x)), "Conv3d_2c_3x3": (x := self.conv3(x))}
        ends["MaxPool3d_3a_3x3"] = x = pool(x, 3)
        for block in BLOCKS:
            if block in ("4b", "5b"):
                name, extent = ("MaxPool3d_4a_3x3", 3) if block == "4b" else ("MaxPool3d_5a_2x2", 2)
                ends[name] = x = pool(x, extent)
            ends[f"Mixed_{block}"] = x = self.get_submodule(f"inception{block[0]}{chr(ord(block[1]) - 1)}")(x)
        return {**ends, "Logits": self.fc(x.mean((2, 3)))}


def googlenet(seed: int = 0, *, transform_input: bool = False) -> GoogLeNet:
    """Return torchvision's network in evaluation mode with random weights, scales of batch norm among them."""
    torch.manual_seed(seed)
    model = GoogLeNet(transform_input).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.7, 1.3)
                module.bias.normal_(0, 0.2)
                module.running_mean.normal_(0, 0.2)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return model
