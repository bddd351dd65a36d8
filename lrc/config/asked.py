"""What is asked of a run: read from flags, a TOML file or keyword arguments, checked, and put together."""

import difflib
import math
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from lrc_runtime.languages import check_lang

from ..errors import UserError
from .options import OPTIONS, Columns, FilePath, Names, Option, Several
from .presets import find_preset

# Of these one alone can be asked for, so that the one that counts more puts the other aside.
_EITHER = (("steps", "epochs"),)


def check(asked: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Returns the options that are asked for, each of its type and in its bounds.

    Args:
        asked: Values by name; None stands for one that is not asked for.
        where: How a message begins that says where they stand, as "run.toml: "; empty for keyword arguments.

    Raises:
        UserError: If an option does not exist or its value is none that it takes.
    """
    known_only(asked, OPTIONS, where)
    given = {name: value for name, value in asked.items() if value is not None}
    return {name: _read(OPTIONS[name], value, where) for name, value in given.items()}


def known_only(table: Any, known: Collection[str], where: str) -> None:
    """Refuses a table with a key that does not exist, and suggests the nearest one.

    Raises:
        UserError: If there is one, or it is no table.
    """
    if not isinstance(table, Mapping):
        raise UserError(f"{where}must be a table")
    for name in table:
        if name in known:
            continue
        older = [option.name for option in OPTIONS.values() if name in (*option.spellings, option.alone)]
        near = [each for each in older if each in known] or difflib.get_close_matches(str(name), known, 1, 0.5)
        meant = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known))}"
        raise UserError(f"{where}{name}: unknown{meant}")


def read_config(path: Path) -> dict[str, Any]:
    """Reads a file of options, as a table `[settings]` or at its top.

    Raises:
        UserError: If it cannot be read, is not TOML, or has an option that does not exist or cannot be so.
    """
    document = read_toml(path)
    table = document.get("settings", document)
    if table is document:
        return check(table, f"{path}: ")
    known_only(document, ("settings",), f"{path}: ")
    return check(table, f"{path}: [settings] ")


def read_toml(path: Path) -> dict[str, Any]:
    """Reads a TOML file.

    Raises:
        UserError: If it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML ({error})") from error


def over(less: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of both, where those that count more win."""
    aside = {other for pair in _EITHER for name in pair if name in more for other in pair if other not in more}
    return {name: value for name, value in less.items() if name not in aside} | dict(more)


def losers(less: Mapping[str, Any], more: Mapping[str, Any]) -> list[str]:
    """Returns the names of the options of which `over` takes another value than the one that counts less."""
    both = over(less, more)
    return [name for name, value in less.items() if name not in both or both[name] != value]


def with_preset(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Returns checked options with those of their preset, which all others win over.

    Raises:
        UserError: If there is no such preset.
    """
    rest = {name: value for name, value in asked.items() if name != "preset"}
    return over(find_preset(asked["preset"]).settings, rest) if "preset" in asked else rest


def split_langs(text: Names | None, setting: str = "langs") -> list[str]:
    """Returns the languages that a string separates by commas; none stand for the default.

    Raises:
        InputError: If one is no language tag.
    """
    parts = text.split(",") if isinstance(text, str) else text or ()
    langs = list(dict.fromkeys(lang.strip() for lang in parts if lang.strip()))
    for lang in langs:
        check_lang(lang, f"`{setting}`")
    return langs


def split_columns(columns: Columns | None) -> dict[str, str] | None:
    """Returns names of columns, from a mapping or a string such as `context=passage,answer=antwort`.

    Raises:
        UserError: If a part is not of the form name=column.
    """
    if columns is None or isinstance(columns, Mapping):
        return None if columns is None else dict(columns)
    parts = [part.partition("=") for part in columns.split(",")]
    for name, sign, column in parts:
        if not (name.strip() and sign and column.strip()):
            raise UserError(f"`columns` {columns}: expected name=column, such as context=passage,answer=antwort")
    return {name.strip(): column.strip() for name, _, column in parts}


def _is_path(value: Any) -> bool:
    return isinstance(value, str | PathLike)


def _is_list(value: Any, of: Callable[[Any], bool]) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes) and all(map(of, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _as_is(value: Any) -> Any:
    return value


# Of each type of option: what it is called, whether a value is one, and how it is read.
_TYPES: list[tuple[Any, str, Callable[[Any], bool], Callable[[Any], Any]]] = [
    (bool, "true or false", lambda value: isinstance(value, bool), bool),
    (int, "a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool), int),
    (float, "a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool), _as_is),
    (str, "text", _is_text, str),
    (FilePath, "a file's name", _is_path, fspath),
    (Names, "text or a list of it", lambda value: _is_text(value) or _is_list(value, _is_text), split_langs),
    (
        Several,
        "text or a list of it",
        lambda value: _is_path(value) or _is_list(value, _is_path),
        lambda value: [fspath(value)] if _is_path(value) else list(map(fspath, value)),
    ),
    (
        Columns,
        "text or a table",
        lambda value: _is_text(value) or (isinstance(value, Mapping) and _is_list([*value, *value.values()], _is_text)),
        split_columns,
    ),
]


def _read(option: Option, value: Any, where: str) -> Any:
    called = f"{where}{option.name} = {value!r}" if where else f"`{option.name}` {value}"
    what, fits, read = next(each[1:] for each in _TYPES if each[0] == option.kind)
    if not fits(value):
        raise UserError(f"{called}: must be {what}")
    if option.choices and value not in option.choices:
        raise UserError(f"{called}: choose one of {', '.join(option.choices)}")
    if option.bounds is not None and not (math.isfinite(value) and option.bounds.hold(value)):
        raise UserError(f"{called}: must be {what} {option.bounds}")
    return read(value)
