"""Milliseconds a question and megabytes: the run in torch beside its bundle in lrc_runtime, in turn, in one process.

python -m benchmarks.engines.latency --run demo/run --bundle demo/bundle --test "examples/data/qa.{lang}.json" --lang hi
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

import lrc_runtime
from lrc import run_folder
from lrc.data.examples import BadExamples
from lrc.data.readers import read_questions
from lrc.evaluation.scoring import torch_answerer
from lrc.lowering.lower import lower
from lrc.run_folder import load_run
from lrc_runtime import QuestionAnswerer


def milliseconds(answerer: QuestionAnswerer, question: str, context: str) -> float:
    began = time.perf_counter()
    answerer.answer(question, context)
    return 1000 * (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("demo/run"))
    parser.add_argument("--bundle", type=Path, default=Path("demo/bundle"))
    parser.add_argument("--test", default="examples/data/qa.{lang}.json")
    parser.add_argument("--lang", default="hi")
    parser.add_argument("--count", type=int, default=50)
    options = parser.parse_args()
    run = load_run(options.run)
    encoder = run_folder.text_encoder(run.backbone, run.settings)
    tuned = torch_answerer(lower(run.model), encoder, run.settings, torch.device("cpu"), "fp32")
    served = lrc_runtime.load_question_answerer(options.bundle)
    assert isinstance(tuned, QuestionAnswerer)
    path = Path(options.test.replace("{lang}", options.lang))
    questions = read_questions(path, options.lang, BadExamples(False))[: options.count]
    times: dict[str, list[float]] = {"torch float32": [], "bundle": []}
    for question in questions:
        # In turn, so that a change of the machine's speed touches both alike; the first call of each is a warm-up.
        times["torch float32"].append(milliseconds(tuned, question.question, question.context))
        times["bundle"].append(milliseconds(served, question.question, question.context))
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:15} {median:7.1f} ms a question (median of {len(questions) - 1})")
    print(f"ratio           {medians['torch float32'] / medians['bundle']:7.2f}")
    size = sum(file.stat().st_size for file in options.bundle.iterdir())
    print(f"bundle          {size / 1e6:7.1f} MB")


if __name__ == "__main__":
    main()
