"""Logits to answers: joint span decoding with a null score, and probabilities of labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .encoding import ModelInput
from .manifest import Decoding

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Answer:
    """A span of the context.

    Attributes:
        text: The answer; `context[start:end] == text`.
        start: First code point.
        end: Code point after the last.
        score: Probability that the model gives to this span within its window, of all spans and of
            "no answer here": between 0 and 1, not calibrated against how often it is right.
    """

    text: str
    start: int
    end: int
    score: float


NO_ANSWER = Answer("", 0, 0, 0.0)


def log_softmax(logits: Floats) -> Floats:
    """Log-softmax over the last axis, in float64."""
    logits = logits.astype(np.float64)
    shifted: Floats = logits - logits.max(axis=-1, keepdims=True)
    normaliser: Floats = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted - normaliser


def decode_spans(
    context: str,
    windows: Sequence[ModelInput],
    start_logits: Sequence[Floats],
    end_logits: Sequence[Floats],
    decoding: Decoding,
    top_k: int,
) -> list[Answer]:
    """Picks the best spans of one context over all its windows.

    Start and end are independent: log p(i, j) = log p_start(i) + log p_end(j), with i <= j and at most
    `max_answer_length` tokens, each distribution normalised over the window's context tokens and its
    first token, which stands for "no answer in this window". That null share is what makes the scores
    of different windows comparable: a window without the answer gives its mass away.

    Args:
        context: The text that the windows were cut from.
        windows: Windows of this context.
        start_logits: For each window the start logits, shape (at least its length,).
        end_logits: For each window the end logits, likewise.
        decoding: Limits.
        top_k: Number of answers wanted.

    Returns:
        At most `top_k` different spans, best first.
    """
    best: dict[tuple[int, int], float] = {}
    for window, starts, ends in zip(windows, start_logits, end_logits, strict=True):
        for start, end, score in _window_spans(context, window, starts, ends, decoding, top_k):
            if score > best.get((start, end), -np.inf):
                best[start, end] = score
    ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:top_k]
    return [Answer(context[start:end], start, end, float(np.exp(score))) for (start, end), score in ranked]


def _window_spans(
    context: str, window: ModelInput, starts: Floats, ends: Floats, decoding: Decoding, top_k: int
) -> list[tuple[int, int, float]]:
    count = len(window.offsets)
    tokens = slice(window.context_start, window.context_start + count)
    start_scores = log_softmax(np.concatenate([starts[:1], starts[tokens]]))[1:]
    end_scores = log_softmax(np.concatenate([ends[:1], ends[tokens]]))[1:]
    if not (np.isfinite(start_scores).all() and np.isfinite(end_scores).all()):
        return []
    width = min(decoding.max_answer_length, count)
    # Row i holds the spans that begin at token i, column d those that are d tokens longer than one.
    padded = np.concatenate([end_scores, np.full(width - 1, -np.inf)])
    scores = start_scores[:, None] + np.lib.stride_tricks.sliding_window_view(padded, width)
    spans: dict[tuple[int, int], float] = {}
    # Spans that differ in white space only fold into one, so more are looked at than are wanted.
    wanted = min(scores.size, 4 * top_k + 16)
    candidates = np.argpartition(scores, scores.size - wanted, axis=None)[scores.size - wanted :]
    for flat in candidates:
        first, extra = divmod(int(flat), width)
        score = float(scores[first, extra])
        if score == -np.inf:
            continue
        span = _trim(context, int(window.offsets[first, 0]), int(window.offsets[first + extra, 1]))
        if span[0] < span[1] and score > spans.get(span, -np.inf):
            spans[span] = score
    return [(start, end, score) for (start, end), score in spans.items()]


def _trim(context: str, start: int, end: int) -> tuple[int, int]:
    """Moves a span's ends past white space, which some tokenizers count to the token behind it."""
    while start < end and context[start].isspace():
        start += 1
    while end > start and context[end - 1].isspace():
        end -= 1
    return start, end
