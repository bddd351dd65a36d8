"""Labels of texts: what tells the classes of one text or of two apart."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from .batching import Model, Places, Served, run_sorted
from .calibration import Calibration
from .decoding import Floats, log_softmax
from .encoding import ModelInput, TextEncoder
from .errors import BundleError
from .languages import check_lang
from .manifest import Manifest

# Inputs that are held in memory at once.
_INPUTS_AT_ONCE = 256
_Item = TypeVar("_Item")


class Labeller(Served):
    """Scores the labels of model inputs.

    Any number of threads may share it.

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
        run: Model,
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

    def _label(
        self, items: Sequence[_Item], encode: Callable[[Sequence[_Item]], list[ModelInput]], lang: str | None
    ) -> Iterator[tuple[str, float, Floats]]:
        """Finds the label of each item.

        Args:
            items: What has a label.
            encode: Turns some of them into model input.
            lang: Language of the texts, by which the score is calibrated where the bundle knows how.

        Yields:
            The best label, the calibrated probability that it is right, and the logarithm of the probability that the
            model gives to each label.

        Raises:
            BundleError: If the model has not as many labels as the manifest.
        """
        if lang is not None:
            check_lang(lang)
        for start in range(0, len(items), _INPUTS_AT_ONCE):
            inputs = encode(items[start : start + _INPUTS_AT_ONCE])
            rows = dict(run_sorted(self._run, self._encoder, inputs, self._places))
            for at in range(len(inputs)):
                logits = rows[at]["logits"]
                if len(logits) != len(self.labels):
                    raise BundleError(
                        f"the model gives {len(logits)} logits for {len(self.labels)} labels; export the bundle again"
                    )
                # A model that gives no numbers says nothing for any label.
                scores = log_softmax(logits if np.isfinite(logits).all() else np.zeros_like(logits))
                best = int(scores.argmax())
                yield self.labels[best], self._calibration.confidence(float(scores[best]), lang), scores

    def _pairs(self, pairs: Sequence[tuple[str, str]]) -> list[ModelInput]:
        """Turns pairs of texts into model input."""
        firsts = self._encoder.tokenize([first for first, _ in pairs])
        seconds = self._encoder.tokenize([second for _, second in pairs])
        return [self._encoder.pair(a, b) for a, b in zip(firsts, seconds, strict=True)]
