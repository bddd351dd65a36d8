"""The runtime's own small command, for devices without lrc."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from . import __version__
from .bench import bench as measure
from .bench import table
from .errors import LrcError
from .kinds import KINDS
from .providers import PROVIDERS
from .serve import Settings, serve
from .session import PRESETS
from .streams import prepare_output, write_output


def bench(bundle: str, provider: str = "cpu", preset: str = "default", as_json: bool = False) -> str:
    """Measures a bundle on this machine and returns what to print."""
    found = measure(bundle, provider=provider, preset=preset)
    return json.dumps(found, indent=2) if as_json else table(found)


# Of each option of `serve`: what its help says.
SERVE_HELP = {
    "host": "Address to listen on; loopback by default.",
    "port": "Port; 0 takes any that is free.",
    "token_file": "File that holds the bearer token; default $LRC_SERVE_TOKEN.",
    "allow_origin": "Origin of another page that may ask; repeatable.",
    "allow_host": "Name by which the service is reached; repeatable.",
    "max_bytes": "Largest body of a request.",
    "timeout": "Seconds in which a request is read and answered.",
    "head_timeout": "Seconds in which a client must send the head of a request, or take something of its answer.",
    "connections": "Connections at once; 0 takes what the limit of open files allows, at most 1000.",
    "queue": "Requests in flight; one more is answered with 429.",
    "batch": "Texts of different requests in one call of a model.",
    "workers": "Calls of models that run at once.",
    "reload": "Seconds between two looks at the bundles on disk; 0 never looks.",
    "provider": f"{', '.join(PROVIDERS)}.",
    "preset": f"{', '.join(PRESETS)}.",
}


def _add_serve_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", nargs="+", help="folder or archive, as PATH or NAME=PATH")
    for field in fields(Settings):
        flag = "--" + field.name.replace("_", "-")
        if isinstance(field.default, tuple):
            parser.add_argument(flag, dest=field.name, action="append", default=[], help=SERVE_HELP[field.name])
        else:
            kind = str if field.default is None else type(field.default)
            parser.add_argument(flag, dest=field.name, type=kind, default=field.default, help=SERVE_HELP[field.name])


def _settings(options: argparse.Namespace) -> Settings:
    given: dict[str, Any] = {field.name: getattr(options, field.name) for field in fields(Settings)}
    for name in ("allow_origin", "allow_host"):
        given[name] = tuple(given[name])
    return Settings(**given)


def command_line(name: str = "lrc-runtime") -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Returns the parser of the command line that is called so, and those of its commands by name."""
    parser = argparse.ArgumentParser(prog=name, description=__doc__)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    asking = []
    for kind in KINDS.values():
        asks = commands.add_parser(kind.command.name, help=kind.command.help)
        asks.add_argument("bundle")
        kind.command.arguments(asks)
        asks.add_argument("--lang", help="language of the texts, by which the score is calibrated")
        asks.set_defaults(run=kind.command.run)
        asking.append(asks)
    bench_parser = commands.add_parser("bench", help="measure a bundle on this machine")
    bench_parser.add_argument("bundle")
    bench_parser.add_argument("--provider", choices=PROVIDERS, default="cpu")
    bench_parser.add_argument("--preset", choices=PRESETS, default="default")
    bench_parser.set_defaults(run=lambda options: bench(options.bundle, options.provider, options.preset, options.json))
    serve_parser = commands.add_parser("serve", help="answer over HTTP, with a page to look at")
    _add_serve_options(serve_parser)
    for each in (*asking, bench_parser):
        each.add_argument("--json", action="store_true", help="print JSON")
    return parser, commands.choices


def main(argv: Sequence[str] | None = None, name: str = "lrc-runtime") -> int:
    """Runs the command, which its help calls by the name.

    Returns:
        The exit code: 0, 1 where nobody reads what it prints, or 2 for a user's error.
    """
    prepare_output()
    options = command_line(name)[0].parse_args(argv)
    try:
        if options.command == "serve":
            serve(options.bundle, _settings(options))
            return 0
        return write_output(options.run(options))
    except LrcError as error:
        if sys.stderr is not None:
            sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 2
