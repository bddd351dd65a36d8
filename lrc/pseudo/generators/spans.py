"""Recurring-span selection (Ram et al. 2021, Few-Shot Question Answering by Pretraining Span Selection).

A span that stands twice in a passage says something about its sentences: one of these becomes the question, with the
span blanked; the rest of the passage is the context, and the other occurrences are the answers.
"""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from ...data.examples import Question
from ..examples import BLANK, Made, identity
from ..text import Document, Frequencies, Span, is_unsegmented, sentence_of
from .inputs import Generator, Inputs

# Longest span in words, and the fewest letters worth asking for: a character of Han says more than a letter.
_LONGEST = 6
_FEWEST_LETTERS = 3
_FEWEST_HAN = 2
# Words that a question must have besides the blank, and questions that one passage may give.
_FEWEST_LEFT = 5
_MOST_A_PASSAGE = 2


def recurring_spans(
    documents: Iterator[Document], lang: str, frequencies: Frequencies, rng: np.random.Generator
) -> Iterator[Made]:
    """Yields questions from passages in which something recurs.

    Args:
        documents: Running text.
        lang: Its language.
        frequencies: How common words are; the passages are not added to it here.
        rng: Chooses the occurrence that becomes the question.

    Yields:
        Questions scored by how rare the span's words are.
    """
    for document in documents:
        if len(document.sentences) < 2:
            continue
        made = 0
        taken: set[str] = set()
        for score, places in _candidates(document, frequencies):
            answer = places[0].of(document.text).casefold()
            if any(answer in other or other in answer for other in taken):
                continue
            question = _ask(document, lang, places, rng)
            if question is not None:
                taken.add(answer)
                made += 1
                yield Made(question, score)
            if made == _MOST_A_PASSAGE:
                break


def _candidates(document: Document, frequencies: Frequencies) -> list[tuple[float, list[Span]]]:
    """Returns spans that stand in two sentences or more and are part of no longer one, the rarest first."""
    text, words = document.text, document.words
    folded = [word.of(text).casefold() for word in words]
    sentence = [sentence_of(document.sentences, word.start) for word in words]
    joined = [
        index + 1 < len(words)
        and sentence[index] == sentence[index + 1]
        and not text[word.end : words[index + 1].start].strip()
        for index, word in enumerate(words)
    ]
    covered: set[int] = set()
    found = []
    for length in range(_LONGEST, 0, -1):
        groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for first in range(len(words) - length + 1):
            if all(joined[first : first + length - 1]):
                groups[tuple(folded[first : first + length])].append(first)
        for key, starts in groups.items():
            if len({sentence[first] for first in starts}) < 2 or not _worth(key, frequencies):
                continue
            # Part of a longer span wherever it stands: the longer one is the better answer.
            if all(index in covered for first in starts for index in range(first, first + length)):
                continue
            covered.update(index for first in starts for index in range(first, first + length))
            places = [Span(words[first].start, words[first + length - 1].end) for first in starts]
            found.append((frequencies.rarity(key), places))
    return sorted(found, key=lambda item: (-item[0], item[1][0].start))


def _worth(key: tuple[str, ...], frequencies: Frequencies) -> bool:
    """A span neither begins nor ends with a function word, and has letters enough to be asked for."""
    letters = sum(character.isalnum() for word in key for character in word)
    han = is_unsegmented(key[0]) and key[0][0] >= "\u2e80"
    if letters < (_FEWEST_HAN if han else _FEWEST_LETTERS):
        return False
    return not frequencies.is_common(key[0]) and not frequencies.is_common(key[-1])


def _ask(document: Document, lang: str, places: list[Span], rng: np.random.Generator) -> Question | None:
    text, bounds = document.text, document.sentences
    for index in rng.permutation(len(places)):
        place = places[index]
        asked = bounds[sentence_of(bounds, place.start)]
        left = sum(not word.overlaps(place) for word in document.words_of(asked))
        others = [other for other in places if not asked.start <= other.start < asked.end]
        if left < _FEWEST_LEFT or not others:
            continue
        question = f"{text[asked.start : place.start]}{BLANK}{text[place.end : asked.end]}"
        head, tail = text[: asked.start].rstrip(), text[asked.end :].lstrip()
        joint = " " if head and tail else ""
        moved = len(head) + len(joint) - (len(text) - len(tail))
        answers = tuple(
            (other.of(text), other.start if other.end <= len(head) else other.start + moved) for other in others
        )
        name = identity("spans", document.where, question)
        return Question(name, lang, "", question, head + joint + tail, answers)
    return None


def _make(inputs: Inputs) -> Iterator[Made]:
    return recurring_spans(inputs.documents(), inputs.lang, inputs.frequencies, inputs.rng)


GENERATOR = Generator(make=_make)
