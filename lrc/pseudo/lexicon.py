"""A bilingual lexicon induced from parallel text and the backbone's vectors.

In each pair of sentences two words are aligned where each is the other's nearest (the Argmax of Sabet et al. 2020,
SimAlign: High Quality Word Alignments Without Parallel Training Data Using Static and Contextualized Embeddings); the
alignments are summed over all pairs.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from ..console import progress
from ..data.parallel import SentencePair
from .text import Segmenter, batches
from .vectors import Floats, WordVectors

# Mutual neighbours less alike than this are chance.
LEAST_SIMILARITY = 0.3
_BATCH = 64
_MOST_TRANSLATIONS = 5
Lexicon = dict[str, list[tuple[str, float]]]
Weights = dict[str, dict[str, float]]


def induce(pairs: Sequence[SentencePair], segmenter: Segmenter, vectors: WordVectors) -> tuple[Lexicon, Lexicon]:
    """Returns the translations of words, from the first language to the second and back.

    Args:
        pairs: Sentences and their translations.
        segmenter: Finds words.
        vectors: Of words.

    Returns:
        By case-folded word its translations and their probabilities, the likeliest first. The probability of a
        translation is its share of the similarity that all alignments of the word sum up to.
    """
    forth: Weights = defaultdict(lambda: defaultdict(float))
    back: Weights = defaultdict(lambda: defaultdict(float))
    with progress("align words", len(pairs)) as advance:
        for part in batches(pairs, _BATCH):
            firsts, seconds = (_words(texts, segmenter, vectors) for texts in zip(*part, strict=True))
            for (first, a), (second, b) in zip(firsts, seconds, strict=True):
                if not first or not second:
                    continue
                for i, j, cosine in mutual(a @ b.T):
                    forth[first[i].casefold()][second[j]] += cosine
                    back[second[j].casefold()][first[i]] += cosine
            advance(len(part))
    return _probabilities(forth), _probabilities(back)


def mutual(similarity: Floats) -> Iterator[tuple[int, int, float]]:
    """Yields the words of two sentences that are each other's nearest, by their places, and their cosine.

    Args:
        similarity: Cosines (words of the one, words of the other), neither of which is empty.
    """
    there = similarity.argmax(axis=0)
    for i, j in enumerate(similarity.argmax(axis=1)):
        if there[j] == i and similarity[i, j] >= LEAST_SIMILARITY:
            yield i, int(j), float(similarity[i, j])


def _words(texts: Sequence[str], segmenter: Segmenter, vectors: WordVectors) -> list[tuple[list[str], Floats]]:
    """Returns the words of each text and their vectors."""
    spans = [segmenter.words(text) for text in texts]
    found = zip(texts, spans, vectors(texts, spans), strict=True)
    return [([word.of(text) for word in words], unit) for text, words, unit in found]


def _probabilities(weights: Weights) -> Lexicon:
    lexicon = {}
    for word, found in weights.items():
        total = sum(found.values())
        ranked = sorted(found.items(), key=lambda item: -item[1])[:_MOST_TRANSLATIONS]
        lexicon[word] = [(other, weight / total) for other, weight in ranked]
    return lexicon


def choose(translations: Sequence[tuple[str, float]], rng: np.random.Generator) -> tuple[str, float]:
    """Draws one translation by its probability."""
    shares = np.array([share for _, share in translations])
    return translations[rng.choice(len(translations), p=shares / shares.sum())]
