"""Labelled examples from every format: rows become questions or pairs, in one way for all files."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import UserError
from .examples import BadExamples, Example, Pair, Question, short
from .identity import AUTO, ROWS, tell_apart, text_id
from .rows import read_rows
from .values import Fault, check_surrogates, is_missing, read_answers, read_flag, read_label, read_text

Columns = Mapping[str, str]
# Names of the labels of pairs, in their order.
PAIR_LABELS = ("different", "paraphrase")

_Example = TypeVar("_Example", bound=Example)


def read_questions(
    source: str | Path,
    lang: str,
    bad: BadExamples,
    columns: Columns | None = None,
    split: str = "train",
    ids: str = AUTO,
    several: bool = False,
) -> list[Question]:
    """Reads questions from SQuAD v1.1 or v2.0 JSON, or from a table.

    A table has the columns `question` and `context`, and `answers` as in the hub's SQuAD (`text` and `answer_start`,
    two lists) or as in its JSON (a list of objects), or `answer` and `answer_start`. Without `answer_start` the answer
    must occur exactly once. `id`, `lang`, `title` and `is_impossible` may be there.

    Args:
        source: A file, or `hf:REPO[:config][@split]`.
        lang: Language to note in each example.
        bad: What to do with a question that cannot be used.
        columns: The table's own names for these columns.
        split: Split of a hub data set that names none.
        ids: What its ids are taken for, see `lrc.data.identity`.
        several: Whether other languages are read beside it.

    Raises:
        UserError: If the source is missing or not in its format, or an example is bad.
    """
    return gather(scan_questions(source, lang, bad, columns, split, ids=ids), answer_fault, source, bad, ids, several)


def scan_questions(
    source: str | Path,
    lang: str,
    bad: BadExamples,
    columns: Columns | None = None,
    split: str = "train",
    unanswered: bool = False,
    ids: str = AUTO,
) -> Iterator[tuple[str, Question]]:
    """Yields questions and where they stand, as `read_questions`, but with answers and ids as they are given.

    With `unanswered` they need no answer.
    """
    return scan_rows(
        source,
        bad,
        columns,
        split,
        ids,
        ("question", "context"),
        lambda row: _question(row, lang, unanswered),
        "question",
    )


def answer_fault(question: Question) -> str | None:
    """Tells what is wrong with the offsets of a question's answers; None where they are right."""
    for text, start in question.answers:
        found = question.context[max(start, 0) : max(start, 0) + len(text)]
        if start < 0 or found != text:
            return f"the answer {short(text)} is not at character {start} of its context, where {short(found)} stands"
    return None


def read_pairs(
    source: str | Path,
    lang: str,
    bad: BadExamples,
    columns: Columns | None = None,
    split: str = "train",
    ids: str = AUTO,
    several: bool = False,
) -> list[Pair]:
    """Reads pairs from rows of `sentence1`, `sentence2` and `label` (1 or true means the same).

    `id` and `lang` may be there.

    Args:
        source: A file, or `hf:REPO[:config][@split]`.
        lang: Language to note in each example.
        bad: What to do with an empty sentence or an unknown label.
        columns: The table's own names for these columns.
        split: Split of a hub data set that names none.
        ids: What its ids are taken for, see `lrc.data.identity`.
        several: Whether other languages are read beside it.

    Raises:
        UserError: If the source is missing or not in its format, or an example is bad.
    """
    return gather(scan_pairs(source, lang, bad, columns, split, ids), lambda _: None, source, bad, ids, several)


def scan_pairs(
    source: str | Path,
    lang: str,
    bad: BadExamples,
    columns: Columns | None = None,
    split: str = "train",
    ids: str = AUTO,
) -> Iterator[tuple[str, Pair]]:
    """Yields pairs and where they stand, as `read_pairs`, but with ids as they are given."""
    return scan_rows(
        source, bad, columns, split, ids, ("sentence1", "sentence2", "label"), lambda row: _pair(row, lang), "pair"
    )


