"""Every transfer method trains what it names, folds into a plain module and exports."""

import json
from pathlib import Path

import pytest
import torch

from lrc.backbones.load import load_backbone
from lrc.config.methods import METHODS
from lrc.lowering.lower import lower
from lrc.model import build_model
from lrc.run_folder import load_run, read_settings
from tests.conftest import EXAMPLES, assert_same_scores, lrc, settings_of, train_tiny
from tests.lrc.test_cli import refused

IDS = torch.tensor([[0, 40, 50, 60, 2], [0, 70, 2, 1, 1]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
SOURCE = ("--source", EXAMPLES / "qa.en.json")

# What each method may train besides the head.
PARTS = {
    "lrc": (".prefix.", "lora_"),
    "zero-shot": ("encoder.",),
    "full": ("encoder.",),
    "bias-only": (".bias",),
    "lora": ("lora_",),
    "prompt-tuning": ("prompt.",),
    "p-tuning": ("prompt.",),
    "prefix-tuning": (".prefix.",),
    "adapters": (".down.", ".up."),
}


@pytest.mark.parametrize("method", list(METHODS))
def test_a_method_trains_its_own_part_and_lowers(method: str, tiny: Path, tmp_path: Path) -> None:
    run = train_tiny(tiny, tmp_path / "run", "qa", "--method", method, *SOURCE)
    loaded = load_run(run)
    names = [name for name in loaded.model.trained_state() if not name.startswith("head.")]
    assert names and all(any(part in name for part in PARTS[method]) for name in names)
    assert loaded.settings.method == method
    plain = lower(loaded.model)
    assert not any(value.requires_grad for value in plain.parameters())
    with torch.inference_mode():
        expected, found = loaded.model(IDS, MASK), plain(IDS, MASK)
    for name, value in expected.items():
        assert value.shape[1] == IDS.shape[1]
        assert torch.allclose(found[name], value, atol=1e-5)
    if method == "zero-shot":
        assert json.loads((run / "shots.json").read_text()) == {"de": [], "hi": [], "ar": []}


@pytest.mark.parametrize("method", ["full", "prompt-tuning", "p-tuning", "adapters"])
def test_a_bundle_of_any_method_scores_as_its_run(method: str, tiny: Path, tmp_path: Path) -> None:
    run = train_tiny(tiny, tmp_path / "run", "paraphrase", "--method", method)
    lrc("export", run, "--fp32", "--langs", "hi,zh", "--out", tmp_path / "bundle")
    assert_same_scores(run, tmp_path / "bundle", "pairs.{lang}.tsv")


@pytest.mark.parametrize("method", ["prompt-tuning", "p-tuning"])
def test_prompts_in_the_input_shift_nothing(method: str, tiny_types: Path) -> None:
    settings = settings_of(method=method)
    batch = {"input_ids": IDS, "attention_mask": MASK}
    types = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 0, 0]])
    model = build_model(load_backbone(str(tiny_types)), settings, batch)
    with torch.inference_mode():
        together = model.encode(IDS, MASK, types)
        alone = model.encode(IDS[1:, :3], MASK[1:, :3], types[1:, :3])
        other_segment = model.encode(IDS[1:, :3], MASK[1:, :3], 1 - types[1:, :3])
    assert together.shape[:2] == IDS.shape
    assert torch.allclose(alone[0], together[1, :3], atol=1e-5)
    assert (other_segment - alone).abs().max() > 1e-3, "segments reach the encoder"
    del model.prompt
    model.prompt = None
    with torch.inference_mode():
        assert (model.encode(IDS, MASK, types) - together).abs().max() > 1e-4, "the prompt is read"


def test_adapters_start_as_the_identity(tiny: Path) -> None:
    plain = load_backbone(str(tiny)).encoder
    settings = settings_of(method="adapters")
    model = build_model(load_backbone(str(tiny)), settings, {"input_ids": IDS, "attention_mask": MASK})
    with torch.inference_mode():
        expected = plain(input_ids=IDS, attention_mask=MASK).last_hidden_state
        assert torch.equal(model.encode(IDS, MASK), expected)


def test_dev_curve_and_pseudo_limit(tiny: Path, tmp_path: Path) -> None:
    run = train_tiny(
        tiny,
        tmp_path / "run",
        "qa",
        *("--dev-every", 2, "--pseudo", EXAMPLES / "qa.{lang}.json", "--pseudo-limit", 5, "--draw-seed", 3),
    )
    metrics = json.loads((run / "metrics.json").read_text())
    assert [step for step, _ in metrics["dev_curve"]] == [2, 4]
    assert metrics["dev_curve"][-1][1] == pytest.approx(metrics["dev"]["average"]["f1"])
    other = train_tiny(tiny, tmp_path / "other", "qa", "--seed", 3)
    shots = [json.loads((folder / "shots.json").read_text()) for folder in (run, other)]
    assert shots[0] == shots[1], "--draw-seed alone decides the draw"


def test_the_rate_rises_as_the_method_has_it_or_as_given(tiny: Path, tmp_path: Path) -> None:
    for name, options, expected in (
        ("own", (), (1e-3, 0.3)),
        ("lora", ("--method", "lora"), (1e-3, 0.1)),
        ("given", ("--warmup", 0.5, "--lr", 2e-4), (2e-4, 0.5)),
    ):
        settings = read_settings(train_tiny(tiny, tmp_path / name, "qa", "--steps", 1, *options))
        assert (settings.lr, settings.warmup) == expected


def test_methods_refuse_what_they_do_not_have(tiny: Path, tmp_path: Path) -> None:
    common = ("train", "--task", "qa", "--train", EXAMPLES / "qa.hi.json", "--langs", "hi", "--backbone", tiny)
    out = ("--out", tmp_path / "run")
    assert "choose one of lrc, zero-shot" in refused(*common, *out, "--method", "adaptors")
    assert "--lora-rank 4: --method full has no such part" in refused(
        *common, *out, "--method", "full", "--lora-rank", "4"
    )
    assert "--source" in refused(*common, *out, "--method", "zero-shot")
    assert not (tmp_path / "run").exists()
