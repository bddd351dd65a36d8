"""Seams: one record makes a new thing of a known kind usable from the command line, and nothing else is edited."""

import json
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
import torch
from onnxruntime.transformers.float16 import convert_float_to_float16

from lrc.adapters import ADAPTERS, Kind
from lrc.adapters.adapter import Adapter, Host, put
from lrc.alignment.terms import TERMS, TermKind, Views, pairs_of
from lrc.backbones import families
from lrc.backbones.families.family import Family
from lrc.config.settings import TrainSettings
from lrc.data.examples import Pair
from lrc.lowering.export import export_runs
from lrc.pseudo.examples import Made, identity
from lrc.pseudo.generators import GENERATORS
from lrc.pseudo.generators.inputs import Generator, Inputs
from lrc.run_folder import load_run
from lrc.tasks.registry import QA, TASKS, Task
from lrc_exporters import compile as compiler
from lrc_exporters.build import Build
from lrc_exporters.compile import Pass
from lrc_exporters.quantisers import QUANTISERS
from lrc_exporters.quantisers.quantiser import Quantiser
from lrc_runtime import InputError, load
from lrc_runtime.providers import PROVIDERS, Provider
from tests.conftest import EXAMPLES, assert_same_scores, lrc, tiny_arguments, train_tiny
from tests.lrc.test_cli import refused


def manhattan(views: Views) -> torch.Tensor:
    first, second = pairs_of(views.translations)
    return (views.pooled[first] - views.pooled[second]).abs().mean()


def sharpness(views: Views) -> torch.Tensor:
    return views.logits["logits"].float().square().mean()


def test_a_term_is_a_function_and_a_line(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TERMS, "manhattan", TermKind(manhattan))
    monkeypatch.setitem(TERMS, "sharpness", TermKind(sharpness, outputs=True))
    terms = ("--align", "manhattan:0.1@1,2", "--align", "sharpness:0.1")
    lrc(*tiny_arguments(tiny, tmp_path / "run", "paraphrase", *terms))
    losses = json.loads((tmp_path / "run" / "metrics.json").read_text())["loss"]
    assert any(step.get("manhattan", 0) > 0 and step.get("sharpness", 0) > 0 for step in losses)


class Shifted(torch.nn.Module):
    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.shift = torch.nn.Parameter(torch.zeros(layer.out_features))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        shifted: torch.Tensor = self.layer(inputs) + self.shift
        return shifted


class Shift(Adapter):
    def wanted(self, settings: TrainSettings) -> bool:
        return bool(settings.lora_rank) and settings.lora_kind == "shift"

    def attach(self, host: Host, settings: TrainSettings) -> None:
        for path in host.feed_forward_outputs():
            layer = host.encoder.get_submodule(path)
            assert isinstance(layer, torch.nn.Linear)
            put(host.encoder, path, Shifted(layer))

    def lower(self, module: torch.nn.Module, fold: bool) -> torch.nn.Module | None:
        if not isinstance(module, Shifted):
            return None
        module.layer.bias.add_(module.shift)
        return module.layer


