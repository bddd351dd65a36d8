"""`lrc data get` and `lrc data check`."""

from pathlib import Path
from typing import Annotated

import typer

from .common import Columns, Command, DataDir, Json, Quiet, check_tag

data_app = typer.Typer(help="Fetch and check data.", no_args_is_help=True, rich_markup_mode=None)


@data_app.command("get", cls=Command)
def get(
    name: Annotated[str, typer.Argument(help="mlqa, xquad, pawsx, tydiqa, amqa or afriqa.", metavar="SET")],
    data_dir: DataDir = None,
    mirror: Annotated[str | None, typer.Option(help="Address of a folder that has the same files.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Fetch anew what is there already.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds without a byte that count as a cut.", min=0.1)] = 30.0,
    quiet: Quiet = False,
) -> None:
    """Download a published data set, resuming what was cut."""
    from ..tasks.registry import data_root, fetch_task

    fetch_task(name, data_root(data_dir, exists=False), mirror, again, timeout)


@data_app.command("check", cls=Command)
def check(
    files: Annotated[list[Path], typer.Argument(help="Files of labels, in any format.", metavar="FILE...")],
    lang: Annotated[str | None, typer.Option(help="Their language; default by file name.", callback=check_tag)] = None,
    kind: Annotated[str | None, typer.Option(help="qa or paraphrase; default by columns.")] = None,
    columns: Columns = None,
    backbone: Annotated[str, typer.Option(help="Whose tokens to count; none for no counts.")] = "builtin",
    max_answer_length: Annotated[int, typer.Option(help="Longest answer in tokens that decoding allows.", min=1)] = 30,
    fix: Annotated[bool, typer.Option("--fix", help="Write a repaired copy, NAME.fixed.json or .tsv.")] = False,
    as_json: Json = False,
) -> None:
    """Look labels over; exit code 1 when something is wrong."""
    from .check import print_check

    raise typer.Exit(print_check(files, lang, kind, columns, backbone, max_answer_length, fix, as_json))
