"""Recurring-span selection (Ram et al. 2021, Few-Shot Question Answering by Pretraining Span Selection).

A span that stands twice in a passage says something about its sentences: one of these becomes the question, with the
span blanked; the rest of the passage is the context, and the other occurrences are the answers.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ..data.passages import Passage
from .questions import BLANK, PseudoQuestion, identity
from .text import Frequencies, Span, is_unsegmented, keys, sentence_of, sentences, words

# Longest span in words, or in characters where there are no spaces; and the fewest letters worth asking for.
_LONGEST = 6
_LONGEST_UNSEGMENTED = 12
_FEWEST_LETTERS = 3
_FEWEST_UNSEGMENTED = 2
_FEWEST_SYLLABIC = 5
# Words that more passages hold are function words: a span neither begins nor ends with one.
_COMMON = 0.05
# Words that a question must have besides the blank, and questions that one passage may give.
_FEWEST_LEFT = 5
_MOST_A_PASSAGE = 2


def recurring_spans(
    passages: Iterator[Passage], lang: str, frequencies: Frequencies, rng: np.random.Generator
) -> Iterator[PseudoQuestion]:
    """Yields questions from passages in which something recurs.

    Args:
        passages: Running text.
        lang: Its language.
        frequencies: How common words are; the passages are not added to it here.
        rng: Chooses the occurrence that becomes the question.

    Yields:
        Questions scored by how rare the span's words are, 0 to 1.
    """
    for passage in passages:
        text = passage.text
        tokens = words(text)
        bounds = sentences(text)
        if len(bounds) < 2:
            continue
        made = 0
        taken: set[str] = set()
        for score, places in _candidates(text, tokens, bounds, frequencies):
            answer = places[0].of(text).casefold()
            if any(answer in other or other in answer for other in taken):
                continue
            question = _ask(passage, lang, tokens, bounds, places, score, rng)
            if question is not None:
                taken.add(answer)
                made += 1
                yield question
            if made == _MOST_A_PASSAGE:
                break


def _candidates(
    text: str, tokens: list[Span], bounds: list[Span], frequencies: Frequencies
) -> list[tuple[float, list[Span]]]:
    """Returns spans that stand in two sentences or more and are part of no longer one, the rarest first."""
    folded = [token.of(text).casefold() for token in tokens]
    sentence = [sentence_of(bounds, token.start) for token in tokens]
    joined = [
        index + 1 < len(tokens)
        and sentence[index] == sentence[index + 1]
        and not text[token.end : tokens[index + 1].start].strip()
        for index, token in enumerate(tokens)
    ]
    covered: set[int] = set()
    found = []
    for length in range(_LONGEST_UNSEGMENTED, 0, -1):
        groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for first in range(len(tokens) - length + 1):
            if all(joined[first : first + length - 1]):
                groups[tuple(folded[first : first + length])].append(first)
        for key, starts in groups.items():
            if len({sentence[first] for first in starts}) < 2 or not _worth(key, length, frequencies):
                continue
            # Part of a longer span wherever it stands: the longer one is the better answer.
            if all(index in covered for first in starts for index in range(first, first + length)):
                continue
            covered.update(index for first in starts for index in range(first, first + length))
            places = [Span(tokens[first].start, tokens[first + length - 1].end) for first in starts]
            most = frequencies.rarity("")
            score = sum(frequencies.rarity(word) for word in keys(list(key))) / len(keys(list(key))) / max(most, 1e-9)
            found.append((score, places))
    return sorted(found, key=lambda item: (-item[0], item[1][0].start))


def _worth(key: tuple[str, ...], length: int, frequencies: Frequencies) -> bool:
    letters = sum(character.isalnum() for word in key for character in word)
    if is_unsegmented(key[0]) and is_unsegmented(key[-1]):
        # Single characters are common in any passage; what counts is the pairs that they stand in.
        pairs = [a + b for a, b in pairwise(key)]
        fewest = _FEWEST_UNSEGMENTED if key[0][0] >= "\u2e80" else _FEWEST_SYLLABIC
        return letters >= fewest and all(frequencies.share(pair) < _COMMON for pair in pairs)
    if length > _LONGEST or letters < _FEWEST_LETTERS:
        return False
    return frequencies.share(key[0]) < _COMMON and frequencies.share(key[-1]) < _COMMON


def _ask(
    passage: Passage,
    lang: str,
    tokens: list[Span],
    bounds: list[Span],
    places: list[Span],
    score: float,
    rng: np.random.Generator,
) -> PseudoQuestion | None:
    text = passage.text
    for index in rng.permutation(len(places)):
        place = places[index]
        asked = bounds[sentence_of(bounds, place.start)]
        left = sum(asked.start <= token.start and token.end <= asked.end for token in tokens) - sum(
            place.start <= token.start and token.end <= place.end for token in tokens
        )
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
        context = head + joint + tail
        return PseudoQuestion(
            identity("spans", passage.where, question), lang, question, context, answers, "spans", score
        )
    return None
