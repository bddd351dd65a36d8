"""`lrc study` and `lrc report`."""

from pathlib import Path
from typing import Annotated

import typer

from .common import Quiet


def study(
    file: Annotated[Path, typer.Argument(help="The study file (TOML).", metavar="FILE")],
    out: Annotated[Path | None, typer.Option(help="Folder of the study; default studies/NAME.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the runs.")] = False,
    engine: Annotated[str, typer.Option(help="local, or ray for the machines of a cluster.")] = "local",
    workers: Annotated[int, typer.Option(help="Runs side by side on each GPU, or on the CPU.", min=1)] = 1,
    quiet: Quiet = False,
) -> None:
    """Run every run that a study file plans; what is done already is skipped."""
    from ..study.study import run_study

    run_study(file, out, dry_run, engine, workers)


def report(
    study: Annotated[Path, typer.Argument(help="The study's folder.", metavar="STUDY")],
    out: Annotated[Path | None, typer.Option(help="Folder of the report; default STUDY/report.")] = None,
    quiet: Quiet = False,
) -> None:
    """Write tables, plots and a page of a study's results."""
    from ..study.report import report_study

    report_study(study, out)
