"""Paraphrase detection: do two sentences mean the same?"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrc_runtime import ParaphraseDetector
from lrc_runtime.batching import Model
from lrc_runtime.encoding import TextEncoder
from lrc_runtime.manifest import PARAPHRASE

from ...data.examples import BadExamples, Pair, short
from ...data.readers import PAIR_LABELS, Columns, scan_pairs
from ...data.writers import write_pairs
from ..kind import Scheme
from ..label_kind import LabelKind

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from ..check import Report

# A file whose labels are this one-sided has a finding.
_LEAST_LABEL_SHARE = 0.2
# What stands in PAWS-X for a sentence that was not translated.
_PLACEHOLDER = "NS"


class Pairs(LabelKind[Pair, ParaphraseDetector]):
    """Paraphrase detection."""

    name = "paraphrase"
    example = Pair
    served_as = PARAPHRASE
    what = "compares sentences"
    suffix = ".tsv"

    def fits(self, columns: Sequence[str], row: Mapping[str, Any]) -> bool:
        """Whether there are two sentences."""
        return any(name in columns or name in row for name in ("sentence1", "sentence2"))

    def scan(
        self,
        source: str | Path,
        lang: str,
        bad: BadExamples,
        columns: Columns | None = None,
        split: str = "train",
        ids: str = "auto",
    ) -> Iterator[tuple[str, Pair]]:
        """Yields pairs, see `lrc.data.readers`."""
        return scan_pairs(source, lang, bad, columns, split, ids)

    def scheme(self, settings: Any) -> Scheme:
        """Returns the two labels."""
        return Scheme(PAIR_LABELS)

    def label(self, example: Pair) -> str:
        """Returns whether the sentences mean the same, in a word."""
        return PAIR_LABELS[example.label]

    def answerer(self, encoder: TextEncoder, model: Model, scheme: Scheme) -> ParaphraseDetector:
        """Wraps a model of two logits."""
        return ParaphraseDetector(encoder, model, scheme.labels)

    def labels(self, answerer: ParaphraseDetector) -> Sequence[str]:
        """Returns the two labels."""
        return answerer.labels

    def verdicts(self, answerer: ParaphraseDetector, examples: Sequence[Pair]) -> list[tuple[str, float]]:
        """Compares the sentences of each pair."""
        return [(one.label, one.score) for one in answerer.compare_batch([(e.first, e.second) for e in examples])]

    def write(self, path: Path, examples: Sequence[Pair]) -> None:
        """Writes PAWS-X TSV."""
        write_pairs(path, examples)

    def row(self, example: Pair) -> dict[str, Any]:
        """Returns the columns of PAWS-X."""
        return {"sentence1": example.first, "sentence2": example.second, "label": example.label}

    def text_key(self, example: Pair) -> tuple[str, ...]:
        """Returns the sentences, in whatever order."""
        return tuple(sorted(example.texts))

    def find_faults(
        self, report: "Report", found: Sequence[tuple[str, Pair]], tokenizer: "Tokenizer | None", max_answer_length: int
    ) -> None:
        """Looks for what was not translated, equal sentences, and labels that are mostly one."""
        for _, pair in found:
            if _PLACEHOLDER in (pair.first.strip(), pair.second.strip()):
                report.findings["placeholder NS"].append(f"{pair.id}: not translated")
            elif pair.first == pair.second:
                what = "equal sentences" if pair.label else "equal sentences labelled 0"
                report.findings[what].append(f"{pair.id}: {short(pair.first)}")
        if found:
            share = sum(pair.label for _, pair in found) / len(found)
            report.notes["share of label 1"] = share
            if not _LEAST_LABEL_SHARE <= share <= 1 - _LEAST_LABEL_SHARE:
                report.findings["label balance"].append(f"{100 * share:.1f} % of the pairs have the label 1")

    def repair(self, example: Pair) -> Pair | None:
        """Drops what was not translated."""
        return None if _PLACEHOLDER in (example.first.strip(), example.second.strip()) else example
