"""Does the browser's JavaScript give the spans that lrc_runtime gives? XQuAD questions, as many in each language.

python -m benchmarks.web.parity --bundle BUNDLE --web FOLDER --work WORK    (needs LRC_DATA_DIR and Node.js)

FOLDER is what `lrc web BUNDLE --out FOLDER` wrote. What is in WORK already is not computed again, so that a run that
was stopped goes on.

int8 activations are rounded anew in every layer, so that the last bit of one float can decide on which side of a step
many others fall. `--unrounded` asks with the same weights but leaves activations as they are, which tells a fault of
the port from rounding; `--nudge 1e-7` compares lrc_runtime, instead of the browser's code, with itself after the scale
of its first layer norm has changed by so much, which tells what rounding alone does.
"""

import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

import lrc_runtime
from benchmarks.questions import test_questions
from lrc.data.examples import Question
from lrc_runtime.encoding import Ints
from lrc_runtime.qa import QuestionAnswerer
from lrc_runtime.session import Session

LANGS = ("en", "de", "es", "ar", "hi", "vi", "zh")


def draw(root: Path, count: int, seed: int) -> list[Question]:
    """Draws the same number of questions in each language, but for what is left over."""
    rng = random.Random(seed)
    piles = [rng.sample(test_questions("xquad", lang, str(root)), -(-count // len(LANGS))) for lang in LANGS]
    return [question for row in zip(*piles, strict=True) for question in row][:count]


def unround(model: onnx.ModelProto) -> None:
    """Takes the rounding of activations out of an int8 graph; its weights stay as they are."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in list(model.graph.node):
        if node.op_type == "DynamicQuantizeLinear":
            # What is "quantised" is the value itself, at scale 1.
            place = list(model.graph.node).index(node)
            one = helper.make_tensor("", onnx.TensorProto.FLOAT, [], [1.0])
            model.graph.node.insert(place, helper.make_node("Constant", [], [node.output[1]], value=one))
            node.op_type = "Identity"
            del node.output[1:]
        elif node.op_type == "MatMulInteger":
            tensor = weights[node.input[1]]
            if tensor.data_type == onnx.TensorProto.INT8:
                zero = numpy_helper.to_array(weights[node.input[3]]) if len(node.input) > 3 else np.int8(0)
                values = numpy_helper.to_array(tensor).astype(np.float32) - zero.astype(np.float32)
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
            node.op_type = "MatMul"
            del node.input[2:]


def nudge(model: onnx.ModelProto, share: float) -> None:
    """Changes the scale of the first layer norm by a share of itself."""
    name = next(node.input[1] for node in model.graph.node if node.op_type == "LayerNormalization")
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    values = numpy_helper.to_array(tensor)
    noise = 1 + share * np.random.default_rng(0).standard_normal(values.shape)
    tensor.CopyFrom(numpy_helper.from_array((values * noise).astype(np.float32), name))


def write_answers(options: argparse.Namespace, questions: list[dict[str, Any]], graph: Path, to: Path) -> None:
    """Answers with lrc_runtime and a graph in place of the bundle's."""
    with lrc_runtime.load_question_answerer(options.bundle, 1) as qa, to.open("a", 1, encoding="utf-8") as file:
        qa._run = Session(graph, 1)
        for question in questions[len(lines(to)) :]:
            file.write(json.dumps(answer(qa, question)) + "\n")


def answer(qa: QuestionAnswerer, question: dict[str, Any]) -> dict[str, Any]:
    """Answers one question, and records the logits of its batches."""
    logits: list[float] = []
    run = qa._run

    def recorded(batch: dict[str, Ints]) -> dict[str, Any]:
        outputs = run(batch)
        for name in ("start_logits", "end_logits"):
            logits.extend(outputs[name].ravel().tolist())
        return outputs

    qa._run = recorded
    began = time.perf_counter()
    found = qa.answer(question["question"], question["context"], lang=question["lang"])
    milliseconds = 1000 * (time.perf_counter() - began)
    qa._run = run
    return {**asdict(found), "milliseconds": milliseconds, "logits": logits}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--web", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unrounded", action="store_true")
    parser.add_argument("--nudge", type=float)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    asked = options.work / "questions.jsonl"
    if not asked.exists():
        drawn = draw(Path(os.environ["LRC_DATA_DIR"]), options.count, options.seed)
        asked.write_text("".join(json.dumps(asdict(one)) + "\n" for one in drawn), encoding="utf-8")
    questions = lines(asked)
    kind = "unrounded" if options.unrounded else "int8"
    graph = options.bundle / "model.onnx"
    if options.unrounded:
        model = onnx.load(graph)
        unround(model)
        graph = options.work / "unrounded.onnx"
        onnx.save(model, graph)
    python = options.work / f"python-{kind}.jsonl"
    write_answers(options, questions, graph, python)
    if options.nudge is not None:
        model = onnx.load(graph)
        nudge(model, options.nudge)
        onnx.save(model, options.work / "nudged.onnx")
        other = options.work / f"nudged-{kind}-{options.nudge}.jsonl"
        write_answers(options, questions, options.work / "nudged.onnx", other)
        report(questions, lines(python), lines(other))
        return
    web = options.work / f"web-{kind}.jsonl"
    program = Path(__file__).with_suffix(".mjs")
    subprocess.run(["node", program, options.web, asked, web, *([graph] if options.unrounded else [])], check=True)
    report(questions, lines(python), lines(web))


def report(questions: list[dict[str, Any]], python: list[dict[str, Any]], web: list[dict[str, Any]]) -> None:
    """Prints how often the two agree, by language, and every question on which they do not."""
    rows = list(zip(questions, python, web, strict=True))
    same = {lang: [0, 0] for lang in LANGS}
    for question, ours, theirs in rows:
        equal = (ours["start"], ours["end"]) == (theirs["start"], theirs["end"])
        same[question["lang"]][0] += equal
        same[question["lang"]][1] += 1
        assert theirs["text"] == question["context"][theirs["start"] : theirs["end"]]
        if not equal:
            print(
                f"{question['lang']} {question['id']}: {ours['text']!r} {ours['score']:.4f} and {theirs['text']!r}"
                f" {theirs['score']:.4f}"
            )
    print("same span:", ", ".join(f"{lang} {equal} of {count}" for lang, (equal, count) in same.items()))
    assert all(len(ours["logits"]) == len(theirs["logits"]) for _, ours, theirs in rows)
    off = np.concatenate([np.abs(np.subtract(ours["logits"], theirs["logits"])) for _, ours, theirs in rows])
    spread = np.concatenate([ours["logits"] for _, ours, _ in rows]).std()
    print(f"logits: {len(off)}, standard deviation {spread:.2f}; they differ by {off.mean():.2g} in the mean,", end=" ")
    print(f"{np.percentile(off, 99):.2g} at the 99th percentile, {off.max():.2g} at most")
    scores = [abs(ours["score"] - theirs["score"]) for _, ours, theirs in rows]
    print(f"scores: differ by {statistics.mean(scores):.2g} in the mean, {max(scores):.2g} at most")
    for name, found in (("lrc_runtime", python), ("the other", web)):
        times = [one["milliseconds"] for one in itertools.islice(found, 3, None)]
        print(f"{name}: {statistics.median(times):.0f} ms a question in the median, one thread")


if __name__ == "__main__":
    main()
