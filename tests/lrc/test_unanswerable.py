"""SQuAD v2.0: questions that their contexts do not answer, from the labels to the bundle's confidence."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lrc.cli.app import app
from lrc.data.examples import Question
from lrc.evaluation import calibration as calibrate
from lrc.evaluation.scoring import outcomes_by_group, score_examples, summarise, trivial_score
from lrc.tasks.registry import TASKS
from lrc.tasks.spans import Spans
from lrc.tasks.spans.unanswerable import Outcome, scores_of_both
from lrc_exporters import gate
from lrc_exporters.gate import Scored
from lrc_runtime import QuestionAnswerer
from lrc_runtime.encoding import TextEncoder
from lrc_runtime.manifest import Decoding, Windowing, read_manifest
from tests.conftest import lrc, make_tokenizer

_GOODS = ("आम", "चाय", "कपड़ा", "चावल", "दूध", "नमक", "तेल", "शहद")


def asked(number: int, answerable: bool) -> Question:
    word = _GOODS[number % len(_GOODS)]
    context = f"शहर की दुकान {number} में सुबह से {word} बिकता है।"
    if not answerable:
        return Question(f"n{number}", "hi", "", f"दुकान {number} का मालिक कौन है?", context, ())
    start = context.index(word)
    return Question(f"a{number}", "hi", "", f"दुकान {number} में क्या बिकता है?", context, ((word, start),))


def best_by_trying(outcomes: Sequence[Outcome]) -> float:
    thresholds = [0.0, *(outcome.no_answer for outcome in outcomes)]
    return max(float(np.mean([outcome.at(threshold)[0] for outcome in outcomes])) for threshold in thresholds)


def test_the_best_threshold_is_the_best_of_all_thresholds() -> None:
    chance = random.Random(1)
    for _ in range(200):
        outcomes = [
            Outcome(f1 if answerable else 0.0, float(f1 == 1) if answerable else 0.0, unsure, answerable)
            for f1, unsure, answerable in (
                (chance.choice((0.0, 0.5, 1.0)), chance.choice((0.0, 0.2, 0.5, 0.9, 1.0)), chance.random() < 0.6)
                for _ in range(chance.randint(1, 12))
            )
        ]
        if all(outcome.answerable for outcome in outcomes):
            continue
        found = scores_of_both(outcomes, 0.5)
        assert found["best_f1"] == pytest.approx(100 * best_by_trying(outcomes))
        for name, at in (("f1", 0), ("exact", 1)):
            threshold = found[f"best_{name}_threshold"]
            best = found["best_f1" if name == "f1" else "best_exact_match"]
            assert 0 <= threshold <= 1
            assert best == pytest.approx(100 * np.mean([outcome.at(threshold)[at] for outcome in outcomes]))
        unanswerable = [outcome for outcome in outcomes if not outcome.answerable]
        refused = 100 * np.mean([outcome.no_answer > 0.5 for outcome in unanswerable])
        assert found["no_answer_f1"] == found["no_answer_exact_match"] == pytest.approx(refused)


class Knowing:
    """A model that marks the goods where the question asks for them, and the first token where it does not."""

    def __init__(self, encoder: TextEncoder, doubt: float = 0.0, refuses: bool = True) -> None:
        self.doubt = doubt
        self.refuses = refuses
        self.who = {int(token) for token in encoder.tokenize(["कौन"])[0].ids}
        self.goods = [encoder.tokenize([f"से {word} बिकता"])[0].ids for word in _GOODS]

    def __call__(self, batch: dict) -> dict:
        ids = batch["input_ids"]
        starts = np.full(ids.shape, -9.0, np.float32)
        ends = starts.copy()
        for row, own in enumerate(ids):
            none = self.refuses and self.who <= {int(token) for token in own}
            starts[row, 0] = ends[row, 0] = 6.0 if none else -self.doubt - 3
            for goods in self.goods:
                for at in range(len(own) - len(goods) + 1):
                    if (own[at : at + len(goods)] == goods).all():
                        starts[row, at + 1], ends[row, at + len(goods) - 2] = 3.0, 3.0
        return {"start_logits": starts, "end_logits": ends}


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder(make_tokenizer(), Windowing(128, 16, 32))


def test_an_answerer_may_refuse_where_some_questions_have_no_answer(encoder: TextEncoder) -> None:
    answerer = QuestionAnswerer(encoder, Knowing(encoder), Decoding())
    both = [asked(number, number % 4 > 0) for number in range(16)]
    answered = [question for question in both if question.answers]
    alone = score_examples(TASKS["qa"], answerer, answered)
    assert set(alone.named) == {"f1", "exact_match"} and not alone.answerable
    score = score_examples(TASKS["qa"], answerer, both)
    assert score.named["no_answer_f1"] == 100 and score.named["has_answer_f1"] == pytest.approx(alone.main)
    assert score.main == pytest.approx((3 * alone.main + 100) / 4)
    never = QuestionAnswerer(encoder, Knowing(encoder, refuses=False), Decoding())
    assert score_examples(TASKS["qa"], never, both).named["no_answer_f1"] == 0
    summary = summarise({"hi": score, "am": alone})
    assert "has_answer_f1" not in summary["languages"]["am"]
    assert summary["average"]["no_answer_f1"] == 100 and "best_f1_threshold" not in summary["average"]
    assert trivial_score(TASKS["qa"], {"hi": both}) >= 25


def test_the_gate_looks_at_both_kinds(encoder: TextEncoder) -> None:
    both = [asked(number, number % 2 > 0) for number in range(80)]
    before = score_examples(TASKS["qa"], QuestionAnswerer(encoder, Knowing(encoder), Decoding()), both)
    lost = QuestionAnswerer(encoder, Knowing(encoder, refuses=False), Decoding())
    after = score_examples(TASKS["qa"], lost, both)
    groups = [outcomes_by_group({"hi": score}) for score in (before, after)]
    assert list(groups[0]) == ["hi", "hi, has answer", "hi, no answer"]
    losses = gate.losses(
        *(Scored(summarise({"hi": score}), own) for score, own in zip((before, after), groups, strict=True))
    )
    assert losses["hi, no answer"].loss == 100 and losses["hi, has answer"].loss == 0
    assert "hi, no answer" in gate.refused(losses, 1.0) and "| hi, no answer | 100.0 | 0.0 |" in gate.table(losses)


def test_real_unanswerable_questions_are_what_no_answer_is_fitted_on(encoder: TextEncoder) -> None:
    answerer = QuestionAnswerer(encoder, Knowing(encoder, doubt=1.0), Decoding())
    both = [asked(number, number % 3 > 0) for number in range(30)]
    spans = Spans()
    slope, _, report = calibrate.fit_no_answer(spans.margins(answerer, {"hi": both}))
    assert report["real"] == 10 and report["examples"] == 30 and report["recall"] == 1 and slope > 0
    _, _, report = calibrate.fit_no_answer(spans.margins(answerer, {"hi": [one for one in both if one.answers]}))
    assert report["real"] == 0 and report["examples"] == 40


def labels(path: Path, count: int) -> Path:
    rows = [asked(number, number % 2 > 0) for number in range(count)]
    lines = [
        json.dumps(
            {
                "id": one.id,
                "question": one.question,
                "context": one.context,
                "is_impossible": "false" if one.answers else "true",
                "answers": [{"text": text, "answer_start": start} for text, start in one.answers],
            },
            ensure_ascii=False,
        )
        for one in rows
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_labels_gate_card_and_scores_tell_them_apart(tiny: Path, tmp_path: Path) -> None:
    path = labels(tmp_path / "v2.hi.jsonl", 60)
    lrc(
        *("train", "--task", "qa", "--train", path, "--langs", "hi", "--shots", 8, "--steps", 4),
        *("--backbone", tiny, "--precision", "fp32", "--out", tmp_path / "run"),
    )
    dev = json.loads((tmp_path / "run" / "metrics.json").read_text())["dev"]["languages"]["hi"]
    assert {"has_answer_f1", "no_answer_f1", "best_f1", "best_f1_threshold"} <= set(dev)
    lrc("export", tmp_path / "run", "--fp32", "--out", tmp_path / "bundle")
    manifest = read_manifest(tmp_path / "bundle")
    assert list(manifest.metrics["gate"]["languages"]) == ["hi", "hi, has answer", "hi, no answer"]
    fitted = manifest.metrics["calibration"]
    drawn = json.loads((tmp_path / "run" / "shots.json").read_text())["hi"]
    real = 30 - sum(identity.startswith("n") for identity in drawn)
    # A question without an answer says nothing of whether a span is right.
    assert fitted["no_answer"]["real"] == real and fitted["examples"] == dev["count"] - real
    card = (tmp_path / "bundle" / "README.md").read_text(encoding="utf-8")
    assert "| hi, no answer |" in card and f"{real} of them with no answer in their text" in card
    test = labels(tmp_path / "test.jsonl", 200)
    for subject in ("run", "bundle"):
        found = json.loads(lrc("eval", tmp_path / subject, "--test", test, "--json"))["languages"]["hi"]
        assert found["count"] == 192 and found["best_f1"] >= found["f1"] - 1e-9
        shown = CliRunner().invoke(app, ["eval", str(tmp_path / subject), "--test", str(test)]).stdout
        assert "no answer" in shown and "has answer" in shown
