"""Labels in a `.json` file: SQuAD, a list of rows, or one object a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import UserError
from .examples import BadExamples
from .lines import read_text
from .values import quoted

Row = tuple[str, dict[str, Any]]

_SHAPES = '{"data": [...]}, a list of objects, or an object a line; see docs/data.md'


def json_rows(path: Path, bad: BadExamples) -> Iterator[Row] | None:
    """Yields the rows of a file, each with where it stands; None where it holds an object a line.

    A question of SQuAD's articles and paragraphs is a row with their `title` and `context`.

    Args:
        path: The file.
        bad: Takes note of what is no object.

    Raises:
        UserError: If it cannot be read, or is something else.
    """
    text = read_text(path)
    try:
        document = json.loads(text)
    except RecursionError:
        raise UserError(f"{path}: not SQuAD JSON nor rows: nested too deeply; expected {_SHAPES}") from None
    except ValueError as error:
        if _is_lines(text):
            return None
        raise UserError(f"{path}: not SQuAD JSON nor rows: not JSON ({error}); expected {_SHAPES}") from error
    if isinstance(document, dict):
        held = document.get("data") if "data" in document else [document]
        known = "data" in document or {"paragraphs", "qas", "question", "sentence1"} & document.keys()
    else:
        held, known = document, True
    if not known or not isinstance(held, list):
        raise UserError(f"{path}: not SQuAD JSON nor rows: holds {quoted(document)}; expected {_SHAPES}")
    return (row for number, one in enumerate(held, start=1) for row in _rows(f"{path}: item {number}", one, bad))


def _is_lines(text: str) -> bool:
    first = text.lstrip().partition("\n")[0]
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _rows(where: str, one: Any, bad: BadExamples) -> Iterator[Row]:
    """Yields the rows of an article, of a paragraph, or the one that it is."""
    if not isinstance(one, dict):
        bad.found(f"{where}: expected an object, found {quoted(one)}")
    elif "paragraphs" in one:
        for number, paragraph in _items(where, one, "paragraphs", bad):
            yield from _questions(f"{where}, paragraph {number}", paragraph, one.get("title", ""), bad)
    elif "qas" in one:
        yield from _questions(where, one, "", bad)
    else:
        yield where, one


def _questions(where: str, paragraph: Any, title: Any, bad: BadExamples) -> Iterator[Row]:
    if not isinstance(paragraph, dict) or "qas" not in paragraph:
        bad.found(f"{where}: expected an object with context and qas, found {quoted(paragraph)}")
        return
    for number, item in _items(where, paragraph, "qas", bad):
        if isinstance(item, dict):
            yield f"{where}, question {number}", {**item, "title": title, "context": paragraph.get("context")}
        else:
            bad.found(f"{where}, question {number}: expected an object, found {quoted(item)}")


def _items(where: str, one: dict[str, Any], name: str, bad: BadExamples) -> Iterator[tuple[int, Any]]:
    held = one[name]
    if isinstance(held, dict):
        # The one that there is, as AmQA has some.
        held = [held]
    if isinstance(held, list):
        yield from enumerate(held, start=1)
    else:
        bad.found(f"{where}: its {name} are {quoted(held)}, expected a list")
