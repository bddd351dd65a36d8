"""What the commands show: progress bars and tables, on standard error unless they are the result."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

if TYPE_CHECKING:
    from lrc_exporters.compile import Step

_ERR = Console(stderr=True, highlight=False)
_OUT = Console(highlight=False)
# Scores of questions with and without an answer, which have a table of their own.
_APART = ("has_answer", "no_answer", "best_")


def note(message: str) -> None:
    """Tells what is going on, on standard error."""
    _ERR.print(message, soft_wrap=True, markup=False)


def tell(notices: Sequence[str], dropped: int) -> None:
    """Tells what was noticed while examples were read, and how many bad ones were dropped."""
    for notice in notices:
        note(notice)
    if dropped:
        note(f"dropped {dropped} bad examples")


@contextmanager
def progress(what: str, total: int, done: int = 0, unit: str = "steps") -> Iterator[Any]:
    """Shows a progress bar with time left; gives `advance(count, text)`. `unit` is `steps` or `bytes`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn() if unit == "bytes" else MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=_ERR, disable=not _ERR.is_terminal) as bar:
        task = bar.add_task(what, total=total, completed=done, text="")

        def advance(count: int = 1, text: str = "") -> None:
            before = bar.tasks[0].completed
            bar.update(task, advance=count, text=text)
            # In a log file there is no bar to redraw: a line each tenth of the way.
            if not _ERR.is_terminal and total and 10 * before // total < 10 * (before + count) // total:
                note(f"{what} {before + count:.0f}/{total}  {text}")

        yield advance


@contextmanager
def steps(what: str) -> Iterator[Callable[[str], None]]:
    """Shows which of a few long steps is under way; gives `say(step)`."""
    with _ERR.status(what) as status:

        def say(step: str) -> None:
            _ERR.print(f"{what}: {step}", highlight=False)
            status.update(f"{what}: {step}")

        yield say


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
