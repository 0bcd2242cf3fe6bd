"""From any file of weights to any format of the model, each proven by running it before it gets its name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from quovadis.architecture import (
    CLIP_FRAMES,
    FRAME_SIZE,
    FRAMES_PER_SECOND,
    MAX_CLIP_FRAMES,
    MINIMUM_FRAMES,
    check_input_size,
)
from quovadis.errors import OutputError
from quovadis.export import worker
from quovadis.export.destination import Destination
from quovadis.export.exporter import RunResult
from quovadis.export.formats import FORMATS, OptionName, format_of_path
from quovadis.export.layouts import LAYOUTS, Plan, PlannedModel, single
from quovadis.export.options import Compression, ExportOptions, Layout
from quovadis.export.verification import Difference, difference, tolerance
from quovadis.fields import FUNCTION, check_path, check_value, check_values
from quovadis.labels import LABELS_NAME, class_names, kinetics400, labels_origin, labels_text, numbered_classes
from quovadis.progress import DownloadProgress, Notify, ignore_download_progress, ignore_notice
from quovadis.results import WeightsIdentity
from quovadis.video.source import is_address
from quovadis.weights import CATALOGUE, load_weights
from quovadis.weights.detect import INDEX_SUFFIX
from quovadis.weights.load import AUTO, local_file

Size: TypeAlias = int | Literal["any"]
RECIPES = ("omz",)
SERVERS = tuple(name for name in LAYOUTS if name not in RECIPES)
_REFERENCE = "safetensors"


@dataclass(frozen=True)
class ConvertedModel:
    """One model that was written."""

    path: Path
    """Its main file; a TensorFlow checkpoint's prefix."""
    format: str
    difference: Difference | None
    """How far it is from its source; None if it was not run."""


@dataclass(frozen=True)
class Conversion:
    """What `convert` did."""

    weights: WeightsIdentity
    models: tuple[ConvertedModel, ...]
    files: tuple[Path, ...]
    """Everything that was written."""
    sizes: tuple[int, ...]
    """Bytes of each file when it was written."""

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        models = [
            {
                "path": str(model.path),
                "format": model.format,
                "verified": None if model.difference is None else asdict(model.difference),
            }
            for model in self.models
        ]
        files = [{"path": str(path), "size": size} for path, size in zip(self.files, self.sizes, strict=True)]
        return {"weights": asdict(self.weights), "models": models, "files": files}


