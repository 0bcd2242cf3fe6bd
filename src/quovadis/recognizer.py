"""The public object: weights, class names and an engine, ready to say what happens in a video."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from quovadis.architecture import TEMPORAL_STRIDE
from quovadis.engines import CompiledGraphCache, Engine, EngineOutput, open_engine
from quovadis.engines.base import Pixels
from quovadis.engines.choice import runs_on_torch, why_slower
from quovadis.environment import compiled_graphs_folder
from quovadis.errors import ArchitectureError, EngineError
from quovadis.fields import MAX_WORKERS, OPTIONAL_FUNCTION, check_value, check_values, with_keywords
from quovadis.inference.feature_options import FeatureOptions
from quovadis.inference.feature_rows import VideoFeatures, video_features
from quovadis.inference.predictions import predict_steps, predict_video
from quovadis.inference.trained_sampling import choose_options, other_size, trained_keywords
from quovadis.labels import LABELS_NAME, class_names, labels_origin, numbered_classes
from quovadis.notices import notify_once
from quovadis.options import ModelOptions
from quovadis.precision import quantization_for
from quovadis.progress import DownloadProgress, Notify, ignore_download_progress
from quovadis.results import ClipPrediction, StepPrediction, VideoPrediction, WeightsIdentity
from quovadis.runs.executor import Cancelled, Done, finish
from quovadis.runs.ordered import map_ordered
from quovadis.version import __version__
from quovadis.video import Dense, Sampling, SourceLike, SourceReader, VideoLimits, VideoSource, video_source
from quovadis.video.array import array_of_tensor, is_tensor
from quovadis.video.source_lists import listed_videos, several_videos
from quovadis.video.sources import source_name
from quovadis.weights import InputSpecification, Weights, load_weights
from quovadis.weights.catalogue import CATALOGUE
from quovadis.weights.load import AUTO

_STEP_BY_STEP = Dense(chunk_frames=TEMPORAL_STRIDE)
MAKER_NAMES = ("engine", "version", "device", "calibration", "quovadis")
"""What `Recognizer.maker` has: results of other makers are the same but for rounding."""
_logger = logging.getLogger("quovadis")


class Recognizer(AbstractContextManager["Recognizer"]):
    """I3D with its weights and class names on an engine; make one with `quovadis.load`.

    Used in a `with`, it is closed at its end. One that `load` made can be pickled: it is loaded again from its options.
    """

    def __init__(
        self,
        engine: Engine,
        weights: WeightsIdentity,
        labels: tuple[str, ...],
        options: ModelOptions | None = None,
        input_specification: InputSpecification | None = None,
    ) -> None:
        self.engine = engine
        self.weights = weights
        self.labels = labels
        self.options = options
        """What `load` makes the same model from, in another process too; None: nothing does."""
        self.input = input_specification or InputSpecification()
        """What clips the weights were trained on, which is how videos are sampled where nothing else is asked for."""

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the engine's threads and memory; safe to call twice. A closed model runs nothing more."""
        self.engine.close()

    def __reduce__(self) -> tuple[Callable[..., Recognizer], tuple[object, ...]]:
        """Pickle the options, from which the model is loaded again.

        Raises:
            TypeError: the model was not loaded from a name or a file.
        """
        if self.options is None:
            raise TypeError(
                "this Recognizer cannot be pickled, since its weights were in memory: "
                "write them to a file, and load that, here or in the other process"
            )
        return _load_again, (self.options, self.result_settings)

    def __repr__(self) -> str:
        described = ", ".join(f"{key}={value}" for key, value in self.engine.description.items())
        return f"Recognizer(weights={self.weights.name}, classes={len(self.labels)}, {described})"

    @property
    def result_settings(self) -> dict[str, str]:
        """What decides results, by name: weights and precision, and in int8 the calibration."""
        description = self.engine.description.items()
        return {"weights_sha256": self.weights.sha256} | {k: v for k, v in description if k not in MAKER_NAMES}

    @property
    def maker(self) -> dict[str, str]:
        """What makes results and does not decide them, by name: engine, its version, device, version of quovadis."""
        description = self.engine.description.items()
        return {k: v for k, v in description if k in MAKER_NAMES} | {"quovadis": __version__}

    def run(self, clips: Pixels | Any, endpoints: str | Sequence[str] = ()) -> EngineOutput:
        """Run the network on clips as they are: logits by step and by clip, softmax, features, feature maps.

        Args:
            clips: RGB, 0..255, uint8 or float32, shape batch, frames, height, width, 3, with at least 9 frames; an
                array, or a tensor, which may have its channels second or third.
            endpoints: a name, or names, out of `quovadis.ENDPOINTS` whose feature maps are wanted too.

        Raises:
            ArchitectureError: a shape or dtype that the network cannot take, floats that are NaN or far from 0..255,
                or an unknown endpoint.
            EngineError: the device failed.
        """
        return self.engine.run(array_of_tensor(clips) if is_tensor(clips) else clips, endpoints)

    def classify(
        self,
        source: SourceLike,
        sampling: Sampling | None = None,
        *,
        limits: VideoLimits | None = None,
        allow_partial: bool = False,
        on_start: Callable[[int | None], None] | None = None,
        on_clip: Callable[[ClipPrediction], None] | None = None,
        **keywords: Any,
    ) -> VideoPrediction:
        """Say what happens in a video, in memory that does not grow with its length.

        `classify(path, stride=8)` and `classify(path, Sampling(clips=SlidingWindows(stride=8)))` are the same.

        Args:
            source: a string, which may name a file, a folder of images, an address or `camera:0`; a path; the
                content of a file, as bytes or as an open binary file; a `VideoSource`, which opens no more than its
                type says; or frames: uint8 RGB, 0..255, of any size, as an array or a tensor of shape frames, height,
                width, 3, or as an iterable of arrays, tensors or PIL pictures. A tensor may have its channels first.
                Frames are taken to be at the rate that the sampling asks for.
            sampling: which frames become clips; None: adjoining clips as in the weights' `input`, or, where it does not
                say, of 79 frames at 25 frames a second.
            limits: the most pixels, frames and seconds to accept; None: the defaults of `VideoLimits`.
            allow_partial: classify what is there of a damaged or cut-off video, instead of refusing it.
            on_start: called with the number of clips to expect, None if unknown.
            on_clip: called with each clip's prediction as it is made.
            keywords: fields of `Sampling`, of its clips and its span, and of `VideoLimits`, which they replace there:
                `clip_frames`, `stride`, `fps`, `start_seconds` … Without a `sampling`, they also choose the kind of
                clips: `chunk_frames` is for `Dense`.

        Raises:
            VideoError: the source is no video, cannot be read, is cut off, or exceeds the limits.
            ArchitectureError: values of keywords that are not possible, or do not go together.
            EngineError: the device failed.
            TypeError: a keyword that is no field.
        """
        sampling, limits = choose_options(Sampling, sampling, limits, allow_partial, keywords, self.input)
        check_values(OPTIONAL_FUNCTION, ArchitectureError, on_start=on_start, on_clip=on_clip)
        reader = SourceReader(video_source(source), limits, allow_partial=allow_partial)
        return predict_video(
            self.engine, self.weights, self.labels, reader, sampling, on_start=on_start, on_clip=on_clip
        )

    def classify_many(
        self,
        sources: Iterable[SourceLike],
        sampling: Sampling | None = None,
        *,
        workers: int | None = None,
        limits: VideoLimits | None = None,
        allow_partial: bool = False,
        **keywords: Any,
    ) -> Iterator[Done[SourceLike, VideoPrediction]]:
        """Classify many videos: yield `source, result, error` of each, in their order.

        A video that cannot be read has an error in place of its result, and costs no other. Sources are taken as there
        is room for them, so that they may come from a generator and be any number.

        Args:
            sources: of each video what `classify` takes.
            sampling: as for `classify`.
            workers: videos processed at once, each decoded in a thread; None: as many clips as the engine runs at once.
            limits: as for `classify`, of each video.
            allow_partial: as for `classify`.
            keywords: as for `classify`.

        Raises:
            VideoError: one video is given, or its frames, and not several videos.
            ArchitectureError: values of keywords that are not possible, or do not go together.
            EngineError: the device failed; this ends the whole.
            TypeError: a keyword that is no field.
        """
        sources = several_videos(sources)
        sampling, limits = choose_options(Sampling, sampling, limits, allow_partial, keywords, self.input)
        workers = check_value("workers", workers, int | None, ArchitectureError, at_least=1, at_most=MAX_WORKERS)
        at_once = workers or self.engine.max_concurrent_clips
        stop = Event()

        def check(_: ClipPrediction) -> None:
            if stop.is_set():
                raise Cancelled

        def make(source: SourceLike) -> Done[SourceLike, VideoPrediction]:
            classify = partial(self.classify, source, sampling, limits=limits, allow_partial=allow_partial)
            return finish(source, source_name, partial(classify, on_clip=check))

        return map_ordered(make, sources, at_once, stop=stop)

    def features(
        self,
        source: SourceLike,
        options: FeatureOptions | None = None,
        *,
        limits: VideoLimits | None = None,
        allow_partial: bool = False,
        **keywords: Any,
    ) -> VideoFeatures:
        """Return what the network knows of a video before it names a class: 1024 values for each window, or others.

        Args:
            source: as for `classify`.
            options: which features of which frames; None: `Mixed_5c` pooled over adjoining windows as of `classify`.
            limits: the most pixels, frames and seconds to accept; None: the defaults of `VideoLimits`.
            allow_partial: take what is there of a damaged or cut-off video.
            keywords: fields of `FeatureOptions`, of its sampling and geometry, and of `VideoLimits`, which they replace
                there: `endpoint`, `pool`, `stride` … as for `classify`.

        Raises:
            VideoError: the source is no video, cannot be read, or is shorter than what the options need.
            ArchitectureError: values of keywords that are not possible, or do not go together.
            EngineError: the device failed.
            TypeError: a keyword that is no field.
        """
        options, limits = choose_options(FeatureOptions, options, limits, allow_partial, keywords, self.input)
        return video_features(self.engine, source, options, limits=limits, allow_partial=allow_partial)

    def stream(
        self,
        source: SourceLike,
        sampling: Sampling | None = None,
        *,
        limits: VideoLimits | None = None,
        allow_partial: bool = False,
        **keywords: Any,
    ) -> Iterator[StepPrediction]:
        """Yield a prediction every 8 frames of a video that may never end, in constant memory.

        Each frame goes through the network once. A step's prediction is known 56 frames after the step's centre, 2.24 s
        at 25 frames a second, and up to `chunk_frames - 8` frames later. Of a live source that comes faster than it can
        be used, the oldest waiting 8 frames are left out whenever 64 wait.

        Args:
            source: as for `classify`. A generator's frames are taken as they are needed, in the thread that asks.
            sampling: rate, part, and a `Dense` of windows and chunks; None: the weights' own rate and windows, else 25
                frames a second. Without a `Dense`, windows are of 9 steps (79 frames), and chunks of 8 frames.
            limits: the most pixels, frames and seconds to accept; None: the defaults of `VideoLimits`.
            allow_partial: take what is there of a damaged or cut-off video.
            keywords: fields of `Sampling`, `Dense`, `TimeSpan` and `VideoLimits`, as for `classify`.

        Raises:
            VideoError: the source is no video, cannot be read, is cut off, or exceeds the limits.
            ArchitectureError: values of keywords that are not possible, or that are of other clips than `Dense`.
            EngineError: the device failed.
            TypeError: a keyword that is no field.
        """
        if sampling is None:
            sampling = Sampling(clips=_STEP_BY_STEP)
            keywords = {**trained_keywords(self.input, keywords, is_dense=True), **keywords}
        elif isinstance(sampling, Sampling) and not isinstance(sampling.clips, Dense):
            sampling = replace(sampling, clips=_STEP_BY_STEP)
        sampling, limits = choose_options(Sampling, sampling, limits, allow_partial, keywords, self.input)
        dense = sampling.clips
        if not isinstance(dense, Dense):
            raise ArchitectureError(f"a stream is sampled by Dense, not by {type(dense).__name__}", option="clips")
        return self._stream(video_source(source), sampling, dense, limits, allow_partial)

    def _stream(
        self, source: VideoSource, sampling: Sampling, dense: Dense, limits: VideoLimits, allow_partial: bool
    ) -> Iterator[StepPrediction]:
        video = source.open(fps=sampling.fps, span=sampling.span, limits=limits, allow_partial=allow_partial)
        yield from predict_steps(self.engine, self.labels, video, dense)


