"""Lines of text files of any size, in constant memory, with every fault named by file and line."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import UserError
from .examples import BadExamples

# Longest line that is taken for text rather than for a mistake.
LONGEST_LINE = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_lines(path: Path, bad: BadExamples, longest: int = LONGEST_LINE) -> Iterator[tuple[int, str]]:
    r"""Yields the lines of a UTF-8 file, without their ends, and their numbers from 1.

    Lines end with LF or CRLF and nothing else: real text holds separators such as U+001C and U+2028. A byte order mark
    is left out.

    Args:
        path: The file.
        bad: Takes note of lines that are not UTF-8, hold a NUL byte or are too long.
        longest: Most bytes a line.

    Raises:
        UserError: If the file cannot be read, or a line is bad and bad ones are not skipped.
    """
    try:
        with path.open("rb") as file:
            _refuse_utf16(path, file.peek(2)[:2])
            for number, raw in _raw_lines(file, longest):
                text = _decode(path, number, raw, longest, bad)
                if text is not None:
                    yield number, text
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error


def _refuse_utf16(path: Path, begin: bytes) -> None:
    """Says of the "Unicode text" of Windows programs what it is."""
    if begin in _UTF16:
        raise UserError(f"{path}: is UTF-16 text; save it as UTF-8 (in Excel: CSV UTF-8)")


def _raw_lines(file: BinaryIO, longest: int) -> Iterator[tuple[int, bytes]]:
    """Yields numbered lines, each cut after `longest` + 1 bytes, without holding more of it."""
    number = 0
    while raw := file.readline(longest + 1):
        number += 1
        if number == 1:
            raw = raw.removeprefix(_BOM)
        ended = raw.endswith(b"\n")
        yield number, raw.removesuffix(b"\n").removesuffix(b"\r") if ended else raw
        while not ended and (rest := file.readline(longest + 1)):
            ended = rest.endswith(b"\n")


def _decode(path: Path, number: int, raw: bytes, longest: int, bad: BadExamples) -> str | None:
    if len(raw) > longest:
        bad.found(f"{path}: line {number}: is longer than {longest} bytes")
        return None
    if b"\0" in raw:
        bad.found(f"{path}: line {number}: holds a NUL byte; is this a text file in UTF-8?")
        return None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        bad.found(f"{path}: line {number}: byte {error.start + 1} is not UTF-8; convert the file to UTF-8")
        return None


def read_text(path: Path) -> str:
    """Reads a whole UTF-8 file, with or without a byte order mark.

    Raises:
        UserError: If it cannot be read, or is not UTF-8 text.
    """
    try:
        raw = path.read_bytes().removeprefix(_BOM)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    _refuse_utf16(path, raw[:2])
    if b"\0" in raw:
        line = raw.count(b"\n", 0, raw.index(b"\0")) + 1
        raise UserError(f"{path}: line {line}: holds a NUL byte; is this a text file in UTF-8?")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        start = raw.rfind(b"\n", 0, error.start) + 1
        line = raw.count(b"\n", 0, start) + 1
        raise UserError(
            f"{path}: line {line}: byte {error.start - start + 1} is not UTF-8; convert the file to UTF-8"
        ) from error
