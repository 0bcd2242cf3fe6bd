"""How to train, as a value: what `Trainer`, the command line and configuration files take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias

from quovadis.architecture import ENDPOINTS, HEAD
from quovadis.datasets import DatasetFormat
from quovadis.errors import TrainingError
from quovadis.fields import check_fields, check_value
from quovadis.options import EngineName, spelled_device
from quovadis.training.split import VALIDATION_SHARE

StageName: TypeAlias = Literal["head", "full", "head,full"]
ScheduleName: TypeAlias = Literal["cosine", "step", "constant"]
AmpName: TypeAlias = Literal["none", "bf16", "fp16"]
LossName: TypeAlias = Literal["softmax", "sigmoid"]
BalanceName: TypeAlias = Literal["none", "sampler", "weights"]

RATES, REGULARISATION, HARDWARE, STAGES_GROUP = "Learning rate", "Regularisation", "Hardware", "Training"
"""Groups of options."""
RANDOM = "random"
"""In the place of weights: the network begins with random ones."""
_POSITIVE = (
    "epochs",
    "steps",
    "batch",
    "accumulate",
    "global_batch",
    "ghost_batch",
    "head_clips",
    "save_every",
    "patience",
)
_NOT_NEGATIVE = ("warmup", "head_rate", "backbone_rate", "weight_decay", "mixup", "workers", "seed", "clip_norm")
_SHARES = ("momentum", "label_smoothing", "dropout", "ema_decay", "batch_norm_decay")
"""Numbers of 0 or more, and less than 1."""
NO_RESULT = frozenset({"stage", "device", "workers", "save_every", "cudnn_benchmark"})
"""Options that decide nothing of what a stage makes."""
HEAD_RESULT = frozenset({"seed", "loss", "balance", "label_smoothing", "head_clips"})
"""Options that decide what the stage `head` makes."""
BACKBONE_ONLY = ("backbone_rate", "batch_norm_decay", "ghost_batch", "sync_batch_norm")
"""Options that decide nothing if only the last layer is trained, which has no batch norm."""
_HEAD_ONLY = frozenset({"head_clips", "engine"})
"""Options that the stage `full` does not read."""


def _option(default: Any, text: str, group: str = STAGES_GROUP, **settings: Any) -> Any:
    return field(default=default, metadata={"help": text, "rich_help_panel": group, **settings})


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a network is trained; the defaults fine-tune the official weights on a few hundred videos of one's own.

    Rates, steps and milestones are counted in optimiser steps, of `batch * accumulate` clips on every process.

    Raises:
        TrainingError: when made with a value of another type than the field's, or out of range.
    """

    stage: StageName = _option("head", "head: the classifier alone, on features computed once; full: the network.")
    """`head`: the classifier alone, on features that the fast engine computes once; `full`: the network itself, from
    `from_endpoint` on; `head,full`: one after the other."""
    from_endpoint: str | None = _option(
        None,
        "Train from this layer on, and leave those before it as they are.",
        metavar="ENDPOINT",
        show_default="the whole network",
    )
    """The first layer that `full` trains, out of `quovadis.ENDPOINTS` or `Logits`; None: all of them."""
    epochs: int = _option(30, "Passes over the training part.", min=1)
    """Passes over the training part; `steps`, if given, counts instead."""
    steps: int | None = _option(None, "Optimiser steps, in place of epochs.", min=1)
    """Optimiser steps in all; None: as many as `epochs` has."""
    batch: int = _option(6, "Clips in a batch of one process; batch norm is computed over them.", min=1)
    """Clips that a process takes at once, over which batch norm is computed: 6 in the paper's repository."""
    accumulate: int = _option(1, "Batches whose gradients make one step.", min=1)
    """Batches whose gradients are averaged for one step."""
    loss: LossName = _option("softmax", "softmax: one class for each video; sigmoid: several.")
    """`softmax`: cross-entropy, one class for each video; `sigmoid`: binary cross-entropy, any number of them."""
    balance: BalanceName = _option(
        "none", "Rare classes: sampler draws them as often as others; weights counts them more in the loss."
    )
    """Of classes with fewer videos: `sampler` draws each class equally often, `weights` multiplies its loss by the mean
    number of videos over its own, to a mean of 1 over the videos."""
    patience: int | None = _option(None, "Stop after N evaluations without a better one.", min=1, show_default="never")
    """Evaluations without a better one after which training stops; None: it goes on to its end."""
    head_clips: int = _option(3, "Clips of each video that the stage head learns from.", min=1)
    """Clips of each video, at random times and cut out at random, that the stage `head` learns from."""
    seed: int = _option(0, "Seed of everything random.", min=0)
    """Everything random derives from it, the epoch, and the number of the clip or step."""
    save_every: int = _option(200, "Save the state every N steps, and at the end of each epoch.", min=1)
    """Steps after which the state is saved, beside the end of each epoch."""

    head_rate: float = _option(0.01, "Learning rate of the last layer.", RATES, min=0)
    """Learning rate of the last layer, which begins with random weights or with those of the stage `head`."""
    backbone_rate: float = _option(0.001, "Learning rate of all other layers.", RATES, min=0)
    """Learning rate of all other layers."""
    schedule: ScheduleName = _option(
        "cosine", "How rates fall: along a cosine to zero, in steps, or not at all.", RATES
    )
    """`cosine`: to zero over the whole training; `step`: by `factors` at `milestones`; `constant`: not at all."""
    milestones: Sequence[int] = _option(
        (),
        "Optimiser step at which the schedule step lowers the rates; repeat for more.",
        RATES,
        metavar="N",
        show_default=False,
    )
    """Optimiser steps, ascending, from which on the factor of the same place counts, with the schedule `step`."""
    factors: Sequence[float] = _option(
        (),
        "Factor of the first rates from a milestone on; repeat for each milestone.",
        RATES,
        metavar="X",
        show_default="0.1 each",
    )
    """What the first rates are multiplied by from each milestone on; empty: 0.1, 0.01, …"""
    warmup: int = _option(0, "Steps over which rates rise from zero.", RATES, min=0)
    """Optimiser steps over which rates rise to their first value, in a straight line."""
    global_batch: int | None = _option(
        None,
        "Clips in a step that the given rates and steps are meant for; other batches scale both.",
        RATES,
        min=1,
        show_default="the batch",
    )
    """Clips of one step, over all processes, that rates and steps are stated for: a run with fewer takes rates that are
    smaller in proportion, and as many more steps (`scaled`); None: they are meant as they are."""
    momentum: float = _option(0.9, "Momentum of stochastic gradient descent.", RATES)
    """Of stochastic gradient descent, 0 or more and less than 1: 0.9 in the paper, section 2.5."""

    weight_decay: float = _option(1e-7, "L2 on the kernels of convolutions.", REGULARISATION, min=0)
    """L2 on the kernels of convolutions, not on offsets and biases: as in Sonnet 1, whose batch norm has none."""
    dropout: float = _option(0.5, "Share of pooled features that are dropped.", REGULARISATION)
    """Probability of dropping a pooled feature, 0 or more and less than 1."""
    label_smoothing: float = _option(
        0.0, "Share of each target that is spread evenly over all classes.", REGULARISATION
    )
    """Share of each target that all classes get alike, 0 or more and less than 1."""
    mixup: float = _option(0.0, "Strength of mixup; 0 is none.", REGULARISATION, min=0)
    """Parameter of the beta distribution that clips of a batch are mixed by; 0: they are not."""
    ema_decay: float = _option(0.0, "Decay of averaged weights, such as 0.999; 0 is none.", REGULARISATION)
    """Decay of the moving average of the weights that is evaluated and written; 0: there is none."""
    batch_norm_decay: float = _option(0.999, "Decay of batch norm's moving averages.", REGULARISATION)
    """Share of batch norm's moving averages that a step keeps, 0 or more and less than 1: 0.999 in Sonnet 1. A network
    that begins with random weights and takes less than some thousand steps needs a smaller one, such as 0.9."""
    clip_norm: float = _option(40.0, "Largest norm of the gradients; 0 is any.", REGULARISATION, min=0)
    """Norm that the gradients of a step are scaled down to, 40 as in MMAction2's recipes; 0: they are left."""

    device: str = _option("CPU", "CPU or cuda.", HARDWARE)
    """CPU, cuda, or cuda:1 …; under torchrun each process takes the GPU of its local rank."""
    amp: AmpName = _option("none", "Arithmetic of convolutions; fp16 is for cuda.", HARDWARE)
    """`bf16` or `fp16` (CUDA alone, with scaled losses): convolutions in 16 bits, weights in 32; `none`: all in 32."""
    channels_last: bool = _option(False, "Keep channels innermost in memory.", HARDWARE)
    """Whether tensors have their channels innermost, which tensor cores want."""
    compile: bool = _option(False, "Compile the network; the first step then takes minutes.", HARDWARE)
    """Whether `torch.compile` makes kernels for the network."""
    cudnn_benchmark: bool = _option(
        False, "Let cuDNN try its algorithms; the first step may then take minutes. Only on cuda.", HARDWARE
    )
    """Whether cuDNN times its algorithms for each convolution and takes the fastest: the first step may then take
    minutes, and each new shape of clips begins again. On CUDA alone."""
    checkpoint_activations: bool = _option(False, "Use less memory, but more time.", HARDWARE)
    """Whether each stage's activations are computed again for the gradients instead of kept."""
    sync_batch_norm: bool = _option(False, "Batch norm over all processes, unlike the paper; only on cuda.", HARDWARE)
    """Whether batch norm is over the clips of all processes: unlike the paper, and on CUDA alone."""
    ghost_batch: int | None = _option(None, "Clips that batch norm is computed over.", HARDWARE, show_default="batch")
    """Clips of a batch that batch norm takes together, as a replica of so many would; None: all of the batch."""
    workers: int = _option(2, "Videos decoded at once.", HARDWARE, min=0)
    """Videos decoded at once; 0: none beside the training itself."""

    def __post_init__(self) -> None:
        for name in ("milestones", "factors"):
            value = getattr(self, name)
            if isinstance(value, Sequence) and not isinstance(value, str):
                object.__setattr__(self, name, tuple(value))
        object.__setattr__(self, "device", spelled_device(self.device))
        check_fields(self, TrainingError)
        for name in _POSITIVE:
            if (value := getattr(self, name)) is not None and value < 1:
                raise TrainingError(f"`{name}` must be 1 or more, not {value}", option=name)
        for name in _NOT_NEGATIVE:
            if not 0 <= (value := getattr(self, name)) < float("inf"):
                raise TrainingError(f"`{name}` must be 0 or more, not {value}", option=name)
        for name in _SHARES:
            if not 0 <= (value := getattr(self, name)) < 1:
                raise TrainingError(f"`{name}` must be 0 or more, and less than 1, not {value}", option=name)

    def check_together(self) -> None:
        """Refuse values that do not go together.

        It is apart so that a configuration and the flags beside it are first put together.

        Raises:
            TrainingError: naming them.
        """
        layers = (*ENDPOINTS, HEAD.scope)
        if self.from_endpoint is not None and self.from_endpoint not in layers:
            raise TrainingError(
                f'no layer is called "{self.from_endpoint}"; there are {", ".join(layers)}', option="from_endpoint"
            )
        if (self.schedule == "step") != bool(self.milestones):
            raise TrainingError('`milestones` are for `schedule="step"`, which needs them', option="milestones")
        if list(self.milestones) != sorted(set(self.milestones)) or any(step < 1 for step in self.milestones):
            raise TrainingError("`milestones` must be steps in ascending order, 1 or more", option="milestones")
        if self.factors and len(self.factors) != len(self.milestones):
            raise TrainingError(
                f"{len(self.factors)} `factors` do not fit {len(self.milestones)} `milestones`: give as many",
                option="factors",
            )
        if not all(0 <= factor < float("inf") for factor in self.factors):
            raise TrainingError("`factors` must be 0 or more", option="factors")
        is_cuda = self.device.lower().startswith("cuda")
        if not is_cuda and self.device != "CPU":
            raise TrainingError(f"{self.device}: training runs on CPU and cuda", option="device")
        for name, value in (
            ("amp", self.amp == "fp16"),
            ("sync_batch_norm", self.sync_batch_norm),
            ("cudnn_benchmark", self.cudnn_benchmark),
        ):
            if value and not is_cuda:
                shown = '`amp="fp16"`' if name == "amp" else f"`{name}=True`"
                raise TrainingError(f'{shown} is for `device="cuda"`; leave it out on {self.device}', option=name)
        if self.ghost_batch is not None and self.batch % self.ghost_batch:
            raise TrainingError(
                f"`ghost_batch` must divide the batch of {self.batch}, and {self.ghost_batch} does not",
                option="ghost_batch",
            )
        if self.loss == "sigmoid" and self.balance == "weights":
            raise TrainingError('`balance="weights"` is for one class a video: leave it out with `loss="sigmoid"`')

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages in order: `head`, `full`, or both."""
        return tuple(self.stage.split(","))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, in the types of TOML and JSON but for None."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a training begins with.

    Raises:
        TrainingError: when made with a value of another type than the field's.
    """

    weights: str = field(
        default="auto", metadata={"help": "What to begin with: auto, an official name, a file, or random."}
    )
    """`auto`, an official name or a file of weights, whose last layer is kept where it is of the same classes; or
    `random`."""
    labels: str | None = field(
        default=None,
        metadata={"help": "Class names, one per line, in the order of the dataset's numbers.", "metavar": "FILE"},
    )
    """A text file with the class names, one a line, where the dataset numbers its classes; None: the dataset's own."""
    engine: EngineName = field(default="auto", metadata={"help": "What computes features for the stage head."})
    """What computes the features of the stage `head`."""
    videos: str | None = field(
        default=None, metadata={"help": "Folder of the videos.", "metavar": "FOLDER", "show_default": "beside the list"}
    )
    """The folder of the videos; None: that of the annotation."""
    file_format: DatasetFormat = field(default="auto", metadata={"help": "Format of the dataset."})
    """How to read the dataset, as `read_dataset` has it."""
    validation: str | None = field(
        default=None, metadata={"help": "Another dataset to validate with.", "metavar": "DATASET"}
    )
    """Another annotation or folder, whose videos are those to validate with; None: the dataset's own part for it, or a
    share."""
    validation_share: float | None = field(
        default=None,
        metadata={"help": "Share of each class's videos to validate with.", "show_default": f"{VALIDATION_SHARE}"},
    )
    """Of the videos of each class, where nothing else says which validate; None: a fifth."""
    split: int | None = field(
        default=None,
        metadata={"help": "Which official split of UCF-101 or HMDB-51.", "min": 1, "show_default": "1"},
    )
    """Which official split of UCF-101 or HMDB-51; None: the first, where the dataset has such splits."""

    def __post_init__(self) -> None:
        check_fields(self, TrainingError)
        for name in ("weights", "labels", "videos", "validation"):
            # Of a path, nothing would mean the folder that the command runs in.
            if getattr(self, name) == "":
                raise TrainingError(f"`{name}` is empty: give a value, or leave it out", option=name)
        if self.validation_share is not None and not 0 < self.validation_share < 1:
            raise TrainingError(
                f"`validation_share` must be above 0 and below 1, not {self.validation_share}",
                option="validation_share",
            )


