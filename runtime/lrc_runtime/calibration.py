"""From what a model says of itself to how often it is right."""

import math
from dataclasses import dataclass, field

from .languages import find_lang


@dataclass(frozen=True)
class Calibration:
    """Two logistic curves, fitted at export on labelled examples that the model was not trained on (Platt 1999).

    With the values here, the model's own probabilities are passed on.

    Attributes:
        slope: Of the curve from the log-odds of a model's own probability to those that it is right.
        intercept: Of that curve.
        languages: Added to the intercept for a language, where that was found to help.
        no_answer_slope: Of the curve from the log-odds of the best span against "no answer" to those that the context
            answers; 0 where the model cannot tell.
        no_answer_intercept: Of that curve.
    """

    slope: float = 1.0
    intercept: float = 0.0
    languages: dict[str, float] = field(default_factory=dict)
    no_answer_slope: float = 1.0
    no_answer_intercept: float = 0.0

    def confidence(self, log_probability: float, lang: str | None = None) -> float:
        """Returns the probability of being right.

        Args:
            log_probability: Natural logarithm of the model's own probability.
            lang: Language of the text, if it is known, in any spelling.
        """
        known = None if lang is None else find_lang(lang, self.languages)
        offset = 0.0 if known is None else self.languages[known]
        return _sigmoid(self.slope * log_odds(log_probability) + self.intercept + offset)

    def no_answer(self, margin: float) -> float:
        """Returns the probability that a context does not answer.

        Args:
            margin: Log-odds of the best span against "no answer".
        """
        return _sigmoid(-(self.no_answer_slope * margin + self.no_answer_intercept))


def log_odds(log_probability: float) -> float:
    """Returns log(p / (1 - p)) of log(p), within what float64 can tell from 0 and 1."""
    bounded = min(max(log_probability, -700.0), -1e-12)
    return bounded - math.log(-math.expm1(bounded))


def _sigmoid(value: float) -> float:
    return 0.5 * (1 + math.tanh(value / 2))
