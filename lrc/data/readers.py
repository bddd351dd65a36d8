"""Labelled examples from every format: SQuAD JSON, and tables of questions or of pairs."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from .examples import BadExamples, Pair, Question, short
from .lines import read_text
from .rows import HUB, Row, read_rows

Columns = Mapping[str, str]


def read_questions(
    source: str | Path, lang: str, bad: BadExamples, columns: Columns | None = None, split: str = "train"
) -> list[Question]:
    """Reads questions from SQuAD v1.1 or v2.0 JSON, or from a table.

    A table has the columns `question` and `context`, and `answers` as in the hub's SQuAD (`text` and `answer_start`,
    two lists) or as in its JSON (a list of objects), or `answer` and `answer_start`. Without `answer_start` the answer
    must occur exactly once. `id`, `lang`, `title` and `is_impossible` may be there.

    Args:
        source: A file, or `hf:REPO[:config][@split]`.
        lang: Language to note in each example.
        bad: What to do with an answer that is not where its offset says.
        columns: The table's own names for these columns.
        split: Split of a hub data set that names none.

    Raises:
        UserError: If the source is missing or not in its format, or an example is bad.
    """
    dropped = bad.count
    questions = []
    for where, question in scan_questions(source, lang, bad, columns, split):
        fault = answer_fault(question)
        if fault is None:
            questions.append(question)
        else:
            bad.found(f"{where}: question {question.id}: {fault}")
    return _not_empty(source, questions, bad.count - dropped)


def scan_questions(
    source: str | Path,
    lang: str,
    bad: BadExamples,
    columns: Columns | None = None,
    split: str = "train",
    unanswered: bool = False,
) -> Iterator[tuple[str, Question]]:
    """Yields questions and where they stand, as `read_questions`, but with their answers as they are given.

    With `unanswered` they need none.
    """
    path = str(source)
    if path.endswith(".json") and not path.startswith(HUB):
        return _squad(Path(path), lang, bad, unanswered)
    return _question_rows(_renamed(read_rows(path, split, bad), columns), lang, bad, unanswered)


def answer_fault(question: Question) -> str | None:
    """Tells what is wrong with the offsets of a question's answers; None where they are right."""
    for text, start in question.answers:
        found = question.context[max(start, 0) : max(start, 0) + len(text)]
        if start < 0 or not text or found != text:
            return f"the answer {short(text)} is not at character {start} of its context, where {short(found)} stands"
    return None


def read_pairs(
    source: str | Path, lang: str, bad: BadExamples, columns: Columns | None = None, split: str = "train"
) -> list[Pair]:
    """Reads pairs from a table with the columns `sentence1`, `sentence2` and `label` (1 means the same).

    `id` and `lang` may be there.

    Args:
        source: A file, or `hf:REPO[:config][@split]`.
        lang: Language to note in each example.
        bad: What to do with an empty sentence or an unknown label.
        columns: The table's own names for these columns.
        split: Split of a hub data set that names none.

    Raises:
        UserError: If the source is missing or not in its format, or an example is bad.
    """
    dropped = bad.count
    pairs = [pair for _, pair in scan_pairs(source, lang, bad, columns, split)]
    return _not_empty(source, pairs, bad.count - dropped)


def scan_pairs(
    source: str | Path, lang: str, bad: BadExamples, columns: Columns | None = None, split: str = "train"
) -> Iterator[tuple[str, Pair]]:
    """Yields pairs and where they stand, as `read_pairs`."""
    for number, (where, row) in enumerate(_renamed(read_rows(str(source), split, bad), columns), start=1):
        _require(where, row, "sentence1", "sentence2", "label")
        first, second, label = row["sentence1"], row["sentence2"], str(row["label"]).strip()
        if label not in ("0", "1"):
            bad.found(f"{where}: expected the label 0 or 1, found {short(label)}")
        elif not _is_text(first) or not _is_text(second):
            bad.found(f"{where}: expected two sentences, found {short(f'{first} | {second}')}")
        else:
            yield (
                where,
                Pair(_optional(row, "id", str(number)), _optional(row, "lang", lang), first, second, int(label)),
            )


