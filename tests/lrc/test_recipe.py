"""Recipes in stages, and what steadies training on few labels."""

from pathlib import Path

import pytest
import torch

from lrc.backbones.load import load_backbone
from lrc.errors import UserError
from lrc.model import build_model
from lrc.run_folder import load_run
from lrc.tasks.pairs import Pairs
from lrc.tasks.spans import Spans
from lrc.training import freezing
from lrc.training.optim import WeightAverage, parameter_groups
from lrc.training.stages import parse_recipe, stage_rate
from tests.conftest import EXAMPLES, settings_of, tiny_arguments, train_tiny
from tests.lrc.test_cli import refused
from tests.lrc.test_freezing import interrupt_and_resume, weights

ALL = ("target", "source", "pseudo")
MORE = ("--source", EXAMPLES / "qa.en.json", "--pseudo", EXAMPLES / "qa.{lang}.json", "--pseudo-weight", 0.5)


def stages(text: str, steps: int, available: tuple[str, ...] = ALL) -> list[tuple[str, int]]:
    return [(stage.name, stage.steps) for stage in parse_recipe(text, available, steps)]


def test_recipes_divide_the_steps() -> None:
    assert stages("joint", 10) == [("pseudo+source+target", 10)]
    assert stages("joint", 10, ("target",)) == [("target", 10)]
    assert stages("staged", 101) == [("pseudo", 50), ("source+target", 51)]
    assert stages("staged", 100, ("target",)) == [("target", 100)]
    assert stages("pseudo:0.01,target+source:1", 2) == [("pseudo", 1), ("source+target", 1)]
    assert stages("target+source:1,target+pseudo:0.01", 3) == [("source+target", 2), ("pseudo+target", 1)]
    for text, words in (
        ("stagged", "choose one of joint, staged"),
        ("pseudo:0.5,goal:0.5", "choose one of joint, staged"),
        ("pseudo:0", "choose one of"),
        ("pseudo:x", "choose one of"),
        ("pseudo:1", "leaves out the target and source labels"),
    ):
        with pytest.raises(UserError, match=f"`recipe` .*{words}"):
            parse_recipe(text, ALL, 10)
    with pytest.raises(UserError, match="`steps` 1: fewer than the recipe's 2 stages"):
        parse_recipe("staged", ALL, 1)


def test_the_rate_starts_over_in_each_stage() -> None:
    rate = stage_rate(parse_recipe("pseudo:0.5,source+target:0.5", ALL, 40), 0.1)
    assert [round(rate(step), 3) for step in (0, 1, 2, 19, 20, 21, 22, 39)] == [0.5, 1, 1, 0.056, 0.5, 1, 1, 0.056]


