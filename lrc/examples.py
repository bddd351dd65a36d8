"""Labelled examples, and the readers of the official file formats."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import UserError


@dataclass(frozen=True)
class Question:
    """A question with its context.

    Attributes:
        id: Shared by the same question in every language.
        lang: Language of the context.
        title: The article.
        question: The question.
        context: The text that holds the answer.
        answers: Accepted answers as (text, first code point), at least one.
    """

    id: str
    lang: str
    title: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Pair:
    """Two sentences; `label` is 1 where they mean the same, else 0."""

    id: str
    lang: str
    first: str
    second: str
    label: int


Example = Question | Pair


class BadExamples:
    """Refuses a bad example, or counts and drops it where the user asked for that."""

    def __init__(self, skip: bool) -> None:
        self._skip = skip
        self.count = 0

    def found(self, message: str) -> None:
        """Takes note of a bad example.

        Raises:
            UserError: If bad examples are not to be skipped.
        """
        if not self._skip:
            raise UserError(f"{message}; mend it, or use --skip-bad to count and drop such examples")
        self.count += 1


def read_questions(path: Path, lang: str, bad: BadExamples) -> list[Question]:
    """Reads SQuAD v1.1 JSON, the format of SQuAD, XQuAD, MLQA and TyDi QA GoldP.

    Args:
        path: The file.
        lang: Language to note in each example.
        bad: What to do with an answer that is not where its offset says.

    Raises:
        UserError: If the file is missing or not in this format, or an example is bad.
    """
    questions = []
    try:
        document = json.loads(_read_text(path))
        for article in document["data"]:
            for paragraph in article["paragraphs"]:
                context = _text(paragraph["context"])
                for item in paragraph["qas"]:
                    questions.append(
                        Question(
                            str(item["id"]),
                            lang,
                            str(article.get("title", "")),
                            _text(item["question"]),
                            context,
                            tuple((_text(a["text"]), int(a["answer_start"])) for a in item["answers"]),
                        )
                    )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{path}: not SQuAD v1.1 JSON ({reason}); see docs/data.md for the format") from error
    return [question for question in questions if _answers_match(path, question, bad)]


def _answers_match(path: Path, question: Question, bad: BadExamples) -> bool:
    if not question.answers:
        bad.found(f"{path}: question {question.id}: has no answer")
        return False
    for text, start in question.answers:
        found = question.context[max(start, 0) : max(start, 0) + len(text)]
        if start < 0 or not text or found != text:
            bad.found(
                f"{path}: question {question.id}: the answer {_short(text)} is not at character {start}"
                f" of its context, where {_short(found)} stands"
            )
            return False
    return True


def read_pairs(path: Path, lang: str, bad: BadExamples) -> list[Pair]:
    """Reads PAWS-X TSV: a header with `id`, `sentence1`, `sentence2`, `label`, no quoting.

    Raises:
        UserError: If the file is missing or not in this format, or an example is bad.
    """
    # Not splitlines: real files hold separators such as U+001C inside sentences.
    lines = _read_text(path).removesuffix("\n").split("\n")
    rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(rows, [])
    if header != ["id", "sentence1", "sentence2", "label"]:
        raise UserError(f"{path}: line 1 must be the header id, sentence1, sentence2, label, separated by tabs")
    pairs = []
    for number, row in enumerate(rows, start=2):
        if len(row) != 4 or row[3] not in ("0", "1") or not row[1].strip() or not row[2].strip():
            bad.found(
                f"{path}: line {number}: expected an id, two sentences and the label 0 or 1, separated by tabs,"
                f" found {_short(' | '.join(row))}"
            )
            continue
        pairs.append(Pair(row[0], lang, row[1], row[2], int(row[3])))
    return pairs


def read_parallel(first: Path, second: Path) -> list[tuple[str, str]]:
    """Reads two line-aligned files; pairs with an empty side are left out.

    Raises:
        UserError: If a file is missing or the numbers of lines differ.
    """
    a, b = (_read_text(path).removesuffix("\n").split("\n") for path in (first, second))
    if len(a) != len(b):
        raise UserError(f"--parallel: {first} has {len(a)} lines but {second} has {len(b)}; they must be line-aligned")
    return [(x.strip(), y.strip()) for x, y in zip(a, b, strict=True) if x.strip() and y.strip()]


def per_language(
    pattern: str, langs: list[str], flag: str, read: Callable[[Path, str, BadExamples], list[Any]], bad: BadExamples
) -> dict[str, list[Any]]:
    """Reads a user's own files, one a language where the pattern holds `{lang}`.

    Raises:
        UserError: If several languages share one file without `{lang}`, or a file cannot be read.
    """
    if "{lang}" not in pattern and len(langs) > 1:
        raise UserError(f"{flag} {pattern}: write {{lang}} in the name where several --langs are given")
    return {lang: read(Path(pattern.replace("{lang}", lang)), lang, bad) for lang in langs}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8; convert the file to UTF-8") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, found {_short(repr(value))}")
    return value


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def iterate(groups: dict[str, list[Any]]) -> Iterator[Any]:
    """Yields the examples of all languages in turn."""
    for examples in groups.values():
        yield from examples
