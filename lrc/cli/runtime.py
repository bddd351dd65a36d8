"""The commands of `lrc-runtime`, which are lrc's too: what each takes, and says in its help, is the runtime's."""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from .common import Command

# Those that the help lists without loading the runtime. Any other that the runtime has works alike.
LISTED = {
    "ask": "Answer a question from a text file.",
    "compare": "Tell whether two sentences mean the same.",
    "classify": "Tell which class a text, or two, is of.",
    "bench": "Measure a bundle on this machine: load time, latency, throughput, memory.",
    "serve": "Answer over HTTP, with a page to look at.",
}


class Forwarded(Command):
    """A command that hands on its arguments as they are."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leaves the arguments to the runtime."""
        ctx.args = [*args]
        return [*args]


class Root(TyperGroup):
    """lrc's commands, and behind them those of the runtime."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns the command that is called so."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or ctx.resilient_parsing:
            return own
        from lrc_runtime.cli import command_line

        if cmd_name not in command_line()[1]:
            return None
        other = typer.Typer(rich_markup_mode=None, add_completion=False)
        forward(other, cmd_name, "")
        return typer.main.get_command(other)


def forward(app: typer.Typer, name: str, what: str) -> None:
    """Adds a command to an application that hands all its arguments to the runtime's of this name."""
    app.command(name, help=what, cls=Forwarded, add_help_option=False)(_handing(name))


def _handing(name: str) -> Callable[[typer.Context], None]:
    def hand(context: typer.Context) -> None:
        from lrc_runtime import cli

        raise typer.Exit(cli.main([name, *context.args], "lrc"))

    return hand