def test_a_staged_run_says_what_each_stage_brought(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = (*MORE, "--recipe", "staged", "--steps", 8, "--average", 0.75)
    metrics = load_run(train_tiny(tiny, tmp_path / "whole", "qa", *options)).metrics
    assert [(stage["name"], stage["steps"]) for stage in metrics["stages"]] == [("pseudo", 4), ("source+target", 4)]
    assert metrics["stages"][-1]["dev"] == pytest.approx(metrics["dev"]["average"]["f1"])
    assert metrics["dev_curve"] == [[4, metrics["stages"][0]["dev"]]]
    interrupt_and_resume(tiny, tmp_path / "cut", monkeypatch, 5, *options)
    whole = weights(tmp_path / "whole")
    for name, value in weights(tmp_path / "cut").items():
        assert torch.equal(value, whole[name]), name
    joint = weights(train_tiny(tiny, tmp_path / "joint", "qa", *MORE, "--steps", 8, "--average", 0.75))
    assert any(not torch.equal(whole[name], joint[name]) for name in whole)


def test_the_average_is_the_mean_of_the_last_weights() -> None:
    value = torch.zeros(2)
    average = WeightAverage({"w": value}, 10, 0.3)
    for step in range(1, 11):
        value.fill_(step)
        average.update(step)
    average.apply()
    assert value.tolist() == pytest.approx([9, 9])
    untouched = torch.ones(2)
    last = WeightAverage({"w": untouched}, 10, 0)
    last.update(10)
    last.apply()
    assert untouched.tolist() == [1, 1]


def test_dropout_is_on_in_all_layers(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--dropout", "--frozen-layers", 1, "--steps", 6)
    whole = weights(train_tiny(tiny, tmp_path / "whole", "qa", *options))
    interrupt_and_resume(tiny, tmp_path / "cut", monkeypatch, 3, *options)
    for name, value in weights(tmp_path / "cut").items():
        assert torch.equal(value, whole[name]), name
    without = weights(train_tiny(tiny, tmp_path / "without", "qa", *options[1:]))
    assert any(not torch.equal(whole[name], without[name]) for name in whole)
    # What frozen layers give is kept only where no chance is in it.
    monkeypatch.setattr(freezing, "CAPACITY", 0)
    for name, value in weights(train_tiny(tiny, tmp_path / "anew", "qa", *options)).items():
        assert torch.equal(value, whole[name]), name


def test_the_share_of_the_target_can_be_chosen(tiny: Path, tmp_path: Path) -> None:
    source = ("--source", EXAMPLES / "qa.en.json", "--steps", 4)
    more = weights(train_tiny(tiny, tmp_path / "more", "qa", *source, "--target-share", 0.8))
    usual = weights(train_tiny(tiny, tmp_path / "usual", "qa", *source))
    assert any(not torch.equal(more[name], usual[name]) for name in more)
    assert load_run(tmp_path / "more").settings.target_share == 0.8


def test_lower_layers_learn_more_slowly(tiny: Path) -> None:
    settings = settings_of(method="full", lr=0.5, layer_decay=0.5)
    model = build_model(load_backbone(str(tiny)), settings)
    rates = {id(value): group["lr"] for group in parameter_groups(model, settings) for value in group["params"]}
    for name, value in model.trained_state().items():
        expected = 0.125 if "embeddings" in name else 0.25 if ".layer.0." in name else 0.5
        assert rates[id(value)] == expected, name


def test_smoothing_spreads_mass_over_allowed_tokens_alone() -> None:
    logits = torch.tensor([[0.0, 9.0, 50.0, 1.0]])
    allowed = torch.tensor([[True, True, False, True]])
    batch = {
        "start_positions": torch.tensor([1]),
        "end_positions": torch.tensor([1]),
        "span_mask": allowed,
    }
    outputs = {"start_logits": logits, "end_logits": logits}
    p = torch.tensor([0.0, 9.0, 1.0]).log_softmax(0)
    assert Spans().loss(outputs, batch) == pytest.approx(float(-p[1]), abs=1e-6)
    smooth = 0.7 * -p[1] + 0.3 * -p.mean()
    assert Spans().loss(outputs, batch, 0.3) == pytest.approx(float(smooth), rel=1e-5)
    pair = {"logits": torch.tensor([[2.0, 0.0]])}
    q = torch.tensor([2.0, 0.0]).log_softmax(0)
    expected = 0.8 * -q[0] + 0.2 * -q.mean()
    assert Pairs().loss(pair, {"labels": torch.tensor([0])}, 0.2) == pytest.approx(float(expected), rel=1e-5)


def test_shares_that_make_no_sense(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for options, words in (
        (("--average", 2), "--average 2.0: must be a number from 0 to 1"),
        (("--label-smoothing", 1), "--label-smoothing 1.0"),
        (("--warmup", 1.5), "--warmup 1.5: must be a number from 0 to 1"),
        (("--target-share", 1), "--target-share 1.0: must be a number above 0 and below 1"),
        (("--layer-decay", 0), "--layer-decay 0.0"),
        (("--recipe", "pseudo:1"), "--recipe pseudo:1: leaves out the target labels"),
    ):
        assert words in refused(*tiny_arguments(tiny, out, "qa", *options))
        assert not out.exists()
