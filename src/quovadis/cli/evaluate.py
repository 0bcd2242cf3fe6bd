"""quovadis evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from quovadis.cli.command import Without
from quovadis.cli.options import (
    LIMITS,
    MODEL,
    AllowPartial,
    AsJSON,
    Quiet,
    Restart,
    Workers,
    notify,
    notify_above,
    resumable,
    stderr,
)
from quovadis.cli.spelling import flag
from quovadis.datasets import read_dataset
from quovadis.datasets.read import DatasetFormat
from quovadis.engines.quantization import CALIBRATION_CLIPS
from quovadis.errors import DatasetError, UnexpectedError
from quovadis.evaluation.comparison import compare as compare_predictions
from quovadis.evaluation.parquet import read_predictions
from quovadis.evaluation.predictions import Failure, Predictions
from quovadis.evaluation.protocols import ProtocolName, make_protocol
from quovadis.evaluation.run import LEDGER_NAME, RunRecord, run_evaluation
from quovadis.evaluation.summary import summarize
from quovadis.labels import class_names, labels_origin
from quovadis.options import ModelOptions
from quovadis.recognizer import load
from quovadis.report.evaluation import (
    check_evaluation_dependencies,
    comparison_document,
    json_text,
    write_comparison,
    write_evaluation,
)
from quovadis.report.evaluation_table import comparison_table, summary_table
from quovadis.report.progress import DownloadDisplay, VideoProgress
from quovadis.video import VideoLimits
from quovadis.weights import load_weights

DEFAULT_OUTPUT = Path("evaluation")


def evaluate(
    dataset: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATASET", help="Kinetics CSV or JSON, a folder for each class, or a list.", show_default=False
        ),
    ] = None,
    videos: Annotated[
        Path | None, typer.Option(help="Folder of the videos.", show_default="beside the annotation")
    ] = None,
    file_format: Annotated[DatasetFormat, typer.Option("--format", help="Form of the dataset.")] = "auto",
    split: Annotated[
        str | None, typer.Option(help="Part of the dataset.", show_default="of JSON validation, else all")
    ] = None,
    subset: Annotated[int | None, typer.Option(min=1, help="Take the first N videos that exist.")] = None,
    protocol: Annotated[
        ProtocolName, typer.Option(help="Whole videos; Open Model Zoo's three clips; clips and crops.")
    ] = "deepmind",
    clips: Annotated[int | None, typer.Option(min=1, help="Multiview: clips of a video.", show_default="10")] = None,
    crops: Annotated[int | None, typer.Option(help="Multiview: crops of a clip, 1 or 3.", show_default="3")] = None,
    crop_size: Annotated[
        int | None, typer.Option(help="Multiview: side of a crop.", show_default="256 for 3 crops, 224 for 1")
    ] = None,
    omz_compatible: Annotated[
        bool, typer.Option("--omz-compatible", help="First clip_accuracy without the last video, as Open Model Zoo.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for the report and the record of what is done; of --compare for comparison.json.",
            show_default="evaluation",
        ),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="A B", help="Compare two predictions.parquet instead.", show_default=False),
    ] = None,
    restart: Restart = False,
    model_options: Annotated[ModelOptions, Without("hint")] = MODEL,
    workers: Workers = 2,
    allow_partial: AllowPartial = False,
    limits: VideoLimits = LIMITS,
    as_json: AsJSON = False,
    quiet: Quiet = False,
) -> None:
    """Measure accuracy over labelled videos, as the papers did; resumes where it was stopped."""
    if compare is not None:
        if dataset is not None:
            raise typer.BadParameter("give either a dataset, or two files to compare")
        _compare(*compare, output, as_json=as_json)
        return
    if dataset is None:
        raise typer.BadParameter("give a dataset, or --compare two files")
    if omz_compatible and protocol != "omz":
        raise typer.BadParameter("--omz-compatible is for --protocol omz: no other has figures of Open Model Zoo's")
    output = output or DEFAULT_OUTPUT
    chosen = make_protocol(protocol, clips=clips, crops=crops, crop_size=crop_size)
    check_evaluation_dependencies()
    own_names = class_names(model_options.labels)
    with DownloadDisplay(stderr(), enabled=not quiet) as download:
        # The weights name the classes, but what is wrong with the dataset comes before any note on them.
        notices: list[str] = []
        weights = load_weights(model_options.weights, notify=notices.append, progress=download)
        names = weights.class_names(own_names, labels_origin(model_options.labels))
        examples = read_dataset(dataset, names, videos=videos, file_format=file_format, split=split, subset=subset)
        for notice in notices:
            notify(notice)
        model = load(
            model_options,
            loaded=weights,
            # A folder of frames may have several examples.
            calibration_fallback=list(dict.fromkeys(str(example.path) for example in examples.existing))[
                :CALIBRATION_CLIPS
            ],
            notify=notify,
            progress=download,
        )
    title = f"{dataset.name}, {protocol}"
    faults: list[UnexpectedError] = []
    with (
        resumable(output / LEDGER_NAME, restart=restart),
        VideoProgress(stderr(), title, enabled=not quiet) as progress,
    ):

        def tell_fault(error: UnexpectedError) -> None:
            faults.append(error)
            notify_above(progress, f"error: {error}")

        predictions, record = run_evaluation(
            model,
            examples,
            chosen,
            output / LEDGER_NAME,
            restart=restart,
            workers=workers,
            limits=limits,
            allow_partial=allow_partial,
            observer=progress,
            on_failure=lambda failure: notify_above(progress, _failure_line(failure)),
            on_fault=tell_fault,
            on_partial=lambda video: notify_above(progress, f"note: {video.path}: {'; '.join(video.notes)}"),
        )
    _report(predictions, record, dataset, output, omz_compatible=omz_compatible, as_json=as_json)
    if faults:
        raise typer.Exit(1)


def _report(
    predictions: Predictions, record: RunRecord, dataset: Path, folder: Path, *, omz_compatible: bool, as_json: bool
) -> None:
    if not predictions.keys and (folder / "report.json").exists():
        raise DatasetError(
            f"{dataset}: none of its videos could be evaluated; the earlier report in {folder} is left as it was"
        )
    summary = summarize(predictions, omz_compatible=omz_compatible)
    write_evaluation(predictions, summary, record, folder, flag)
    if not predictions.keys:
        raise DatasetError(f"{dataset}: none of its videos could be evaluated; {folder / 'report.md'} tells why")
    if as_json:
        typer.echo((folder / "report.json").read_text(encoding="utf-8"), nl=False)
        return
    console = Console(highlight=False)
    console.print(predictions.counts)
    console.print(summary_table(summary))
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True, markup=False)


def _compare(a: Path, b: Path, output: Path | None, *, as_json: bool) -> None:
    comparison = compare_predictions(read_predictions(a), read_predictions(b))
    document = comparison_document(comparison, a, b)
    written = None if output is None else write_comparison(document, output)
    if as_json:
        typer.echo(json_text(document), nl=False)
        return
    console = Console(highlight=False)
    console.print(comparison_table(comparison, a, b))
    if written is not None:
        console.print(f"comparison: {written}", soft_wrap=True, markup=False)


def _failure_line(failure: Failure) -> str:
    return f"not evaluated: {failure.key}: {failure.reason}" if failure.kind == "missing" else failure.reason
