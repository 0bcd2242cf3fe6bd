"""A video of one repeated picture gives what the picture gave: at every endpoint, away from the borders in time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

import quovadis
from quovadis.architecture import ENDPOINTS, HEAD, Convolution, MaxPool, Mixed, interpret, same_padding
from quovadis.inflation import InputScaling
from quovadis.torch import I3D, normalize
from support.googlenet import IMAGENET_DEVIATION, IMAGENET_MEAN, TORCHVISION_CLASSES, GoogLeNet, googlenet
from support.image_networks import as_input, random_image
from support.slim_inception import SLIM_CLASSES

pytestmark = pytest.mark.slow
"""They run engines on long clips."""

FRAMES, EARLY_FRAMES = 112, 25
"""112 leave one step of the head that is free of borders; 25 leave some of the layers of stride 2 in time."""
EARLY = ENDPOINTS[: ENDPOINTS.index("Mixed_3c") + 1]
TOLERANCE = 1e-4
MID_GREY = 127.5
"""Zero, as the network takes it: what padding is."""
Maps = Mapping[str, NDArray[np.float32]]


class FreeSteps:
    """The verbs of `interpret` on an axis of time alone: which of its steps have seen no padding.

    A convolution's step has if the kernel reaches beyond the ends, or over a step that has. The padding of a max pool
    never wins, so that its steps depend on those within the ends.
    """

    def convolution(self, x: NDArray[np.bool_], unit: Convolution) -> NDArray[np.bool_]:
        return self._windows(x, unit, padding=False)

    def max_pool(self, x: NDArray[np.bool_], unit: MaxPool) -> NDArray[np.bool_]:
        return self._windows(x, unit, padding=True)

    def concatenate(self, branches: list[NDArray[np.bool_]], unit: Mixed) -> NDArray[np.bool_]:
        return np.all(branches, axis=0)

    def _windows(self, x: NDArray[np.bool_], unit: Convolution | MaxPool, *, padding: bool) -> NDArray[np.bool_]:
        size, stride = unit.kernel[0], unit.stride[0]
        padded = np.pad(x, same_padding(len(x), size, stride), constant_values=padding)
        return np.array([padded[at : at + size].all() for at in range(0, len(padded) - size + 1, stride)])


def free_steps(frames: int) -> dict[str, NDArray[np.bool_]]:
    free = dict(interpret(FreeSteps(), np.ones(frames, bool)))
    last = free[ENDPOINTS[-1]]
    pool = HEAD.pool[0]
    return {**free, "Logits": np.array([last[at : at + pool].all() for at in range(len(last) - pool + 1)])}


def check_law(path: Path, image: NDArray[np.uint8] | NDArray[np.float32], expected: Maps) -> None:
    """Compare every endpoint and the logits; early endpoints, whose maps are large, on a shorter clip."""
    with quovadis.load(path) as model:
        for frames, names in ((EARLY_FRAMES, EARLY), (FRAMES, ENDPOINTS[len(EARLY) :])):
            output = model.run(np.repeat(image[np.newaxis, np.newaxis], frames, axis=1), names)
            found = {name: value[0] for name, value in output.endpoints.items()}
            if frames == FRAMES:
                found["Logits"] = output.step_logits[0]
            for name, values in found.items():
                free = free_steps(frames)[name]
                assert len(values) == len(free)
                assert free.any(), name
                assert np.abs(expected[name]).max() > 1, "an endpoint of zeros proves nothing"
                assert np.abs(values[free] - expected[name]).max() < TOLERANCE, name


def first_layer(path: Path, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """What PyTorch's I3D makes in its first layer of the middle of a clip, shape 112, 112, 64."""
    frames = 9
    model = I3D.from_pretrained(path)
    clip = normalize(torch.from_numpy(np.repeat(image[None, None], frames, axis=1)))
    with torch.inference_mode():
        maps = model.get_submodule("Conv3d_1a_7x7")(clip)[0].permute(1, 2, 3, 0).numpy()
    found: NDArray[np.float32] = maps[free_steps(frames)["Conv3d_1a_7x7"]][0]
    return found


def maps_of(model: GoogLeNet, x: NDArray[np.float32]) -> Maps:
    with torch.inference_mode():
        found = model(torch.from_numpy(x).permute(2, 0, 1)[None])
    return {name: (value[0].permute(1, 2, 0) if value.ndim == 4 else value[0]).numpy() for name, value in found.items()}


def moved(x: NDArray[np.float32], fill: float) -> NDArray[np.float32]:
    """Move a picture by one pixel down and to the right; the last row and column are lost."""
    return np.pad(x, ((1, 0), (1, 0), (0, 0)), constant_values=fill)[:-1, :-1]


def test_steps_free_of_borders_are_counted_from_the_architecture() -> None:
    free = {name: int(steps.sum()) for name, steps in free_steps(FRAMES).items()}
    assert (free["Conv3d_1a_7x7"], free["Mixed_5c"], free["Logits"]) == (53, 2, 1)
    assert not free_steps(FRAMES - 8)["Logits"].any()
    assert free_steps(EARLY_FRAMES)[EARLY[-1]].any()


