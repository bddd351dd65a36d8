"""VeRA: a run holds two vectors a layer, the rest comes from a seed."""

from pathlib import Path

import pytest
import torch
from peft import VeraConfig, get_peft_model

from lrc.adapters.vera import VeraLinear
from lrc.lowering.lower import lower
from lrc.model import TaskModel
from lrc.run_folder import load_run
from tests.conftest import lrc, train_tiny
from tests.lrc.test_freezing import interrupt_and_resume, weights
from tests.lrc.test_parts import IDS, MASK

VERA = ("--method", "lora", "--lora-kind", "vera", "--lora-rank", 24, "--lr", 0.05)


def vera_layers(model: TaskModel) -> dict[str, VeraLinear]:
    return {name: module for name, module in model.named_modules() if isinstance(module, VeraLinear)}


def test_a_run_folder_holds_vectors_alone(tiny: Path, tmp_path: Path) -> None:
    runs = [train_tiny(tiny, tmp_path / f"{seed}", "qa", *VERA, "--seed", seed) for seed in (1, 2)]
    models = [load_run(run).model for run in runs]
    inside = {name: value for name, value in models[0].trained_state().items() if not name.startswith("head.")}
    assert len(inside) == 24
    assert all(value.dim() == 1 and value.abs().max() > 0 for value in inside.values())
    # The matrices are one pair for all layers, and the same whatever the seed of the run.
    pairs = [{module.shared for module in vera_layers(model).values()} for model in models]
    assert len(pairs[0]) == 1
    (first,), (second,) = pairs
    assert torch.equal(first.down, second.down) and torch.equal(first.up, second.up)
    assert any(not torch.equal(value, models[1].trained_state()[name]) for name, value in inside.items())


def test_the_update_is_that_of_peft(tiny: Path, tmp_path: Path) -> None:
    """PEFT, given the same matrices and vectors, changes the layers' outputs by the same."""
    model = load_run(train_tiny(tiny, tmp_path / "run", "qa", *VERA)).model
    name, own = next(item for item in vera_layers(model).items() if "intermediate" in item[0])
    theirs = get_peft_model(
        torch.nn.Sequential(torch.nn.Linear(own.in_features, own.out_features)),
        VeraConfig(r=24, target_modules=["0"], vera_dropout=0.0),
    )
    layer = theirs.base_model.model[0]
    down, up = own.shared.down, own.shared.up
    with torch.no_grad():
        layer.base_layer.load_state_dict(own.layer.state_dict())
        layer.vera_A["default"].copy_(down[:, : own.in_features])
        layer.vera_B["default"].copy_(up[: own.out_features])
        layer.vera_lambda_d["default"].copy_(own.lambda_d)
        layer.vera_lambda_b["default"].copy_(own.lambda_b)
        inputs = torch.randn(3, 5, own.in_features)
        torch.testing.assert_close(own(inputs), theirs(inputs))
        assert not torch.allclose(own(inputs), own.layer(inputs), atol=1e-3), name


def test_it_resumes(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = weights(train_tiny(tiny, tmp_path / "whole", "qa", *VERA))
    assert interrupt_and_resume(tiny, tmp_path / "cut", monkeypatch, 2, *VERA) == 4
    for name, value in weights(tmp_path / "cut").items():
        assert torch.equal(value, whole[name]), name


@pytest.mark.parametrize("rank", [2, 24])
def test_beside_the_weights_it_computes_the_same(rank: int, tiny: Path, tmp_path: Path) -> None:
    """With a small rank the frozen weights stay as they are, for tasks to share; a large one is folded all the same."""
    run = train_tiny(tiny, tmp_path / "run", "qa", *VERA, "--lora-rank", rank)
    model = load_run(run).model
    plain = lower(model, fold=False)
    frozen = [module.layer.weight for module in vera_layers(model).values()]
    with torch.inference_mode():
        expected, found = model(IDS, MASK), plain(IDS, MASK)
    for name, value in expected.items():
        assert torch.allclose(found[name], value, atol=1e-4)
    kept = [value for value in plain.encoder.parameters() if any(torch.equal(value, other) for other in frozen)]
    assert len(kept) == (len(frozen) if rank == 2 else 0)


def test_two_tasks_in_one_bundle(tiny: Path, tmp_path: Path) -> None:
    runs = [train_tiny(tiny, tmp_path / task, task, *VERA, "--lora-rank", 2) for task in ("qa", "paraphrase")]
    lrc("export", *runs, "--fp32", "--out", tmp_path / "bundle", "--force")
