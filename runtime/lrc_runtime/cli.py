"""The runtime's own small command, for devices without lrc."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from . import __version__
from .bench import bench as measure
from .bench import table
from .bundle import load_paraphrase_detector, load_question_answerer
from .errors import InputError, LrcError
from .providers import PROVIDERS
from .serve import Settings, serve
from .session import PRESETS
from .streams import prepare_output, read_argument, read_input, write_output


def read_context(name: str) -> str:
    """Reads a UTF-8 text file, or standard input for `-`.

    Raises:
        InputError: If it cannot be read or is not UTF-8.
    """
    try:
        data = read_input() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"--context {name}: {error.strerror}; give a text file, or - for standard input") from error
    except UnicodeDecodeError as error:
        raise InputError(f"--context {name}: byte {error.start} is not UTF-8; convert the file to UTF-8") from error


def ask(
    bundle: str,
    question: str,
    context: str,
    top_k: int = 1,
    max_windows: int | None = None,
    as_json: bool = False,
    lang: str | None = None,
) -> str:
    """Answers one question from a file and returns what to print.

    Args:
        bundle: Bundle folder.
        question: The question.
        context: Path of a UTF-8 text file, or `-`.
        top_k: Number of answers.
        max_windows: Windows of the text to read, those nearest to the question; all when None.
        as_json: One JSON object a line instead of a table.
        lang: Language of the text, by which the score is calibrated where the bundle knows how.
    """
    question = read_argument(question, "--question")
    text = read_context(context)
    answers = load_question_answerer(bundle).answer(question, text, top_k, lang=lang, max_windows=max_windows)
    if as_json:
        return "\n".join(json.dumps(asdict(answer), ensure_ascii=False) for answer in answers)
    if not answers:
        return "no answer: the context holds no text"
    lines = [f"{answer.text}  (score {answer.score:.3f}, {answer.start}:{answer.end})" for answer in answers]
    if not answers[0].answered:
        lines.append(f"the text may well not answer this (probability {answers[0].no_answer:.3f})")
    return "\n".join(lines)


def compare(bundle: str, first: str, second: str, as_json: bool = False, lang: str | None = None) -> str:
    """Compares two sentences, of a language if it is said, and returns what to print."""
    first, second = read_argument(first, "the first sentence"), read_argument(second, "the second sentence")
    verdict = load_paraphrase_detector(bundle).compare(first, second, lang=lang)
    if as_json:
        return json.dumps(asdict(verdict), ensure_ascii=False)
    return f"{verdict.label}  (score {verdict.score:.3f})"


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
    ask_parser = commands.add_parser("ask", help="answer a question from a text file")
    ask_parser.add_argument("bundle")
    ask_parser.add_argument("-q", "--question", required=True)
    ask_parser.add_argument("-c", "--context", required=True, help="UTF-8 text file, or - for standard input")
    ask_parser.add_argument("-k", "--top-k", type=int, default=1)
    ask_parser.add_argument("--max-windows", type=int, help="read only so many windows, those nearest to the question")
    compare_parser = commands.add_parser("compare", help="compare two sentences")
    compare_parser.add_argument("bundle")
    compare_parser.add_argument("first")
    compare_parser.add_argument("second")
    for each in (ask_parser, compare_parser):
        each.add_argument("--lang", help="language of the texts, by which the score is calibrated")
    bench_parser = commands.add_parser("bench", help="measure a bundle on this machine")
    bench_parser.add_argument("bundle")
    bench_parser.add_argument("--provider", choices=PROVIDERS, default="cpu")
    bench_parser.add_argument("--preset", choices=PRESETS, default="default")
    serve_parser = commands.add_parser("serve", help="answer over HTTP, with a page to look at")
    _add_serve_options(serve_parser)
    for each in (ask_parser, compare_parser, bench_parser):
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
        if options.command == "ask":
            text = ask(
                options.bundle,
                options.question,
                options.context,
                options.top_k,
                options.max_windows,
                options.json,
                options.lang,
            )
        elif options.command == "bench":
            text = bench(options.bundle, options.provider, options.preset, options.json)
        else:
            text = compare(options.bundle, options.first, options.second, options.json, options.lang)
        return write_output(text)
    except LrcError as error:
        if sys.stderr is not None:
            sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 2
