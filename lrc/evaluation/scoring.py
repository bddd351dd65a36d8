"""Scores a run or a bundle: both through the runtime's own windowing and decoding."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lrc_runtime.batching import Served
from lrc_runtime.encoding import TextEncoder

from ..adapters.attention import any_shape
from ..config.settings import TrainSettings
from ..data.examples import Example
from ..model import TaskModel
from ..tasks import KINDS, find_kind
from ..tasks.kind import Score
from ..tasks.registry import Task, find_task

Progress = Callable[[int], None]

# Examples between two steps of the progress bar.
_CHUNK = 64
# The scores that count, of all kinds of task: a summary holds one.
_MAIN = tuple(dict.fromkeys(kind.main_score for kind in KINDS.values()))


def torch_answerer(
    model: TaskModel, encoder: TextEncoder, settings: TrainSettings, device: torch.device, precision: str
) -> Served:
    """Wraps a torch model as the runtime wraps a bundle: only the forward pass differs.

    Args:
        model: The model.
        encoder: Encodes the texts.
        settings: Of the run, which tell the kind of task.
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

    kind = find_kind(settings.kind)
    answerer: Served = kind.answerer(encoder, run, kind.scheme(settings))
    return answerer


def score_examples(
    task: Task, answerer: Served, examples: Sequence[Example], progress: Progress = lambda _: None
) -> Score:
    """Scores the examples of one language.

    Args:
        task: What they are examples of.
        answerer: A run or a bundle of the task's kind.
        examples: At least one.
        progress: Called with the number of examples finished since the last call.
    """
    kind = find_kind(task.kind)
    judged: list[Any] = []
    for start in range(0, len(examples), _CHUNK):
        chunk = examples[start : start + _CHUNK]
        judged += kind.judge(answerer, chunk, task.metric)
        progress(len(chunk))
    return kind.score(judged)


def summarise(scores: dict[str, Score]) -> dict[str, Any]:
    """Returns the named scores by language and as their unweighted average, over the languages that have them."""
    languages = {lang: {**score.named, "count": len(score.outcomes)} for lang, score in scores.items()}
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
    answerer = torch_answerer(model, encoder, settings, device, settings.precision)
    task = find_task(settings.task)
    scores = {lang: score_examples(task, answerer, examples, progress) for lang, examples in dev.items() if examples}
    return summarise(scores) if scores else None


def main_score(summary: dict[str, Any]) -> float:
    """Returns the average of the score that counts, in percent."""
    average = summary["average"]
    return float(next(average[name] for name in _MAIN if name in average))


def trivial_score(task: Task, groups: Mapping[str, Sequence[Example]]) -> float:
    """Returns what an answerer that has learned nothing scores, in percent, see `TaskKind.trivial`.

    Args:
        task: What they are examples of.
        groups: Examples by language, at least one of each.

    Returns:
        The average over the languages.
    """
    kind = find_kind(task.kind)
    return float(np.mean([kind.trivial(examples, task.metric) for examples in groups.values()]))
