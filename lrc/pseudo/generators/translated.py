"""Cloze questions across languages: a sentence of the passage is asked for in its translation.

The translation says the same in other words, so that the question is not answered by finding its words in the passage.
The answer is carried from the translation to the passage by the words that are aligned.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ...data.examples import Question
from ...data.parallel import SentencePair
from ...data.passages import Passage
from ..entities import entities
from ..examples import Made, identity
from ..lexicon import LEAST_SIMILARITY, mutual
from ..text import Document, Frequencies, Segmenter, Span, batches
from ..vectors import Floats, WordVectors
from .clozes import cloze_question

# Questions that one sentence may give, and what is tried for each besides names, numbers and dates.
_MOST_A_SENTENCE = 2
_RUNS = 2
_LONGEST_RUN = 3
# Code points by which a line is looked up; shorter ones ask for nothing.
_KEY = 12
_BATCH = 8


def translated_clozes(
    documents: Iterator[Document],
    lang: str,
    pairs: Sequence[SentencePair],
    segmenter: Segmenter,
    vectors: WordVectors,
    rng: np.random.Generator,
) -> Iterator[Made]:
    """Yields questions in the language of the translation, on passages that hold sentences of the parallel text.

    Args:
        documents: Running text.
        lang: Its language.
        pairs: Sentences of that language and their translations.
        segmenter: Finds words.
        vectors: Of words.
        rng: Chooses answers and the words left out.

    Yields:
        Questions scored by the mean cosine of the answer's words and those that they are aligned with.
    """
    lines = _Lines(pairs, segmenter)
    for batch in batches(documents, _BATCH):
        found = [(document, place, line) for document in batch for place, line in lines.of(document)]
        if not found:
            continue
        firsts, seconds = ([pairs[line][side] for _, _, line in found] for side in (0, 1))
        words = [segmenter.words(text) for text in firsts]
        asked = [segmenter.document(Passage(text, "")) for text in seconds]
        there, here = vectors(seconds, [sentence.words for sentence in asked]), vectors(firsts, words)
        for (document, place, _), own, sentence, a, b in zip(found, words, asked, there, here, strict=True):
            if not sentence.words or not own:
                continue
            made = 0
            similarity = a @ b.T
            candidates = _candidates(sentence, lines.frequencies, rng)
            for index in rng.permutation(len(candidates)):
                blank = candidates[index]
                carried = _carry([word.overlaps(blank) for word in sentence.words], similarity)
                if carried is None:
                    continue
                first, last, cosine = carried
                answer = Span(own[first].start, own[last].end).moved(place)
                text = answer.of(document.text)
                # An answer that stands elsewhere too would make that place look wrong.
                if document.text.count(text) > 1:
                    continue
                question = cloze_question(sentence, Span(0, len(sentence.text)), blank, rng)
                if question is None:
                    continue
                name = identity("translated", document.where, question, text)
                yield Made(Question(name, lang, "", question, document.text, ((text, answer.start),)), cosine)
                made += 1
                if made == _MOST_A_SENTENCE:
                    break


class _Lines:
    """Finds sentences of parallel text in passages, which may hold several in a row."""

    def __init__(self, pairs: Sequence[SentencePair], segmenter: Segmenter) -> None:
        self._pairs = pairs
        self._starting: dict[str, list[int]] = {}
        self.frequencies = Frequencies()
        for index, (first, second) in enumerate(pairs):
            self._starting.setdefault(first[:_KEY], []).append(index)
            self.frequencies.add(segmenter.document(Passage(second, "")))

    def of(self, document: Document) -> Iterator[tuple[int, int]]:
        """Yields where a line begins in the passage, and its number; lines do not overlap."""
        text, place = document.text, 0
        while place < len(text):
            starting = self._starting.get(text[place : place + _KEY], [])
            fits = [index for index in starting if text.startswith(self._pairs[index][0], place)]
            if fits:
                longest = max(fits, key=lambda index: len(self._pairs[index][0]))
                yield place, longest
                place += len(self._pairs[longest][0])
            else:
                place += 1


def _candidates(sentence: Document, frequencies: Frequencies, rng: np.random.Generator) -> list[Span]:
    """Returns names, numbers, dates and some short runs of words that begin and end with no function word."""
    found = [span for _, span in entities(sentence, frequencies)]
    for _ in range(_RUNS):
        first = int(rng.integers(len(sentence.words)))
        run = sentence.words[first : first + int(rng.integers(1, _LONGEST_RUN + 1))]
        span = Span(run[0].start, run[-1].end)
        rare = not any(frequencies.is_common(word.of(sentence.text)) for word in (run[0], run[-1]))
        if rare and not any(span.overlaps(other) for other in found):
            found.append(span)
    return found


def _carry(inside: Sequence[bool], similarity: Floats) -> tuple[int, int, float] | None:
    """Carries an answer to the other sentence.

    Args:
        inside: For each word whether it is of the answer.
        similarity: (words, words of the other sentence).

    Returns:
        The first and last word there, and the mean cosine of those that are aligned; None where the answer's words are
        not aligned, or lie apart.
    """
    alignments = list(mutual(similarity))
    aligned = [(j, cosine) for i, j, cosine in alignments if inside[i]]
    count = sum(inside)
    if not aligned or len(aligned) < count - 1:
        return None
    first, last = min(j for j, _ in aligned), max(j for j, _ in aligned)
    nearest, most = similarity.argmax(axis=0), similarity.max(axis=0)

    def belongs(word: int) -> bool:
        # What one word says may take several there.
        return bool(0 <= word < len(nearest) and inside[nearest[word]] and most[word] >= LEAST_SIMILARITY)

    while belongs(first - 1):
        first -= 1
    while belongs(last + 1):
        last += 1
    if last - first > 2 * count or any(first <= j <= last and not inside[i] for i, j, _ in alignments):
        return None
    return first, last, float(np.mean([cosine for _, cosine in aligned]))
