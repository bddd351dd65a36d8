"""Paraphrases by a round trip through parallel text (Bannard and Callison-Burch 2005).

Two words of a language that share a translation mean much the same: p(other | word) is the sum over their translations
of p(translation | word) p(other | translation). Where the other word also fits its place, in the backbone's space, it
replaces the word.
"""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from ..data.examples import Pair
from .alike import CONTENT, FEWEST_WORDS, MOST_WORDS
from .examples import Made, identity
from .lexicon import Lexicon
from .text import Document, Frequencies, Span, batches, replaced, span_after
from .vectors import WordVectors

# Least probability of a paraphrase, and least cosine of the word and its paraphrase in the same place.
_LEAST_SHARE = 0.1
_LEAST_COSINE = 0.7
_MOST_REPLACED = 3
_BATCH = 32

Paraphrases = dict[str, list[tuple[str, float]]]


def paraphrases(forth: Lexicon, back: Lexicon) -> Paraphrases:
    """Returns for each word, case-folded, others that share a translation, and their probabilities."""
    table = {}
    for word, translations in forth.items():
        shares: dict[str, float] = defaultdict(float)
        for translation, share in translations:
            for other, returned in back.get(translation.casefold(), []):
                if other.casefold() != word:
                    shares[other] += share * returned
        kept = [
            (other, share)
            for other, share in sorted(shares.items(), key=lambda item: -item[1])
            if share >= _LEAST_SHARE
        ]
        if kept:
            table[word] = kept
    return table


def round_trips(
    documents: Iterator[Document],
    lang: str,
    frequencies: Frequencies,
    table: Paraphrases,
    vectors: WordVectors,
    rng: np.random.Generator,
) -> Iterator[Made]:
    """Yields pairs of a sentence and itself with some words replaced by paraphrases, labelled 1.

    Args:
        documents: Running text.
        lang: Its language.
        frequencies: How common words are: function words are not replaced.
        table: See `paraphrases`.
        vectors: Of words.
        rng: Chooses the words.

    Yields:
        Pairs scored by the least cosine of a word and its replacement.
    """
    sentences = (
        (document, sentence)
        for document in documents
        for sentence in document.whole_sentences()
        if FEWEST_WORDS <= len(document.words_of(sentence)) <= MOST_WORDS
    )
    for batch in batches(sentences, _BATCH):
        found = [(d, s, c) for d, s in batch if (c := _changes(d, s, frequencies, table, rng))]
        if not found:
            continue
        texts = [sentence.of(document.text) for document, sentence, _ in found]
        old = [[word for word, _ in changes] for *_, changes in found]
        changed = [_replace(text, changes) for text, (*_, changes) in zip(texts, found, strict=True)]
        new = [[span_after(word, changes) for word, _ in changes] for *_, changes in found]
        units = zip(vectors(texts, old), vectors(changed, new), strict=True)
        for text, (document, _, changes), (before, after) in zip(texts, found, units, strict=True):
            cosines = np.einsum("ij,ij->i", before, after)
            fits = [index for index, cosine in enumerate(cosines) if cosine >= _LEAST_COSINE]
            if fits:
                second = _replace(text, [changes[index] for index in fits])
                pair = Pair(identity("roundtrips", document.where, second), lang, text, second, 1)
                yield Made(pair, float(cosines[fits].min()))


def _changes(
    document: Document, sentence: Span, frequencies: Frequencies, table: Paraphrases, rng: np.random.Generator
) -> list[tuple[Span, str]]:
    """Returns words of a sentence, placed within it, and what is to stand there instead."""
    found = []
    for word in document.words_of(sentence):
        text = word.of(document.text)
        if text.casefold() in table and CONTENT.fullmatch(text) and not frequencies.is_common(text):
            others = table[text.casefold()]
            other = others[rng.integers(len(others))][0]
            if CONTENT.fullmatch(other):
                found.append((word.moved(-sentence.start), other))
    picked = rng.permutation(len(found))[:_MOST_REPLACED]
    return [found[index] for index in sorted(picked)]


def _replace(text: str, changes: list[tuple[Span, str]]) -> str:
    return replaced(text, Span(0, len(text)), changes)
