"""What `lrc data check` prints."""

import json
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Column, Table

from ..config.asked import split_columns
from ..console import note
from ..errors import UserError
from ..tasks import KINDS
from ..tasks.check import Report, check

# Findings of a kind that the table shows; JSON has them all.
_SHOWN = 3


def print_check(
    files: list[Path],
    lang: str | None,
    kind: str | None,
    columns: str | None,
    backbone: str,
    max_answer_length: int,
    fix: bool,
    as_json: bool,
) -> int:
    """Checks files of labels and prints what was found, see `lrc.tasks.check`.

    Returns:
        The exit code: 1 where something is wrong, else 0.

    Raises:
        UserError: If a file cannot be read at all, or an option is unknown.
    """
    if kind is not None and kind not in KINDS:
        raise UserError(f"--kind {kind}: choose one of {', '.join(KINDS)}")
    tokenizer = None
    if backbone != "none":
        from ..backbones.load import load_tokenizer

        tokenizer = load_tokenizer(backbone)
    reports = check(files, lang, kind, split_columns(columns), tokenizer, max_answer_length, fix)
    if as_json:
        typer.echo(json.dumps([report.to_json() for report in reports], ensure_ascii=False, indent=2))
    else:
        _print_tables(reports)
    return 1 if any(found for report in reports for found in report.findings.values()) else 0


def _print_tables(reports: list[Report]) -> None:
    console = Console(highlight=False)
    summary = Table(
        Column("file", overflow="fold"),
        "language",
        "examples",
        "findings",
        "label 1",
        "tokens a word",
        "unknown tokens",
    )
    for report in reports:
        found = sum(map(len, report.findings.values()))
        cells = [report.notes.get(name) for name in ("share of label 1", "tokens a word", "unknown tokens")]
        texts = [
            "" if value is None else form.format(value)
            for value, form in zip(cells, ("{:.0%}", "{:.2f}", "{:.2%}"), strict=True)
        ]
        summary.add_row(report.path.name, report.lang or "?", str(report.count), str(found), *texts)
    console.print(summary)
    for report in reports:
        for name, lines in report.findings.items():
            if lines:
                console.print(f"{report.path}: {name}: {len(lines)}", markup=False, soft_wrap=True)
                for line in lines[:_SHOWN]:
                    console.print(f"    {line}", markup=False, soft_wrap=True)
        if report.fixed:
            note(f"wrote {report.fixed}")
