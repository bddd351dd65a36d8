"""Graphs of the encoder: they change nothing but the time, and an encoder that has none runs as it is."""

from pathlib import Path

import pytest
import torch
from torch import nn

from lrc.backbones.load import load_backbone
from lrc.data.examples import Question
from lrc.model import INPUTS, TaskModel, build_model
from lrc.run_folder import load_run, text_encoder
from lrc.tasks import find_kind
from lrc.training.batching import collate
from lrc.training.cuda_graphs import EncoderGraphs
from tests.conftest import settings_of, train_tiny

TEXTS = [
    ("विश्व में सबसे ऊँचा पर्वत कौन सा है?", "एवरेस्ट विश्व का सबसे ऊँचा पर्वत है।", "एवरेस्ट"),
    ("ما هي عاصمة مصر؟", "القاهرة هي عاصمة جمهورية مصر العربية وأكبر مدنها.", "القاهرة"),
    ("长江有多长?", "长江全长约六千三百公里,是亚洲第一长河。", "六千三百公里"),
    ("Who wrote it?", "It was written by Ada.", "Ada"),
]


def model_and_batches(tiny: Path) -> tuple[TaskModel, list[dict[str, torch.Tensor]]]:
    settings = settings_of(backbone=str(tiny), lora_rank=4, prompt_length=3)
    backbone = load_backbone(str(tiny))
    encoder = text_encoder(backbone, settings)
    questions = [
        Question(str(number), "hi", "", question, context, [(answer, context.index(answer))])
        for number, (question, context, answer) in enumerate(TEXTS)
    ]
    features = find_kind(settings.kind).features(questions, encoder, find_kind(settings.kind).scheme(settings))
    model = build_model(backbone, settings, batch=collate(features, encoder))
    return model, [collate(features[: size + 1], encoder) for size in range(len(features))]


def test_padding_and_replay_change_nothing(tiny: Path) -> None:
    model, batches = model_and_batches(tiny)
    captured: list[tuple[int, ...]] = []

    def capture(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> nn.Module:
        captured.append(tuple(inputs[0].shape))
        return module

    graphs = EncoderGraphs(model, 1, 384, "fp32", capture)
    for _ in range(5):
        for batch in batches:
            inputs = [batch[name] for name in INPUTS]
            real = batch["attention_mask"].bool()
            gradients = []
            for encode in (model.encode, graphs.encode):
                hidden = encode(*inputs)
                assert hidden.shape[:2] == batch["input_ids"].shape
                model.zero_grad()
                hidden[real].pow(2).sum().backward()
                gradients.append([v.grad.clone() for v in model.trained_state().values() if v.grad is not None])
                gradients[-1].append(hidden.detach()[real])
            for expected, found in zip(*gradients, strict=True):
                assert torch.allclose(expected, found, rtol=1e-4, atol=1e-4)
    assert (
        len(captured)
        == len(set(captured))
        == len({(len(b["input_ids"]), -(-b["input_ids"].shape[1] // 32)) for b in batches})
    )
    assert all(length % 32 == 0 for _, length in captured)


def test_no_input_grows_beyond_what_the_model_reads(tiny: Path) -> None:
    model, batches = model_and_batches(tiny)
    longest = batches[-1]["input_ids"].shape[1]
    seen = []
    graphs = EncoderGraphs(model, 1, longest, "fp32", lambda module, inputs: seen.append(inputs[0].shape[1]) or module)
    for _ in range(5):
        graphs.encode(*(batches[-1][name] for name in INPUTS))
    assert seen == [longest]


def test_an_encoder_that_cannot_be_captured_runs_as_it_is(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    model, batches = model_and_batches(tiny)
    tried = []

    def refuse(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> nn.Module:
        tried.append(module)
        raise RuntimeError("operation not permitted when stream is capturing")

    graphs = EncoderGraphs(model, 1, 384, "fp32", refuse)
    inputs = [batches[-1][name] for name in INPUTS]
    with caplog.at_level("WARNING", "lrc"):
        for _ in range(6):
            assert torch.allclose(graphs.encode(*inputs), model.encode(*inputs), atol=1e-5)
    assert len(tried) == 1
    assert [record.name.split(".")[0] for record in caplog.records] == ["lrc"]
    assert "CUDA graphs are off" in caplog.text and "not permitted when stream is capturing" in caplog.text


def test_memory_that_runs_out_while_capturing_is_told(tiny: Path) -> None:
    """The capture ends in an error of its own, behind which the first one stands."""
    model, batches = model_and_batches(tiny)

    def fill(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> nn.Module:
        try:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    graphs = EncoderGraphs(model, 1, 384, "fp32", fill)
    inputs = [batches[-1][name] for name in INPUTS]
    for _ in range(3):
        graphs.encode(*inputs)
    with pytest.raises(RuntimeError, match="previous error during capture"):
        graphs.encode(*inputs)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
@pytest.mark.parametrize("method", ["lrc", "lora", "full", "bias-only", "adapters", "prefix-tuning"])
def test_graphs_on_a_gpu_learn_what_the_encoder_learns(
    method: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--method", method, "--steps", 30, "--device", "cuda")
    graphed = load_run(train_tiny(tiny, tmp_path / "graphed", "qa", *options)).metrics["loss"]
    monkeypatch.setattr(EncoderGraphs, "encode", lambda self, *inputs: self._model.encode(*inputs))
    plain = load_run(train_tiny(tiny, tmp_path / "plain", "qa", *options)).metrics["loss"]
    assert [terms["task"] for terms in graphed] == pytest.approx([terms["task"] for terms in plain], rel=0.02, abs=0.02)
