"""Paraphrase detection: do two sentences mean the same?"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ..aio import Calls
from ..errors import InputError
from ..kinds import Command, Endpoint, Opened, Said, Shape, TaskKind, Value
from ..labelling import Labeller
from ..manifest import PARAPHRASE, Manifest
from ..opening import open_kind
from ..streams import read_argument

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


@dataclass(frozen=True)
class Comparison:
    """The verdict on two sentences.

    Attributes:
        label: Name of the class.
        score: Probability that this label is right; see `docs/runtime.md`. In a bundle without a calibration, the
            probability that the model itself gives to it.
    """

    label: str
    score: float


class ParaphraseDetector(Labeller):
    """Tells whether two sentences mean the same.

    `lrc_runtime.load` makes one from a bundle. Any number of threads may share it.

    Args:
        encoder: Turns text into model input.
        run: The model: a padded batch in, `logits` of shape (batch, labels) out.
        labels: Names of the classes in the order of the logits.
        manifest: What the bundle says of itself, where there is a bundle.
        at_once: Batches that a call may run at once while it is the only one, each from a thread of its own.
    """

    def compare(self, first: str, second: str, *, lang: str | None = None) -> Comparison:
        """Compares two sentences.

        Args:
            first: One sentence.
            second: The other.
            lang: Their language as a tag of BCP 47, by which the score is calibrated where the bundle knows how.

        Raises:
            InputError: If a text is not a string or holds a lone surrogate, or `lang` is no language tag.
        """
        return self.compare_batch([(first, second)], lang=lang)[0]

    def compare_batch(self, pairs: Sequence[tuple[str, str]], *, lang: str | None = None) -> list[Comparison]:
        """Compares many pairs of sentences; otherwise as `compare`."""
        for pair in pairs:
            if isinstance(pair, str) or len(pair) != 2:
                raise InputError(f"compare_batch takes pairs of two texts, found {pair!r}")
        return [Comparison(label, score) for label, score, _ in self._label(pairs, self._pairs, lang)]


def load_paraphrase_detector(
    path: str | os.PathLike[str], threads: int | None = None, *, provider: str = "cpu", preset: str = "default"
) -> ParaphraseDetector:
    """Opens the first task of a bundle that compares sentences; otherwise as `load`."""
    return open_kind(PAIRS, path, threads, provider, preset)


class AsyncPairs(Calls):
    """Compares sentences from coroutines."""

    async def compare(self, first: str, second: str, *, lang: str | None = None) -> Comparison:
        """As `ParaphraseDetector.compare`.

        Raises:
            InputError: Also if the bundle compares no sentences.
        """
        return await self._call(PAIRS, lambda bundle: bundle.compare(first, second, lang=lang))


def _check(manifest: Manifest) -> None:
    if len(manifest.labels) != 2:
        raise ValueError("a paraphrase bundle needs exactly two labels")


def _open(opened: Opened) -> ParaphraseDetector:
    return ParaphraseDetector(opened.encoder, opened.run, opened.manifest.labels, opened.manifest, opened.at_once)


def compare(bundle: str, first: str, second: str, as_json: bool = False, lang: str | None = None) -> str:
    """Compares two sentences, of a language if it is said, and returns what to print."""
    first, second = read_argument(first, "the first sentence"), read_argument(second, "the second sentence")
    verdict = load_paraphrase_detector(bundle).compare(first, second, lang=lang)
    if as_json:
        return json.dumps(asdict(verdict), ensure_ascii=False)
    return f"{verdict.label}  (score {verdict.score:.3f})"


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("first")
    parser.add_argument("second")


def _run(options: Namespace) -> str:
    return compare(options.bundle, options.first, options.second, options.json, options.lang)


def _compare(
    detector: ParaphraseDetector, items: Sequence[tuple[str, ...]], _: Mapping[str, int], lang: str | None
) -> list[Comparison]:
    return detector.compare_batch([(first, second) for first, second in items], lang=lang)


PAIRS = TaskKind(
    task=PARAPHRASE,
    title="paraphrase detection",
    verb="compare",
    does="compares sentences",
    lacks="compares no sentences",
    outputs=frozenset({"logits"}),
    check=_check,
    answerer=ParaphraseDetector,
    open=_open,
    probe=lambda detector: detector.compare("?", "?"),
    command=Command("compare", "compare two sentences", _add_arguments, _run),
    endpoint=Endpoint(
        item=Shape(
            "Pair",
            "Two sentences.",
            {"first": Value(str, "One sentence."), "second": Value(str, "The other.")},
        ),
        result=Shape(
            "Verdict",
            "What became of two sentences.",
            {"label": Value(str), "score": Value(float, "Probability that the label is right.")},
        ),
        one=Said("Compare two sentences", "Compares two sentences.", "The verdict on one pair."),
        many=Said(
            "Compare many pairs of sentences",
            "Compares many pairs.",
            "The verdicts on many pairs, in their order.",
        ),
        ask=_compare,
    ),
)