def scan_rows(
    source: str | Path,
    bad: BadExamples,
    columns: Columns | None,
    split: str,
    ids: str,
    needed: tuple[str, ...],
    build: Callable[[dict[str, Any]], _Example],
    noun: str,
) -> Iterator[tuple[str, _Example]]:
    """Yields the examples of a table and where they stand.

    Args:
        source: A file, or `hf:REPO[:config][@split]`.
        bad: What to do with a row that is no example.
        columns: The table's own names for the columns.
        split: Split of a hub data set that names none.
        ids: What its ids are taken for, see `lrc.data.identity`.
        needed: Columns that must be there.
        build: Makes an example of a row but for its id; raises `Fault` where it is none.
        noun: What an example is called in messages.
    """
    rows = read_rows(str(source), split, bad)
    # SQuAD's JSON has names of its own.
    named = str(source).endswith(".json")
    for number, (where, row) in enumerate(_renamed(rows, columns, named), start=1):
        _require(where, row, needed)
        try:
            example = build(row)
            identity = read_word(row, "id", str(number) if ids == ROWS else text_id(*example.texts))
        except Fault as fault:
            bad.found(f"{where}: {_name(row, noun)}{fault}")
            continue
        yield where, replace(example, id=identity)


def gather(
    scanned: Iterable[tuple[str, _Example]],
    fault: Callable[[_Example], str | None],
    source: str | Path,
    bad: BadExamples,
    ids: str = AUTO,
    several: bool = False,
) -> list[_Example]:
    """Keeps what can be used of the examples of a source, each with an id of its own.

    Args:
        scanned: Examples, and where they stand; they are read here.
        fault: Tells what makes an example useless; None where nothing does.
        source: Names the source.
        bad: What to do with an example that cannot be used.
        ids: What its ids are taken for, see `lrc.data.identity`.
        several: Whether other languages are read beside it.

    Raises:
        UserError: If the source has no example, or one is bad.
    """
    dropped = bad.count
    kept = []
    for where, example in scanned:
        what = fault(example)
        if what is None:
            kept.append(example)
        else:
            bad.found(f"{where}: {example.NOUN.removesuffix('s')} {example.id}: {what}")
    kept = tell_apart(kept, str(source), ids, bad, several)
    if not kept and bad.count == dropped:
        raise UserError(f"{source}: holds no example; see docs/data.md for the formats")
    return kept


def _question(row: dict[str, Any], lang: str, unanswered: bool) -> Question:
    """Reads a question but for its id.

    Raises:
        Fault: If the row is none.
    """
    question, context = read_text(row, "question"), read_text(row, "context")
    impossible = read_flag(row.get("is_impossible"), "is_impossible")
    answers = read_answers(row, context)
    if impossible and answers:
        raise Fault(f"is_impossible is true, yet it has the answer {short(answers[0][0])}")
    # Two empty lists are how the hub's SQuAD says that there is no answer, unless the row says otherwise.
    denied = answers == () and not impossible and not is_missing(row.get("is_impossible"))
    if (answers is None or denied) and not impossible and not unanswered:
        raise Fault("has no answer, nor is_impossible")
    return Question("", read_word(row, "lang", lang), read_word(row, "title", ""), question, context, answers or ())


def _pair(row: dict[str, Any], lang: str) -> Pair:
    """Reads a pair but for its id.

    Raises:
        Fault: If the row is none.
    """
    label = read_label(row["label"], PAIR_LABELS)
    return Pair("", read_word(row, "lang", lang), read_text(row, "sentence1"), read_text(row, "sentence2"), label)


def read_word(row: dict[str, Any], name: str, default: str) -> str:
    """Returns a short value that need not be there, such as an id."""
    value = row.get(name)
    if is_missing(value):
        return default
    check_surrogates(str(value), name)
    return str(value)


def _name(row: dict[str, Any], noun: str) -> str:
    """Names a row by its id for a message, where it has one."""
    value = row.get("id")
    return "" if is_missing(value) else f"{noun} {short_id(value)}: "


def short_id(value: object) -> str:
    """Returns an id as any terminal can print it."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def _renamed(
    rows: Iterator[tuple[str, dict[str, Any]]], columns: Columns | None, named: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Gives columns their own names back; those of SQuAD's JSON may have them already."""
    for where, row in rows:
        for name, own in (columns or {}).items():
            if own in row:
                row = {**row, name: row[own]}
            elif not (named and name in row):
                raise UserError(f"`columns` {name}={own}: {where} has the columns {', '.join(row)}")
        yield where, row


def _require(where: str, row: dict[str, Any], names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in row]
    if missing:
        raise UserError(
            f"{where}: has no column {', '.join(missing)} but {', '.join(row)}; rename it, or name yours with `columns`"
        )
