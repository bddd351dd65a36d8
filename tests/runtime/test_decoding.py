"""Span decoding against a brute-force search over every span."""

import itertools

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from lrc_runtime.calibration import Calibration
from lrc_runtime.decoding import SPANS_OF_A_WINDOW, SpanSearch, log_softmax
from lrc_runtime.encoding import ModelInput
from lrc_runtime.manifest import Decoding

CONTEXT = "Der Nil ist 6650 km lang. النيل طوله ٦٦٥٠ كم. नील नदी लंबी है। Нил. 尼罗河很长。 แม่น้ำ 👩‍🌾🇪🇬 e\u0301  \u0301."
# Characters of several code points: conjuncts, vowel signs, stacks, jamo, SARA AM, decomposed accents, joiners, emoji,
# flags, keycaps.
CHARACTERS = (
    *(
        "क्षि",
        "त्र्य",
        "ர்",
        "བོ",
        "རྒྱུ",
        "\u1112\u1161\u11ab",
        "น้ำ",
        "กี้",
        "e\u0301",
        "u\u0308\u0304",
        "بِّ",
        "می\u200c",
        "क्\u200dष",
    ),
    *("👨‍👩‍👧‍👦", "👍🏽", "🏳️‍🌈", "🇩🇪", "3️⃣", "\u0600١", "🏴\U000e0067\U000e0062\U000e007f"),
)


def window(first: int, count: int) -> ModelInput:
    """A window whose tokens are the context's code points from `first` on, behind two question tokens."""
    offsets = np.array([(i, i + 1) for i in range(first, first + count)])
    return ModelInput(np.zeros(count + 3, np.int64), np.zeros(count + 3, np.int64), 2, offsets)


def readable(context, start, end):
    """The characters that a span touches, less white space, and all of the words that it cuts; of the whole text."""
    clusters = list(regex.finditer(r"\X", context))
    found = [one.span() for one in clusters if not regex.search(r"\s", one[0])]
    for script in ("Cyrl", "Deva"):
        begins = regex.compile(rf"(?=\p{{Script={script}}})[\p{{L}}\p{{M}}]")
        for inside, group in itertools.groupby(clusters, lambda one, begins=begins: bool(begins.match(one[0]))):
            word = list(group)
            found += [(word[0].start(), word[-1].end())] if inside else []
    touched = [one for one in found if one[0] < end and one[1] > start]
    return (min(touched)[0], max(one[1] for one in touched)) if touched else None


def without_overlaps(spans):
    chosen = []
    for score, (start, end) in sorted(spans, key=lambda item: (-item[0], item[1])):
        if all(end <= other[0] or other[1] <= start for _, other in chosen):
            chosen.append((score, (start, end)))
    return chosen


def brute_force(windows, starts, ends, limit, top_k):
    """Every span of every window, and of them those that overlap no better one: in their window, and then in all.

    Their probabilities follow from what is said of the windows: at most one of them names the answer.
    """
    odds, named = {}, 0.0
    for row, start, end in zip(windows, starts, ends, strict=True):
        own = {}
        keep = [0, *range(2, 2 + len(row.offsets))]
        log_start, log_end = log_softmax(start[keep]), log_softmax(end[keep])
        none = np.exp(log_start[0] + log_end[0])
        named += (1 - none) / none
        log_start, log_end = log_start[1:], log_end[1:]
        for i in range(len(row.offsets)):
            for j in range(i, min(i + limit, len(row.offsets))):
                a, b = int(row.offsets[i, 0]), int(row.offsets[j, 1])
                if span := readable(CONTEXT, a, b):
                    own[span] = max(own.get(span, -np.inf), log_start[i] + log_end[j])
        kept = without_overlaps([(score, span) for span, score in own.items()])
        for score, span in kept[: SPANS_OF_A_WINDOW * top_k]:
            odds[span] = odds.get(span, 0.0) + np.exp(score) / none
    return [(one / (1 + named), span) for one, span in without_overlaps([(one, span) for span, one in odds.items()])]


def decode_spans(context, windows, starts, ends, decoding, top_k):
    search = SpanSearch(context, decoding, top_k)
    for row, start, end in zip(windows, starts, ends, strict=True):
        search.add(row, start, end)
    return search.answers(Calibration())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 5))
def test_best_spans_equal_brute_force(seed: int, limit: int, top_k: int) -> None:
    rng = np.random.default_rng(seed)
    windows = [window(0, 30), window(20, len(CONTEXT) - 20)]
    starts = [rng.normal(0, 3, row.length).astype(np.float32) for row in windows]
    ends = [rng.normal(0, 3, row.length).astype(np.float32) for row in windows]
    found = decode_spans(CONTEXT, windows, starts, ends, Decoding(limit), top_k)
    expected = brute_force(windows, starts, ends, limit, top_k)[:top_k]
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


def peaked(count: int, at: int, span: float, none: float) -> np.ndarray:
    """Logits whose softmax, for start and end alike, gives a token and "no answer" what their squares say."""
    rest = (1 - span**0.5 - none**0.5) / (count - 1)
    logits = np.full(count + 3, np.log(rest), np.float32)
    logits[2 + at], logits[0] = np.log(span) / 2, np.log(none) / 2
    return logits


