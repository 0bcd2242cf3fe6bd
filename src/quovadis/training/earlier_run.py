"""What an earlier training left in a folder: the same training is resumed, and another one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quovadis.errors import OutputError
from quovadis.runs.settings import difference
from quovadis.training.options import HEAD_RESULT, NO_RESULT, TrainingOptions
from quovadis.training.output import BEST_NAME, training_told
from quovadis.training.state import STATE_NAME

HEAD_FOLDER = "head"
"""In the folder of a run of the stages `head,full`: what the stage `head` leaves."""


def refuse_other_training(folder: Path, options: TrainingOptions, provenance: Mapping[str, Any]) -> None:
    """Refuse a folder whose weights are of another stage, or of a stage `head` with other options or another dataset.

    Its weights would be replaced. If the folder has a state to resume from, `Trainer` says what differs.

    Args:
        folder: of the run, which need not be there.
        options: of the training that is about to begin.
        provenance: what else decides its result, in JSON's types.

    Raises:
        OutputError: naming what differs.
    """
    stage = _options(training_told(folder / BEST_NAME)).get("stage", options.stage)
    if stage != options.stage:
        if "full" not in options.stages or not (folder / STATE_NAME).exists():
            _refuse(folder, {"stage": stage}, {"stage": options.stage})
    elif "head" in options.stages:
        of_head = folder if options.stage == "head" else folder / HEAD_FOLDER
        if told := training_told(of_head / BEST_NAME):
            # Of both stages, what the second one reads counts too: it is refused before anything is written.
            names = HEAD_RESULT if options.stage == "head" else options.to_dict().keys() - NO_RESULT
            before, now = (
                {**{name: given.get(name) for name in sorted(names)}, **{key: of.get(key) for key in provenance}}
                for given, of in ((_options(told), told), (options.to_dict(), provenance))
            )
            _refuse(folder, before, now)


def _options(told: Mapping[str, Any]) -> Mapping[str, Any]:
    # What a file says may be anything.
    options = told.get("options")
    return options if isinstance(options, dict) else {}


def _refuse(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    if told := difference(before, now):
        raise OutputError(f"{folder}: {told}; choose another `folder`, or `restart=True` to start over")
