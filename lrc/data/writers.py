"""Examples to files: questions as SQuAD JSON, pairs as PAWS-X TSV."""

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from ..files import write_file
from .examples import Pair, Question


def write_questions(path: Path, questions: Sequence[Question]) -> None:
    """Writes questions as SQuAD v2.0 JSON, atomically; neighbours of one title and context share a paragraph."""
    data: list[dict[str, Any]] = []
    for title, article in groupby(questions, key=lambda question: question.title):
        paragraphs = [
            {"context": context, "qas": [_item(question) for question in group]}
            for context, group in groupby(article, key=lambda question: question.context)
        ]
        data.append({"title": title, "paragraphs": paragraphs})
    text = json.dumps({"version": "v2.0", "data": data}, ensure_ascii=False, indent=1)
    write_file(path, text.encode() + b"\n")


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Writes pairs as PAWS-X TSV, atomically; tabs and line ends inside a sentence become spaces."""
    lines = ["id\tsentence1\tsentence2\tlabel"]
    for pair in pairs:
        cells = (pair.id, pair.first, pair.second, str(pair.label))
        lines.append("\t".join(cell.replace("\t", " ").replace("\r", " ").replace("\n", " ") for cell in cells))
    write_file(path, "\n".join(lines).encode() + b"\n")


def _item(question: Question) -> dict[str, Any]:
    return {
        "id": question.id,
        "question": question.question,
        "answers": [{"text": text, "answer_start": start} for text, start in question.answers],
        "is_impossible": not question.answers,
    }
