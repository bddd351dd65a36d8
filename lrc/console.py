"""What is shown: nothing unless a program asks for it; notes go through `logging`, tables are the command line's."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

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

_LOG = logging.getLogger("lrc")
_ERR = Console(stderr=True, highlight=False)
# Whether progress is shown here.
_SHOWS: ContextVar[bool] = ContextVar("shows", default=False)


def note(message: str) -> None:
    """Tells what is going on."""
    _LOG.info("%s", message)


def warn(message: str) -> None:
    """Tells of what is likely to be wrong."""
    _LOG.warning("%s", message)


def tell(notices: Sequence[str], dropped: int) -> None:
    """Tells what was noticed while examples were read, and how many bad ones were dropped."""
    for notice in notices:
        note(notice)
    if dropped:
        note(f"dropped {dropped} bad examples")


class _Printer(logging.Handler):
    """Prints records as they are, above progress bars."""

    def __init__(self, words: Callable[[str], str]) -> None:
        super().__init__()
        self._words = words

    def emit(self, record: logging.LogRecord) -> None:
        said = self._words(record.getMessage())
        _print(f"warning: {said}" if record.levelno >= logging.WARNING else said)


def _print(text: str) -> None:
    _ERR.print(text, soft_wrap=True, markup=False)


@contextmanager
def shown(quiet: bool = False, words: Callable[[str], str] = str) -> Iterator[None]:
    """Shows progress and notes on standard error.

    Args:
        quiet: Whether to show warnings alone.
        words: Puts a message into other words.
    """
    handler, level, before = _Printer(words), _LOG.level, _SHOWS.set(not quiet)
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.WARNING if quiet else logging.INFO)
    try:
        yield
    finally:
        _LOG.removeHandler(handler)
        _LOG.setLevel(level)
        _SHOWS.reset(before)


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
    shows = _SHOWS.get()
    with Progress(*columns, console=_ERR, disable=not (shows and _ERR.is_terminal)) as bar:
        task = bar.add_task(what, total=total, completed=done, text="")

        def advance(count: int = 1, text: str = "") -> None:
            before = bar.tasks[0].completed
            bar.update(task, advance=count, text=text)
            # In a log file there is no bar to redraw: a line each tenth of the way.
            tenth = total and 10 * before // total < 10 * (before + count) // total
            if shows and not _ERR.is_terminal and tenth:
                _print(f"{what} {before + count:.0f}/{total}  {text}")

        yield advance


@contextmanager
def steps(what: str) -> Iterator[Callable[[str], None]]:
    """Shows which of a few long steps is under way; gives `say(step)`."""
    if not _SHOWS.get():
        yield lambda _: None
        return
    with _ERR.status(what) as status:

        def say(step: str) -> None:
            _ERR.print(f"{what}: {step}", highlight=False)
            status.update(f"{what}: {step}")

        yield say
