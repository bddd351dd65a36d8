"""Bundles through the runtime's public interface, on text of many scripts."""

import itertools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lrc_runtime
from lrc_runtime import InputError, ParaphraseDetector, QuestionAnswerer
from lrc_runtime.decoding import NO_ANSWER
from lrc_runtime.encoding import TextEncoder
from lrc_runtime.manifest import Windowing
from tests.conftest import lrc, make_tokenizer

CASES = [
    (
        "en",
        "Who built the mill?",
        "The mill was built by Anna Berg in 1812. It ground rye and oats for forty villages.",
    ),
    ("ar", "من بنى الطاحونة؟", "بنت مريم الحداد الطاحونة سنة ١٨١٢. وكانت تطحن القمح لأربعين قرية."),
    ("hi", "चक्की किसने बनाई?", "चक्की १८१२ में मीरा देवी ने बनाई थी। इसमें चालीस गाँवों का गेहूँ पिसता था।"),
    ("th", "ใครสร้างโรงสี", "โรงสีสร้างโดยมาลีในปี ๑๘๑๒ และใช้สีข้าวให้สี่สิบหมู่บ้าน"),
    ("zh", "谁建了磨坊？", "磨坊由李梅于1812年建成，为四十个村庄磨小麦。"),
]


@pytest.fixture(scope="module")
def qa(qa_bundle: Path) -> QuestionAnswerer:
    loaded = lrc_runtime.load(qa_bundle)
    assert isinstance(loaded, QuestionAnswerer)
    return loaded


@pytest.fixture(scope="module")
def detector(pair_bundle: Path) -> ParaphraseDetector:
    loaded = lrc_runtime.load(pair_bundle)
    assert isinstance(loaded, ParaphraseDetector)
    return loaded


@pytest.mark.parametrize(("lang", "question", "context"), CASES)
def test_answer_is_the_span_it_names(qa: QuestionAnswerer, lang: str, question: str, context: str) -> None:
    answers = qa.answer(question, context, top_k=5)
    assert 3 <= len(answers) <= 5
    spans = sorted((answer.start, answer.end) for answer in answers)
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans))
    for answer in answers:
        assert answer.text and context[answer.start : answer.end] == answer.text
        assert 0 <= answer.score <= 1
    assert answers == sorted(answers, key=lambda answer: -answer.score)
    assert qa.answer(question, context) == answers[0]


def test_batch_gives_the_same_answers(qa_run: Path, tmp_path: Path) -> None:
    # In int8 a batch shares the scales of its activations, and near ties go either way.
    lrc("export", qa_run, "--fp32", "--out", tmp_path / "bundle")
    qa = lrc_runtime.load_question_answerer(tmp_path / "bundle")
    questions, contexts = [case[1] for case in CASES], [case[2] * count for count, case in enumerate(CASES, 1)]
    together = qa.answer_batch(questions, contexts)
    for question, context, answer in zip(questions, contexts, together, strict=True):
        alone = qa.answer(question, context)
        assert (alone.start, alone.end) == (answer.start, answer.end)
        assert alone.score == pytest.approx(answer.score, rel=1e-3)
    assert qa.answer_batch([], []) == []


@pytest.mark.parametrize(("lang", "question", "context"), CASES)
def test_long_context_is_read_to_its_end(qa: QuestionAnswerer, lang: str, question: str, context: str) -> None:
    long = (context + "\n") * 60
    starts = [answer.start for answer in qa.answer(question, long, top_k=100_000)]
    assert max(starts) > 0.9 * len(long)
    assert min(starts) < 0.1 * len(long)


@pytest.mark.parametrize("context", ["", " ", "\n\t ", "\x01", "\u200b"])
def test_context_without_text_gives_the_empty_answer(qa: QuestionAnswerer, context: str) -> None:
    answer = qa.answer("Wer?", context)
    assert context[answer.start : answer.end] == answer.text
    assert qa.answer("Wer?", "") == NO_ANSWER
    assert qa.answer("Wer?", "", top_k=3) == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=st.text(max_size=60), context=st.text(max_size=300))
def test_any_text_is_answered_with_a_true_span(qa: QuestionAnswerer, question: str, context: str) -> None:
    for answer in qa.answer(question, context, top_k=3):
        assert context[answer.start : answer.end] == answer.text != ""


def test_enormous_question_does_not_crash(qa: QuestionAnswerer) -> None:
    assert qa.answer("क्या " * 5000, CASES[2][2]).text


@pytest.mark.parametrize(
    "call",
    [
        lambda qa: qa.answer("a\ud800", "b"),
        lambda qa: qa.answer("a", 5),
        lambda qa: qa.answer("a", "b", top_k=0),
        lambda qa: qa.answer("a", "b", top_k=True),
        lambda qa: qa.answer_batch(["a"], []),
        lambda qa: qa.answer_batch("a", "b"),
    ],
)
def test_bad_arguments_are_refused(qa: QuestionAnswerer, call) -> None:
    with pytest.raises(InputError):
        call(qa)


def test_threads_share_one_answerer(qa: QuestionAnswerer) -> None:
    expected = [qa.answer(question, context) for _, question, context in CASES]
    failures: list[object] = []

    def work() -> None:
        for _ in range(10):
            found = [qa.answer(question, context) for _, question, context in CASES]
            if found != expected:
                failures.append(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_model_that_gives_no_numbers_is_sure_of_no_label(value: float) -> None:
    def run(batch: dict[str, Any]) -> dict[str, Any]:
        logits = np.zeros((len(batch["input_ids"]), 2), np.float32)
        logits[:, 1] = value
        return {"logits": logits}

    detector = ParaphraseDetector(
        TextEncoder(make_tokenizer(), Windowing(64, 16, 12)), run, ("different", "paraphrase")
    )
    verdicts = detector.compare_batch([(context, question) for _, question, context in CASES])
    assert {verdict.label for verdict in verdicts} <= {"different", "paraphrase"}
    assert [verdict.score for verdict in verdicts] == pytest.approx([0.5] * len(CASES))


def test_comparison_has_label_and_score(detector: ParaphraseDetector) -> None:
    pairs = [(context, question) for _, question, context in CASES]
    verdicts = detector.compare_batch(pairs)
    assert {verdict.label for verdict in verdicts} <= {"different", "paraphrase"}
    assert all(0 <= verdict.score <= 1 for verdict in verdicts)
    for pair, verdict in zip(pairs, verdicts, strict=True):
        alone = detector.compare(*pair)
        assert alone.label == verdict.label
        assert alone.score == pytest.approx(verdict.score, rel=0.05)
    assert detector.compare("", "").label in detector.labels
    assert detector.compare("वह " * 5000, "他" * 5000).label in detector.labels
    with pytest.raises(InputError):
        detector.compare_batch(["ab"])  # type: ignore[list-item]
    with pytest.raises(InputError):
        detector.compare("a", None)  # type: ignore[arg-type]
