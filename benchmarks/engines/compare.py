"""One merged question-answering model under every engine: size, F1, latency, questions a second, load time, memory.

python -m pip install -c constraints.txt -e ".[bench]"
python -m benchmarks.engines.compare --run RUN --bundle BUNDLE --work WORK --optimum .venv-optimum/bin/python

Every engine runs alone, in a process of its own, in turn, and all of it several times, after the first with every fifth
question; the medians are printed, and F1 of the first. The run must have neither prompts nor another head than the
linear one, as no other engine can express them.
"""

import argparse
import copy
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoModelForQuestionAnswering

from benchmarks.engines.measure import ENGINES, folder_of
from benchmarks.questions import test_questions
from lrc import run_folder
from lrc.lowering.lower import lower
from lrc.run_folder import Run, load_run
from lrc.tasks import find_kind
from lrc.tasks.spans.heads import SpanHead
from lrc.training.labels import prepare
from lrc_exporters.graph import export_graph
from lrc_runtime.encoding import TextEncoder

_CALIBRATION = 300
# optimum lives in an environment of its own, so this is all that it is given.
_OPTIMUM = """
import sys
from optimum.onnxruntime import ORTModelForQuestionAnswering, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig
model = ORTModelForQuestionAnswering.from_pretrained(sys.argv[1], export=True)
preset = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=True)
ORTQuantizer.from_pretrained(model).quantize(save_dir=sys.argv[2], quantization_config=preset)
"""


class Flat(nn.Module):
    """Gives the logits of a transformers model as a dictionary."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Maps ids and mask, each (batch, length), to start and end logits."""
        found = self.model(input_ids=input_ids, attention_mask=attention_mask)
        return {"start_logits": found.start_logits, "end_logits": found.end_logits}


def draw(run: Run, count: int) -> list[dict[str, Any]]:
    """Draws test questions, as many of each language."""
    langs, chance, drawn = run.settings.langs, random.Random(0), []
    for at, lang in enumerate(langs):
        share = count // len(langs) + (at < count % len(langs))
        for one in chance.sample(test_questions(run.settings.task, lang, run.settings.data_dir), share):
            answers = [text for text, _ in one.answers]
            drawn.append({"lang": lang, "question": one.question, "context": one.context, "answers": answers})
    return drawn


def merge(run: Run) -> nn.Module:
    """Returns the run as a plain transformers model."""
    plain = lower(run.model)
    if not isinstance(plain.head, SpanHead) or run.settings.prompt_length:
        raise SystemExit("--run: train it with --method lora and the linear head, so that every engine can express it")
    config, state = copy.deepcopy(plain.encoder.config), plain.encoder.state_dict()
    segments = "embeddings.token_type_embeddings.weight"
    if segments in state and len(state[segments]) == 1:
        # optimum traces every BERT with two segments.
        config.type_vocab_size = 2
        state[segments] = state[segments].repeat(2, 1)
    # CTranslate2's converter asks for it; transformers 5 no longer writes it.
    config.position_embedding_type = "absolute"
    model = AutoModelForQuestionAnswering.from_config(config)
    missing, unexpected = getattr(model, model.base_model_prefix).load_state_dict(state, strict=False)
    assert not unexpected and all("pooler" in name for name in missing), (missing, unexpected)
    model.qa_outputs.load_state_dict(plain.head.dense.state_dict())
    result: nn.Module = model.eval()
    return result


