"""What several commands share: options, and the words of the library in those of the command line."""

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

# Where a context keeps that it was asked to be quiet.
_QUIET = "lrc.quiet"


def _hush(context: typer.Context, asked: bool) -> None:
    if asked:
        context.meta[_QUIET] = True


class Command(TyperCommand):
    """A command that loads the runtime once it runs, as help does not wait for that."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; an error of the library names the flags."""
        from lrc_runtime.errors import LrcError
        from lrc_runtime.streams import prepare_output

        from ..console import shown

        prepare_output()
        try:
            with shown(ctx.meta.get(_QUIET, False), with_flags):
                return super().invoke(ctx)
        except LrcError as error:
            error.args = (with_flags(str(error)),)
            raise


def check_tag(flag: typer.CallbackParam, lang: str | None) -> str | None:
    """Refuses what is no language tag."""
    if lang is not None:
        from lrc_runtime.languages import check_lang

        check_lang(lang, flag.opts[0])
    return lang


Quiet = Annotated[
    bool,
    typer.Option("--quiet", callback=_hush, is_eager=True, help="Show neither progress nor notes, only warnings."),
]
Langs = Annotated[str | None, typer.Option(help="Languages, separated by commas.")]
DataDir = Annotated[str | None, typer.Option(help="Folder of the official data sets; default $LRC_DATA_DIR.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Count and drop bad examples instead of stopping.")]
Columns = Annotated[str | None, typer.Option(help="Names of your columns, as context=passage,answer=antwort.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Parallel = Annotated[tuple[str, str] | None, typer.Option(help="Two line-aligned files, translations of each other.")]
Bitext = Annotated[str | None, typer.Option(help="The same as one .tsv or .tmx file.")]
OrtWeb = Annotated[
    Path | None, typer.Option(help="Unpacked npm package onnxruntime-web; default: fetch it with npm, once.")
]
Device = Annotated[str, typer.Option(help="auto, cuda or cpu.")]


@cache
def _flags() -> dict[str, str]:
    """Returns the flags of all commands by the names that the library has for them."""
    from .app import app

    found: dict[str, str] = {}
    commands = [typer.main.get_command(app)]
    while commands:
        command = commands.pop()
        commands += getattr(command, "commands", {}).values()
        for parameter in command.params:
            for flag in parameter.opts if parameter.param_type_name == "option" else ():
                if flag.startswith("--"):
                    found[flag.removeprefix("--").replace("-", "_")] = flag
    return found


def with_flags(message: str) -> str:
    """Returns a message of the library with the flag of each option that it names as `option`."""
    return re.sub(r"`([a-z]\w*)`", lambda found: _flags().get(found[1], found[0]), message)