def test_tf_slims_network_computes_the_same_as_before(slim_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "i3d.safetensors"
    names = [f"object {number}" for number in range(SLIM_CLASSES)]
    done = quovadis.inflate(slim_folder / "inception_v1.ckpt", path, labels=names, keep_head=True)
    assert (done.network, done.num_classes, done.head) == ("TF-slim's Inception-v1", SLIM_CLASSES, "source")
    with np.load(slim_folder / "endpoints.npz") as file:
        expected = {_name_in_i3d(name): file[name] for name in file}
    check_law(path, random_image(), expected)


def _name_in_i3d(name: str) -> str:
    """Conv2d_1a_7x7 became Conv3d_1a_7x7, and MaxPool_2a_3x3 MaxPool3d_2a_3x3."""
    return name.replace("Conv2d", "Conv3d").replace("MaxPool", "MaxPool3d")


def test_torchvisions_network_computes_the_same_on_a_picture_moved_by_one_pixel(
    googlenet_path: Path, tmp_path: Path
) -> None:
    """torchvision pads the first layer by 3 on every side, where TensorFlow pads 2 before and 3 after.

    So I3D sees the picture as if it lay one pixel further up and to the left. Moved back, all is equal, if the row and
    the column that are lost have the value of padding: mid-grey. Nothing else differs: torchvision's max pools, which
    round sizes up, cover what TensorFlow's do at 224x224.
    """
    path = tmp_path / "i3d.safetensors"
    names = [f"object {number}" for number in range(TORCHVISION_CLASSES)]
    quovadis.inflate(googlenet_path, path, labels=names, keep_head=True)
    image = random_image().astype(np.float32)
    image[-1], image[:, -1] = MID_GREY, MID_GREY
    check_law(path, moved(image, MID_GREY), maps_of(googlenet(), image / 127.5 - 1))


def test_the_shift_of_torchvisions_padding_is_one_pixel(googlenet_path: Path, tmp_path: Path) -> None:
    """Not moved, I3D computes what GoogLeNet computes for the picture one pixel further up and to the left."""
    path = tmp_path / "i3d.safetensors"
    quovadis.inflate(googlenet_path, path)
    image = random_image().astype(np.float32)
    found, x = first_layer(path, image), image / 127.5 - 1
    assert np.abs(found - maps_of(googlenet(), x)["Conv3d_1a_7x7"]).max() > 0.1
    shifted = maps_of(googlenet(), np.pad(x, ((0, 1), (0, 1), (0, 0)))[1:, 1:])["Conv3d_1a_7x7"]
    # The first two rows and columns see a pixel that has been moved out of the picture.
    np.testing.assert_allclose(found[2:, 2:], shifted[2:, 2:], atol=TOLERANCE)


def test_the_shift_is_what_moving_the_picture_does_and_no_kernel_makes_up_for_it() -> None:
    """In two dimensions alone: GoogLeNet with TensorFlow's padding is what I3D computes, as the tests above show."""
    model = googlenet()
    x = torch.from_numpy(as_input(random_image())).permute(2, 0, 1)[None]

    def features(x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            found: torch.Tensor = model(x)["Mixed_5c"].mean((2, 3))
        return found

    def change(found: torch.Tensor) -> float:
        return float(torch.linalg.norm(found - torchvisions) / torch.linalg.norm(torchvisions))

    torchvisions = features(x)
    moved_by_one = change(features(functional.pad(x, (0, 1, 0, 1))[..., 1:, 1:]))
    model.conv1.conv.padding = (0, 0)
    shifted = change(features(functional.pad(x, (2, 3, 2, 3))))
    assert shifted == pytest.approx(moved_by_one, rel=0.05)
    assert 0.01 < shifted < 0.05
    # The only kernel that sees nothing else: one pixel further up and to the left, without what does not fit.
    kernel = model.conv1.conv.weight
    kernel.data = functional.pad(kernel.data[..., 1:, 1:], (0, 1, 0, 1))
    assert change(features(functional.pad(x, (2, 3, 2, 3)))) > 2 * shifted


def test_transform_input_means_that_convolutions_take_minus_one_to_one() -> None:
    """torchvision's published weights have it: so `symmetric` is right for them, and is the default."""
    x = as_input(random_image())
    normalized = ((x + 1) / 2 - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_DEVIATION)
    published = maps_of(googlenet(transform_input=True), normalized)["Logits"]
    np.testing.assert_allclose(published, maps_of(googlenet(), x)["Logits"], atol=TOLERANCE)


@pytest.mark.parametrize("scaling", ["imagenet", "unit"])
def test_another_scaling_of_pixels_is_folded_into_the_first_layer(
    scaling: InputScaling, googlenet_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "i3d.safetensors"
    quovadis.inflate(googlenet_path, path, input_scaling=scaling)
    image = random_image().astype(np.float32)
    mean, deviation = (IMAGENET_MEAN, IMAGENET_DEVIATION) if scaling == "imagenet" else (0, 1)
    expected = maps_of(googlenet(), (image / 255 - np.float32(mean)) / np.float32(deviation))["Conv3d_1a_7x7"]
    found = first_layer(path, moved(image, MID_GREY))
    inside = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(found[inside], expected[inside], atol=TOLERANCE)
    # Padding is mid-grey to I3D, and was the mean colour or black.
    assert np.abs(found - expected).max() > 0.01
