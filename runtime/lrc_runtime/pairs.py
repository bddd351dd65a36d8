"""Paraphrase detection: do two sentences mean the same?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .batching import Places, Run, Served, run_sorted
from .calibration import Calibration
from .decoding import log_softmax
from .encoding import TextEncoder
from .errors import InputError
from .languages import check_lang
from .manifest import Manifest

# Pairs whose inputs are held in memory at once.
_PAIRS_AT_ONCE = 256


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


class ParaphraseDetector(Served):
    """Tells whether two sentences mean the same.

    `lrc_runtime.load` makes one from a bundle. Any number of threads may share it.

    Args:
        encoder: Turns text into model input.
        run: The model: a padded batch in, `logits` of shape (batch, labels) out.
        labels: Names of the classes in the order of the logits.
        manifest: What the bundle says of itself, where there is a bundle.
        at_once: Batches that a call may run at once while it is the only one, each from a thread of its own.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        run: Run,
        labels: Sequence[str],
        manifest: Manifest | None = None,
        at_once: int = 1,
    ) -> None:
        self._encoder = encoder
        self._run = run
        self._calibration = manifest.calibration if manifest else Calibration()
        self._places = Places(at_once)
        self.labels = tuple(labels)
        self.manifest = manifest

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
        if lang is not None:
            check_lang(lang)
        verdicts: list[Comparison] = []
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            part = pairs[start : start + _PAIRS_AT_ONCE]
            firsts = self._encoder.tokenize([first for first, _ in part])
            seconds = self._encoder.tokenize([second for _, second in part])
            inputs = [self._encoder.pair(a, b) for a, b in zip(firsts, seconds, strict=True)]
            rows = dict(run_sorted(self._run, self._encoder, inputs, self._places))
            for at in range(len(part)):
                logits = rows[at]["logits"]
                # A model that gives no numbers says nothing for any label.
                scores = log_softmax(logits if np.isfinite(logits).all() else np.zeros_like(logits))
                best = int(scores.argmax())
                confidence = self._calibration.confidence(float(scores[best]), lang)
                verdicts.append(Comparison(self.labels[best], confidence))
        return verdicts