def convert(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    to: str | None = None,
    recipe: str | None = None,
    batch: Size | None = None,
    frames: Size | None = None,
    layout: Layout | None = None,
    compress: Compression | None = None,
    labels: str | os.PathLike[str] | Sequence[str] | None = None,
    verify: bool = True,
    overwrite: bool = False,
    on_step: Notify = ignore_notice,
    notify: Notify = ignore_notice,
    progress: DownloadProgress = ignore_download_progress,
) -> Conversion:
    """Convert weights to another format, and prove it by running what was written beside its source on a fixed clip.

    Nothing appears at `destination` until all of it is written and proven.

    Args:
        source: an official name, `auto`, or a file of any format that `quovadis.load` reads.
        destination: the file to write; for a server's repository or a recipe the folder to write into.
        to: a name out of `export.FORMATS`, `ovms` or `triton`; None: detected from the destination's suffix.
        recipe: `omz` for Open Model Zoo's folders.
        batch: clips in a batch, up to 1024, or `any`; None: what the format is usually given.
        frames: frames of a clip, 9 to 1024, or `any`; None: what the format is usually given, which is those that the
            weights were trained on or any.
        layout: order of the input's axes; None: `BDCHW`, or the format's only one.
        compress: `fp16` stores the weights in half precision (OpenVINO IR).
        labels: class names, or a text file of them, one a line; None: the weights' own. A format without a place for
            them gets a file labels.txt beside it, unless they are Kinetics-400's.
        verify: run what was written.
        overwrite: replace what is there.
        on_step: called with a line at the start of each step.
        notify: called with a line on choices made for the user.
        progress: called while official weights are downloaded.

    Raises:
        WeightsError: a source that cannot be read.
        OutputError: a destination that cannot be written or is there already, options of another type or that the
            format does not have, or a written model that differs from its source by more than its tolerance.
        MissingDependencyError: a format whose package is not installed.
    """
    given: dict[OptionName, Any] = {
        "batch": batch, "frames": frames, "layout": layout, "compress": compress,
    }  # fmt: skip
    check_path("source", source, OutputError)
    target = check_path("destination", destination, OutputError)
    check_values(str | None, OutputError, to=to, recipe=recipe)
    given["batch"] = check_value("batch", batch, Size | None, OutputError)
    given["frames"] = check_value("frames", frames, Size | None, OutputError)
    check_values(bool, OutputError, verify=verify, overwrite=overwrite)
    check_values(FUNCTION, OutputError, on_step=on_step, notify=notify, progress=progress)
    if is_address(os.fspath(destination)):
        raise OutputError(f"{destination}: an address; give a local path, and upload what is written there")
    chosen_labels = class_names(labels)
    plan, folder = plan_conversion(target, to, recipe, given)
    if target.is_dir() and not plan.makes_folder:
        raise OutputError(f"{target}: is a folder; name the file to write in it")
    with Destination(folder, plan, overwrite=overwrite) as output, tempfile.TemporaryDirectory() as scratch:
        store = Path(scratch) / "weights.safetensors"
        on_step(f"reading {os.fspath(source)}")
        stored = worker.read(_source_path(source, notify, progress), store, chosen_labels, labels_origin(labels))
        weights = WeightsIdentity(stored.name, stored.sha256)
        on_step(f"read {weights.name}, SHA-256 {weights.sha256}")
        plan, _ = plan_conversion(target, to, recipe, given, clip_frames=stored.input.get("clip_frames", CLIP_FRAMES))
        _tell_what_is_lost(plan, folder, stored, notify)
        for name, text in {**plan.texts(_labels(stored), stored.input), **_labels_beside(plan, folder, stored)}.items():
            output.write_text(name, text)
        reference = _Reference(store, Path(scratch) / "results.npz", on_step)
        models = []
        for model in plan.models:
            path = output.temporary(model.path)
            on_step(f"writing {folder / model.path}: {model.format.title}")
            worker.write(stored, store, model.format.name, path, model.options)
            found = reference.compare(model, path) if verify else None
            if found is not None and not found.ok:
                raise OutputError(f"{folder / model.path}: not written, because it would not compute the same. {found}")
            models.append(ConvertedModel(folder / model.path, model.format.title, found))
        files = output.atomic_replace()
    return Conversion(weights, tuple(models), files, tuple(path.stat().st_size for path in files))


def _labels(stored: worker.StoredWeights) -> tuple[str, ...]:
    return numbered_classes(stored.num_classes) if stored.labels is None else tuple(stored.labels)


def _labels_beside(plan: Plan, folder: Path, stored: worker.StoredWeights) -> dict[str, str]:
    """Return the `labels.txt` that goes beside models without a place for class names, as a text by its name.

    Kinetics-400's names need none, unless there is one of other names, which is taken for the model's own.
    """
    is_held = plan.makes_folder or all(model.format.holds_labels for model in plan.models)
    is_usual = tuple(stored.labels or ()) == kinetics400() and not (folder / LABELS_NAME).exists()
    if is_held or is_usual or stored.labels is None:
        return {}
    return {LABELS_NAME: labels_text(stored.labels)}


def _tell_what_is_lost(plan: Plan, folder: Path, stored: worker.StoredWeights, notify: Notify) -> None:
    """Say on what clips models were trained that cannot tell it, if these are not the usual ones."""
    frames, fps = stored.input.get("clip_frames", CLIP_FRAMES), stored.input.get("fps", FRAMES_PER_SECOND)
    if (frames, fps) == (CLIP_FRAMES, FRAMES_PER_SECOND):
        return
    clips = f"clips of {frames} frames, " + ("every one of a video" if fps == "native" else f"{fps:g} a second")
    for model in plan.models:
        if not model.format.holds_labels:
            notify(
                f"note: {folder / model.path}: this format cannot tell what the network was trained on, {clips}: "
                "say so wherever it is used"
            )


