"""Span decoding against a brute-force search over every span."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrc_runtime.decoding import decode_spans, log_softmax
from lrc_runtime.encoding import ModelInput
from lrc_runtime.manifest import Decoding

CONTEXT = "Der Nil ist 6650 km lang. النيل طوله ٦٦٥٠ كم. नील नदी लंबी है। 尼罗河很长。"


def window(first: int, count: int) -> ModelInput:
    """A window whose tokens are the context's code points from `first` on, behind two question tokens."""
    offsets = np.array([(i, i + 1) for i in range(first, first + count)])
    return ModelInput(np.zeros(count + 3, np.int64), np.zeros(count + 3, np.int64), 2, offsets)


def brute_force(windows, starts, ends, limit):
    best = {}
    for row, start, end in zip(windows, starts, ends, strict=True):
        keep = [0, *range(2, 2 + len(row.offsets))]
        log_start, log_end = log_softmax(start[keep])[1:], log_softmax(end[keep])[1:]
        for i in range(len(row.offsets)):
            for j in range(i, min(i + limit, len(row.offsets))):
                a, b = int(row.offsets[i, 0]), int(row.offsets[j, 1])
                text = CONTEXT[a:b]
                a, b = a + len(text) - len(text.lstrip()), b - len(text) + len(text.rstrip())
                if a < b:
                    best[a, b] = max(best.get((a, b), -np.inf), log_start[i] + log_end[j])
    return sorted(((np.exp(score), span) for span, score in best.items()), key=lambda item: (-item[0], item[1]))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 5))
def test_best_spans_equal_brute_force(seed: int, limit: int, top_k: int) -> None:
    rng = np.random.default_rng(seed)
    windows = [window(0, 30), window(20, len(CONTEXT) - 20)]
    starts = [rng.normal(0, 3, row.length).astype(np.float32) for row in windows]
    ends = [rng.normal(0, 3, row.length).astype(np.float32) for row in windows]
    found = decode_spans(CONTEXT, windows, starts, ends, Decoding(limit), top_k)
    expected = brute_force(windows, starts, ends, limit)[:top_k]
    assert [(answer.start, answer.end) for answer in found] == [span for _, span in expected]
    assert [answer.score for answer in found] == pytest.approx([score for score, _ in expected])
    assert all(CONTEXT[answer.start : answer.end] == answer.text for answer in found)


def test_a_window_that_says_no_answer_loses() -> None:
    windows = [window(0, 10), window(10, 10)]
    logits = np.zeros(13, np.float32)
    unsure, denying = logits.copy(), logits.copy()
    unsure[5] = 2.0
    denying[5], denying[0] = 4.0, 9.0
    best = decode_spans(CONTEXT, windows, [unsure, denying], [unsure, denying], Decoding(5), 1)[0]
    assert (best.start, best.end) == (3, 4) or best.start < 10
    assert best.start < 10


def test_logits_that_are_no_numbers_give_no_answer() -> None:
    broken = np.full(13, np.nan, np.float32)
    assert decode_spans(CONTEXT, [window(0, 10)], [broken], [broken], Decoding(5), 1) == []


def test_scores_are_probabilities_of_disjoint_events() -> None:
    rng = np.random.default_rng(1)
    starts, ends = rng.normal(0, 1, (2, 13)).astype(np.float32)
    found = decode_spans(CONTEXT, [window(0, 10)], [starts], [ends], Decoding(10), 1000)
    assert 0 < sum(answer.score for answer in found) <= 1
