r"""Questions a second and memory of ways to serve one model, over XQuAD and over one document of a megabyte.

python -m venv --system-site-packages .venv-haystack && .venv-haystack/bin/python -m pip install transformers-haystack
python -m benchmarks.serving.compare --model WORK/pytorch-float32 --bundle BUNDLE --work WORK/serving \
    --optimum .venv-optimum/bin/python --haystack .venv-haystack/bin/python

The model is what `engines.py` wrote for PyTorch, the bundle what lrc made of the same run. Each way runs alone, in a
process of its own, in turn. Where the answers differ from lrc's, the table says how many.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from benchmarks.questions import test_questions
from benchmarks.serving.measure import SERVERS
from lrc.tasks.spans.metrics import span_scores
from lrc_runtime.manifest import read_manifest

_DOCUMENT_BYTES = 1_000_000


def prepare(model: Path, bundle: Path, work: Path, count: int) -> list[dict[str, Any]]:
    """Writes the inputs of all ways of serving, and returns the questions."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    shutil.copytree(bundle, work / "bundle")
    shutil.copytree(model, work / "model")
    special = {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(model.parent / "tokenizer.json"), **special)
    tokenizer.save_pretrained(work / "model")
    manifest = read_manifest(bundle)
    (work / "shapes.json").write_text(json.dumps(vars(manifest.windowing)))
    chance, drawn, passages = random.Random(0), [], []
    for lang in manifest.languages:
        examples = test_questions("xquad", lang)
        for one in chance.sample(examples, count):
            answers = [text for text, _ in one.answers]
            drawn.append({"lang": lang, "question": one.question, "context": one.context, "answers": answers})
        passages += dict.fromkeys(one.context for one in examples)
    chance.shuffle(passages)
    document = "\n\n".join(passages).encode()[:_DOCUMENT_BYTES].decode(errors="ignore")
    (work / "document.txt").write_text(document, encoding="utf-8")
    (work / "questions.json").write_text(json.dumps(drawn, ensure_ascii=False), encoding="utf-8")
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--optimum", help="Python of an environment with optimum-onnx and lrc-runtime")
    parser.add_argument("--haystack", help="Python of an environment with transformers-haystack")
    parser.add_argument("--count", type=int, default=50, help="questions a language")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    asked = prepare(options.model, options.bundle, options.work, options.count)
    pythons = {"optimum loop": options.optimum, "Haystack ExtractiveReader": options.haystack}
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found: dict[str, list[dict[str, Any]]] = {}
    for _ in range(options.rounds):
        for name in SERVERS:
            python = pythons.get(name, sys.executable)
            if not python:
                continue
            command = [python, Path(__file__).with_name("measure.py"), name, options.work]
            environment = clean if name in pythons else os.environ
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
            found.setdefault(name, []).append(json.loads(printed.splitlines()[-1]))
    print(f"{len(asked)} questions; a document of {_DOCUMENT_BYTES / 1e6:.0f} MB")
    print("| | questions/s | F1 | other answers than lrc's | peak, MB | document, s | peak, MB |")
    print("|---|" + "---:|" * 6)
    for name, rounds in found.items():
        medians = {key: statistics.median(one[key] for one in rounds) for key in rounds[0] if key != "answers"}
        answers, ours = rounds[0]["answers"], found["lrc"][0]["answers"]
        rows = zip(asked, answers, strict=False)
        f1 = statistics.fmean(100 * span_scores(text, one["answers"], one["lang"], "squad")[0] for one, text in rows)
        others = sum(left.strip() != right.strip() for left, right in zip(answers, ours, strict=True))
        cells = [f"{len(asked) / medians['questions']:.1f}", f"{f1:.1f}", str(others), f"{medians['peak']:.0f}"]
        cells += [f"{medians['document']:.1f}", f"{medians['peak_document']:.0f}"]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
