"""quovadis train."""

from __future__ import annotations

import shlex
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quovadis.cli.command import OUTPUT, RUN, Quiet, Without, one_of
from quovadis.cli.options import fps_option, notice_line, notices, resumable, stderr
from quovadis.cli.spelling import running
from quovadis.cli.usage import command_line_checks, is_given
from quovadis.errors import MissingDependencyError
from quovadis.escape import printable
from quovadis.extras import import_extra
from quovadis.report.progress import VideoProgress
from quovadis.report.training import TrainingProgress, figures_line
from quovadis.training.clips import ClipSampling
from quovadis.training.config import CONFIG_NAME, RECIPES, check_given, read_config, resolve
from quovadis.training.options import RunOptions, TrainingOptions, check_stages, unread_options
from quovadis.training.output import BEST_NAME

if TYPE_CHECKING:
    from quovadis.report.training_page import TrainingPage
    from quovadis.training.evaluate import Evaluation
    from quovadis.training.tensorboard import TensorBoardLog
    from quovadis.training.trainer import StepReport

OPTIONS, RUN_OPTIONS, CLIPS = TrainingOptions(), RunOptions(), ClipSampling(views=3)
"""What they are where nothing is given."""


def train(
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET",
            help="A folder for each class, a list, or Kinetics, UCF-101, HMDB-51, Charades.",
            show_default=False,
        ),
    ],
    folder: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Folder of the run; an interrupted run in it is resumed.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ],
    config: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help=f"Options in TOML or YAML, or a recipe: {', '.join(RECIPES)}. Flags take precedence.",
            autocompletion=one_of(*RECIPES),
        ),
    ] = None,
    options: TrainingOptions = OPTIONS,
    run: RunOptions = RUN_OPTIONS,
    sampling: Annotated[ClipSampling, Without("fps", "scales")] = CLIPS,
    fps: Annotated[Any, fps_option("25")] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Start over, discarding the training in the folder.", rich_help_panel=RUN)
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train a classifier of your own actions, or train as the paper did; resumes if interrupted.

    Examples:
        quovadis train my_videos/ --out runs/mine
        quovadis train my_videos/ --out runs/two --stage head,full --from Mixed_4f
        quovadis train kinetics.csv --out runs/k400 --config paper-kinetics
    """
    names = [field.name for part in (options, run, sampling) for field in fields(part)]
    context = running()
    given = {name: context.params[name] for name in names if name in context.params and is_given(context, name)}
    with command_line_checks():
        values = {} if config is None else read_config(config)
        options, run, sampling = resolve(values, given, OPTIONS, RUN_OPTIONS, CLIPS, origin=config or "config")
        check_given(values, given, options.stage, origin=config or "config")
        check_stages(run, options)
    try:
        import_extra("torch", "quovadis train")
    except MissingDependencyError as error:
        raise MissingDependencyError("PyTorch", "train", "quovadis train") from error
    # PyTorch is imported this late so that what is wrong with a command line is said at once.
    from quovadis.report.training_page import TrainingPage
    from quovadis.training.distributed import machine_name, processes
    from quovadis.training.run import train as run_training
    from quovadis.training.state import STATE_NAME
    from quovadis.training.tensorboard import tensorboard_log

    with processes(options.device) as process, resumable(folder / STATE_NAME, restart=restart):
        shows = process.is_main and not quiet
        machine, commands = machine_name(options.device), _next_commands(dataset, folder, options, run, sampling)
        page = TrainingPage(folder, machine=machine, commands=commands)
        log = tensorboard_log(folder, notices(quiet=quiet)) if process.is_main and "full" in options.stages else None
        with TrainingProgress(stderr(), enabled=shows) as progress, log or nullcontext():
            result = run_training(
                dataset,
                folder,
                run=run,
                options=options,
                sampling=sampling,
                restart=restart,
                process=process,
                observer=_Observer(progress, page, log, quiet=not shows),
            )
        report = page.write() if process.is_main else None
    if shows:
        measure = "mAP" if options.loss == "sigmoid" else "top-1"
        score = "" if result.best_score is None else f" (video {measure} {100 * result.best_score:.1f} %)"
        typer.echo(printable(f"trained: {result.best}{score}"))
        typer.echo(printable(f"report: {report}"))
        typer.echo(printable(f"next: {commands[0]}"))


def _next_commands(
    dataset: Path, folder: Path, options: TrainingOptions, run: RunOptions, sampling: ClipSampling
) -> list[str]:
    """Return what to run after a training, as lines for a shell."""
    best = shlex.quote(str(folder / BEST_NAME))
    commands = [f"quovadis classify VIDEO -w {best}", f"quovadis convert {best} model.onnx"]
    if "full" not in options.stages:
        further = f"{shlex.quote(str(dataset))} --out {shlex.quote(f'{folder}-full')}"
        # The same division, clips and loss; a training takes those that it is told, whatever its weights say.
        ignored = unread_options("full") | unread_options("head") | {"stage", "weights"}
        pairs = ((options, OPTIONS), (run, RUN_OPTIONS), (sampling, CLIPS))
        is_usual = all(
            getattr(given, one.name) == getattr(usual, one.name)
            for given, usual in pairs
            for one in fields(given)
            if one.name not in ignored
        )
        config = "" if is_usual else f" --config {shlex.quote(str(folder / CONFIG_NAME))}"
        commands.append(f"quovadis train {further} --stage full --from Mixed_5b -w {best}{config}")
    return commands


class _Observer:
    """Shows how a training stands."""

    def __init__(
        self, progress: TrainingProgress, page: TrainingPage, log: TensorBoardLog | None, *, quiet: bool
    ) -> None:
        self._progress, self._page, self._log = progress, page, log
        self._quiet = quiet

    def notice(self, message: str) -> None:
        if not self._quiet or message.startswith("warning"):
            self._progress.print(notice_line(message))

    def features(self, part: str) -> VideoProgress:
        return self._progress.videos(f"features, {part}")

    def step(self, report: StepReport) -> None:
        note = f"loss {report.loss:.3f}, {report.clips_per_second:.2f} clips/s, {report.memory_bytes / 2**30:.1f} GiB"
        self._progress.step(report.step, report.steps, note)
        self._page.peak_memory_bytes = report.memory_bytes
        if self._log is not None:
            self._log.step(report)

    def evaluation(self, step: int, found: Evaluation) -> None:
        if not self._quiet:
            after = f"step {step}: " if step else ""
            self._progress.print(notice_line(f"{after}{figures_line(found.figures)}"))
        if self._log is not None:
            self._log.evaluation(step, found)
        if step:
            self._page.update()
