"""Opens one engine's model in this process and measures it; `compare.py` starts it and prints the table.

python -m benchmarks.engines.measure ENGINE WORK [STEP]
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import lrc_runtime
from lrc.tasks.spans.metrics import span_scores
from lrc_runtime import QuestionAnswerer
from lrc_runtime.batching import Model
from lrc_runtime.encoding import TextEncoder
from lrc_runtime.manifest import Decoding, Windowing
from lrc_runtime.session import Session

THREADS = len(os.sched_getaffinity(0))
_REPEATS = 40
# Tokens of the window that is timed, however long those are that the model was trained with.
_WINDOW = 256


def open_torch(folder: Path) -> Model:
    import torch
    from transformers import AutoModelForQuestionAnswering

    torch.set_num_threads(THREADS)
    model = AutoModelForQuestionAnswering.from_pretrained(folder).eval()

    @torch.inference_mode()
    def run(batch: dict[str, Any]) -> dict[str, Any]:
        found = model(**{name: torch.from_numpy(array) for name, array in batch.items() if name != "token_type_ids"})
        return {"start_logits": found.start_logits.numpy(), "end_logits": found.end_logits.numpy()}

    return run


def open_onnx(folder: Path) -> Model:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = ort.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    outputs = [value.name for value in session.get_outputs()]

    def run(batch: dict[str, Any]) -> dict[str, Any]:
        return dict(zip(outputs, session.run(outputs, {name: batch[name] for name in names}), strict=True))

    return run


def open_openvino(folder: Path, **properties: str) -> Model:
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": THREADS, **properties}
    compiled = openvino.Core().compile_model(str(folder / "model.xml"), "CPU", settings)
    request = compiled.create_infer_request()
    names = [value.get_any_name() for value in compiled.inputs]

    def run(batch: dict[str, Any]) -> dict[str, Any]:
        found = request.infer({name: batch[name] for name in names})
        return {"start_logits": found["start_logits"].copy(), "end_logits": found["end_logits"].copy()}

    return run


def open_ctranslate2(folder: Path) -> Model:
    import ctranslate2

    encoder = ctranslate2.Encoder(str(folder), device="cpu", compute_type="int8", intra_threads=THREADS)
    head = np.load(folder / "head.npz")

    def run(batch: dict[str, Any]) -> dict[str, Any]:
        ids = ctranslate2.StorageView.from_array(batch["input_ids"].astype(np.int32))
        lengths = ctranslate2.StorageView.from_array(batch["attention_mask"].sum(axis=1).astype(np.int32))
        hidden = np.array(encoder.forward_batch(ids, lengths).last_hidden_state)
        logits = hidden @ head["weight"].T + head["bias"]
        return {"start_logits": logits[..., 0], "end_logits": logits[..., 1]}

    return run


ENGINES: dict[str, Callable[[Path], Model]] = {
    "PyTorch float32": open_torch,
    "ONNX Runtime float32": open_onnx,
    "ONNX Runtime quantize_dynamic": open_onnx,
    "optimum int8 preset": open_onnx,
    "OpenVINO float32": lambda folder: open_openvino(folder, INFERENCE_PRECISION_HINT="f32"),
    "OpenVINO NNCF int8": open_openvino,
    "CTranslate2 int8": open_ctranslate2,
    "lrc": lambda folder: Session(folder / "model.onnx"),
}


def folder_of(engine: str, work: Path) -> Path:
    return work / engine.lower().replace(" ", "-")


def measure(engine: str, work: Path, step: int) -> dict[str, Any]:
    folder = folder_of(engine, work)
    every = json.loads((work / "questions.json").read_text(encoding="utf-8"))
    questions = every[::step]
    shapes = json.loads((work / "shapes.json").read_text(encoding="utf-8"))
    # The whole path from a folder to an answer: for lrc that is the runtime's own, digests and all.
    began = time.perf_counter()
    if engine == "lrc":
        answerer = lrc_runtime.load_question_answerer(folder)
        run, tokenizer = answerer._run, folder / "tokenizer.json"
    else:
        run, tokenizer = ENGINES[engine](folder), work / "tokenizer.json"
        encoder = TextEncoder.from_file(tokenizer, Windowing(**shapes["windowing"]))
        answerer = QuestionAnswerer(encoder, run, Decoding(**shapes["decoding"]))
    loaded = time.perf_counter() - began

    window = _full_window(tokenizer, every, Windowing(**{**shapes["windowing"], "max_length": _WINDOW}))
    times = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        run(window)
        times.append(time.perf_counter() - began)

    began = time.perf_counter()
    answers = answerer.answer_batch([one["question"] for one in questions], [one["context"] for one in questions])
    took = time.perf_counter() - began
    scores: dict[str, list[float]] = {}
    for one, answer in zip(questions, answers, strict=True):
        f1, _ = span_scores(answer.text, one["answers"], one["lang"], "squad")
        scores.setdefault(one["lang"], []).append(100 * f1)
    status = Path("/proc/self/status").read_text()
    return {
        "megabytes": size(folder, work),
        "f1": {lang: statistics.fmean(values) for lang, values in scores.items()},
        "window_ms": 1000 * statistics.median(times[5:]),
        "questions_a_second": len(questions) / took,
        "load_ms": 1000 * loaded,
        "peak_mb": int(status.split("VmHWM:")[1].split()[0]) / 1000,
    }


def size(folder: Path, work: Path) -> float:
    """Counts what a device needs: the model and a tokenizer."""
    files = list(folder.iterdir())
    if not any(file.name == "tokenizer.json" for file in files):
        files.append(work / "tokenizer.json")
    return sum(file.stat().st_size for file in files) / 1e6


def _full_window(tokenizer: Path, questions: list[dict[str, Any]], windowing: Windowing) -> dict[str, Any]:
    encoder = TextEncoder.from_file(tokenizer, windowing)
    for one in questions:
        question, context = encoder.tokenize([one["question"]]), encoder.tokenize([one["context"]])
        for window in encoder.windows(question[0], context[0]):
            if window.length == windowing.max_length:
                return encoder.collate([window])
    raise SystemExit(f"no question fills a window of {windowing.max_length} tokens")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures one engine's model in this process.")
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("work", type=Path, help="folder that benchmarks.engines.compare filled")
    parser.add_argument("step", type=int, nargs="?", default=1, help="ask each STEPth question")
    options = parser.parse_args()
    print(json.dumps(measure(options.engine, options.work, options.step)))


if __name__ == "__main__":
    main()
