"""Values of labelled files as the programs of this world write them: spreadsheets, pandas, annotation tools."""

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .examples import short

Answers = tuple[tuple[str, int], ...]

_SURROGATE = re.compile("[\ud800-\udfff]")
_TRUE = ("true", "t", "yes", "y", "1", "1.0")
_FALSE = ("false", "f", "no", "n", "0", "0.0")


class Fault(Exception):
    """What is wrong with a value, in words for the user."""


def is_missing(value: object) -> bool:
    """Whether a cell is empty: no value, blank text, or the NaN that pandas writes for it."""
    return value is None or (isinstance(value, str) and not value.strip()) or (value != value)


def read_text(row: Mapping[str, Any], name: str) -> str:
    """Returns a text that is not blank and that any tokenizer can read.

    Raises:
        Fault: If it is something else.
    """
    value = row.get(name)
    if is_missing(value):
        raise Fault(f"its {name} is empty")
    if not isinstance(value, str):
        raise Fault(f"its {name} is {quoted(value)}, expected a text")
    check_surrogates(value, name)
    return value


def check_surrogates(text: str, name: str) -> None:
    """Refuses half of a UTF-16 pair, which JSON can write and UTF-8 cannot.

    Raises:
        Fault: If there is one.
    """
    if found := _SURROGATE.search(text):
        raise Fault(
            f"its {name} holds a lone surrogate (U+{ord(found.group()):04X}) at character {found.start()}; the program"
            " that wrote it cut a character in two"
        )


def read_flag(value: object, name: str) -> bool:
    """Returns a truth value in any usual spelling; an empty cell is false.

    Raises:
        Fault: If it is none.
    """
    if is_missing(value):
        return False
    if isinstance(value, bool):
        return value
    spelling = str(value).strip().lower()
    if spelling in _TRUE or spelling in _FALSE:
        return spelling in _TRUE
    raise Fault(f"its {name} is {quoted(value)}, expected true or false")


def read_label(value: object, names: Sequence[str]) -> int:
    """Returns the label of a pair: 0 or 1, a truth value, or the name of a class.

    Args:
        value: The label.
        names: Names of the classes.

    Raises:
        Fault: If it is something else.
    """
    spelling = str(value).strip().lower()
    if spelling in ("1", "1.0", "true"):
        return 1
    if spelling in ("0", "0.0", "false"):
        return 0
    if spelling in names:
        return names.index(spelling)
    raise Fault(f"expected the label 0 or 1, found {quoted(value)}")


def read_whole(value: object, name: str) -> int:
    """Returns a whole number, also of a text or of a float such as 59.0.

    Raises:
        Fault: If it is none.
    """
    if not isinstance(value, bool):
        try:
            number = float(value) if isinstance(value, int | float | str) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if number.is_integer():
            return int(number)
    raise Fault(f"its {name} is {quoted(value)}, expected a whole number")


def read_answers(row: Mapping[str, Any], context: str) -> Answers | None:
    """Returns the answers of a row; none where it says that there are none, None where it does not say.

    Args:
        row: `answers` as SQuAD's JSON (a list of objects) or the hub's SQuAD (two lists, empty ones for a question
            without an answer) have them, or the same as JSON in a text; or `answer` and `answer_start`.
        context: What they stand in. An answer without an offset must occur in it exactly once.

    Raises:
        Fault: If they are none of these.
    """
    if "answers" not in row:
        if is_missing(row.get("answer")):
            return None
        return (_answer(row["answer"], row.get("answer_start"), context),)
    value = _unpacked(row["answers"])
    if is_missing(value) or value == []:
        return None
    if isinstance(value, dict):
        if "text" not in value:
            raise Fault(f"its answers have no text but {', '.join(map(str, value)) or 'nothing'}")
        texts, starts = value["text"], value.get("answer_start")
        if not isinstance(texts, list):
            texts, starts = [texts], [starts]
        if starts is None:
            starts = [None] * len(texts)
        if not isinstance(starts, list) or len(starts) != len(texts):
            raise Fault("its answers have not as many offsets as texts")
        return tuple(_answer(text, start, context) for text, start in zip(texts, starts, strict=True))
    if not isinstance(value, list):
        raise Fault(f"its answers are {quoted(value)}, expected a list")
    return tuple(
        _answer(one.get("text"), one.get("answer_start"), context)
        if isinstance(one, dict)
        else _answer(one, None, context)
        for one in value
    )


def _unpacked(value: object) -> object:
    """Reads answers that a table holds as text: JSON, or what Python prints of lists and objects."""
    if not isinstance(value, str) or not value.strip():
        return value
    try:
        found: object = json.loads(value)
        return found
    except (ValueError, RecursionError):
        pass
    try:
        found = ast.literal_eval(value)
        return found
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise Fault(
            f"its answers are {short(value)}, which is no JSON; write the table with to_json(orient='records',"
            " lines=True), or give the columns answer and answer_start"
        ) from None


def _answer(text: object, start: object, context: str) -> tuple[str, int]:
    if not isinstance(text, str) or not text.strip():
        raise Fault(f"its answer is {quoted(text)}, expected a text that is not blank")
    check_surrogates(text, "answer")
    if not is_missing(start):
        return text, read_whole(start, "answer_start")
    count = context.count(text)
    if count != 1:
        raise Fault(f"the answer {short(text)} occurs {count} times in its context; give answer_start")
    return text, context.index(text)


def quoted(value: object) -> str:
    """Quotes any value in a message, as JSON has it and cut to 40 characters."""
    try:
        return short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):
        return short(str(value))
