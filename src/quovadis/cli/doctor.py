"""quovadis doctor."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from quovadis.cli.options import AsJSON
from quovadis.cli.spelling import with_flags
from quovadis.diagnostics import diagnose
from quovadis.escape import printable
from quovadis.report.diagnosis import diagnosis_lines


def doctor(
    imports: Annotated[bool, typer.Option("--imports", help="Import every extra too; takes some seconds.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Check the installation; paste its output into a bug report.

    Examples:
        quovadis doctor
        quovadis doctor --imports --json
    """
    found = diagnose(imports=imports)
    found["problems"] = [with_flags(problem) for problem in found["problems"]]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        typer.echo("\n".join(map(printable, diagnosis_lines(found))))
    if found["problems"]:
        raise typer.Exit(1)