def prepare_all(run: Run, bundle: Path, work: Path, count: int, optimum: str | None) -> None:
    """Writes each engine's model, by the engine's own documented way, where it is not there yet."""
    work.mkdir(parents=True, exist_ok=True)
    encoder = run_folder.text_encoder(run.backbone, run.settings)
    shapes = {
        "windowing": run_folder.windowing(run.settings),
        "decoding": find_kind(run.settings.kind).scheme(run.settings).decoding,
    }
    (work / "shapes.json").write_text(json.dumps({name: vars(value) for name, value in shapes.items()}))
    (work / "questions.json").write_text(json.dumps(draw(run, count), ensure_ascii=False), encoding="utf-8")
    run.backbone.tokenizer.save(str(work / "tokenizer.json"))
    shutil.rmtree(folder_of("lrc", work), ignore_errors=True)
    shutil.copytree(bundle, folder_of("lrc", work))
    plain, onnx = folder_of("PyTorch float32", work), folder_of("ONNX Runtime float32", work) / "model.onnx"
    if not plain.exists():
        merge(run).save_pretrained(plain)
    if not onnx.exists():
        onnx.parent.mkdir()
        _export(plain, encoder, onnx)
    if not (target := folder_of("ONNX Runtime quantize_dynamic", work)).exists():
        from onnxruntime.quantization import QuantType, quantize_dynamic

        target.mkdir()
        quantize_dynamic(onnx, target / "model.onnx", weight_type=QuantType.QInt8)
    if optimum and not (target := folder_of("optimum int8 preset", work)).exists():
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        made = work / "optimum"
        subprocess.run([optimum, "-c", _OPTIMUM, plain, made], check=True, env=clean)
        target.mkdir()
        shutil.move(made / "model_quantized.onnx", target / "model.onnx")
    _openvino(onnx, run, encoder, work)
    _ctranslate2(plain, work)


def _export(plain: Path, encoder: TextEncoder, onnx: Path) -> None:
    model = Flat(AutoModelForQuestionAnswering.from_pretrained(plain).eval())
    ids = torch.arange(5, 69).reshape(2, 32)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    export_graph(model, batch, ["start_logits", "end_logits"], {"start_logits": True, "end_logits": True}, onnx)


def _openvino(onnx: Path, run: Run, encoder: TextEncoder, work: Path) -> None:
    import nncf
    import openvino

    target = folder_of("OpenVINO float32", work)
    if not target.exists():
        openvino.save_model(openvino.convert_model(onnx), target / "model.xml", compress_to_fp16=False)
    target = folder_of("OpenVINO NNCF int8", work)
    if not target.exists():
        data = prepare(run.settings)
        kind = find_kind(run.settings.kind)
        features = kind.features(data.target, encoder, kind.scheme(run.settings))
        rows = [feature.inputs for feature in features][:_CALIBRATION]
        batches = [encoder.collate([row]) for row in rows]
        dataset = nncf.Dataset([{name: one[name] for name in ("input_ids", "attention_mask")} for one in batches])
        quantised = nncf.quantize(
            openvino.Core().read_model(folder_of("OpenVINO float32", work) / "model.xml"),
            dataset,
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(batches),
        )
        openvino.save_model(quantised, target / "model.xml")


def _ctranslate2(plain: Path, work: Path) -> None:
    target = folder_of("CTranslate2 int8", work)
    if target.exists():
        return
    from ctranslate2.converters import TransformersConverter

    shutil.copy(work / "tokenizer.json", plain)
    TransformersConverter(str(plain)).convert(str(target), quantization="int8")
    head = AutoModelForQuestionAnswering.from_pretrained(plain).qa_outputs
    np.savez(target / "head.npz", weight=head.weight.detach().numpy(), bias=head.bias.detach().numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--optimum", help="Python of an environment with optimum-onnx")
    parser.add_argument("--count", type=int, default=500, help="questions")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    prepare_all(load_run(options.run), options.bundle, options.work, options.count, options.optimum)
    names = [name for name in ENGINES if folder_of(name, options.work).exists()]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for round_ in range(options.rounds):
        for name in names:
            step = "5" if round_ else "1"
            command = [sys.executable, Path(__file__).with_name("measure.py"), name, options.work, step]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[name].append(json.loads(printed.splitlines()[-1]))
    langs = list(found[names[0]][0]["f1"])
    print("| engine | MB | F1 | " + " | ".join(langs) + " | ms a window | questions/s | load, ms | peak, MB |")
    print("|---|" + "---:|" * (len(langs) + 6))
    for name, measured in found.items():
        medians = {key: statistics.median(one[key] for one in measured) for key in measured[0] if key != "f1"}
        f1 = [measured[0]["f1"][lang] for lang in langs]
        cells = [f"{medians['megabytes']:.1f}", f"{statistics.fmean(f1):.1f}", *(f"{value:.1f}" for value in f1)]
        cells += [f"{medians['window_ms']:.1f}", f"{medians['questions_a_second']:.1f}"]
        cells += [f"{medians['load_ms']:.0f}", f"{medians['peak_mb']:.0f}"]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
