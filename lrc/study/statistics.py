"""Mean, spread and significance over seeds and test questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lrc_exporters.bootstrap import resampled_means

_DRAWS = 5000


@dataclass(frozen=True)
class Comparison:
    """A paired comparison of two configurations.

    Attributes:
        difference: Mean score of the first less that of the second, in points.
        low: Lower end of the 95 % interval.
        high: Its upper end.
        p: Two-sided; at least one over the number of draws.
    """

    difference: float
    low: float
    high: float
    p: float

    @property
    def significant(self) -> bool:
        """Whether p is below 0.05."""
        return self.p < 0.05


def mean_sd(values: Sequence[float]) -> tuple[float, float]:
    """Returns the mean and the sample standard deviation, which is 0 for one value."""
    array = np.asarray(values, dtype=float)
    return float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else 0.0


def paired_bootstrap(
    first: Sequence[Mapping[str, Sequence[float]]],
    second: Sequence[Mapping[str, Sequence[float]]],
    seed: int = 0,
) -> Comparison:
    """Compares two configurations on the same questions and seeds (paired bootstrap, Koehn 2004).

    Seeds and questions are both drawn again with replacement, so the interval is one over both. Languages with
    equally many questions share the draw of questions: a set that is parallel over languages has fewer independent
    questions than it has rows.

    Args:
        first: For each seed the outcome (0 to 1) of every question by language.
        second: The same of the other configuration, in the same order.
        seed: Of the draws.

    Raises:
        ValueError: If seeds, languages or numbers of questions differ.
    """
    if len(first) != len(second) or not first:
        raise ValueError("the configurations have different seeds")
    langs = list(first[0])
    differences = []
    for lang in langs:
        rows = [(one.get(lang, ()), other.get(lang, ())) for one, other in zip(first, second, strict=True)]
        counts = {len(values) for pair in rows for values in pair}
        if len(counts) != 1 or not counts.isdisjoint({0}):
            raise ValueError(f"the configurations have different questions in {lang}")
        differences.append(np.array([np.subtract(one, other) for one, other in rows], dtype=float))
    means = resampled_means(differences, _DRAWS, seed)
    observed = float(np.mean([values.mean() for values in differences]))
    low, high = np.quantile(means, [0.025, 0.975])
    # No difference on any question is no evidence, although every draw gives 0.
    tail = min((means <= 0).mean(), (means >= 0).mean())
    p = min(1.0, max(2 * float(tail), 1 / _DRAWS))
    return Comparison(100 * observed, 100 * float(low), 100 * float(high), p)