def _load_again(options: ModelOptions, settings: Mapping[str, str]) -> Recognizer:
    """Load the model of a pickled Recognizer.

    Raises:
        EngineError: it computes something else here, because of other weights or another precision.
    """
    recognizer = load(options)
    for name in settings.keys() | recognizer.result_settings.keys():
        there, here = settings.get(name), recognizer.result_settings.get(name)
        if there != here:
            recognizer.close()
            raise EngineError(f"{options.weights}: not what was pickled: {name} is {here} here, and was {there} there")
    return recognizer


def with_makers(settings: Mapping[str, Any], makers: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return settings that tell what made results: the one maker's names, or of several the list `makers`."""
    if len(makers) == 1:
        return {**settings, **makers[0]}
    return {**{k: v for k, v in settings.items() if k not in MAKER_NAMES}, "makers": [dict(one) for one in makers]}


def load(
    weights: ModelOptions | str | os.PathLike[str] = "auto",
    *,
    loaded: Weights | None = None,
    needs_labels: bool = True,
    calibration: Iterable[SourceLike] | None = None,
    calibration_fallback: Iterable[SourceLike] = (),
    notify: Notify | None = None,
    progress: DownloadProgress | None = None,
    **options: Any,
) -> Recognizer:
    """Load weights, from the cache or over the network, and get the network ready to run.

    `load("rgb-scratch", device="cuda")` and `load(ModelOptions("rgb-scratch", device="cuda"))` are the same.

    Args:
        weights: what `ModelOptions.weights` may be, or all options as one value.
        loaded: weights that are loaded already, to take in place of those.
        needs_labels: whether classes have to be named; features need no names, and then
            the classes are numbered, whatever the weights call them.
        calibration: videos or arrays of people at work, on which int8 is calibrated again; the result is cached. None:
            what is cached.
        calibration_fallback: the same, used only if int8 is wanted and nothing is cached.
        notify: called with a line on choices made for the user; None: a warning of the logger `quovadis`.
        progress: called while weights are downloaded.
        options: fields of `ModelOptions`: `labels`, `device`, `engine`, `hint`, `threads`, `precision`; of options
            given as one value they replace those.

    Raises:
        WeightsError: weights that are unavailable or cannot be read.
        LabelsError: class names that cannot be read or do not fit.
        EngineError: no such engine or device, int8 without any calibration, or a value of the wrong type.
        MissingDependencyError: PyTorch is wanted and is not installed.
        TypeError: a keyword that is no option.
    """
    check_values(OPTIONAL_FUNCTION, EngineError, notify=notify, progress=progress)
    check_values(Weights | None, EngineError, loaded=loaded)
    check_values(bool, EngineError, needs_labels=needs_labels)
    check_values(Iterable | None, EngineError, calibration=calibration, calibration_fallback=calibration_fallback)
    notify = notify or _logger.warning
    (chosen,) = with_keywords(options, weights if isinstance(weights, ModelOptions) else ModelOptions(weights))
    names, videos = class_names(chosen.labels), (listed_videos(calibration), listed_videos(calibration_fallback))
    is_from_options = loaded is None
    if loaded is None:
        loaded = load_weights(chosen.weights, notify=notify, progress=progress or ignore_download_progress)
    if names is None and not needs_labels:
        names = numbered_classes(loaded.num_classes)
    if names is None and loaded.known_labels is None:
        notify(
            f"{loaded.source}: the names of its {loaded.num_classes} classes are unknown, so they are called class 0, "
            f"class 1, …; put their names into {LABELS_NAME} beside it, one a line"
        )
    slower = why_slower(chosen.engine, chosen.device)
    if slower is not None:
        notify_once("kernels", f"running on OpenVINO, which takes up to twice as long: {slower}", notify)
    if size := other_size(loaded.input):
        notify(f"warning: {loaded.source}: {size}")
    precision = chosen.precision
    if precision == "auto" and runs_on_torch(chosen.engine, chosen.device):
        precision = None
    opened = open_engine(
        loaded.tensors,
        name=chosen.engine,
        device=chosen.device,
        threads=chosen.threads,
        hint=chosen.hint,
        cache=CompiledGraphCache(compiled_graphs_folder()),
        weights_sha256=loaded.sha256,
        floats="f32" if precision == "f32" else "f16" if precision == "f16" else None,
        quantization=quantization_for(loaded, precision or "f32", *videos, notify),
    )
    labels = loaded.class_names(names, labels_origin(chosen.labels))
    identity = WeightsIdentity(loaded.name, loaded.sha256)
    lasting = _lasting(chosen, identity, labels) if is_from_options else None
    return Recognizer(opened, identity, labels, lasting, loaded.input)


def _lasting(options: ModelOptions, identity: WeightsIdentity, labels: tuple[str, ...]) -> ModelOptions:
    """Return the options that make the same model in another folder, and after other weights have been downloaded."""
    weights = options.weights
    if weights == AUTO:
        weights = identity.name
    elif weights not in CATALOGUE:
        weights = Path(weights).absolute()
    return replace(options, weights=weights, labels=labels)
