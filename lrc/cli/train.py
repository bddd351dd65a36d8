"""`lrc train`: its flags are made from the declaration in `lrc.config.options`."""

import inspect
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from ..config.options import OPTIONS, PANELS, FilePath, Option, Several
from .common import Command, Quiet

_HELP_ALL = "--help-all"
# What stands for a value in the help, by the type of an option.
_VALUES = {int: "N", float: "X", FilePath: "PATH", Several: "TEXT", bool: None}
# The same as one file, by the name of its flag.
_ALONE = {option.alone: option for option in OPTIONS.values() if option.alone}


class TrainCommand(Command):
    """The command, whose help is in panels: what a newcomer needs, or all of it."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes the options panel by panel."""
        whole = ctx.meta.get(_HELP_ALL, False)
        records: dict[str, list[tuple[str, str]]] = {panel: [] for panel in PANELS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            option = OPTIONS.get(parameter.name) or _ALONE.get(parameter.name)
            if record is not None and (option is None or option.first or whole):
                # That a switch can be taken back is said once, below.
                name = record[0].partition(" / ")[0]
                text = _help(option) if option and parameter.name == option.name else record[1]
                records[option.panel if option else PANELS[0]].append((name, text))
        for panel, rows in records.items():
            if rows:
                with formatter.section(panel):
                    formatter.write_dl(rows)
        with formatter.indentation():
            formatter.write_paragraph()
            if whole:
                formatter.write_text("A switch has a counterpart, as --no-dropout, which wins over --config.")
            else:
                formatter.write_text(f"All {len(OPTIONS)} options: lrc train {_HELP_ALL}.")


def _show_all(ctx: typer.Context, asked: bool) -> None:
    if asked:
        ctx.meta[_HELP_ALL] = True
        typer.echo(ctx.get_help())
        raise typer.Exit


def _help(option: Option) -> str:
    text = re.sub(
        r"`([a-z_]+)`", lambda found: _flag(found[1]) if found[1] in OPTIONS else found[0], option.full_help()
    )
    shown = option.default is not None and option.default is not False and option.default != ""
    return f"{text}  [default: {option.default}]" if shown else text


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _type(option: Option) -> Any:
    """Returns the type of an option's flag, where None stands for one that is not given."""
    if option.alone:
        return tuple[str, str] | None
    if option.kind == Several:
        return list[str] | None
    plain = option.kind if option.kind in (bool, int, float) else str
    return plain | None


def _parameter(name: str, kind: Any, *flags: str, **more: Any) -> inspect.Parameter:
    annotation = Annotated[kind, typer.Option(*flags, show_default=False, **more)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _parameters() -> list[inspect.Parameter]:
    found = []
    for option in OPTIONS.values():
        flags = [_flag(option.name), *map(_flag, option.spellings)]
        if option.kind is bool:
            flags = [f"{flag}/--no-{flag.removeprefix('--')}" for flag in flags]
        value = "A B" if option.alone else _VALUES.get(option.kind, "TEXT")
        found.append(_parameter(option.name, _type(option), *flags, help=option.help, metavar=value))
        if option.alone:
            help_ = f"The same as one file, for {_flag(option.name)}."
            found.append(_parameter(option.alone, str | None, _flag(option.alone), help=help_, metavar="PATH"))
    start = next(index for index, each in enumerate(found) if each.name == "train")
    found[start:start] = [
        _parameter(
            "config", Path | None, "--config", metavar="FILE", help="TOML file of these options, which flags win over."
        ),
        _parameter(
            "resume",
            Path | None,
            "--resume",
            metavar="RUN",
            help="Go on with an interrupted run; takes no other option.",
        ),
        inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet),
        _parameter("help_all", bool, _HELP_ALL, help="Show all options and exit.", callback=_show_all, is_eager=True),
    ]
    return found


def train(**given: Any) -> None:
    """Train soft prompts, LoRA and a task head on few labels; or what another method trains."""
    from ..console import note
    from ..errors import Interrupted
    from ..training import launch
    from .tables import score_table

    config, resume = given.pop("config"), given.pop("resume")
    for name in ("help_all", "quiet"):
        given.pop(name)
    try:
        result = launch.start(_asked(given, config)) if resume is None else launch.resume(resume)
    except Interrupted as stopped:
        note(f"interrupted at step {stopped.step}; go on with: lrc train --resume {stopped.folder}")
        raise typer.Exit(130) from None
    if result.metrics["dev"]:
        score_table(f"{result.settings.task}: dev examples, torch", result.metrics["dev"])


def _asked(given: dict[str, Any], config: Path | None) -> dict[str, Any]:
    """Returns the options of the flags and of the file, over which the flags win, and says where they do."""
    from ..config.asked import check, losers, over, read_config
    from ..console import note

    for option in OPTIONS.values():
        if option.alone and (alone := given.pop(option.alone)) is not None:
            given[option.name] = given[option.name] or [alone]
        if option.kind == Several and not given[option.name]:
            given[option.name] = None
    asked = check(given)
    if config is None:
        return asked
    read = read_config(config)
    if lost := losers(read, asked):
        said = ", ".join(f"{name} = {read[name]!r}" for name in lost)
        note(f"{config}: flags win over {said}")
    return over(read, asked)


# Typer reads the flags off the signature.
train.__signature__ = inspect.Signature(_parameters())  # type: ignore[attr-defined]
train.__annotations__ = {each.name: each.annotation for each in _parameters()}
