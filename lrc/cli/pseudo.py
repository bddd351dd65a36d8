"""`lrc pseudo`."""

from pathlib import Path
from typing import Annotated

import typer

from ..pseudo.generators import GENERATORS
from .common import Bitext, Columns, Device, Parallel, Quiet, SkipBad, check_tag


def pseudo(
    source: Annotated[
        Path, typer.Argument(help="Text (.txt, .jsonl or a folder); for self questions, for codeswitch labels.")
    ],
    lang: Annotated[str, typer.Option(help="Language of what is made.", callback=check_tag)],
    out: Annotated[Path, typer.Option(help="JSONL file to write.")],
    generator: Annotated[str, typer.Option(help=f"{', '.join(GENERATORS)}; see docs/data.md.")] = "spans",
    run: Annotated[Path | None, typer.Option(help="Run or bundle that answers, for self.")] = None,
    parallel: Parallel = None,
    bitext: Bitext = None,
    columns: Columns = None,
    limit: Annotated[int | None, typer.Option(help="Most examples.", min=1)] = None,
    least_score: Annotated[float, typer.Option(help="Leave out examples that score less, 0 to 1.")] = 0.0,
    backbone: Annotated[str, typer.Option(help="builtin, a Hugging Face hub id, or a folder.")] = "builtin",
    device: Device = "auto",
    seed: Annotated[int, typer.Option(help="Of the generator's choices.", min=0)] = 0,
    skip_bad: SkipBad = False,
    quiet: Quiet = False,
) -> None:
    """Make labelled examples from unlabelled text, unanswered questions or labels in another language."""
    from ..config.asked import split_columns
    from ..pseudo.generators.inputs import Request
    from ..pseudo.make import make

    make(
        Request(
            generator=generator,
            source=source,
            lang=lang,
            out=out,
            seed=seed,
            limit=limit,
            least_score=least_score,
            skip_bad=skip_bad,
            backbone=backbone,
            device=device,
            run=run,
            parallel=[Path(name) for name in parallel or ([bitext] if bitext else [])],
            columns=split_columns(columns),
        )
    )