def check_stages(run: RunOptions, options: TrainingOptions) -> None:
    """Refuse what has no effect in the stages that were chosen, or no features to learn from.

    Raises:
        TrainingError: naming it.
    """
    if "head" in options.stages and run.weights == RANDOM:
        raise TrainingError('random weights have no features to learn from: choose `stage="full"`', option="stage")
    if options.from_endpoint is not None:
        check_effect(("from_endpoint",), options.stage)


def unread_options(stage: str) -> frozenset[str]:
    """Return the names of the options, of a training or a run, that have no effect in a stage."""
    if stage == "head":
        return frozenset(one.name for one in fields(TrainingOptions)) - HEAD_RESULT - {"stage", "device", "workers"}
    return _HEAD_ONLY if stage == "full" else frozenset()


def check_effect(names: Iterable[str], stage: StageName) -> None:
    """Refuse options that somebody has given and that have no effect in a stage.

    Raises:
        TrainingError: naming the first of them.
    """
    unread = unread_options(stage)
    for name in names:
        if name in unread:
            does, other = (
                ("trains the last layer alone", "full") if stage == "head" else ("computes no features", "head")
            )
            raise TrainingError(
                f'`{name}` has no effect in the stage {stage}, which {does}: choose `stage="{other}"`, or leave it out',
                option=name,
            )


def scaled(options: TrainingOptions, global_batch: int) -> TrainingOptions:
    """Return the options for another number of clips a step, by the linear rule.

    With k times the clips, rates are k times as high, and steps one k-th as many, so that the weights travel as far
    over the same clips (Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.1). It is meant both ways: with
    fewer clips a step, smaller rates and more steps. Epochs stay as they are.

    Args:
        options: with the `global_batch` that they are stated for; without one they are returned as they are.
        global_batch: clips of a step, over all processes, 1 or more.

    Raises:
        TrainingError: an argument of another type, or out of range.
    """
    check_value("options", options, TrainingOptions, TrainingError)
    global_batch = check_value("global_batch", global_batch, int, TrainingError, at_least=1)
    if options.global_batch is None or options.global_batch == global_batch:
        return options
    ratio = global_batch / options.global_batch

    def stretched(steps: int) -> int:
        return max(1, round(steps / ratio))

    return replace(
        options,
        head_rate=options.head_rate * ratio,
        backbone_rate=options.backbone_rate * ratio,
        steps=None if options.steps is None else stretched(options.steps),
        milestones=tuple(stretched(step) for step in options.milestones),
        warmup=round(options.warmup / ratio),
        global_batch=global_batch,
    )
