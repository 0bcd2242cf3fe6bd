"""quovadis evaluate."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from quovadis.cli.command import OUTPUT, Without
from quovadis.cli.options import (
    COMMON_PARALLEL,
    LIMITS,
    MODEL,
    Calibration,
    CommonOptions,
    check_engine,
    check_output_folder,
    load,
    notices,
    notify,
    notify_above,
    resumable,
    stderr,
)
from quovadis.cli.spelling import flag
from quovadis.cli.usage import Alone, Excludes, Needs, UsageError, command_line_checks
from quovadis.datasets import read_dataset
from quovadis.datasets.read import DatasetFormat, check_exists
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
from quovadis.progress import ignore_notice
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
REPORT_SUFFIXES = (".json", ".md", ".html", ".parquet", ".csv", ".png", ".txt")
"""Of files that a report is looked for in."""

DATASET, PROTOCOL = "Dataset", "Protocol"
"""Groups of options."""


def evaluate(
    dataset: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATASET", help="Kinetics CSV or JSON, a folder for each class, or a list.", show_default=False
        ),
    ] = None,
    videos: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of the videos.",
            show_default="beside the annotation",
            rich_help_panel=DATASET,
        ),
        Excludes(file_format="folders"),
    ] = None,
    file_format: Annotated[
        DatasetFormat, typer.Option("--dataset-format", help="Format of the dataset.", rich_help_panel=DATASET)
    ] = "auto",
    split: Annotated[
        str | None,
        typer.Option(
            help="Part of the dataset.", show_default="validation for JSON, else all", rich_help_panel=DATASET
        ),
        Excludes(file_format=("folders", "list")),
    ] = None,
    subset: Annotated[
        int | None, typer.Option(min=1, help="Take the first N videos that exist.", rich_help_panel=DATASET)
    ] = None,
    protocol: Annotated[
        ProtocolName,
        typer.Option(
            help="deepmind: whole videos; omz: Open Model Zoo's three clips; multiview: several clips and crops.",
            rich_help_panel=PROTOCOL,
        ),
    ] = "deepmind",
    clips: Annotated[
        int | None,
        typer.Option(min=1, help="Multiview: clips of a video.", show_default="10", rich_help_panel=PROTOCOL),
        Needs(protocol="multiview"),
    ] = None,
    crops: Annotated[
        int | None,
        typer.Option(help="Multiview: crops of a clip, 1 or 3.", show_default="3", rich_help_panel=PROTOCOL),
        Needs(protocol="multiview"),
    ] = None,
    crop_size: Annotated[
        int | None,
        typer.Option(
            help="Multiview: side of a crop.", show_default="256 for 3 crops, 224 for 1", rich_help_panel=PROTOCOL
        ),
        Needs(protocol="multiview"),
    ] = None,
    omz_compatible: Annotated[
        bool,
        typer.Option(
            "--omz-compatible",
            help="Leave out the last video in the first clip_accuracy, as Open Model Zoo does.",
            rich_help_panel=PROTOCOL,
        ),
        Needs(protocol="omz"),
    ] = False,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="A B",
            help="Compare two predictions.parquet instead.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
        Alone("output", "as_json", "print_format", "quiet"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder for the report; with --compare, for comparison.json.",
            show_default="evaluation",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    model_options: Annotated[ModelOptions, Without("hint")] = MODEL,
    calibration: Calibration = None,
    common: Annotated[CommonOptions, Without("resume", "fail_fast")] = COMMON_PARALLEL,
    limits: Annotated[VideoLimits, Without("max_spooled_bytes")] = LIMITS,
) -> None:
    """Measure accuracy over labelled videos, as the papers did; resumes if interrupted.

    Examples:
        quovadis evaluate kinetics/val.csv --videos kinetics/val
        quovadis evaluate my_videos/ --protocol multiview -w model.ckpt -o results
        quovadis evaluate --compare f32/predictions.parquet int8/predictions.parquet
    """
    if compare is not None:
        _compare(*compare, output, common)
        return
    if dataset is None:
        raise UsageError("give a dataset, or --compare two files")
    with command_line_checks():
        choose = partial(make_protocol, protocol, clips=clips, crops=crops, crop_size=crop_size)
        choose()
        check_engine(model_options)
    output = output or DEFAULT_OUTPUT
    check_output_folder(output, REPORT_SUFFIXES)
    check_exists(dataset, videos)
    check_evaluation_dependencies()
    own_names = class_names(model_options.labels)
    with DownloadDisplay(stderr(), enabled=not common.quiet) as download:
        # The weights name the classes, but what is wrong with the dataset comes before any note on them.
        found: list[str] = []
        listen = ignore_notice if common.quiet else found.append
        weights = load_weights(model_options.weights, notify=listen, progress=download)
        names = weights.class_names(own_names, labels_origin(model_options.labels))
        examples = read_dataset(dataset, names, videos=videos, file_format=file_format, split=split, subset=subset)
    for notice in found:
        notify(notice)
    # Each once: a folder of frames may have several examples.
    paths = dict.fromkeys(str(example.path) for example in examples.existing)
    model = load(
        model_options,
        quiet=common.quiet,
        loaded=weights,
        calibration=calibration,
        calibration_fallback=list(paths)[:CALIBRATION_CLIPS],
    )
    faults: list[UnexpectedError] = []
    with (
        resumable(output / LEDGER_NAME, restart=common.restart),
        VideoProgress(stderr(), f"{dataset.name}, {protocol}", enabled=not common.quiet) as progress,
    ):
        tell_above = notices(quiet=common.quiet, above=progress)

        def tell_fault(error: UnexpectedError) -> None:
            faults.append(error)
            notify_above(progress, f"error: {error}")

        predictions, record = run_evaluation(
            model,
            examples,
            choose(specified=weights.input),
            output / LEDGER_NAME,
            restart=common.restart,
            workers=common.workers,
            limits=limits,
            allow_partial=common.allow_partial,
            observer=progress,
            on_failure=lambda failure: notify_above(progress, _failure_line(failure)),
            on_fault=tell_fault,
            on_partial=lambda video: tell_above(f"note: {video.path}: {'; '.join(video.notes)}"),
        )
    _report(predictions, record, dataset, output, omz_compatible=omz_compatible, common=common)
    if faults:
        raise typer.Exit(1)


def _report(
    predictions: Predictions,
    record: RunRecord,
    dataset: Path,
    folder: Path,
    *,
    omz_compatible: bool,
    common: CommonOptions,
) -> None:
    if not predictions.keys and (folder / "report.json").exists():
        raise DatasetError(
            f"{dataset}: none of its videos could be evaluated; the earlier report in {folder} is left as it was"
        )
    summary = summarize(predictions, omz_compatible=omz_compatible)
    write_evaluation(predictions, summary, record, folder, flag)
    if not predictions.keys:
        raise DatasetError(f"{dataset}: none of its videos could be evaluated; {folder / 'report.md'} tells why")
    if common.as_json:
        typer.echo((folder / "report.json").read_text(encoding="utf-8"), nl=False)
        return
    console = Console(highlight=False, quiet=common.quiet)
    console.print(predictions.counts)
    console.print(summary_table(summary))
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True, markup=False)


def _compare(a: Path, b: Path, output: Path | None, common: CommonOptions) -> None:
    if output is not None:
        check_output_folder(output, REPORT_SUFFIXES)
    comparison = compare_predictions(read_predictions(a), read_predictions(b))
    document = comparison_document(comparison, a, b)
    written = None if output is None else write_comparison(document, output)
    if common.as_json:
        typer.echo(json_text(document), nl=False)
        return
    console = Console(highlight=False, quiet=common.quiet and written is not None)
    console.print(comparison_table(comparison, a, b))
    if written is not None:
        console.print(f"comparison: {written}", soft_wrap=True, markup=False)


def _failure_line(failure: Failure) -> str:
    return f"not evaluated: {f'{failure.key}: ' if failure.kind == 'missing' else ''}{failure.reason}"
