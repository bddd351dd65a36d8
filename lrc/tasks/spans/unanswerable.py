"""Scores of questions of which some have no answer, as SQuAD v2.0's evaluation script defines them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """What became of one question.

    Attributes:
        f1: Of the best span, 0 to 1; of a question without an answer 0, unless no span was found.
        exact: Its exact match, likewise.
        no_answer: Probability that was given for "no answer", 0 to 1.
        answerable: Whether the question has an answer.
    """

    f1: float
    exact: float
    no_answer: float
    answerable: bool

    def at(self, threshold: float) -> tuple[float, float]:
        """Returns F1 and exact match where a probability above the threshold means "no answer"."""
        if self.no_answer <= threshold:
            return self.f1, self.exact
        return (0.0, 0.0) if self.answerable else (1.0, 1.0)


def scores_of_both(outcomes: Sequence[Outcome], threshold: float) -> dict[str, float]:
    """Scores questions with and without an answer apart, and finds the best threshold.

    Args:
        outcomes: Of all questions; at least one has no answer.
        threshold: Probability of "no answer" above which the answerer gives none.

    Returns:
        In percent `has_answer_f1` and `has_answer_exact_match` (where a question has one), `no_answer_f1` and
        `no_answer_exact_match`, which are the same, and `best_f1` and `best_exact_match`: those of all questions at
        the thresholds that suit them best, which `best_f1_threshold` and `best_exact_threshold` give, 0 to 1.
    """
    found: dict[str, float] = {}
    for name, answerable in (("has_answer", True), ("no_answer", False)):
        rows = [outcome.at(threshold) for outcome in outcomes if outcome.answerable is answerable]
        if rows:
            f1, exact = 100 * np.mean(rows, axis=0)
            found |= {f"{name}_f1": float(f1), f"{name}_exact_match": float(exact)}
    for name, values in (
        ("f1", [outcome.f1 for outcome in outcomes]),
        ("exact", [outcome.exact for outcome in outcomes]),
    ):
        best, where = _best(values, outcomes)
        found |= {"best_f1" if name == "f1" else "best_exact_match": best, f"best_{name}_threshold": where}
    return found


def _best(values: Sequence[float], outcomes: Sequence[Outcome]) -> tuple[float, float]:
    """Returns the best mean in percent over all thresholds from 0 to 1, and the least threshold that has it."""
    refused = np.array([0.0 if outcome.answerable else 1.0 for outcome in outcomes])
    unsure = np.array([outcome.no_answer for outcome in outcomes])
    order = np.argsort(unsure, kind="stable")
    # Before the first: every question is refused. Each one that is answered changes the sum.
    sums = np.concatenate([[refused.sum()], refused.sum() + np.cumsum((np.array(values) - refused)[order])])
    # Between two questions of the same probability there is no threshold, and none below 0.
    sorted_unsure = unsure[order]
    allowed = np.concatenate([sorted_unsure[:1] > 0, sorted_unsure[1:] > sorted_unsure[:-1], [True]])
    at = int(np.argmax(np.where(allowed, sums, -np.inf)))
    return 100 * float(sums[at]) / len(outcomes), float(sorted_unsure[at - 1]) if at else 0.0
