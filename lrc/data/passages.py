"""Unlabelled text: files and folders of plain text or JSONL, streamed passage by passage in constant memory."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .examples import BadExamples, short
from .lines import read_lines

_SUFFIXES = (".txt", ".jsonl")
# Code points at which a passage without a blank line ends: about a window of the model.
_LONGEST = 1200


@dataclass(frozen=True)
class Passage:
    """A piece of running text and the file and first line it comes from."""

    text: str
    where: str


def read_passages(path: Path, bad: BadExamples) -> Iterator[Passage]:
    """Yields the passages of a file, or of all `.txt` and `.jsonl` files below a folder in the order of their names.

    In plain text a passage is a run of lines that are not blank, in JSONL the field `text` of an object; a long one
    is cut at the ends of its lines, or, in a line that is long itself, at spaces.

    Args:
        path: The file or folder.
        bad: Takes note of lines that cannot be read.

    Raises:
        UserError: If there is no such file, the folder has none, or a line is bad and bad ones are not skipped.
    """
    files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise UserError(f"{path}: has no {' or '.join(_SUFFIXES)} file")
    for file in files:
        lines = _jsonl(file, bad) if file.suffix == ".jsonl" else read_lines(file, bad)
        yield from _passages(file, lines)


def _jsonl(path: Path, bad: BadExamples) -> Iterator[tuple[int, str]]:
    for number, line in read_lines(path, bad):
        if not line.strip():
            continue
        try:
            text = json.loads(line)["text"]
            if not isinstance(text, str):
                raise TypeError("its field text is not a string")
        except (ValueError, KeyError, TypeError) as error:
            reason = "no field text" if isinstance(error, KeyError) else str(error)
            bad.found(f"{path}: line {number}: {short(line)}: {reason}")
            continue
        for part in text.split("\n"):
            yield number, part
        yield number, ""


def _passages(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[Passage]:
    parts: list[str] = []
    size = first = 0
    for number, line in lines:
        for part in _cut(line.strip()):
            if parts and size + len(part) > _LONGEST:
                yield Passage(" ".join(parts), f"{path}: line {first}")
                parts, size = [], 0
            if not parts:
                first = number
            parts.append(part)
            size += len(part) + 1
        if not line.strip() and parts:
            yield Passage(" ".join(parts), f"{path}: line {first}")
            parts, size = [], 0
    if parts:
        yield Passage(" ".join(parts), f"{path}: line {first}")


def _cut(line: str) -> Iterator[str]:
    """Cuts a long line at the last space within reach, or where there is none, as in Thai or Chinese, anywhere."""
    while len(line) > _LONGEST:
        space = line.rfind(" ", _LONGEST // 2, _LONGEST)
        end = space if space > 0 else _LONGEST
        yield line[:end]
        line = line[end:].lstrip()
    if line:
        yield line
