"""How true a bundle's confidence is on test questions: reliability by language, and when there is no answer.

python -m benchmarks.answers.confidence BUNDLE --task xquad --limit 300 --plot reliability.png

What has no answer is made: each question is asked of the passage of another question too.
"""

import argparse
import random
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt

import lrc_runtime
from benchmarks.questions import test_questions
from lrc.data.examples import Question
from lrc.evaluation.calibration import expected_calibration_error, other_contexts
from lrc.tasks.registry import find_task
from lrc.tasks.spans.metrics import span_scores
from lrc_runtime import QuestionAnswerer
from lrc_runtime.decoding import NO_ANSWER

_BINS = 10

Floats = npt.NDArray[np.float64]


def draw(task: str, lang: str, limit: int) -> list[Question]:
    """Draws test questions from all over the file."""
    examples = test_questions(task, lang)
    return random.Random(0).sample(examples, min(limit, len(examples)))


def measure(answerer: QuestionAnswerer, examples: list[Question], lang: str, metric: str) -> dict[str, Floats]:
    """Asks each question of its own passage, and of that of the next question that has another.

    Returns:
        For each question the confidence, the model's own probability and whether it is right; and the probability that
        there is no answer, with the own passages first, then with the others.
    """
    others = other_contexts(examples)
    asked = [one.question for one in examples]
    searches = answerer.search(asked * 2, [one.context for one in examples] + others)
    assert answerer.manifest is not None
    answers = [(search.answers(answerer.manifest.calibration, lang) or [NO_ANSWER])[0] for search in searches]
    own = answers[: len(examples)]
    right = [
        span_scores(answer.text, [text for text, _ in one.answers], lang, metric)[1]
        for answer, one in zip(own, examples, strict=True)
    ]
    return {
        "confidence": np.array([answer.score for answer in own]),
        "own": np.exp([search.best for search in searches[: len(examples)]]),
        "right": np.array(right),
        "no_answer": np.array([answer.no_answer for answer in answers]),
    }


def reliability(confidence: Floats, right: Floats) -> list[tuple[int, float, float]]:
    """Returns count, mean confidence and accuracy of each bin that is not empty."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    rows = [(bins == at) for at in range(_BINS)]
    return [(int(inside.sum()), confidence[inside].mean(), right[inside].mean()) for inside in rows if inside.any()]


def plot(found: dict[str, dict[str, Floats]], path: Path) -> None:
    """Draws a reliability diagram for each language."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = 4
    figure, axes = pyplot.subplots(-(-len(found) // columns), columns, figsize=(11, 6), sharex=True, sharey=True)
    for axis in axes.flat[len(found) :]:
        axis.axis("off")
    for axis, (lang, one) in zip(axes.flat, found.items(), strict=False):
        rows = reliability(one["confidence"], one["right"])
        counts = np.array([row[0] for row in rows])
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        axis.plot([row[1] for row in rows], [row[2] for row in rows], color="0.2", linewidth=1)
        axis.scatter(
            [row[1] for row in rows], [row[2] for row in rows], s=10 + 200 * counts / counts.sum(), color="0.2"
        )
        error = expected_calibration_error(one["confidence"], one["right"])
        axis.set_title(f"{lang}: expected calibration error {error:.3f}", fontsize=9)
        axis.set(xlim=(0, 1), ylim=(0, 1))
    figure.supxlabel("mean confidence in a bin")
    figure.supylabel("share of answers that match exactly")
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--task", default="xquad")
    parser.add_argument("--langs", help="by default those of the bundle")
    parser.add_argument("--limit", type=int, default=300, help="questions a language")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    answerer = lrc_runtime.load_question_answerer(options.bundle)
    assert answerer.manifest is not None
    langs = options.langs.split(",") if options.langs else answerer.manifest.languages
    metric = find_task(options.task).metric
    found: dict[str, dict[str, Any]] = {}
    print("| | questions | exact match | confidence | error, model's own | error | no answer: precision | recall |")
    print("|---|" + "---:|" * 7)
    for lang in langs:
        examples = draw(options.task, lang, options.limit)
        found[lang] = measure(answerer, examples, lang, metric)
        print(row(lang, found[lang]), flush=True)
    together = {name: np.concatenate([one[name] for one in found.values()]) for name in ("confidence", "own", "right")}
    halves = [np.split(one["no_answer"], 2) for one in found.values()]
    together["no_answer"] = np.concatenate([half for at in (0, 1) for half in [pair[at] for pair in halves]])
    if len(langs) > 1:
        print(row("all", together))
    print("\n| confidence, mean of a bin | answers | exact match |")
    print("|---:|---:|---:|")
    for count, confidence, right in reliability(together["confidence"], together["right"]):
        print(f"| {confidence:.2f} | {count} | {right:.2f} |")
    if options.plot:
        plot({**found, "all": together} if len(langs) > 1 else found, options.plot)


def row(name: str, one: dict[str, Floats]) -> str:
    """Returns a row of the table."""
    count, right = len(one["right"]), one["right"]
    refused = one["no_answer"] > 0.5
    caught = refused[count:].sum()
    cells = [str(count), f"{right.mean():.3f}", f"{one['confidence'].mean():.3f}"]
    cells += [f"{expected_calibration_error(one[which], right):.3f}" for which in ("own", "confidence")]
    cells += [f"{caught / max(1, refused.sum()):.2f}", f"{caught / count:.2f}"]
    return f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