def test_an_adapter_is_a_class_and_an_entry(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = refused(*tiny_arguments(tiny, tmp_path / "run", "qa", "--lora-kind", "shift"))
    assert "--lora-kind shift: choose one of lora, rslora, dora, vera" in refusal
    monkeypatch.setitem(ADAPTERS, "shift", Kind(Shift, ("shift",)))
    options = ("--lora-kind", "shift", "--frozen-layers", 1, "--soup", 2, "--lr", 0.01)
    run = train_tiny(tiny, tmp_path / "run", "qa", *options)
    state = load_run(run).model.trained_state()
    assert [name for name, value in state.items() if name.endswith(".shift") and value.abs().max() > 0] == [
        "encoder.encoder.layer.1.output.dense.shift"
    ]
    lrc("export", run, "--fp32", "--out", tmp_path / "bundle", "--force")
    assert_same_scores(run, tmp_path / "bundle", "qa.{lang}.json")


def test_a_family_is_a_record(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = Family("short", model_types=("bert",), positions=lambda config: 200)
    monkeypatch.setattr(families, "FAMILIES", [short, *families.FAMILIES])
    said = refused(*tiny_arguments(tiny, tmp_path / "run", "qa"))
    assert "--max-length 256" in said and "reads at most 200 tokens here" in said
    lrc(*tiny_arguments(tiny, tmp_path / "run", "qa", "--max-length", 200, "--scaling", "--frozen-layers", 1))


def test_a_data_set_is_an_entry(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for lang in ("hi", "ar"):
        (tmp_path / "news").mkdir(exist_ok=True)
        text = (EXAMPLES / f"qa.{lang}.json").read_text(encoding="utf-8")
        for part in ("train", "test"):
            (tmp_path / "news" / f"{lang}.{part}.json").write_text(text, encoding="utf-8")
    news = Task(
        "news",
        QA,
        ("ar", "hi"),
        labelled=lambda root, lang: root / f"news/{lang}.train.json",
        test=lambda root, lang: root / f"news/{lang}.test.json",
    )
    monkeypatch.setitem(TASKS, "news", news)
    lrc(
        *("train", "--task", "news", "--data-dir", tmp_path, "--langs", "hi-IN,AR", "--shots", 4, "--steps", 2),
        *("--backbone", tiny, "--precision", "fp32", "--out", tmp_path / "run"),
    )
    scores = json.loads(lrc("eval", tmp_path / "run", "--json"))
    assert scores["task"] == "news" and set(scores["languages"]) == {"ar", "hi"}


def copies(inputs: Inputs) -> Iterator[Made]:
    for document in inputs.documents():
        yield Made(Pair(identity("copies", document.where), inputs.lang, document.text, document.text, 1), 1.0)


def test_a_generator_is_a_function_and_an_entry(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, out = EXAMPLES / "passage.sw.txt", tmp_path / "pairs.jsonl"
    command = ("pseudo", text, "--lang", "sw", "--generator", "copies", "--backbone", tiny, "--out", out)
    assert "--generator copies: choose one of spans, clozes" in refused(*command)
    monkeypatch.setitem(GENERATORS, "copies", lambda: Generator(make=copies))
    assert "generator copies takes none" in refused(*command, "--parallel", text, text)
    lrc(*command)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert rows and all(row["sentence1"] == row["sentence2"] and row["generator"] == "copies" for row in rows)


def test_a_quantiser_and_a_pass_are_records(
    qa_run: Path, pair_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(build: Build) -> str:
        """Counts operators."""
        return f"{len(onnx.load(build.graph).graph.node)} operators"

    def whole(model: onnx.ModelProto) -> onnx.ModelProto:
        converted: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=True, op_block_list=["MatMul"])
        return converted

    monkeypatch.setitem(QUANTISERS, "fp16-safe", Quantiser("fp16", whole=whole))
    alone = Pass("counting", count, optional=True, applies=lambda options: options.tasks == 1)
    monkeypatch.setattr(compiler, "PASSES", [*compiler.PASSES, alone])
    both = [qa_run, pair_run]
    for name, runs, without in (("one", [qa_run], ()), ("out", [qa_run], ["counting"]), ("two", both, ())):
        bundle = tmp_path / name
        result = export_runs(runs, bundle, "fp16-safe", without=without, force=True)
        assert result.manifests[0].precision == "fp16"
        types = {tensor.data_type for tensor in onnx.load(bundle / "model.onnx").graph.initializer}
        assert {onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT} <= types
        outcomes = [step.outcome for step in result.passes if step.name.endswith("counting")]
        assert all(outcome is not None and outcome.endswith("operators") for outcome in outcomes) == (name == "one")


def test_a_precision_that_does_not_exist(qa_run: Path, tmp_path: Path) -> None:
    said = refused("export", qa_run, "--precision", "int7", "--out", tmp_path / "bundle")
    assert "--precision int7: choose one of fp32, int8, int8-static, int4, fp16" in said


def test_a_provider_is_a_record(qa_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="provider 'own': unknown; choose from cpu, cuda, openvino"):
        load(qa_bundle, provider="own")
    monkeypatch.setitem(PROVIDERS, "own", Provider("own", "OwnExecutionProvider", "onnxruntime-own"))
    with pytest.raises(InputError, match="provider own: this onnxruntime does not have it; install onnxruntime-own"):
        load(qa_bundle, provider="own")
    # Another name for what there is.
    monkeypatch.setitem(PROVIDERS, "own", Provider("own", "CPUExecutionProvider", "onnxruntime"))
    with load(qa_bundle, provider="own") as answerer:
        assert answerer.answer("किसने?", "गंगा हिमालय से निकलती है।").text
