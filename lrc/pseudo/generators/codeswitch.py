"""Code-switching: labelled examples of a source language in which some words are put into the target language.

The labels stand, so a model learns that the words of both languages mean the same (Qin et al. 2020, CoSDA-ML).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ...data.examples import Example, Question
from ..examples import Made
from ..lexicon import Lexicon, choose, induce
from ..text import Segmenter, Span, replaced, span_after
from .inputs import Generator, Inputs

# Share of the words with a translation that are replaced.
_REPLACED = 0.5


def code_switch(
    examples: Iterable[Example], lang: str, lexicon: Lexicon, segmenter: Segmenter, rng: np.random.Generator
) -> Iterator[Made]:
    """Yields the examples in which something could be replaced; a word has one translation all through an example.

    Args:
        examples: In the source language.
        lang: The target language, which the new examples are said to be in.
        lexicon: From source to target.
        segmenter: Finds words.
        rng: Chooses words and translations.

    Yields:
        Examples with the ids of their originals, scored by the mean probability of the translations taken.
    """
    for example in examples:
        switch = _Switch(lexicon, segmenter, rng)
        if isinstance(example, Question):
            bounds = [Span(start, start + len(text)) for text, start in example.answers]
            question, _ = switch(example.question, [])
            context, answers = switch(example.context, bounds)
            switched: Example = replace(
                example,
                lang=lang,
                question=question,
                context=context,
                answers=tuple((span.of(context), span.start) for span in answers),
            )
        else:
            switched = example.rewritten(lang, [switch(text, [])[0] for text in example.texts])
        if switch.shares:
            yield Made(switched, float(np.mean(switch.shares)))


class _Switch:
    """Replaces words in the texts of one example."""

    def __init__(self, lexicon: Lexicon, segmenter: Segmenter, rng: np.random.Generator) -> None:
        self._lexicon = lexicon
        self._segmenter = segmenter
        self._rng = rng
        self._chosen: dict[str, tuple[str, float] | None] = {}
        self.shares: list[float] = []

    def __call__(self, text: str, marked: Sequence[Span]) -> tuple[str, list[Span]]:
        """Returns the text and where the marked spans are now."""
        changes: list[tuple[Span, str]] = []
        for word in self._segmenter.words(text):
            chosen = self._choose(word.of(text).casefold())
            # A word that lies half inside an answer would move its end.
            whole = all(
                not word.overlaps(span) or (span.start <= word.start and word.end <= span.end) for span in marked
            )
            if chosen is not None and whole:
                changes.append((word, chosen[0]))
                self.shares.append(chosen[1])
        return replaced(text, Span(0, len(text)), changes), [span_after(span, changes) for span in marked]

    def _choose(self, word: str) -> tuple[str, float] | None:
        if word not in self._chosen:
            found = self._lexicon.get(word)
            replaces = found is not None and self._rng.random() < _REPLACED
            chosen = choose(found, self._rng) if found and replaces else None
            self._chosen[word] = chosen if chosen and chosen[0].casefold() != word else None
        return self._chosen[word]


def _make(inputs: Inputs) -> Iterator[Made]:
    lexicon, _ = induce(inputs.pairs(), inputs.segmenter, inputs.vectors)
    return code_switch(inputs.labels(), inputs.lang, lexicon, inputs.segmenter, inputs.rng)


GENERATOR = Generator(translated=_make)
