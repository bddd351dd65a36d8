"""Soups: the mean of runs that differ by their seed, as one run."""

from pathlib import Path

import pytest
import torch

from lrc.lowering.lower import lower
from lrc.run_folder import load_run
from tests.conftest import assert_same_scores, lrc, tiny_arguments, train_tiny
from tests.lrc.test_cli import refused
from tests.lrc.test_freezing import interrupt_and_resume, weights


@pytest.mark.parametrize("method", [("lrc", "--lora-kind", "lora"), ("lrc", "--lora-kind", "rslora"), ("full",)])
def test_a_soup_is_the_mean_of_its_runs(method: tuple[str, ...], tiny: Path, tmp_path: Path) -> None:
    options = ("--method", *method, "--draw-seed", 1)
    soup = lower(load_run(train_tiny(tiny, tmp_path / "soup", "qa", *options, "--seed", 1, "--soup", 2)).model)
    runs = [
        lower(load_run(train_tiny(tiny, tmp_path / f"{seed}", "qa", *options, "--seed", seed)).model).state_dict()
        for seed in (2, 3)
    ]
    for name, value in soup.state_dict().items():
        torch.testing.assert_close(value, (runs[0][name] + runs[1][name]) / 2, rtol=1e-5, atol=1e-6)
    assert any(not torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_a_soup_goes_on_and_is_exported(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train_tiny(tiny, tmp_path / "whole", "qa", "--soup", 2)
    # Within the first run, between the two, and within the second.
    for steps in (3, 4, 6):
        cut = tmp_path / f"cut-{steps}"
        assert interrupt_and_resume(tiny, cut, monkeypatch, steps, "--soup", 2) == 8
        for name, value in weights(cut).items():
            torch.testing.assert_close(value, weights(whole)[name])
        assert sorted(path.name for path in cut.iterdir()) == sorted(path.name for path in whole.iterdir())
    metrics = load_run(whole).metrics
    assert metrics["steps"] == 8 and len(metrics["loss"]) == 4 and len(metrics["members"]) == 2
    lrc("export", whole, "--fp32", "--out", tmp_path / "bundle", "--force")
    assert_same_scores(whole, tmp_path / "bundle", "qa.{lang}.json")


def test_what_has_no_mean(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for task, options, words in (
        ("paraphrase", (), "--soup 2: runs with a head that compares sentences have no mean"),
        ("qa", ("--bottleneck", 4), "--soup 2: runs with bottleneck adapters have no mean"),
        ("qa", ("--method", "p-tuning"), "--soup 2: runs with prompts out of a network have no mean"),
        ("qa", ("--lora-kind", "dora"), "--soup 2: runs with DoRA have no mean"),
        ("qa", ("--lora-kind", "vera"), "--soup 2: runs with VeRA have no mean"),
    ):
        assert words in refused(*tiny_arguments(tiny, out, task, "--soup", 2, *options))
        assert not out.exists()