def test_windows_compare_by_the_odds_against_no_answer() -> None:
    windows = [window(0, 10), window(10, 10)]
    # The first names its span with the greater probability, the second is surer that it holds the answer.
    first, second = peaked(10, 4, 0.30, 0.20), peaked(10, 4, 0.25, 0.01)
    found = decode_spans(CONTEXT, windows, [first, second], [first, second], Decoding(5), 2)
    assert [(answer.start, answer.end) for answer in found] == [(14, 15), (4, 5)]
    odds = np.array([0.25 / 0.01, 0.30 / 0.20])
    scores = odds / (1 + (1 - 0.20) / 0.20 + (1 - 0.01) / 0.01)
    assert [answer.score for answer in found] == pytest.approx(scores.tolist(), rel=1e-5)
    assert [answer.no_answer for answer in found] == pytest.approx([1 / (1 + odds[0])] * 2, rel=1e-5)


def test_two_windows_that_name_the_same_span_are_surer_of_it() -> None:
    both = [window(0, 20), window(10, 20)]
    logits = [peaked(20, at, 0.5, 0.05) for at in (14, 4)]
    one = decode_spans(CONTEXT, both[:1], logits[:1], logits[:1], Decoding(5), 1)[0]
    two = decode_spans(CONTEXT, both, logits, logits, Decoding(5), 1)[0]
    assert (one.start, one.end) == (two.start, two.end) == (14, 15)
    assert one.score == pytest.approx(0.5) and 0.5 < two.score < 0.55 and two.no_answer < one.no_answer


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_give_no_answer(value: float) -> None:
    broken = np.full(13, value, np.float32)
    assert decode_spans(CONTEXT, [window(0, 10)], [broken], [broken], Decoding(5), 1) == []


def test_scores_are_probabilities_of_disjoint_events() -> None:
    rng = np.random.default_rng(1)
    starts, ends = rng.normal(0, 1, (2, 13)).astype(np.float32)
    windows = [window(0, 10), window(5, 10)]
    found = decode_spans(CONTEXT, windows, [starts, ends], [ends, starts], Decoding(10), 1000)
    assert 0 < sum(answer.score for answer in found) <= 1


@pytest.mark.parametrize("character", CHARACTERS)
def test_answers_hold_whole_characters(character: str) -> None:
    # Beside others of its kind: what joins in them shall not join them.
    context = f"Kibo: {character * 3} ({character}), كيبو {character}."
    for at in range(6, len(context)):
        logits = np.zeros(len(context) + 3, np.float32)
        logits[2 + at] = 30
        found = decode_spans(context, [window(0, len(context))], [logits], [logits], Decoding(4), 1)[0]
        if not context[at].isspace():
            assert (found.start, found.end) == readable(context, at, at + 1)
        assert found.text == found.text.strip() == context[found.start : found.end]
        assert (
            context.encode("utf-16-le")[2 * found.utf16_start : 2 * found.utf16_end].decode("utf-16-le") == found.text
        )
        assert context.encode()[found.utf8_start : found.utf8_end].decode() == found.text


def test_halves_of_a_character_are_one_answer() -> None:
    context = "নমক্ষি সে"
    windows = [window(2, 6), window(0, 9)]
    # The first window names the consonant, the second its vowel sign.
    logits = [peaked(6, 0, 0.4, 0.1), peaked(9, 5, 0.4, 0.1)]
    found = decode_spans(context, windows, logits, logits, Decoding(1), 3)
    alone = decode_spans(context, windows[:1], logits[:1], logits[:1], Decoding(1), 1)[0]
    assert found[0].text == alone.text == "ক্ষি" and found[0].score > alone.score
    assert all(not (found[0].start < other.end and other.start < found[0].end) for other in found[1:])


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ("पर्वत का नाम रोसकोफ है, क्\u200dषेत्र १२ में।", ["पर्वत", "का", "नाम", "रोसकोफ", "है", "क्\u200dषेत्र", "में"]),
        ("Город за\u0301мок стоит у реки-матери 8м.", ["Город", "за\u0301мок", "стоит", "у", "реки", "матери", "м"]),
        # Where words have no spaces between them, or clitics and endings are left out of answers, characters do.
        ("山上有雪", list("山上有雪")),
        ("والجبل", list("والجبل")),
        ("서울에", list("서울에")),
        ("በኬንያ", list("በኬንያ")),
        ("Pariisin", list("Pariisin")),
    ],
)
def test_words_are_whole_where_answers_never_cut_them(context: str, words: list[str]) -> None:
    found = []
    for at in range(len(context)):
        logits = np.zeros(len(context) + 3, np.float32)
        logits[2 + at] = 30
        best = decode_spans(context, [window(0, len(context))], [logits], [logits], Decoding(1), 1)[0]
        if context[at].isalpha() and (not found or found[-1] != (best.start, best.text)):
            found.append((best.start, best.text))
    assert [text for _, text in found] == words


def test_an_accent_on_a_space_is_white_space() -> None:
    context = "ab \u0301 cd"
    for at in range(len(context)):
        logits = np.full(len(context) + 3, -30, np.float32)
        logits[2 + at] = 30
        found = decode_spans(context, [window(0, len(context))], [logits], [logits], Decoding(9), 9)
        assert all(answer.text.strip(" \u0301") == answer.text for answer in found)
