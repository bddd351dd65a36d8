"""Self-labelling: a trained run or bundle answers questions that nobody has answered, and its sure answers are labels.

A model's own score says little about whether it is right, least of all after training on a few dozen labels. So the
score is calibrated first, see `lrc.evaluation.platt`. That holds for questions like those it was fitted on: the run's
dev examples, or, where the questions come with answers, as clozes do, these.
"""

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np

from lrc_runtime import QuestionAnswerer
from lrc_runtime.calibration import log_odds

from ...console import note
from ...data.examples import BadExamples, Question
from ...errors import UserError
from ...evaluation.platt import Curve, Floats, fit
from ...tasks import find_kind
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
# Scores nearer to 0 and 1 say no more than these.
_LEAST = 1e-6


@dataclass(frozen=True)
class Sureness:
    """How likely an answer of some score is right, and what that was fitted on."""

    curve: Curve
    count: int
    right: int

    def __call__(self, score: float) -> float:
        """Returns the probability that an answer with this score is right."""
        return float(self.curve(_log_odds([score]), np.zeros(1, np.int64))[0])


def calibrate(answerer: QuestionAnswerer, known: Sequence[Question], metric: str) -> Sureness:
    """Fits the probability that an answer is right to its score.

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
    return Sureness(fit(_log_odds([answer.score for answer in answers]), right), len(known), int(right.sum()))


def self_labels(questions: Iterable[Question], answerer: QuestionAnswerer, sureness: Sureness) -> Iterator[Made]:
    """Yields questions with the model's answers in the place of their own, scored by how likely these are right.

    Args:
        questions: With or without answers, which are not looked at.
        answerer: A trained run or bundle.
        sureness: Of its scores.
    """
    for batch in batches(questions, _BATCH):
        answers = answerer.answer_batch([item.question for item in batch], [item.context for item in batch])
        for question, answer in zip(batch, answers, strict=True):
            if answer.text:
                labelled = replace(question, answers=((answer.text, answer.start),))
                yield Made(labelled, sureness(answer.score))


def _log_odds(scores: Sequence[float]) -> Floats:
    return np.array([log_odds(math.log(min(max(score, _LEAST), 1 - _LEAST))) for score in scores])


def _make(inputs: Inputs) -> Iterator[Made]:
    from ...evaluation.evaluate import open_subject
    from ...training.labels import draw_labels

    request = inputs.request
    assert request.run is not None
    subject = open_subject(request.run, request.device)
    if not isinstance(subject.answerer, QuestionAnswerer):
        what = find_kind(subject.settings.kind).what
        raise UserError(f"`run` {request.run}: {what}; self needs one that answers questions")
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
