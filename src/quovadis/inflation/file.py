"""From a file of a network for images to a file of I3D."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from quovadis.architecture import FRAME_SIZE, PIXEL_MEAN, PIXEL_SCALE
from quovadis.durable import output_file
from quovadis.errors import OutputError, WeightsError
from quovadis.export.safetensors_file import save_weights
from quovadis.fields import FUNCTION, check_path, check_value, check_values
from quovadis.inflation.image_weights import ImageHead, ImageWeights, read_image_weights
from quovadis.inflation.input_scaling import InputScaling
from quovadis.inflation.source import read_source
from quovadis.inflation.tensors import inflate_tensors, new_head
from quovadis.labels import check_labels, class_names, labels_origin
from quovadis.progress import Notify, ignore_notice
from quovadis.results import WeightsIdentity
from quovadis.weights import InputSpecification
from quovadis.weights.load import local_file
from quovadis.weights.model import make_weights

SUFFIX = ".safetensors"
INFLATION_KEY = "inflation"
"""Where the file's metadata holds, as JSON, how the network was made."""
INPUT = InputSpecification(crop_size=FRAME_SIZE, mean=PIXEL_MEAN, scale=PIXEL_SCALE)
"""What images both networks were trained on, once another scaling is folded into the first layer."""


@dataclass(frozen=True)
class Inflation:
    """What `inflate` did."""

    path: Path
    """The file that was written."""
    weights: WeightsIdentity
    source: Path
    """The file, or the prefix of the checkpoint, of the network for images."""
    network: str
    """What that network is, by the names of its variables."""
    num_classes: int
    head: Literal["source", "random"]
    """Where the last layer is from: the source, or random weights."""
    seed: int | None
    """Of the random weights; None if there are none."""
    input_scaling: InputScaling
    """What the pixels of the network for images were scaled to."""

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {**asdict(self), "path": str(self.path), "source": str(self.source)}


def inflate(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    labels: str | os.PathLike[str] | Sequence[str] | None = None,
    num_classes: int | None = None,
    keep_head: bool = False,
    seed: int = 0,
    input_scaling: InputScaling = "symmetric",
    overwrite: bool = False,
    notify: Notify = ignore_notice,
) -> Inflation:
    """Make I3D of Inception-v1 for images, to train it on videos or to look at pictures with it.

    Filters are repeated along time and divided by their temporal extent (paper, section 3). Without `labels` and
    `num_classes` the source's last layer is inflated too, and if it has none, the number of classes must be given. With
    either, there is a new last layer with random weights, unless `keep_head` is set.

    Args:
        source: TF-slim's Inception-v1, a TensorFlow checkpoint of format V1 or V2, or torchvision's GoogLeNet, a state
            dict in a file of PyTorch or safetensors.
        destination: the .safetensors file to write, which `quovadis.load`, `quovadis.torch.I3D.from_pretrained` and
            every command take.
        labels: class names, or a text file of them, one a line, in output order.
        num_classes: the number of classes of a new last layer; None: as many as there are `labels`.
        keep_head: inflate the source's last layer, whose classes are then called by `labels`.
        seed: of the random weights of a new last layer.
        input_scaling: what the network for images was trained on: `symmetric`, values from -1 to 1, as the published
            weights of both networks; `unit`, values from 0 to 1; `imagenet`, values from 0 to 1 less ImageNet's mean
            and divided by its standard deviation. The last two are folded into the first layer, which is inexact where
            it sees padding.
        overwrite: replace a file that is there.
        notify: called with a line on what the user should know.

    Raises:
        WeightsError: a source that cannot be read, or is another network; options of another type.
        LabelsError: class names that do not fit.
        OutputError: a destination that cannot be written or is there already.
        MissingDependencyError: a file of PyTorch, which is not installed.
    """
    check_path("source", source, WeightsError)
    check_values(bool, OutputError, overwrite=overwrite)
    check_values(bool, WeightsError, keep_head=keep_head)
    check_values(FUNCTION, WeightsError, notify=notify)
    num_classes = check_value("num_classes", num_classes, int | None, WeightsError, at_least=1)
    seed = check_value("seed", seed, int, WeightsError, at_least=0)
    check_value("input_scaling", input_scaling, InputScaling, WeightsError)
    target = _check_destination(source, destination, overwrite=overwrite)
    if keep_head and num_classes is not None:
        raise WeightsError("`num_classes` has no effect with `keep_head=True`; leave one of them out")
    chosen = class_names(labels)
    tensors = read_source(local_file(os.fspath(source)))
    images = read_image_weights(tensors)
    is_kept = keep_head or (num_classes is None and chosen is None)
    head = _own_head(images, tensors.path) if is_kept else new_head(num_classes or len(chosen or ()), seed)
    classes = len(head.bias)
    if chosen is not None:
        check_labels(chosen, labels_origin(labels), classes)
    inflated = inflate_tensors(images, head, input_scaling)
    weights = make_weights(inflated, tensors.path, target.stem, input_specification=INPUT)
    done = Inflation(
        path=target,
        weights=WeightsIdentity(weights.name, weights.sha256),
        source=tensors.path,
        network=images.network,
        num_classes=classes,
        head="source" if is_kept else "random",
        seed=None if is_kept else seed,
        input_scaling=input_scaling,
    )
    with output_file(target) as temporary:
        save_weights(weights, temporary, chosen, _notes(done))
    if not is_kept:
        notify(f"{target}: its last layer has random weights: train it before its predictions mean anything")
    return done


def check_name(destination: Path) -> None:
    """Refuse a destination of another format than the one that is written.

    Raises:
        OutputError: its suffix is not `.safetensors`.
    """
    if destination.suffix != SUFFIX:
        raise OutputError(
            f"{destination}: inflation writes {SUFFIX} files; name one, and convert it with quovadis convert if you "
            "need another format"
        )


def _check_destination(source: str | os.PathLike[str], destination: str | os.PathLike[str], *, overwrite: bool) -> Path:
    check_name(target := check_path("destination", destination, OutputError))
    if target.is_dir():
        raise OutputError(f"{target}: is a folder; name the file to write in it")
    # A broken link is there too.
    if os.path.lexists(target) and not overwrite:
        raise OutputError(f"{target}: is there already; `overwrite=True` replaces it")
    with suppress(OSError):
        if target.samefile(source):
            raise OutputError(f"{target}: is the source itself; name another file")
    return target


def _own_head(images: ImageWeights, path: Path) -> ImageHead:
    if images.head is None:
        raise WeightsError(
            f"{path}: has no last layer to inflate; give the classes of a new one, with `labels` or `num_classes`"
        )
    return images.head


def _notes(done: Inflation) -> dict[str, str]:
    inflation = {key: value for key, value in done.to_dict().items() if key not in ("path", "weights", "num_classes")}
    # Of the source only its name: where it lies is nobody's business.
    inflation["source"] = done.source.name
    return {INFLATION_KEY: json.dumps(inflation)}
