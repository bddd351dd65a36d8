"""The paired bootstrap (Koehn 2004): what a difference of two systems may be by chance."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def resampled_means(differences: Sequence[Floats], draws: int, seed: int = 0) -> Floats:
    """Returns the mean difference of many sets of examples that are drawn again with replacement.

    Groups of equally many examples share the draw: a set that is parallel over languages has fewer independent examples
    than it has rows.

    Args:
        differences: For each group the differences of the outcomes, (seeds, examples); all of as many seeds. Several
            seeds are drawn again too.
        draws: How many sets.
        seed: Of the draws.

    Returns:
        The mean over the groups, (draws,).
    """
    rng = np.random.default_rng(seed)
    seeds = len(differences[0])
    seed_weights = _weights(rng, seeds, draws) if seeds > 1 else np.ones((draws, 1))
    by_count: dict[int, Floats] = {}
    means = np.zeros(draws)
    for values in differences:
        count = values.shape[1]
        if count not in by_count:
            by_count[count] = _weights(rng, count, draws)
        means += ((seed_weights @ values) * by_count[count]).sum(axis=1) / len(differences)
    return means


def _weights(rng: np.random.Generator, count: int, draws: int) -> Floats:
    drawn: Floats = rng.multinomial(count, np.full(count, 1 / count), draws) / count
    return drawn
