"""Fits what turns a model's own probabilities into how often it is right."""

from dataclasses import replace
from typing import Any

import numpy as np

from lrc_exporters.proof import Model
from lrc_runtime.calibration import Calibration, log_odds
from lrc_runtime.encoding import TextEncoder

from ..data.examples import Example
from ..run_folder import Run
from ..tasks import find_kind
from ..tasks.kind import Margins
from ..tasks.registry import find_task
from .platt import FARTHEST, Floats, Indices, fit, log_loss

_FOLDS = 5
_BINS = 10


def fit_calibration(
    model: Model, encoder: TextEncoder, run: Run, examples: dict[str, list[Example]]
) -> tuple[Calibration, dict[str, Any]] | None:
    """Fits both curves of `Calibration` on labelled examples that the model has not learned from.

    The kind of task says what counts as right, and on what "no answer" is fitted. Offsets for languages are taken
    where they lower the cross-validated log-loss.

    Args:
        model: The model that is served.
        encoder: Encodes the texts.
        run: The run that it was made of.
        examples: Labelled examples by language.

    Returns:
        The calibration, and for the manifest the expected calibration error (Guo et al. 2017, ten bins) of the model's
        own probabilities and, cross-validated, of the calibrated ones; None where there is nothing to fit on.
    """
    settings = run.settings
    kind = find_kind(settings.kind)
    metric = find_task(settings.task).metric
    answerer = kind.answerer(encoder, model, kind.scheme(settings))
    found = {lang: kind.confidences(answerer, group, metric) for lang, group in examples.items()}
    rows = {lang: group for lang, group in found.items() if len(group) >= _FOLDS}
    if not rows:
        return None
    scores = np.array([score for group in rows.values() for score, _ in group])
    right = np.array([float(is_right) for group in rows.values() for _, is_right in group])
    groups = np.repeat(np.arange(len(rows)), [len(group) for group in rows.values()])
    odds = np.array([log_odds(score) for score in scores])
    folds = np.random.default_rng(0).permutation(len(odds)) % _FOLDS
    plain, by_language = _held_out(odds, right, groups, folds, False), _held_out(odds, right, groups, folds, True)
    helps = len(rows) > 1 and log_loss(by_language, right) < log_loss(plain, right)
    curve = fit(odds, right, groups, helps)
    chosen = by_language if helps else plain
    report: dict[str, Any] = {
        "examples": len(odds),
        "expected_calibration_error": {
            "before": expected_calibration_error(np.exp(scores), right),
            "after": expected_calibration_error(chosen, right),
        },
        "by_language": helps,
    }
    languages = {lang: round(float(value), 4) for lang, value in zip(rows, curve.offsets, strict=True)} if helps else {}
    calibration = Calibration(round(curve.slope, 4), round(curve.intercept, 4), languages)
    margins = kind.margins(answerer, examples)
    if margins is not None and 0 < sum(margins.answered) < len(margins.answered):
        slope, intercept, report["no_answer"] = fit_no_answer(margins)
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


def fit_no_answer(margins: Margins) -> tuple[float, float, dict[str, float]]:
    """Fits the curve that tells whether a context answers.

    Returns:
        Slope and intercept, and for the manifest precision and recall of "no answer" on the same examples, and how
        many of those without an answer are real.
    """
    # A context without any span is as far from an answer as numbers go.
    values = np.clip(margins.values, -FARTHEST, FARTHEST)
    answered = np.array(margins.answered, dtype=float)
    curve = fit(values, answered)
    refused, unanswerable = curve.slope * values + curve.intercept < 0, answered == 0
    both = float((refused & unanswerable).sum())
    report = {
        "examples": len(answered),
        "real": margins.real,
        "precision": round(both / max(1.0, float(refused.sum())), 4),
        "recall": round(both / float(unanswerable.sum()), 4),
    }
    return round(curve.slope, 4), round(curve.intercept, 4), report


def _held_out(values: Floats, right: Floats, groups: Indices, folds: Indices, offsets: bool) -> Floats:
    """Returns for each example the probability by a curve fitted on the other folds."""
    found = np.zeros(len(values))
    for fold in range(_FOLDS):
        inside = folds == fold
        curve = fit(values[~inside], right[~inside], groups[~inside], offsets, int(groups.max()) + 1)
        found[inside] = curve(values[inside], groups[inside])
    return found
