"""Fits what turns a model's own probabilities into how often it is right."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from lrc_exporters.proof import Run as Model
from lrc_runtime import ParaphraseDetector, QuestionAnswerer
from lrc_runtime.calibration import Calibration, log_odds
from lrc_runtime.encoding import TextEncoder

from .. import run_folder
from ..data.examples import LABELS, Example, Pair, Question
from ..run_folder import Run
from ..tasks.registry import find_task
from .metrics import span_scores

Floats = npt.NDArray[np.float64]

_FOLDS = 5
_BINS = 10
# Of the squared offsets of languages, whose few examples say little about each.
_DECAY = 1.0
# Log-odds beyond which float64 tells no probability from 0 or 1.
_FARTHEST = 700.0


def fit_calibration(
    model: Model, encoder: TextEncoder, run: Run, examples: dict[str, list[Example]]
) -> tuple[Calibration, dict[str, Any]] | None:
    """Fits both curves of `Calibration` on labelled examples that the model has not learned from.

    A question counts as answered rightly where its best span is one of the accepted answers, spelling aside (exact
    match); those that have no answer say nothing of that. They are what the second curve is fitted on, where a language
    has five of them; elsewhere what has no answer is made: each question with the context of another question. Offsets
    for languages are taken where they lower the cross-validated log-loss.

    Args:
        model: The model that is served.
        encoder: Encodes the texts.
        run: The run that it was made of.
        examples: Labelled examples by language.

    Returns:
        The calibration, and for the manifest the expected calibration error (Guo et al. 2017, ten bins) of the model's
        own probabilities and, cross-validated, of the calibrated ones; None where there is nothing to fit on.
    """
    known = {lang: [one for one in group if not _unanswerable(one)] for lang, group in examples.items()}
    langs = [lang for lang, group in known.items() if len(group) >= _FOLDS]
    if not langs:
        return None
    answerer: QuestionAnswerer | ParaphraseDetector
    if run_folder.is_qa(run.settings):
        answerer = QuestionAnswerer(encoder, model, run_folder.decoding(run.settings))
        metric = find_task(run.settings.task).metric
        rows = [_questions(answerer, known[lang], metric) for lang in langs]
    else:
        answerer = ParaphraseDetector(encoder, model, LABELS)
        rows = [_pairs(answerer, examples[lang]) for lang in langs]
    scores, right = (np.concatenate([row[at] for row in rows]) for at in (0, 1))
    groups = np.repeat(np.arange(len(langs)), [len(row[0]) for row in rows])
    odds = np.array([log_odds(score) for score in scores])
    folds = np.random.default_rng(0).permutation(len(odds)) % _FOLDS
    plain, by_language = _held_out(odds, right, groups, folds, False), _held_out(odds, right, groups, folds, True)
    helps = len(langs) > 1 and _log_loss(by_language, right) < _log_loss(plain, right)
    slope, intercept, offsets = _fit(odds, right, groups, helps)
    chosen = by_language if helps else plain
    report: dict[str, Any] = {
        "examples": len(odds),
        "expected_calibration_error": {
            "before": expected_calibration_error(np.exp(scores), right),
            "after": expected_calibration_error(chosen, right),
        },
        "by_language": helps,
    }
    languages = {lang: round(float(value), 4) for lang, value in zip(langs, offsets, strict=True)} if helps else {}
    calibration = Calibration(round(slope, 4), round(intercept, 4), languages)
    if isinstance(answerer, QuestionAnswerer):
        questions = {lang: [one for one in examples[lang] if isinstance(one, Question)] for lang in langs}
        if fitted := _fit_no_answer(answerer, questions):
            slope, intercept, report["no_answer"] = fitted
            calibration = replace(calibration, no_answer_slope=slope, no_answer_intercept=intercept)
    return calibration, report


def expected_calibration_error(confidence: Floats, right: Floats) -> float:
    """Returns the mean distance of confidence and accuracy in ten bins, weighted by their size (Guo et al. 2017)."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    error = 0.0
    for at in range(_BINS):
        inside = bins == at
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return round(float(error), 4)


def _questions(answerer: QuestionAnswerer, examples: Sequence[Example], metric: str) -> tuple[Floats, Floats]:
    """Returns log-probabilities of the best spans, and whether each is an accepted answer."""
    questions = [one for one in examples if isinstance(one, Question)]
    searches = answerer.search([one.question for one in questions], [one.context for one in questions])
    scores, right = [], []
    for one, search in zip(questions, searches, strict=True):
        answers = search.answers(Calibration())
        text = answers[0].text if answers else ""
        scores.append(search.best)
        right.append(span_scores(text, [text for text, _ in one.answers], one.lang, metric)[1])
    return np.array(scores), np.array(right)


