"""Freezing strategies: what is frozen stays so, and the shortcut that this allows changes nothing."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from lrc.backbones.load import load_backbone
from lrc.cli.app import app
from lrc.config.settings import TrainSettings
from lrc.lowering.lower import lower
from lrc.run_folder import load_run
from lrc.training import freezing
from lrc.training.trainer import Trainer
from tests.conftest import tiny_arguments, train_tiny
from tests.lrc.test_cli import refused
from tests.lrc.test_methods import SOURCE


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_run(run).model.trained_state()


def losses(run: Path) -> list[float]:
    return [terms["task"] for terms in load_run(run).metrics["loss"]]


@pytest.mark.parametrize("method", ["lrc", "full", "bias-only", "lora", "prefix-tuning", "adapters", "zero-shot"])
def test_lower_layers_stay_as_they_are(method: str, tiny: Path, tmp_path: Path) -> None:
    run = train_tiny(tiny, tmp_path / "run", "qa", "--method", method, "--frozen-layers", 1, *SOURCE)
    loaded = load_run(run)
    names = [name for name in loaded.model.trained_state() if not name.startswith("head.")]
    assert names and all(name.startswith("encoder.encoder.layer.1.") for name in names)
    frozen = load_backbone(str(tiny)).encoder.state_dict()
    for name, value in lower(loaded.model).encoder.state_dict().items():
        if "layer.1." not in name:
            assert torch.equal(value, frozen[name])


@pytest.mark.parametrize("method", ["lrc", "adapters"])
def test_kept_outputs_change_nothing(method: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[int] = []
    compute = freezing.LowerLayers._compute

    def count(self: freezing.LowerLayers, feature: object) -> torch.Tensor:
        met.append(id(feature))
        return compute(self, feature)  # type: ignore[arg-type]

    monkeypatch.setattr(freezing.LowerLayers, "_compute", count)
    options = ("--method", method, "--frozen-layers", 1, "--steps", 12)
    kept = losses(train_tiny(tiny, tmp_path / "kept", "qa", *options))
    assert 0 < len(met) < 12 * 8, "an input that comes again is not computed again"
    monkeypatch.setattr(freezing.LowerLayers, "fits", lambda *_: False)
    assert losses(train_tiny(tiny, tmp_path / "whole", "qa", *options)) == pytest.approx(kept, abs=1e-4)


def test_a_full_memory_changes_nothing(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = weights(train_tiny(tiny, tmp_path / "kept", "qa", "--frozen-layers", 1))
    monkeypatch.setattr(freezing, "CAPACITY", 10_000)
    for name, value in weights(train_tiny(tiny, tmp_path / "little", "qa", "--frozen-layers", 1)).items():
        assert torch.equal(kept[name], value)


def test_layers_join_from_the_top(tiny: Path, tmp_path: Path) -> None:
    """After the first of two steps over which they join, the lower one of two layers is still as it began."""
    start = weights(train_tiny(tiny, tmp_path / "start", "qa", "--steps", 1, "--lr", 1e-12))
    run = train_tiny(tiny, tmp_path / "run", "qa", "--steps", 1, "--unfreezing", 0.99)
    for name, value in weights(run).items():
        changed = not torch.allclose(value, start[name], rtol=1e-7, atol=1e-11)
        assert changed == ("layer.0." not in name), name


def interrupt_and_resume(tiny: Path, out: Path, monkeypatch: pytest.MonkeyPatch, at: int, *options: object) -> int:
    """Trains a run that is interrupted after `at` steps and then goes on; returns how many steps it took in all."""
    step = Trainer._step
    taken = 0
    resumed = False

    def counted(self: Trainer, features: list[freezing.Feature]) -> dict[str, float]:
        nonlocal taken
        if taken == at and not resumed:
            raise KeyboardInterrupt
        taken += 1
        return step(self, features)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", counted)
        assert CliRunner().invoke(app, tiny_arguments(tiny, out, "qa", *options)).exit_code == 130
        resumed = True
        assert CliRunner().invoke(app, ["train", "--resume", str(out)]).exit_code == 0
    return taken


def test_a_run_resumes_while_layers_join(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--unfreezing", 0.9, "--steps", 6)
    whole = weights(train_tiny(tiny, tmp_path / "whole", "qa", *options))
    assert interrupt_and_resume(tiny, tmp_path / "cut", monkeypatch, 3, *options) == 6
    for name, value in weights(tmp_path / "cut").items():
        assert torch.equal(value, whole[name]), name


def test_settings_that_freeze_too_much(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for options, words in (
        (("--frozen-layers", 2), "--frozen-layers 2: the backbone has 2 layers"),
        (("--unfreezing", 1), "--unfreezing 1.0: must be a number at least 0 and below 1"),
        (("--frozen-layers", 1, "--method", "prompt-tuning"), "trains nothing in the layers"),
    ):
        assert words in refused(*tiny_arguments(tiny, out, "qa", *options))
        assert not out.exists()
    old = {"format": "lrc-run", "format_version": 1, "task": "qa", "kind": "qa", "langs": ["hi"], "shots": 4}
    settings = TrainSettings.from_json(json.loads(json.dumps(old)), "old")
    assert (settings.frozen_layers, settings.unfreezing) == (0, 0.0)
