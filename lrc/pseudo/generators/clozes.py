"""Cloze questions about names, numbers and dates.

The sentence that holds the answer is the question, with the answer blanked and some of its words left out, so that it
is not found by its words alone; the whole passage is the context.
"""

from collections.abc import Iterator

import numpy as np

from ...data.examples import Question
from ..entities import entities
from ..examples import BLANK, Made, identity
from ..text import Document, Frequencies, Span, replaced, sentence_of
from .inputs import Generator, Inputs

# Words of a question that are left out, and words that must be left beside the blank.
_DROPPED = 0.25
_FEWEST_LEFT = 4
_MOST_A_PASSAGE = 3


def clozes(
    documents: Iterator[Document], lang: str, frequencies: Frequencies, rng: np.random.Generator
) -> Iterator[Made]:
    """Yields cloze questions.

    Args:
        documents: Running text.
        lang: Its language.
        frequencies: How common words are; the passages are not added to it here.
        rng: Chooses answers and the words left out.

    Yields:
        Questions scored by how rare the answer's words are.
    """
    for document in documents:
        text, bounds = document.text, document.sentences
        if len(bounds) < 2:
            continue
        found = [span for _, span in entities(document, frequencies)]
        asked: set[int] = set()
        for index in rng.permutation(len(found)):
            answer = found[index]
            number = sentence_of(bounds, answer.start)
            # An answer that stands elsewhere too would make that place look wrong.
            if number in asked or text.count(answer.of(text)) > 1:
                continue
            question = cloze_question(document, bounds[number], answer, rng)
            if question is None:
                continue
            asked.add(number)
            name = identity("clozes", document.where, question)
            score = frequencies.rarity([word.of(text) for word in document.words_of(answer)] or [answer.of(text)])
            yield Made(Question(name, lang, "", question, text, ((answer.of(text), answer.start),)), score)
            if len(asked) == _MOST_A_PASSAGE:
                break


def cloze_question(document: Document, sentence: Span, answer: Span, rng: np.random.Generator) -> str | None:
    """Returns a sentence with the answer blanked and a share of its other words left out; None if few are left.

    Args:
        document: What the sentence is of.
        sentence: Where it stands.
        answer: Where the answer stands in it.
        rng: Chooses the words left out.
    """
    text = document.text
    words = [word for word in document.words_of(sentence) if not word.overlaps(answer)]
    dropped = rng.random(len(words)) < _DROPPED
    if (~dropped).sum() < _FEWEST_LEFT:
        return None
    gaps = [(word, "") for word, drop in zip(words, dropped, strict=True) if drop]
    return " ".join(replaced(text, sentence, [*gaps, (answer, BLANK)]).split())


def _make(inputs: Inputs) -> Iterator[Made]:
    return clozes(inputs.documents(), inputs.lang, inputs.frequencies, inputs.rng)


def _translated(inputs: Inputs) -> Iterator[Made]:
    from .translated import translated_clozes

    vectors = inputs.vectors
    return translated_clozes(inputs.documents(), inputs.lang, inputs.pairs(), inputs.segmenter, vectors, inputs.rng)


GENERATOR = Generator(make=_make, translated=_translated)
