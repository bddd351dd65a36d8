"""Seams: one record makes a new thing of a known kind usable from the command line, and nothing else is edited."""

import json
from pathlib import Path

import pytest
import torch

from lrc.alignment.terms import TERMS, TermKind, Views, pairs_of
from lrc.tasks.registry import QA, TASKS, Task
from lrc_runtime import InputError, load
from lrc_runtime.providers import PROVIDERS, Provider
from tests.conftest import EXAMPLES, lrc, tiny_arguments


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
