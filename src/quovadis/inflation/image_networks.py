"""Networks for images that are taken for Inception-v1 and cannot be inflated, recognized by names alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from quovadis.errors import WeightsError
from quovadis.inflation.naming import KNOWN_NETWORKS, find_naming
from quovadis.weights.file_sample import quoted

_OTHER_NETWORKS: tuple[tuple[str, str], ...] = (
    ("I3D itself", r"Conv3d_1a_7x7|conv3d_1a_7x7|inception_i3d"),
    ("ResNet", r"(^|[./])(layer1\.0\.|resnet_v[12]_)"),
    ("Inception-ResNet", r"(^|/)InceptionResnetV|(^|\.)(conv2d_1a|block35)\."),
    ("Inception-v2", r"(^|/)InceptionV2/"),
    ("Inception-v3", r"(^|/)InceptionV3/|(^|\.)Conv2d_1a_3x3\."),
    ("Inception-v4", r"(^|/)InceptionV4/"),
    ("BN-Inception (Inception-v2)", r"(^|\.)(conv1_7x7_s2|inception_3a_1x1)(\.|_bn)"),
    ("Caffe's GoogLeNet, without batch norm and with 5x5 kernels", r"(^|\.)(conv1/7x7_s2|inception_3a/1x1)"),
    ("VGG, AlexNet or a like network", r"(^|[./])(features\.0\.|vgg_\w+/|alexnet_v2/)"),
    ("a transformer", r"(^|[._])(attn|attention|self_attn|qkv)\."),
)
"""What each is, and a pattern of one of its names; the first that matches is reported."""
_LATER_SLIM = re.compile(r"(^|/)InceptionV[2-9]/")
"""TF-slim's Inception-v2 has layers of the same names."""


def refuse_other_image_network(names: Iterable[str], path: Path) -> None:
    """Refuse tensors whose names are neither TF-slim's nor torchvision's for Inception-v1.

    Raises:
        WeightsError: naming the network if it is known, or a tensor.
    """
    names = list(names)
    if find_naming(names) is not None and not any(map(_LATER_SLIM.search, names)):
        return
    for network, pattern in _OTHER_NETWORKS:
        found = next((name for name in names if re.search(pattern, name)), None)
        if found is not None:
            raise WeightsError(
                f"{path}: weights of {network} ({quoted(found)}), which cannot be inflated; give {KNOWN_NETWORKS}"
            )
    unknown = f"its names, such as {quoted(names[0])}, are unknown" if names else "no tensors are in it"
    raise WeightsError(f"{path}: not Inception-v1 for images: {unknown}; give {KNOWN_NETWORKS}")
