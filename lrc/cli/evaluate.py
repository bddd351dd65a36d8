"""`lrc eval`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .common import Columns, DataDir, Device, Json, Langs, Quiet, SkipBad


def evaluate(
    path: Annotated[Path, typer.Argument(help="A run folder or a bundle.", metavar="RUN|BUNDLE")],
    langs: Langs = None,
    task: Annotated[str | None, typer.Option(help="Task to test on; default the one it was trained on.")] = None,
    data_dir: DataDir = None,
    test: Annotated[
        str | None,
        typer.Option("--test", "--data", help="Own test examples: a file, or hf:REPO[:config]; {lang} as in train."),
    ] = None,
    columns: Columns = None,
    limit: Annotated[int | None, typer.Option(help="Examples a language, from all over the set.", min=1)] = None,
    device: Device = "auto",
    skip_bad: SkipBad = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score a run or a bundle on test examples, by language."""
    from ..config.asked import split_columns, split_langs
    from ..evaluation.evaluate import evaluate_path
    from .tables import score_table

    result = evaluate_path(
        path, split_langs(langs), task, data_dir, test, split_columns(columns), limit, device, skip_bad
    )
    if as_json:
        typer.echo(json.dumps(asdict(result), ensure_ascii=False, indent=2))
    else:
        score_table(f"{result.task}: test examples, {result.kind}", asdict(result))
