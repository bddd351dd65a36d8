"""Self-labelling: a trained run or bundle answers questions that nobody has answered, and its sure answers are labels.

A model's own score says little about whether it is right, least of all after training on a few dozen labels. So the
score is calibrated first (Platt 1999, Probabilistic outputs for support vector machines):
p(right | score) = sigmoid(a * logit(score) + b). That holds for questions like those it was fitted on: the run's dev
examples, or, where the questions come with answers, as clozes do, these.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
import numpy.typing as npt

from lrc_runtime import QuestionAnswerer

from ...console import note
from ...data.examples import BadExamples, Question
from ...errors import UserError
from ...tasks.registry import find_task
from ...tasks.spans.metrics import span_scores
from ..examples import Made
from ..text import batches
from .inputs import Generator, Inputs

# An answer with at least this F1 against a label counts as right.
_RIGHT = 0.5
# Fewer known answers, or fewer right ones among them, say nothing about scores.
FEWEST_KNOWN = 20
_FEWEST_RIGHT = 3
# Questions among which answers are looked for to calibrate on.
_HEAD = 256
_BATCH = 64
_ROUNDS = 50
_RIDGE = 1e-2


@dataclass(frozen=True)
class Calibration:
    """The two parameters of p(right | score), and what they were fitted on."""

    slope: float
    offset: float
    count: int
    right: int

    def __call__(self, score: float) -> float:
        """Returns the probability that an answer with this score is right."""
        return float(_sigmoid(self.slope * _logit(np.array([score])) + self.offset)[0])


def calibrate(answerer: QuestionAnswerer, known: Sequence[Question], metric: str) -> Calibration:
    """Fits the probability that an answer is right to its score, by Newton's method.

    Args:
        answerer: The run or bundle.
        known: Questions with answers, which it was not trained on.
        metric: Normalisation of answers, see `lrc.tasks.spans.metrics`.

    Raises:
        UserError: If there are too few examples or right answers to fit anything.
    """
    answers = (
        answerer.answer_batch([item.question for item in known], [item.context for item in known]) if known else []
    )
    right = np.array(
        [
            span_scores(answer.text, [text for text, _ in item.answers], item.lang, metric)[0] >= _RIGHT
            for item, answer in zip(known, answers, strict=True)
        ],
        dtype=np.float64,
    )
    if len(known) < FEWEST_KNOWN or right.sum() < _FEWEST_RIGHT:
        raise UserError(
            f"`run`: {int(right.sum())} right answers to {len(known)} questions are too few to calibrate its scores on"
            f" ({_FEWEST_RIGHT} of {FEWEST_KNOWN} are needed); train with more labels, or give questions with answers"
        )
    slope, offset = _fit(_logit(np.array([answer.score for answer in answers])), right)
    return Calibration(slope, offset, len(known), int(right.sum()))


def self_labels(questions: Iterable[Question], answerer: QuestionAnswerer, calibration: Calibration) -> Iterator[Made]:
    """Yields questions with the model's answers in the place of their own, scored by how likely these are right.

    Args:
        questions: With or without answers, which are not looked at.
        answerer: A trained run or bundle.
        calibration: Of its scores.
    """
    for batch in batches(questions, _BATCH):
        answers = answerer.answer_batch([item.question for item in batch], [item.context for item in batch])
        for question, answer in zip(batch, answers, strict=True):
            if answer.text:
                labelled = replace(question, answers=((answer.text, answer.start),))
                yield Made(labelled, calibration(answer.score))


def _fit(values: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Logistic regression of one variable; Platt's targets and a small ridge keep it finite where all are right."""
    positive, negative = right.sum(), len(right) - right.sum()
    targets = np.where(right > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    inputs = np.stack([values, np.ones_like(values)], axis=1)
    weights = np.array([1.0, 0.0])
    for _ in range(_ROUNDS):
        found = _sigmoid(inputs @ weights)
        gradient = inputs.T @ (found - targets) + _RIDGE * (weights - [1.0, 0.0])
        curvature = (inputs * (found * (1 - found))[:, None]).T @ inputs + _RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    return float(weights[0]), float(weights[1])


def _logit(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    logits: npt.NDArray[np.float64] = np.log(clipped / (1 - clipped))
    return logits


def _sigmoid(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    result: npt.NDArray[np.float64] = (1 + np.tanh(values / 2)) / 2
    return result


def _make(inputs: Inputs) -> Iterator[Made]:
    from ...evaluation.evaluate import open_subject
    from ...training.labels import draw_labels

    request = inputs.request
    assert request.run is not None
    subject = open_subject(request.run, request.device)
    if not isinstance(subject.answerer, QuestionAnswerer):
        raise UserError(f"`run` {request.run}: compares sentences; self needs one that answers questions")
    metric = find_task(subject.settings.task).metric
    questions = inputs.questions()
    head = list(islice(questions, _HEAD))
    known = [item for item in head if item.answers]
    if len(known) >= FEWEST_KNOWN:
        what = "of the questions themselves"
    else:
        what = "dev questions"
        settings = subject.settings
        own = [path for path in (settings.train, settings.dev, settings.shots_file) if path]
        if not all(os.path.isabs(path) or path.startswith("hf:") for path in own):
            raise UserError(
                f"`run` {request.run}: a bundle does not tell where its own labels lie; give the run that it was made"
                f" of, or at least {FEWEST_KNOWN} questions with answers"
            )
        # Of the run's files no other is needed, and a bundle does not tell where they lie.
        _, groups = draw_labels(settings, BadExamples(settings.skip_bad))
        dev = groups.get(request.lang) or list(chain.from_iterable(groups.values()))
        known = [item for item in dev if isinstance(item, Question)]
    calibration = calibrate(subject.answerer, known, metric)
    note(f"scores calibrated on {calibration.count} {what}, {calibration.right} of them answered right")
    return self_labels(chain(head, questions), subject.answerer, calibration)


GENERATOR = Generator(make=_make, run=True)
