"""Scores a run or a bundle: both through the runtime's own windowing and decoding."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from lrc_runtime import ParaphraseDetector, QuestionAnswerer
from lrc_runtime.encoding import TextEncoder
from lrc_runtime.manifest import Decoding

from .. import run_folder
from ..adapters.attention import any_shape
from ..config.settings import TrainSettings
from ..data.examples import LABELS, Example, Pair, Question
from ..model import TaskModel
from ..tasks.registry import find_task
from .metrics import span_scores
from .unanswerable import Outcome, scores_of_both

Answerer = QuestionAnswerer | ParaphraseDetector
Progress = Callable[[int], None]

# Probability of "no answer" above which `Answer.answered` is false.
REFUSED = 0.5
# Examples between two steps of the progress bar.
_CHUNK = 64


@dataclass(frozen=True)
class Score:
    """Scores of one language, in percent, over its examples.

    Attributes:
        main: F1 for questions, accuracy for pairs.
        exact: Exact match for questions; None for pairs.
        outcomes: F1 or accuracy of each example, 0 to 1.
        both: Where some questions have no answer: those with and without one apart, see `lrc.evaluation.unanswerable`.
        answerable: For each example whether it has an answer; empty where all have one.
    """

    main: float
    exact: float | None
    outcomes: list[float]
    both: dict[str, float] = field(default_factory=dict)
    answerable: list[bool] = field(default_factory=list)


def torch_answerer(
    model: TaskModel, encoder: TextEncoder, decoding: Decoding, is_qa: bool, device: torch.device, precision: str
) -> Answerer:
    """Wraps a torch model as the runtime wraps a bundle: only the forward pass differs.

    Args:
        model: The model.
        encoder: Encodes the texts.
        decoding: Decodes the logits.
        is_qa: Whether it answers questions; it compares sentences otherwise.
        device: Where it runs.
        precision: `fp32`, or `bf16` for autocast, which is what the model was trained in.
    """
    model.to(device)

    @torch.inference_mode()
    def run(batch: dict[str, Any]) -> dict[str, Any]:
        tensors = {name: torch.from_numpy(array).to(device) for name, array in batch.items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"), any_shape():
            outputs = model(tensors["input_ids"], tensors["attention_mask"], tensors["token_type_ids"])
        return {name: value.float().cpu().numpy() for name, value in outputs.items()}

    return QuestionAnswerer(encoder, run, decoding) if is_qa else ParaphraseDetector(encoder, run, LABELS)


def score_examples(
    answerer: Answerer, examples: Sequence[Example], metric: str, progress: Progress = lambda _: None
) -> Score:
    """Scores the examples of one language.

    Where some of the questions have no answer, the answerer may refuse, as SQuAD v2.0 has it: an answer that it thinks
    wrong (`Answer.answered`) counts as none. Where all have one, its best span counts whatever it thinks.

    Args:
        answerer: A run or a bundle.
        examples: Questions for a `QuestionAnswerer`, pairs for a `ParaphraseDetector`; at least one.
        metric: `squad`, `mlqa` or `accuracy`.
        progress: Called with the number of examples finished since the last call.
    """
    accuracy: list[float] = []
    found: list[Outcome] = []
    for start in range(0, len(examples), _CHUNK):
        chunk = examples[start : start + _CHUNK]
        if isinstance(answerer, QuestionAnswerer):
            questions = [example for example in chunk if isinstance(example, Question)]
            answers = answerer.answer_batch([q.question for q in questions], [q.context for q in questions])
            for question, answer in zip(questions, answers, strict=True):
                scores = span_scores(answer.text, [text for text, _ in question.answers], question.lang, metric)
                found.append(Outcome(*scores, answer.no_answer, bool(question.answers)))
        else:
            pairs = [example for example in chunk if isinstance(example, Pair)]
            verdicts = answerer.compare_batch([(pair.first, pair.second) for pair in pairs])
            accuracy += [
                float(verdict.label == answerer.labels[pair.label])
                for pair, verdict in zip(pairs, verdicts, strict=True)
            ]
        progress(len(chunk))
    if not isinstance(answerer, QuestionAnswerer):
        return Score(100 * float(np.mean(accuracy)), None, accuracy)
    answerable = [outcome.answerable for outcome in found]
    threshold = 1.0 if all(answerable) else REFUSED
    f1, exact = np.array([outcome.at(threshold) for outcome in found]).T
    means = 100 * float(f1.mean()), 100 * float(exact.mean())
    if all(answerable):
        return Score(*means, f1.tolist())
    return Score(*means, f1.tolist(), scores_of_both(found, threshold), answerable)


def summarise(scores: dict[str, Score]) -> dict[str, Any]:
    """Returns `f1` and `exact_match`, or `accuracy`, by language and as their unweighted average.

    Where questions have no answer, also what `lrc.evaluation.unanswerable` has of them, averaged over the languages
    with any.
    """
    languages = {lang: _named(score) for lang, score in scores.items()}
    names = dict.fromkeys(name for entry in languages.values() for name in entry if name != "count")
    average = {
        name: float(np.mean([entry[name] for entry in languages.values() if name in entry]))
        for name in names
        # Each language has a best threshold of its own.
        if not name.endswith("_threshold")
    }
    return {"languages": languages, "average": average}


def outcomes_by_group(scores: Mapping[str, Score]) -> dict[str, list[float]]:
    """Returns the F1 or accuracy of each example by language, and apart for questions with and without an answer."""
    groups: dict[str, list[float]] = {}
    for lang, score in scores.items():
        groups[lang] = score.outcomes
        for name, wanted in (("has answer", True), ("no answer", False)):
            rows = [row for row, is_one in zip(score.outcomes, score.answerable, strict=False) if is_one is wanted]
            if rows and len(rows) < len(score.outcomes):
                groups[f"{lang}, {name}"] = rows
    return groups


def evaluate_dev(
    model: TaskModel,
    encoder: TextEncoder,
    settings: TrainSettings,
    dev: dict[str, list[Example]],
    device: torch.device,
    progress: Progress,
) -> dict[str, Any] | None:
    """Scores a torch model on dev examples; None where there are none."""
    model.eval()
    answerer = torch_answerer(
        model, encoder, run_folder.decoding(settings), run_folder.is_qa(settings), device, settings.precision
    )
    metric = find_task(settings.task).metric
    scores = {lang: score_examples(answerer, examples, metric, progress) for lang, examples in dev.items() if examples}
    return summarise(scores) if scores else None


def main_score(summary: dict[str, Any]) -> float:
    """Returns the average F1 or accuracy of a summary, in percent."""
    average = summary["average"]
    return float(average["f1"] if "f1" in average else average["accuracy"])


def trivial_score(groups: Mapping[str, Sequence[Example]], metric: str) -> float:
    """Returns what an answerer that has learned nothing scores, in percent.

    It gives the whole context to a question, or no answer to all where that is better, and to all pairs of a language
    the label that most of them have.

    Args:
        groups: Examples by language, at least one of each.
        metric: `squad`, `mlqa` or `accuracy`.

    Returns:
        The average F1 or accuracy over the languages.
    """
    return float(np.mean([_trivial(examples, metric) for examples in groups.values()]))


def _trivial(examples: Sequence[Example], metric: str) -> float:
    questions = [example for example in examples if isinstance(example, Question)]
    if questions:
        scores = [span_scores(q.context, [text for text, _ in q.answers], q.lang, metric)[0] for q in questions]
        return 100 * max(float(np.mean(scores)), float(np.mean([not q.answers for q in questions])))
    labels = Counter(example.label for example in examples if isinstance(example, Pair))
    return 100 * max(labels.values()) / labels.total()


def _named(score: Score) -> dict[str, Any]:
    count = len(score.outcomes)
    if score.exact is None:
        return {"accuracy": score.main, "count": count}
    return {"f1": score.main, "exact_match": score.exact, "count": count, **score.both}
