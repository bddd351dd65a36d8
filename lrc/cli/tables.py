"""The tables that commands print on standard output."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from lrc_exporters.compile import Step

_OUT = Console(highlight=False)
# Scores of questions with and without an answer, which have a table of their own.
_APART = ("has_answer", "no_answer", "best_")


def pass_table(passes: "Sequence[Step]") -> None:
    """Prints what each pass of the compiler did, on standard output."""
    table = Table("pass", "what it does", "outcome", "seconds", title="passes")
    for each in passes:
        seconds = "" if each.outcome is None else f"{each.seconds:.1f}"
        table.add_row(each.name, each.does, each.outcome or "left out", seconds)
    _OUT.print(table)


def score_table(title: str, summary: dict[str, Any]) -> None:
    """Prints scores by language and their average, in percent; questions without an answer in a second table."""
    names = [name for name in summary["average"] if not name.startswith(_APART)]
    table = Table("language", *[name.replace("_", " ") for name in names], "examples", title=title)
    for lang, entry in summary["languages"].items():
        table.add_row(lang, *[f"{entry[name]:.1f}" for name in names], str(entry["count"]))
    table.add_section()
    table.add_row("average", *[f"{summary['average'][name]:.1f}" for name in names], "")
    _OUT.print(table)
    some = {lang: entry for lang, entry in summary["languages"].items() if "best_f1" in entry}
    if not some:
        return
    table = Table("language", "has answer: f1", "exact match", "no answer", "best f1", "at", title=f"{title}, apart")
    for lang, entry in some.items():
        values = [entry.get(name) for name in ("has_answer_f1", "has_answer_exact_match", "no_answer_f1", "best_f1")]
        cells = ["" if value is None else f"{value:.1f}" for value in values]
        table.add_row(lang, *cells, f"{entry['best_f1_threshold']:.2f}")
    _OUT.print(table)
