"""Questions to model inputs, each with the tokens of its answer."""

from collections.abc import Sequence

import numpy as np

from lrc_runtime.encoding import ModelInput, TextEncoder
from lrc_runtime.graphemes import whole

from ...data.examples import Question
from ...data.shots import rank
from ..kind import Feature

# One question in so many also gives the windows that do not hold its answer.
_KEEP_OTHERS = 8


def build_features(questions: Sequence[Question], encoder: TextEncoder, max_answer_length: int) -> list[Feature]:
    """Encodes questions.

    A question gives one feature for each window that holds its answer. Windows without it teach one thing only,
    to say so, and are the longest inputs there are: only one question in eight gives them too, and every question
    that its context does not answer. Answers that are longer than decoding allows are no labels at all.

    Args:
        questions: With answers or without.
        encoder: Encodes them.
        max_answer_length: Longest answer that decoding allows, in tokens.

    Returns:
        Features with the targets `start_positions` and `end_positions`, both 0 where a window holds no answer.
    """
    features = []
    asked = encoder.tokenize([question.question for question in questions])
    contexts = encoder.tokenize([question.context for question in questions])
    for question, tokens, context in zip(questions, asked, contexts, strict=True):
        # No answer stands in any window of a question that its context does not answer.
        text, begin = question.answers[0] if question.answers else ("", -1)
        # What is taught is what can be answered.
        span = whole(question.context, begin, begin + len(text))
        keeps_others = not question.answers or int(rank(0, question.id)[:8], 16) % _KEEP_OTHERS == 0
        for window in encoder.windows(tokens, context):
            start, end = locate(window, *span) if question.answers else (0, 0)
            if end - start >= max_answer_length:
                continue
            if (start, end) != (0, 0) or keeps_others:
                targets = {"start_positions": start, "end_positions": end}
                reach = window.context_start, len(window.offsets)
                features.append(Feature(question.id, question.lang, window, targets, reach))
    return features


def locate(window: ModelInput, start: int, end: int) -> tuple[int, int]:
    """Finds the tokens that cover a span of the context.

    Args:
        window: A window of the context.
        start: First code point of the span.
        end: Code point after its last.

    Returns:
        First and last token as indices into the input, or (0, 0) where the window does not hold all of it.
    """
    covering = np.flatnonzero((window.offsets[:, 1] > start) & (window.offsets[:, 0] < end))
    if not len(covering) or window.offsets[covering[0], 0] > start or window.offsets[covering[-1], 1] < end:
        return 0, 0
    return window.context_start + int(covering[0]), window.context_start + int(covering[-1])
