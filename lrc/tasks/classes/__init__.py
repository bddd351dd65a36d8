"""Text classification: which of n labels does one text have, or do two texts have together?"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrc_runtime import TextClassifier
from lrc_runtime.batching import Model
from lrc_runtime.encoding import TextEncoder
from lrc_runtime.tasks.classes import TEXT_CLASSIFICATION

from ...data.examples import BadExamples
from ...data.readers import Columns, scan_rows
from ...errors import UserError
from ...files import write_file
from ..kind import Scheme, Score
from ..label_kind import LabelKind, Verdict
from .example import FIRST, LABEL, SECOND, TEXT, Labelled, read_example

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from ..check import Report

# A label with fewer examples in a file can hardly be learned and tested on.
_FEWEST = 4


class Classes(LabelKind[Labelled, TextClassifier]):
    """Text classification."""

    name = "classes"
    example = Labelled
    served_as = TEXT_CLASSIFICATION
    what = "classifies texts"
    suffix = ".jsonl"

    def fits(self, columns: Sequence[str], row: Mapping[str, Any]) -> bool:
        """Whether there is a text with a label."""
        return TEXT in columns or (TEXT in row and LABEL in row)

    def scan(
        self,
        source: str | Path,
        lang: str,
        bad: BadExamples,
        columns: Columns | None = None,
        split: str = "train",
        ids: str = "auto",
    ) -> Iterator[tuple[str, Labelled]]:
        """Yields texts from rows of `label` and `text`, or `sentence1` and `sentence2`."""
        return scan_rows(source, bad, columns, split, ids, (LABEL,), partial(read_example, lang=lang), "text")

    def scheme(self, settings: Any) -> Scheme:
        """Returns the labels, and how many texts have one together."""
        return Scheme(tuple(settings.labels), settings.texts)

    def resolve(self, settings: Any, examples: Sequence[Labelled], dev: Sequence[Labelled]) -> None:
        """Takes the labels from the examples."""
        counts = sorted({len(example.passages) for example in (*examples, *dev)})
        if len(counts) > 1:
            raise UserError("the labels are of one text here and of two there; give files of one or the other")
        labels = {example.label for example in examples}
        if len(labels) < 2:
            raise UserError(f"all labels are {', '.join(labels)}; give examples of at least two classes")
        if unknown := {example.label for example in dev} - labels:
            raise UserError(
                f"dev examples have the labels {', '.join(sorted(unknown))}, and no example to learn from has them;"
                " give shots of each label"
            )
        settings.labels, settings.texts = sorted(labels, key=_place), counts[0]

    def label(self, example: Labelled) -> str:
        """Returns the name of the class."""
        return example.label

    def labels(self, answerer: TextClassifier) -> Sequence[str]:
        """Returns the names of the classes."""
        return answerer.labels

    def answerer(self, encoder: TextEncoder, model: Model, scheme: Scheme) -> TextClassifier:
        """Wraps a model of as many logits as there are labels."""
        return TextClassifier(encoder, model, scheme.labels, scheme.texts)

    def verdicts(self, answerer: TextClassifier, examples: Sequence[Labelled]) -> list[tuple[str, float]]:
        """Classifies texts."""
        texts: list[str | tuple[str, str]] = []
        for example in examples:
            first, *rest = example.passages
            texts.append((first, rest[0]) if rest else first)
        return [(one.label, one.score) for one in answerer.classify_batch(texts)]

    def score(self, judged: Sequence[Verdict]) -> Score:
        """Returns the accuracy, and the mean F1 of the labels that the examples have (macro F1)."""
        score = super().score(judged)
        right = Counter(one.label for one in judged if one.given == one.label)
        given, own = Counter(one.given for one in judged), Counter(one.label for one in judged)
        f1 = [2 * right[label] / (given[label] + own[label]) for label in own]
        return Score({**score.named, "macro_f1": 100 * float(np.mean(f1))}, score.outcomes)

    def write(self, path: Path, examples: Sequence[Labelled]) -> None:
        """Writes JSONL."""
        rows = ({"id": one.id, "lang": one.lang, **self.row(one)} for one in examples)
        write_file(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())

    def row(self, example: Labelled) -> dict[str, Any]:
        """Returns the text, or the two, and the label."""
        names = (TEXT,) if len(example.passages) == 1 else (FIRST, SECOND)
        return {**dict(zip(names, example.passages, strict=True)), LABEL: example.label}

    def text_key(self, example: Labelled) -> tuple[str, ...]:
        """Returns the texts, white space aside."""
        return tuple(" ".join(text.split()) for text in example.passages)

    def find_faults(
        self,
        report: "Report",
        found: Sequence[tuple[str, Labelled]],
        tokenizer: "Tokenizer | None",
        max_answer_length: int,
    ) -> None:
        """Counts the labels, and names those that have hardly an example."""
        counts = Counter(example.label for _, example in found)
        if not counts:
            return
        report.notes["labels"] = len(counts)
        report.notes["share of the commonest label"] = max(counts.values()) / counts.total()
        for label, count in counts.items():
            if count < _FEWEST:
                report.findings["rare label"].append(f"{label}: {count} of {counts.total()} texts")


def _place(label: str) -> tuple[int, str]:
    """Orders labels: numbers by their value, words behind them."""
    return (int(label), label) if label.isascii() and label.isdigit() else (1 << 62, label)