def _pairs(detector: ParaphraseDetector, examples: Sequence[Example]) -> tuple[Floats, Floats]:
    """Returns log-probabilities of the labels given, and whether each is right."""
    pairs = [one for one in examples if isinstance(one, Pair)]
    verdicts = detector.compare_batch([(one.first, one.second) for one in pairs])
    right = [float(verdict.label == detector.labels[one.label]) for verdict, one in zip(verdicts, pairs, strict=True)]
    return np.log([verdict.score for verdict in verdicts]), np.array(right)


def _unanswerable(example: Example) -> bool:
    return isinstance(example, Question) and not example.answers


def _fit_no_answer(
    answerer: QuestionAnswerer, examples: dict[str, list[Question]]
) -> tuple[float, float, dict[str, float]] | None:
    """Fits the curve that tells whether a context answers.

    Questions that their contexts do not answer are taken where a language has some; elsewhere each question is asked of
    its own context and of another.

    Args:
        answerer: Answers the questions.
        examples: Questions by language.

    Returns:
        Slope and intercept, and for the manifest precision and recall of "no answer" on the same questions, and how
        many of those without an answer are real; None where there are none and no language has two contexts.
    """
    questions, contexts, answered = [], [], []
    real = 0
    for group in examples.values():
        known = [one for one in group if one.answers]
        unanswerable = [one for one in group if not one.answers]
        asked = [(one, one.context, float(bool(one.answers))) for one in group]
        if len(unanswerable) < _FOLDS and len({one.context for one in known}) > 1:
            asked += [(one, other, 0.0) for one, other in zip(known, other_contexts(known), strict=True)]
        elif not unanswerable:
            continue
        real += len(unanswerable)
        questions += [one.question for one, _, _ in asked]
        contexts += [context for _, context, _ in asked]
        answered += [is_answered for _, _, is_answered in asked]
    if not 0 < sum(answered) < len(answered):
        return None
    # A context without any span is as far from an answer as numbers go.
    margins = np.clip([search.margin for search in answerer.search(questions, contexts)], -_FARTHEST, _FARTHEST)
    labels = np.array(answered)
    slope, intercept, _ = _fit(margins, labels, np.zeros(len(labels), int), False)
    refused, unanswerable = slope * margins + intercept < 0, labels == 0
    both = float((refused & unanswerable).sum())
    report = {
        "examples": len(labels),
        "real": real,
        "precision": round(both / max(1.0, float(refused.sum())), 4),
        "recall": round(both / float(unanswerable.sum()), 4),
    }
    return round(slope, 4), round(intercept, 4), report


def other_contexts(questions: Sequence[Question]) -> list[str]:
    """Returns for each question the context of the next one, round the end, that has another; there must be two."""
    found = []
    for at, one in enumerate(questions):
        after = (questions[(at + step) % len(questions)].context for step in range(1, len(questions)))
        found.append(next(context for context in after if context != one.context))
    return found


def _held_out(
    values: Floats, right: Floats, groups: npt.NDArray[np.int64], folds: npt.NDArray[np.int64], offsets: bool
) -> Floats:
    """Returns for each example the probability by a curve fitted on the other folds."""
    found = np.zeros(len(values))
    for fold in range(_FOLDS):
        inside = folds == fold
        slope, intercept, by_group = _fit(values[~inside], right[~inside], groups[~inside], offsets, groups.max() + 1)
        found[inside] = _sigmoid(slope * values[inside] + intercept + by_group[groups[inside]])
    return found


def _fit(
    values: Floats, right: Floats, groups: npt.NDArray[np.int64], offsets: bool, count: int | None = None
) -> tuple[float, float, Floats]:
    """Fits a logistic curve, with an offset for each group if asked.

    As in Platt (1999) the labels are drawn in by one example each, so that a few that are all right do not make the
    curve a step.
    """
    size = int(groups.max()) + 1 if count is None else count
    x, labels = torch.from_numpy(values), torch.from_numpy(right)
    positive, negative = float(right.sum()), float(len(right) - right.sum())
    high, low = (positive + 1) / (positive + 2), 1 / (negative + 2)
    targets = low + labels * (high - low)
    line = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    by_group = torch.zeros(size, dtype=torch.float64, requires_grad=offsets)
    index = torch.from_numpy(groups)
    optimiser = torch.optim.LBFGS([line, by_group] if offsets else [line], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = line[0] * x + line[1] + by_group[index]
        total = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
        total = total + _DECAY * by_group.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    slope, intercept = line.detach().tolist()
    result: Floats = by_group.detach().numpy()
    # A slope below 0 would prefer what the model thinks worst: then it knows nothing.
    if slope < 0:
        return 0.0, float(np.log(targets.mean() / (1 - targets.mean()))), np.zeros(size)
    return slope, intercept, result


def _log_loss(confidence: Floats, right: Floats) -> float:
    bounded = np.clip(confidence, 1e-9, 1 - 1e-9)
    return float(-(right * np.log(bounded) + (1 - right) * np.log(1 - bounded)).mean())


def _sigmoid(values: Floats) -> Floats:
    result: Floats = 1 / (1 + np.exp(-np.clip(values, -_FARTHEST, _FARTHEST)))
    return result
