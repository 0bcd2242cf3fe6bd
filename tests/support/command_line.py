"""The command line, run in the test's own process."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from quovadis.cli.main import app


def invoke_features(*arguments: str) -> Result:
    """Run the command on a video that is not there: what is wrong with its options comes to light before that."""
    return CliRunner().invoke(
        app, ["features", "absent.mp4", "-o", "/dev/null/out", *arguments], env={"COLUMNS": "200"}
    )