def _not_empty(source: str | Path, examples: list[Any], dropped: int) -> list[Any]:
    if not examples and not dropped:
        raise UserError(f"{source}: holds no example; see docs/data.md for the formats")
    return examples


def _squad(path: Path, lang: str, bad: BadExamples, unanswered: bool) -> Iterator[tuple[str, Question]]:
    questions: list[tuple[Question, bool]] = []
    try:
        for article in json.loads(read_text(path))["data"]:
            for paragraph in article["paragraphs"]:
                context = _text(paragraph["context"])
                for item in paragraph["qas"]:
                    impossible = bool(item.get("is_impossible"))
                    question = Question(
                        str(item["id"]),
                        lang,
                        str(article.get("title", "")),
                        _text(item["question"]),
                        context,
                        () if impossible or (unanswered and "answers" not in item) else _answers(item["answers"]),
                    )
                    questions.append((question, impossible))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not SQuAD JSON ({_reason(error)}); see docs/data.md for the format") from error
    for question, impossible in questions:
        if question.answers or impossible or unanswered:
            yield str(path), question
        else:
            bad.found(f"{path}: question {question.id}: has no answer, nor is_impossible")


def _question_rows(
    rows: Iterator[Row], lang: str, bad: BadExamples, unanswered: bool
) -> Iterator[tuple[str, Question]]:
    for number, (where, row) in enumerate(rows, start=1):
        _require(where, row, "question", "context")
        identity = _optional(row, "id", str(number))
        try:
            context = _text(row["context"])
            has_answers = "answers" in row or "answer" in row
            answers = _row_answers(row, context) if has_answers or not unanswered else ()
            question = Question(
                identity,
                _optional(row, "lang", lang),
                _optional(row, "title", ""),
                _text(row["question"]),
                context,
                answers,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            bad.found(f"{where}: question {identity}: {_reason(error)}")
            continue
        yield where, question


def _row_answers(row: dict[str, Any], context: str) -> tuple[tuple[str, int], ...]:
    if str(row.get("is_impossible", "")).strip().lower() in ("true", "1"):
        return ()
    if "answers" in row:
        answers = json.loads(row["answers"]) if isinstance(row["answers"], str) else row["answers"]
        if isinstance(answers, dict):
            # The hub's SQuAD v2 marks a question without an answer by empty lists.
            return tuple(
                (_text(text), int(start)) for text, start in zip(answers["text"], answers["answer_start"], strict=True)
            )
        return _answers(answers)
    if "answer" not in row:
        raise ValueError("has neither a column answers nor a column answer")
    text = _text(row["answer"])
    if row.get("answer_start") not in (None, ""):
        return ((text, int(row["answer_start"])),)
    count = context.count(text) if text else 0
    if count != 1:
        raise ValueError(f"the answer {short(text)} occurs {count} times in its context; give answer_start")
    return ((text, context.index(text)),)


def _answers(answers: Any) -> tuple[tuple[str, int], ...]:
    return tuple((_text(answer["text"]), int(answer["answer_start"])) for answer in answers)


def _renamed(rows: Iterator[Row], columns: Columns | None) -> Iterator[Row]:
    """Gives columns their own names back."""
    for where, row in rows:
        for name, own in (columns or {}).items():
            if own not in row:
                raise UserError(f"--columns {name}={own}: {where} has the columns {', '.join(row)}")
            row = {**row, name: row[own]}
        yield where, row


def _require(where: str, row: dict[str, Any], *names: str) -> None:
    missing = [name for name in names if name not in row]
    if missing:
        raise UserError(
            f"{where}: has no column {', '.join(missing)} but {', '.join(row)}; rename it, or name yours with --columns"
        )


def _optional(row: dict[str, Any], name: str, default: str) -> str:
    value = row.get(name)
    return default if value in (None, "") else str(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, found {short(repr(value))}")
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _reason(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)
