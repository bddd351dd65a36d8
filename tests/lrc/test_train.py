"""The training loop: interrupted runs end where uninterrupted ones do, and it learns."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from lrc import devices
from lrc.cli.app import app
from lrc.errors import UserError
from lrc.training.trainer import Trainer
from tests.conftest import EXAMPLES, lrc, settings_of, tiny_arguments, train_tiny


def test_run_folder_holds_what_repeats_the_run(qa_run: Path, tiny: Path, tmp_path: Path) -> None:
    assert sorted(path.name for path in qa_run.iterdir()) == [
        "adapter.safetensors",
        "metrics.json",
        "seen.json",
        "settings.json",
        "shots.json",
    ]
    shots = json.loads((qa_run / "shots.json").read_text())
    assert {lang: len(ids) for lang, ids in shots.items()} == {"de": 8, "hi": 8, "ar": 8}
    again = train_tiny(tiny, tmp_path / "again", "qa")
    for name, value in load_file(qa_run / "adapter.safetensors").items():
        assert torch.equal(value, load_file(again / "adapter.safetensors")[name]), name


@pytest.mark.parametrize("method", ["lrc", "full"])
def test_interrupted_run_resumes_to_the_same_weights(
    method: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = train_tiny(tiny, tmp_path / "alone", "qa", "--method", method)
    step = Trainer._step

    def interrupted(self: Trainer, features: list) -> dict[str, float]:
        if self.step == 2:
            raise KeyboardInterrupt
        return step(self, features)

    monkeypatch.setattr(Trainer, "_step", interrupted)
    folder = tmp_path / "run"
    stopped = CliRunner().invoke(app, tiny_arguments(tiny, folder, "qa", "--method", method))
    assert stopped.exit_code == 130 and f"lrc train --resume {folder}" in stopped.stderr
    assert (folder / "checkpoint.safetensors").is_file() and not (folder / "adapter.safetensors").exists()
    with pytest.raises(UserError, match="not finished"):
        lrc("eval", folder)
    monkeypatch.undo()
    lrc("train", "--resume", folder)
    assert not (folder / "checkpoint.safetensors").exists()
    whole = load_file(alone / "adapter.safetensors")
    for name, value in load_file(folder / "adapter.safetensors").items():
        assert torch.allclose(value, whole[name], atol=1e-6), name
    assert len(json.loads((folder / "metrics.json").read_text())["loss"]) == 4
    with pytest.raises(UserError, match="is finished"):
        lrc("train", "--resume", folder)


def test_resume_refuses_a_damaged_checkpoint(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Trainer, features: list) -> dict[str, float]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_step", interrupted)
    assert CliRunner().invoke(app, tiny_arguments(tiny, tmp_path / "run", "qa")).exit_code == 130
    (tmp_path / "run" / "checkpoint.safetensors").write_bytes(b"\x05")
    with pytest.raises(UserError, match="damaged"):
        lrc("train", "--resume", tmp_path / "run")


@pytest.mark.parametrize(("task", "pattern"), [("qa", "qa.{lang}.json"), ("paraphrase", "pairs.{lang}.tsv")])
def test_a_tiny_backbone_learns_its_labels(tiny: Path, tmp_path: Path, task: str, pattern: str) -> None:
    lrc(
        *("train", "--task", task, "--train", EXAMPLES / pattern, "--langs", "hi,zh", "--shots", 4),
        *("--backbone", tiny, "--steps", 300, "--lr", 0.002, "--batch-size", 8),
        *("--precision", "fp32", "--out", tmp_path / "run"),
    )
    losses = [entry["task"] for entry in json.loads((tmp_path / "run" / "metrics.json").read_text())["loss"]]
    assert sum(losses[-5:]) < 0.2 * sum(losses[:5])


@pytest.mark.parametrize(
    ("task", "pattern", "guess"), [("qa", "qa.{lang}.json", 0.0), ("paraphrase", "pairs.{lang}.tsv", 50.0)]
)
def test_a_run_that_learned_nothing_says_so(tiny: Path, tmp_path: Path, task: str, pattern: str, guess: float) -> None:
    def said(rate: float, steps: int) -> str:
        command = (
            *("train", "--task", task, "--train", EXAMPLES / pattern, "--dev", EXAMPLES / pattern, "--langs", "ar,zh"),
            *("--shots", 16, "--backbone", tiny, "--steps", steps, "--lr", rate, "--batch-size", 8),
            *("--precision", "fp32", "--out", tmp_path / str(rate)),
        )
        result = CliRunner().invoke(app, [str(argument) for argument in command], catch_exceptions=False)
        assert result.exit_code == 0
        return " ".join(result.stderr.split())

    failed = said(1e-9, 20)
    assert failed.count("hardly anything was learned") == 1
    if guess:
        # All pairs get one label, which is at most the more frequent one.
        assert f"where an answerer that has learned nothing has {guess:.1f}" in failed
    learned = said(0.002, 300)
    assert "warning" not in learned and "finished" in learned


def test_alignment_term_brings_translations_together(tiny: Path, tmp_path: Path) -> None:
    def last(weight: float, *extra: object) -> float:
        out = tmp_path / f"{weight}{len(extra)}"
        lrc(
            *("train", "--task", "qa", "--train", EXAMPLES / "qa.{lang}.json", "--langs", "ar,zh", "--shots", 32),
            *("--backbone", tiny, "--steps", 40, "--lr", 0.01, "--align", f"cosine:{weight}", "--out", out, *extra),
        )
        entries = [entry["cosine"] for entry in json.loads((out / "metrics.json").read_text())["loss"]]
        return sum(entries[-5:]) / 5

    assert last(10.0) < 0.7 * last(1e-9)
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    a.write_text("你好，世界。\n河水很深。\n", encoding="utf-8")
    b.write_text("مرحبا أيها العالم.\nالنهر عميق.\n", encoding="utf-8")
    assert last(10.0, "--parallel", a, b) < 0.7 * last(1e-9, "--parallel", a, b, "--seed", 1)


def test_source_labels_and_zero_shots(tiny: Path, tmp_path: Path) -> None:
    common = ("--train", EXAMPLES / "qa.{lang}.json", "--langs", "hi", "--backbone", tiny, "--steps", 2)
    lrc(
        *("train", "--task", "qa", *common, "--shots", 0, "--source", EXAMPLES / "qa.en.json"),
        *("--source-limit", 20, "--out", tmp_path / "zero"),
    )
    assert json.loads((tmp_path / "zero" / "shots.json").read_text()) == {"hi": []}
    with pytest.raises(UserError, match="nothing to learn from"):
        lrc("train", "--task", "qa", *common, "--shots", 0, "--out", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_epochs_set_the_steps(tiny: Path, tmp_path: Path) -> None:
    lrc(
        *("train", "--task", "qa", "--train", EXAMPLES / "qa.{lang}.json", "--langs", "hi", "--shots", 32),
        *("--backbone", tiny, "--epochs", 2, "--batch-size", 8, "--out", tmp_path / "run"),
    )
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["steps"] == 8


def test_loss_that_is_not_finite_is_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lower --lr"):
        train_tiny(tiny, tmp_path / "run", "qa", "--lr", 1e30)


def test_device_and_precision_are_resolved() -> None:
    assert devices.pick_device("cpu") == "cpu"
    assert devices.pick_precision("fp32", "cpu") == "fp32"
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="no CUDA"):
            devices.pick_device("cuda")
        assert devices.pick_device("auto") == "cpu"


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        ({"avx512_f": True, "avx512_bf16": False}, "fp32"),
        ({"avx512_bf16": True}, "bf16"),
        ({"amx_bf16": True}, "bf16"),
        ({}, "fp32"),
    ],
)
def test_precision_on_a_processor_follows_its_instructions(
    capabilities: dict[str, bool], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert devices.pick_precision("auto", "cpu") == precision


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_cuda_run_can_be_evaluated_on_the_cpu(tiny: Path, tmp_path: Path) -> None:
    run = train_tiny(tiny, tmp_path / "run", "qa", "--device", "cuda")
    assert json.loads((run / "settings.json").read_text())["device"] == "cuda"
    lrc("eval", run, "--test", EXAMPLES / "qa.{lang}.json", "--device", "cpu")


def test_run_is_used_from_any_folder(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for lang in ("de", "hi", "ar"):
        shutil.copy(EXAMPLES / f"qa.{lang}.json", tmp_path)
    monkeypatch.chdir(tmp_path)
    train_tiny(tiny, Path("run"), "qa", "--train", "qa.{lang}.json")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    lrc("export", tmp_path / "run", "--fp32", "--out", "bundle")


def test_paths_are_kept_as_they_were_given_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "backbone").mkdir()
    given = {"train": "hf:org/labels", "source": "a/en.json", "pseudo": ["b/qa.{lang}.jsonl"], "backbone": "backbone"}
    settings = settings_of(**given)
    settings.make_paths_absolute()
    assert settings.source == str(tmp_path / "a/en.json") and settings.backbone == str(tmp_path / "backbone")
    assert {name: settings.as_given(given)[name] for name in given} == given
    public = settings.public()
    assert (public.train, public.source, public.pseudo) == ("hf:org/labels", "en.json", ["qa.{lang}.jsonl"])
    assert public.backbone == "backbone"
    elsewhere = replace(settings, backbone="org/multilingual")
    elsewhere.make_paths_absolute()
    assert elsewhere.backbone == elsewhere.public().backbone == "org/multilingual"