class _Reference:
    """The source's own logits, computed once for each shape of input."""

    def __init__(self, store: Path, results: Path, on_step: Notify) -> None:
        self._store, self._results, self._on_step = store, results, on_step
        self._results_by_shape: dict[tuple[int | None, int | None], list[RunResult]] = {}

    def compare(self, model: PlannedModel, path: Path) -> Difference:
        key = model.options.batch, model.options.frames
        if key not in self._results_by_shape:
            self._on_step("running the source")
            self._results_by_shape[key] = worker.run(_REFERENCE, self._store, model.options, self._results)
        self._on_step(f"running {path.name}")
        actual = worker.run(model.format.name, path, model.options, self._results)
        return difference(self._results_by_shape[key], actual, tolerance(model.options))


def _source_path(source: str | os.PathLike[str], notify: Notify, progress: DownloadProgress) -> Path:
    text = os.fspath(source)
    if text == AUTO or text in CATALOGUE:
        return load_weights(text, notify=notify, progress=progress).source
    return local_file(text)


def plan_conversion(
    target: Path,
    to: str | None,
    recipe: str | None,
    given: Mapping[OptionName, Any],
    *,
    clip_frames: int = CLIP_FRAMES,
) -> tuple[Plan, Path]:
    """Return what to write, and the folder it goes into; no file is looked at.

    Args:
        target: as `convert`'s destination.
        to: as for `convert`.
        recipe: as for `convert`.
        given: options of the format, None where nothing was asked for.
        clip_frames: frames of a clip where the format usually has so many, and none were asked for.

    Raises:
        OutputError: no such format or recipe, or options that it does not have.
    """
    given = {name: value for name, value in given.items() if value is not None}
    if to is not None and recipe is not None:
        raise OutputError("choose either a format or a recipe, not both")
    if recipe is not None and recipe not in RECIPES:
        raise OutputError(f'no recipe is called "{recipe}"; there is {", ".join(RECIPES)}', option="recipe")
    if recipe is not None or to in SERVERS:
        chosen = LAYOUTS[recipe or str(to)]
        return chosen.plan(_options(chosen.name, chosen.defaults, chosen.options, given, clip_frames)), target
    if to is not None and to not in FORMATS:
        raise OutputError(f'no format is called "{to}"; there are {", ".join([*FORMATS, *SERVERS])}', option="to")
    file_format = format_of_path(target) if to is None else FORMATS[to]
    if not file_format.admits(target):
        raise OutputError(f'{target}: the suffix contradicts `to="{to}"`; leave one of them out')
    # A checkpoint is called by its prefix, though its index is what can be seen of it.
    name = target.name.removesuffix(INDEX_SUFFIX) if file_format.name == "tensorflow-checkpoint" else target.name
    if file_format.name == "openvino" and target.suffix != ".xml":
        raise OutputError(f"{target}: an OpenVINO IR is called .xml, with its .bin beside it")
    options = _options(file_format.name, file_format.defaults, file_format.options, given, clip_frames)
    return single(name, file_format, options), target.parent


def _options(
    name: str,
    defaults: ExportOptions,
    admitted: frozenset[OptionName],
    given: Mapping[OptionName, Any],
    clip_frames: int,
) -> ExportOptions:
    for option in given:
        if option not in admitted:
            raise OutputError(f"`{option}` has no effect with the format {name}; leave it out")
    values: dict[str, Any] = {str(option): value for option, value in given.items()}
    for option, choices in (("layout", get_args(Layout)), ("compress", get_args(Compression))):
        if values.get(option, choices[0]) not in choices:
            raise OutputError(f'`{option}` must be one of {", ".join(choices)}, not "{values[option]}"')
    for option, least in (("batch", 1), ("frames", MINIMUM_FRAMES)):
        value = values.get(option)
        if value == "any":
            values[option] = None
        elif value is not None and not 1 <= value <= MAX_CLIP_FRAMES:
            raise OutputError(f'`{option}={value}`: give a number from {least} to {MAX_CLIP_FRAMES}, or "any"')
    if defaults.frames is not None and "frames" in admitted:
        values.setdefault("frames", clip_frames)
    options = replace(defaults, **values)
    check_input_size(options.frames or CLIP_FRAMES, FRAME_SIZE, FRAME_SIZE)
    return options
