"""The roof: the application, with a command a module. Heavy imports stand inside functions, so that help is instant."""

import errno
import sys
from typing import Annotated

import typer

from .common import Command, Quiet
from .data import data_app
from .evaluate import evaluate
from .export import export, web
from .pseudo import pseudo
from .runtime import LISTED, Root, forward
from .study import report, study
from .train import TrainCommand, train

app = typer.Typer(
    name="lrc",
    cls=Root,
    help="Learn a task from few labels in few languages; compile it for small devices.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        from .. import __version__

        typer.echo(f"lrc {__version__}")
        raise typer.Exit


@app.callback()
def _begin(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Takes the options of no command."""


app.command(cls=TrainCommand)(train)
app.command("eval", cls=Command)(evaluate)
for _each in (export, web, study, report, pseudo):
    app.command(cls=Command)(_each)
app.add_typer(data_app, name="data")
for _name, _what in LISTED.items():
    forward(app, _name, _what)

# What is wrong with a place on disk, rather than with the program.
_OF_THE_PLACE = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO),
    *(errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
)


def main() -> None:
    """Runs the command; a user's error is one line and exit code 2, only a bug shows a traceback."""
    try:
        app()
    except ValueError as error:
        # Imported late: the runtime's package brings onnxruntime along.
        from lrc_runtime.errors import LrcError

        if not isinstance(error, LrcError):
            raise
        _fail(str(error))
    except OSError as error:
        if error.errno not in _OF_THE_PLACE:
            raise
        _fail(f"{error.filename or 'disk'}: {error.strerror}; free some space or name another place")


def _fail(message: str) -> None:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    sys.exit(2)
