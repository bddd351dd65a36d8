"""Standard input and output where there is no locale, a code page that lacks the text, or nobody at the other end."""

import codecs
import io
import os
import sys

from .errors import InputError

_ESCAPE = "lrc-escape"


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Writes what an encoding lacks as JSON does, so that JSON stays JSON."""
    assert isinstance(error, UnicodeEncodeError)
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)), error.end


codecs.register_error(_ESCAPE, _escape)


def read_argument(given: str, name: str) -> str:
    """Returns the text of an argument, which Python does not know to be UTF-8 where there is no locale.

    Args:
        given: The argument.
        name: What it is called, for messages.

    Raises:
        InputError: If it is not UTF-8.
    """
    try:
        return os.fsencode(given).decode()
    except UnicodeEncodeError:
        # It came from no command line.
        return given
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: byte {error.start} is not UTF-8; give it in UTF-8") from error


def prepare_output() -> None:
    r"""Makes standard output and error take any text.

    ASCII means that no locale was set, so UTF-8 is written there. What another encoding lacks is written as `\u0939`.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding="utf-8" if ascii_only else None, errors=_ESCAPE)


def write_output(text: str) -> int:
    """Writes a line to standard output.

    Returns:
        The exit code: 0, or 1 where nobody reads any more.

    Raises:
        InputError: If it cannot be written, as to a full disk.
    """
    if sys.stdout is None:
        raise InputError("standard output is closed; give it a place to go")
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as error:
        # What is left is not tried again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 1
        raise InputError(f"standard output: {error.strerror}; give it another place to go") from error
    return 0


def read_input() -> bytes:
    """Reads standard input to its end.

    Raises:
        OSError: If it cannot be read, or is closed.
    """
    if sys.stdin is None:
        raise OSError(None, "standard input is closed")
    return sys.stdin.buffer.read()
