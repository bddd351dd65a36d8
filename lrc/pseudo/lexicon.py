"""A bilingual lexicon induced from parallel text and the backbone's vectors.

In each pair of sentences two words are aligned where each is the other's nearest (the Argmax of Sabet et al. 2020,
SimAlign: High Quality Word Alignments Without Parallel Training Data Using Static and Contextualized Embeddings); the
alignments are summed over all pairs.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from ..data.parallel import SentencePair
from .text import Segmenter
from .vectors import WordVectors

# Mutual neighbours less alike than this are chance.
_LEAST_SIMILARITY = 0.3
_BATCH = 64
_MOST_TRANSLATIONS = 5
Lexicon = dict[str, list[tuple[str, float]]]


def induce(
    pairs: Sequence[SentencePair], segmenter: Segmenter, vectors: WordVectors, advance: Callable[[int], None]
) -> Lexicon:
    """Returns the translations of words.

    Args:
        pairs: Sentences and their translations.
        segmenter: Finds words.
        vectors: Of words.
        advance: Called with the number of pairs done.

    Returns:
        By case-folded word its translations and their probabilities, the likeliest first. The probability of a
        translation is its share of the similarity that all alignments of the word sum up to.
    """
    weights: dict[str, Counter[str]] = defaultdict(Counter)
    for start in range(0, len(pairs), _BATCH):
        part = pairs[start : start + _BATCH]
        sides = []
        for texts in zip(*part, strict=True):
            words = [segmenter.words(text) for text in texts]
            sides.append([([w.of(t) for w in ws], v) for t, ws, v in zip(texts, words, vectors(texts, words), strict=True)])
        for (first, a), (second, b) in zip(*sides, strict=True):
            if len(first) and len(second):
                similarity = a @ b.T
                for i, j in enumerate(similarity.argmax(axis=1)):
                    if similarity[:, j].argmax() == i and similarity[i, j] >= _LEAST_SIMILARITY:
                        weights[first[i].casefold()][second[j]] += float(similarity[i, j])
        advance(len(part))
    return {word: _shares(found) for word, found in weights.items()}


def _shares(found: Counter[str]) -> list[tuple[str, float]]:
    total = sum(found.values())
    return [(word, weight / total) for word, weight in found.most_common(_MOST_TRANSLATIONS)]


def choose(translations: Sequence[tuple[str, float]], rng: np.random.Generator) -> tuple[str, float]:
    """Draws one translation by its probability."""
    shares = np.array([share for _, share in translations])
    return translations[rng.choice(len(translations), p=shares / shares.sum())]
