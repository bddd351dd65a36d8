"""Answers the questions of a folder with one way of serving, in this process; `compare.py` starts it.

python -m benchmarks.serving.measure SERVER WORK

It needs lrc_runtime alone beside the library that it measures.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

THREADS = len(os.sched_getaffinity(0))
# What hand-written loops usually take.
_BATCH = 16
_LONGEST_ANSWER = 30

Answer = Callable[[list[str], list[str]], list[str]]
Model = Callable[[dict[str, Any]], Sequence[Any]]


def serve_lrc(work: Path, preset: str = "default") -> Answer:
    import lrc_runtime

    answerer = lrc_runtime.load_question_answerer(work / "bundle", preset=preset)
    return lambda questions, contexts: [answer.text for answer in answerer.answer_batch(questions, contexts)]


def serve_torch(work: Path) -> Answer:
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForQuestionAnswering

    torch.set_num_threads(THREADS)
    model = AutoModelForQuestionAnswering.from_pretrained(work / "model").eval()

    @torch.inference_mode()
    def run(batch: dict[str, Any]) -> Sequence[Any]:
        found = model(**{name: torch.from_numpy(array) for name, array in batch.items()})
        return found.start_logits.numpy(), found.end_logits.numpy()

    return loop(work, Tokenizer.from_file(str(work / "model" / "tokenizer.json")), run)


def serve_optimum(work: Path) -> Answer:
    import onnxruntime as ort
    from optimum.onnxruntime import ORTModelForQuestionAnswering
    from tokenizers import Tokenizer

    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    model = ORTModelForQuestionAnswering.from_pretrained(
        work / "bundle", file_name="model.onnx", session_options=options
    )

    def run(batch: dict[str, Any]) -> Sequence[Any]:
        found = model(**batch)
        return found.start_logits, found.end_logits

    return loop(work, Tokenizer.from_file(str(work / "bundle" / "tokenizer.json")), run)


def serve_haystack(work: Path) -> Answer:
    import torch
    from haystack import Document
    from haystack.utils import ComponentDevice
    from haystack_integrations.components.readers.transformers import TransformersExtractiveReader

    torch.set_num_threads(THREADS)
    shapes = json.loads((work / "shapes.json").read_text())
    reader = TransformersExtractiveReader(
        str(work / "model"),
        device=ComponentDevice.from_str("cpu"),
        top_k=1,
        no_answer=False,
        max_seq_length=shapes["max_length"],
        stride=shapes["stride"],
        max_batch_size=_BATCH,
    )
    reader.warm_up()

    def answer(questions: list[str], contexts: list[str]) -> list[str]:
        asked = zip(questions, contexts, strict=True)
        found = (reader.run(query=question, documents=[Document(content=context)]) for question, context in asked)
        return [one["answers"][0].data or "" if one["answers"] else "" for one in found]

    return answer


SERVERS: dict[str, Callable[[Path], Answer]] = {
    "PyTorch loop": serve_torch,
    "Haystack ExtractiveReader": serve_haystack,
    "optimum loop": serve_optimum,
    "lrc": serve_lrc,
    "lrc, preset throughput": partial(serve_lrc, preset="throughput"),
}


def loop(work: Path, tokenizer: Any, model: Model) -> Answer:
    """The loop that one writes by hand: windows in the order of the text, batch by batch, the best sum of logits."""
    pad = tokenizer.token_to_id("<pad>")
    shapes = json.loads((work / "shapes.json").read_text())

    def answer_one(question: str, context: str, length: int, stride: int) -> str:
        tokenizer.enable_truncation(length, stride=stride, strategy="only_second")
        tokenizer.enable_padding(pad_id=pad)
        first = tokenizer.encode(question, context)
        windows = [first, *first.overflowing]
        best, span = -np.inf, (0, 0)
        for at in range(0, len(windows), _BATCH):
            chunk = windows[at : at + _BATCH]
            batch = {
                "input_ids": np.array([window.ids for window in chunk], np.int64),
                "attention_mask": np.array([window.attention_mask for window in chunk], np.int64),
            }
            for window, starts, ends in zip(chunk, *model(batch), strict=True):
                score, place = best_span(np.asarray(starts), np.asarray(ends), np.array(window.sequence_ids) == 1)
                if score > best:
                    best, span = score, (window.offsets[place[0]][0], window.offsets[place[1]][1])
        return context[slice(*span)].strip()

    def answer(questions: list[str], contexts: list[str]) -> list[str]:
        sizes = shapes["max_length"], shapes["stride"]
        return [answer_one(*asked, *sizes) for asked in zip(questions, contexts, strict=True)]

    return answer


def best_span(starts: Any, ends: Any, context: Any) -> tuple[float, tuple[int, int]]:
    """Returns the best span, by probabilities over the context's tokens and the first, which stands for no answer."""
    places = np.flatnonzero(context)
    if not len(places):
        return -np.inf, (0, 0)
    kept = np.concatenate([[0], places])
    first, last = (logits[kept] - np.logaddexp.reduce(logits[kept]) for logits in (starts, ends))
    scores = first[1:, None] + last[None, 1:]
    distance = np.arange(len(places))[None] - np.arange(len(places))[:, None]
    scores[(distance < 0) | (distance >= _LONGEST_ANSWER)] = -np.inf
    row, column = np.unravel_index(scores.argmax(), scores.shape)
    return float(scores[row, column]), (int(places[row]), int(places[column]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Answers the questions of a folder with one way of serving.")
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("work", type=Path, help="folder that benchmarks.serving.compare filled")
    options = parser.parse_args()
    work = options.work
    asked = json.loads((work / "questions.json").read_text(encoding="utf-8"))
    document = (work / "document.txt").read_text(encoding="utf-8")
    answer = SERVERS[options.server](work)
    answer([asked[0]["question"]], [asked[0]["context"]])
    began = time.perf_counter()
    answers = answer([one["question"] for one in asked], [one["context"] for one in asked])
    seconds = time.perf_counter() - began
    peak = peak_megabytes()
    began = time.perf_counter()
    long = answer([asked[0]["question"]], [document])
    found = {
        "answers": answers + long,
        "questions": seconds,
        "document": time.perf_counter() - began,
        "peak": peak,
        "peak_document": peak_megabytes(),
    }
    print(json.dumps(found))


def peak_megabytes() -> float:
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1000


if __name__ == "__main__":
    main()
