"""What an application's type checker sees of the runtime: mypy reads this file, nothing runs it."""

from typing import assert_type

import lrc_runtime
from lrc_runtime import (
    Answer,
    AsyncAnswerer,
    Classification,
    Comparison,
    ParaphraseDetector,
    QuestionAnswerer,
    TextClassifier,
)
from lrc_runtime.manifest import Manifest


def questions(qa: QuestionAnswerer) -> None:
    assert_type(qa.answer("q", "c"), Answer)
    assert_type(qa.answer("q", "c", lang="hi", max_windows=8, progress=lambda read, total: None), Answer)
    assert_type(qa.answer("q", "c", 3), list[Answer])
    assert_type(qa.answer("q", "c", top_k=3, max_windows=8), list[Answer])
    assert_type(qa.answer_batch(["q"], ["c"]), list[Answer])
    assert_type(qa.answer_batch(["q"], ("c",), top_k=2), list[list[Answer]])
    assert_type(qa.manifest, Manifest | None)
    answer = qa.answer("q", "c")
    assert_type(answer.text, str)
    assert_type((answer.start, answer.utf16_end, answer.utf8_start), tuple[int, int, int])
    assert_type((answer.score, answer.no_answer, answer.answered), tuple[float, float, bool])
    answer.text = "frozen"  # type: ignore[misc]
    qa.answer("q")  # type: ignore[call-overload]
    qa.answer("q", "c", "3")  # type: ignore[call-overload]
    qa.answer("q", "c", None, "hi")  # type: ignore[call-overload]
    qa.answer_batch([1], ["c"])  # type: ignore[list-item]


def pairs(detector: ParaphraseDetector) -> None:
    assert_type(detector.compare("a", "b", lang="de"), Comparison)
    assert_type(detector.compare_batch([("a", "b")]), list[Comparison])
    assert_type(detector.labels, tuple[str, ...])
    detector.compare_batch(["a", "b"])  # type: ignore[list-item]


def classes(classifier: TextClassifier) -> None:
    assert_type(classifier.classify("a", lang="zh"), Classification)
    assert_type(classifier.classify("a", "b").probabilities, dict[str, float])
    assert_type(classifier.classify_batch(["a", ("a", "b")]), list[Classification])
    assert_type((classifier.labels, classifier.texts), tuple[tuple[str, ...], int])
    classifier.classify("a", "b", "de")  # type: ignore[call-arg]


def opening() -> None:
    assert_type(lrc_runtime.load("bundle"), QuestionAnswerer | ParaphraseDetector | TextClassifier)
    assert_type(lrc_runtime.load_question_answerer("bundle", 2, preset="latency"), QuestionAnswerer)
    assert_type(lrc_runtime.load_paraphrase_detector("bundle", provider="cuda"), ParaphraseDetector)
    assert_type(lrc_runtime.load_text_classifier("bundle", preset="throughput"), TextClassifier)
    with lrc_runtime.load_question_answerer("bundle") as qa:
        assert_type(qa, QuestionAnswerer)
    lrc_runtime.load(1)  # type: ignore[arg-type]


async def coroutines(qa: QuestionAnswerer) -> None:
    async with AsyncAnswerer(qa, workers=2) as answerer:
        assert_type(answerer, AsyncAnswerer)
        assert_type(await answerer.answer("q", "c", lang="th"), Answer)
        assert_type(await answerer.answer("q", "c", 3, max_windows=8), list[Answer])
        assert_type(await answerer.compare("a", "b"), Comparison)
        assert_type(await answerer.classify("a", lang="am"), Classification)
