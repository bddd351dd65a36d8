"""Logits to answers: joint span decoding with a null score, and probabilities of labels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .calibration import Calibration
from .encoding import ModelInput
from .graphemes import whole
from .manifest import Decoding

Floats = npt.NDArray[np.floating]

# Kept of each window for every answer that is wanted: those of other windows may overlap the best of them.
SPANS_OF_A_WINDOW = 4


@dataclass(frozen=True)
class Answer:
    """A span of the context: whole characters as readers count them, less white space at its ends.

    Attributes:
        text: The answer; `context[start:end] == text`.
        start: First code point.
        end: Code point after the last.
        utf16_start: First UTF-16 unit, as JavaScript, Java and Swift count.
        utf16_end: Unit after the last.
        utf8_start: First byte of the UTF-8 text.
        utf8_end: Byte after the last.
        score: Probability that this span is right where the context answers; see `docs/runtime.md` for how it was
            measured. In a bundle without a calibration, the probability that the model itself gives to it.
        no_answer: Probability that the context does not answer the question, the same for all its spans.
    """

    text: str
    start: int
    end: int
    utf16_start: int
    utf16_end: int
    utf8_start: int
    utf8_end: int
    score: float
    no_answer: float

    @property
    def answered(self) -> bool:
        """Whether it is more likely than not that the context answers."""
        return self.no_answer <= 0.5


NO_ANSWER = Answer("", 0, 0, 0, 0, 0, 0, 0.0, 1.0)


def log_softmax(logits: Floats) -> Floats:
    """Log-softmax over the last axis, in float64."""
    logits = logits.astype(np.float64)
    shifted: Floats = logits - logits.max(axis=-1, keepdims=True)
    normaliser: Floats = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted - normaliser


class SpanSearch:
    """Picks the best spans of one context, window by window, in bounded memory.

    Start and end are independent: p(i, j) = p_start(i) p_end(j), with i <= j and at most `max_answer_length`
    tokens, each distribution normalised over the window's context tokens and its first token, which stands for "no
    answer in this window", n = p(0, 0).

    What windows say is put together as if each spoke for itself and at most one of them named the answer: that window
    w names span s then has the weight p_w(s) times n_v of all other windows v, and that none does the product of all
    n_v. Divided by the latter, s weighs the sum of its odds p_w(s) / n_w over the windows that hold it, and its
    probability is this over 1 + the sum of (1 - n_w) / n_w: p(s) itself where there is one window.

    Spans are made of whole characters, see `lrc_runtime.graphemes`. They do not overlap: of each window those that
    overlap a better one are left out, and then of all windows.

    Args:
        context: The text that the windows were cut from.
        decoding: Limits.
        top_k: Number of answers wanted.
    """

    def __init__(self, context: str, decoding: Decoding, top_k: int) -> None:
        self._context = context
        self._decoding = decoding
        self._top_k = top_k
        # The logarithm of the odds of each span against "no answer", and of those that any is named.
        self._found: dict[tuple[int, int], float] = {}
        self._answers = -np.inf

    def add(self, window: ModelInput, starts: Floats, ends: Floats) -> None:
        """Looks at one window.

        Args:
            window: A window of the context.
            starts: Its start logits, shape (at least its length,).
            ends: Its end logits, likewise.
        """
        count = len(window.offsets)
        tokens = slice(window.context_start, window.context_start + count)
        logits = np.stack([np.concatenate([row[:1], row[tokens]]) for row in (starts, ends)])
        if not np.isfinite(logits).all():
            return
        start_scores, end_scores = log_softmax(logits)
        null = float(start_scores[0] + end_scores[0])
        # Not below what float64 can tell from no answer at all.
        self._answers = float(np.logaddexp(self._answers, np.log(-np.expm1(min(null, -1e-12))) - null))
        for span, score in self._spans(window, start_scores[1:], end_scores[1:]):
            self._found[span] = float(np.logaddexp(self._found.get(span, -np.inf), score - null))
        # Neighbouring windows find the same spans, so more are kept than are wanted.
        if len(self._found) > 32 * self._top_k + 64:
            self._found = dict(self._ranked()[: 16 * self._top_k + 32])

    def answers(self, calibration: Calibration, lang: str | None = None) -> list[Answer]:
        """Returns at most `top_k` spans, best first."""
        chosen: list[tuple[tuple[int, int], float]] = []
        for span, score in self._ranked():
            if len(chosen) == self._top_k:
                break
            if all(span[1] <= other[0] or other[1] <= span[0] for other, _ in chosen):
                chosen.append((span, score))
        if not chosen:
            return []
        no_answer = calibration.no_answer(self.margin)
        return [self._answer(span, calibration.confidence(odds - self._all, lang), no_answer) for span, odds in chosen]

    @property
    def best(self) -> float:
        """Log-probability of the best span; that of nothing at all where there is none."""
        return self.margin - self._all

    @property
    def margin(self) -> float:
        """Logarithm of the odds of the best span against "no answer"."""
        return max(self._found.values(), default=-np.inf)

    @property
    def _all(self) -> float:
        """Logarithm of the weights of all spans and of "no answer", which is 1."""
        return float(np.logaddexp(0.0, self._answers))

    def _ranked(self) -> list[tuple[tuple[int, int], float]]:
        return sorted(self._found.items(), key=lambda item: (-item[1], item[0]))

    def _spans(
        self, window: ModelInput, start_scores: Floats, end_scores: Floats
    ) -> list[tuple[tuple[int, int], float]]:
        """Returns the best spans of a window that do not overlap."""
        width = min(self._decoding.max_answer_length, len(start_scores))
        # Row i holds the spans that begin at token i, column d those that are d tokens longer than one.
        padded = np.concatenate([end_scores, np.full(width - 1, -np.inf)])
        scores = start_scores[:, None] + np.lib.stride_tricks.sliding_window_view(padded, width)
        spans: list[tuple[tuple[int, int], float]] = []
        while len(spans) < SPANS_OF_A_WINDOW * self._top_k:
            flat = int(scores.argmax())
            first, extra = divmod(flat, width)
            score = float(scores[first, extra])
            if score == -np.inf:
                break
            last = first + extra
            # Some tokenizers count white space to the token behind it, and many cut inside a character.
            span = whole(self._context, int(window.offsets[first, 0]), int(window.offsets[last, 1]))
            if span[0] >= span[1]:
                # White space alone, and so is all within.
                for inner in range(first, last + 1):
                    scores[inner, : last - inner + 1] = -np.inf
                continue
            if all(span[1] <= other[0] or other[1] <= span[0] for other, _ in spans):
                spans.append((span, score))
            # What begins inside it, and what begins before and reaches into it; white space at its ends is not it.
            inside = np.flatnonzero((window.offsets[:, 0] < span[1]) & (window.offsets[:, 1] > span[0]))
            # Characters that the tokenizer drops lie in no token.
            if len(inside):
                first, last = int(inside[0]), int(inside[-1])
            scores[first : last + 1] = -np.inf
            for before in range(max(0, first - width + 1), first):
                scores[before, first - before :] = -np.inf
        return spans

    def _answer(self, span: tuple[int, int], score: float, no_answer: float) -> Answer:
        start, end = span
        before, text = self._context[:start], self._context[start:end]
        utf16, utf8 = _utf16_units(before), len(before.encode())
        return Answer(
            text=text,
            start=start,
            end=end,
            utf16_start=utf16,
            utf16_end=utf16 + _utf16_units(text),
            utf8_start=utf8,
            utf8_end=utf8 + len(text.encode()),
            score=score,
            no_answer=no_answer,
        )


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
