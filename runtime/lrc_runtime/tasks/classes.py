"""Text classification: which of n labels one text has, or two texts have together."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..aio import Calls
from ..batching import Model
from ..encoding import ModelInput, TextEncoder, check_text
from ..errors import InputError
from ..kinds import Command, Endpoint, Opened, Said, Shape, TaskKind, Value
from ..labelling import Labeller
from ..manifest import Manifest
from ..opening import open_kind
from ..streams import read_argument

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

# What a manifest calls the kind.
TEXT_CLASSIFICATION = "text-classification"
_Item = str | tuple[str, str]


@dataclass(frozen=True)
class Classification:
    """The label of one text, or of two.

    Attributes:
        label: Name of the class.
        score: Probability that this label is right; see `docs/runtime.md`. In a bundle without a calibration, the
            probability that the model itself gives to it.
        probabilities: The probability that the model itself gives to each label, best first. They are not calibrated.
    """

    label: str
    score: float
    probabilities: dict[str, float]


class TextClassifier(Labeller):
    """Finds the label of one text, or of two.

    `lrc_runtime.load` makes one from a bundle. Any number of threads may share it.

    Args:
        encoder: Turns text into model input.
        run: The model: a padded batch in, `logits` of shape (batch, labels) out.
        labels: Names of the classes in the order of the logits.
        texts: How many texts have a label together: 1 or 2.
        manifest: What the bundle says of itself, where there is a bundle.
        at_once: Batches that a call may run at once while it is the only one, each from a thread of its own.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        run: Model,
        labels: Sequence[str],
        texts: int,
        manifest: Manifest | None = None,
        at_once: int = 1,
    ) -> None:
        super().__init__(encoder, run, labels, manifest, at_once)
        self.texts = texts

    def classify(self, text: str, text_pair: str | None = None, *, lang: str | None = None) -> Classification:
        """Finds the label of one text, or of two.

        Args:
            text: The text; what is beyond the bundle's `max_length` tokens is ignored.
            text_pair: The second text, where the bundle classifies two; the longer of both is cut first.
            lang: Their language as a tag of BCP 47, by which the score is calibrated where the bundle knows how.

        Raises:
            InputError: If there is a text too many or too few, one is not a string or holds a lone surrogate, or `lang`
                is no language tag.
        """
        return self.classify_batch([text if text_pair is None else (text, text_pair)], lang=lang)[0]

    def classify_batch(self, texts: Sequence[_Item], *, lang: str | None = None) -> list[Classification]:
        """Finds the labels of many texts, or of many pairs of texts; otherwise as `classify`."""
        if isinstance(texts, str):
            raise InputError("classify_batch takes a list of texts; for one text use classify")
        for item in texts:
            self._check(item)
        return [
            Classification(label, score, self._by_label(scores))
            for label, score, scores in self._label(texts, self._encode, lang)
        ]

    def _check(self, item: _Item) -> None:
        pair = isinstance(item, tuple | list)
        if not pair:
            check_text(item)
        elif len(item) != 2:
            raise InputError(f"classify_batch takes texts or pairs of two texts, found {item!r}")
        if self.texts == 1 and pair:
            raise InputError("this bundle classifies one text and was given two; leave the second out")
        if self.texts == 2 and not pair:
            raise InputError("this bundle classifies two texts together and was given one; give text_pair as well")

    def _encode(self, items: Sequence[_Item]) -> list[ModelInput]:
        if self.texts == 2:
            return self._pairs([(item[0], item[1]) for item in items])
        return [self._encoder.single(tokens) for tokens in self._encoder.tokenize([str(item) for item in items])]

    def _by_label(self, scores: np.ndarray) -> dict[str, float]:
        order = np.argsort(-scores, kind="stable")
        return {self.labels[index]: float(np.exp(scores[index])) for index in order}


def load_text_classifier(
    path: str | os.PathLike[str], threads: int | None = None, *, provider: str = "cpu", preset: str = "default"
) -> TextClassifier:
    """Opens the first task of a bundle that classifies texts; otherwise as `load`."""
    return open_kind(CLASSES, path, threads, provider, preset)


class AsyncClasses(Calls):
    """Classifies texts from coroutines."""

    async def classify(self, text: str, text_pair: str | None = None, *, lang: str | None = None) -> Classification:
        """As `TextClassifier.classify`.

        Raises:
            InputError: Also if the bundle classifies no texts.
        """
        return await self._call(CLASSES, lambda bundle: bundle.classify(text, text_pair, lang=lang))


def _check(manifest: Manifest) -> None:
    if len(manifest.labels) < 2 or len(set(manifest.labels)) < len(manifest.labels):
        raise ValueError(f"a bundle that classifies texts needs two or more different labels, found {manifest.labels}")


def _open(opened: Opened) -> TextClassifier:
    manifest = opened.manifest
    return TextClassifier(opened.encoder, opened.run, manifest.labels, manifest.texts, manifest, opened.at_once)


def _probe(classifier: TextClassifier) -> Classification:
    return classifier.classify("?", None if classifier.texts == 1 else "?")


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("text")
    parser.add_argument("text_pair", nargs="?", help="the second text, where the bundle classifies two")


def _run(options: Namespace) -> str:
    text, pair = read_argument(options.text, "the text"), options.text_pair
    if pair is not None:
        pair = read_argument(pair, "the second text")
    found = load_text_classifier(options.bundle).classify(text, pair, lang=options.lang)
    if options.json:
        return json.dumps(asdict(found), ensure_ascii=False)
    return f"{found.label}  (score {found.score:.3f})"


def _classify(
    classifier: TextClassifier, items: Sequence[tuple[str, ...]], _: Mapping[str, int], lang: str | None
) -> list[Classification]:
    texts = [(item[0], item[1]) if len(item) == 2 else item[0] for item in items]
    return classifier.classify_batch(texts, lang=lang)


CLASSES = TaskKind(
    task=TEXT_CLASSIFICATION,
    title="text classification",
    verb="classify",
    does="classifies texts",
    lacks="classifies no texts",
    outputs=frozenset({"logits"}),
    check=_check,
    answerer=TextClassifier,
    open=_open,
    probe=_probe,
    command=Command("classify", "find the label of a text, or of two", _add_arguments, _run),
    endpoint=Endpoint(
        item=Shape(
            "Texts",
            "One text, or two that have a label together.",
            {
                "text": Value(str, "The text, or the first of two."),
                "text_pair": Value(str, "The second text, where the bundle classifies two.", optional=True),
            },
        ),
        result=Shape(
            "Classification",
            "The label of one text, or of two.",
            {
                "label": Value(str),
                "score": Value(float, "Probability that the label is right."),
                "probabilities": Value(
                    dict, "Probability that the model itself gives to each label, best first; not calibrated."
                ),
            },
        ),
        one=Said("Find the label of a text, or of two", "Classifies one item.", "The label of one item."),
        many=Said(
            "Find the labels of many texts, or pairs of texts",
            "Classifies many items.",
            "The labels of many items, in their order.",
        ),
        ask=_classify,
    ),
)
