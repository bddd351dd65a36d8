"""Heads: they tell the two texts apart, start where they say, and lower and export like everything else."""

from pathlib import Path

import pytest
import torch

from lrc.config.settings import TrainSettings
from lrc.lowering.lower import lower
from lrc.pooling import texts_of
from lrc.run_folder import load_run
from lrc.tasks.label_heads import InteractionHead
from lrc.tasks.spans.heads import QuestionSpanHead
from tests.conftest import assert_same_scores, lrc, tiny_arguments, train_tiny
from tests.lrc.test_cli import refused

# <s> A A </s> </s> B B B </s>, and a shorter one with padding.
IDS = torch.tensor([[0, 40, 50, 2, 2, 60, 70, 80, 2], [0, 40, 2, 2, 60, 2, 1, 1, 1]])
MASK = (IDS != 1).long()


def test_texts_are_told_apart() -> None:
    first, second = texts_of(IDS, MASK, 2)
    assert first.tolist() == [[0, 1, 1, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0, 0]]
    assert second.tolist() == [[0, 0, 0, 0, 0, 1, 1, 1, 0], [0, 0, 0, 0, 1, 0, 0, 0, 0]]


def test_the_question_head_starts_as_the_cosine() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(2, 9, 8)
    head = QuestionSpanHead(8, 2)
    torch.nn.init.zeros_(head.dense.weight)
    torch.nn.init.zeros_(head.dense.bias)
    outputs = head(hidden, MASK, IDS)
    question = torch.stack([hidden[0, 1:3].mean(0), hidden[1, 1]])
    expected = 4 * torch.nn.functional.cosine_similarity(hidden, question[:, None], dim=-1)
    for logits in outputs.values():
        assert torch.allclose(logits, expected, atol=1e-4)


def test_the_interaction_head_sees_order_and_no_padding() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(2, 9, 8)
    head = InteractionHead(8, 2)
    logits = head(hidden, MASK, IDS)["logits"]
    alone = head(hidden[1:, :6], MASK[1:, :6], IDS[1:, :6])["logits"]
    assert torch.allclose(logits[1:], alone, atol=1e-5)
    moved = hidden.clone()
    moved[0, 6] = hidden[0, 1]
    assert not torch.allclose(head(moved, MASK, IDS)["logits"][0], logits[0], atol=1e-3)


@pytest.mark.parametrize(("kind", "head"), [("qa", "question"), ("paraphrase", "interaction")])
def test_a_run_with_another_head_lowers_and_exports(kind: str, head: str, tiny: Path, tmp_path: Path) -> None:
    run = train_tiny(tiny, tmp_path / "run", kind, "--head", head)
    loaded = load_run(run)
    plain = lower(loaded.model)
    with torch.inference_mode():
        expected, found = loaded.model(IDS, MASK), plain(IDS, MASK)
    assert all(torch.allclose(found[name], value, atol=1e-5) for name, value in expected.items())
    lrc("export", run, "--fp32", "--out", tmp_path / "bundle")
    assert_same_scores(run, tmp_path / "bundle", "qa.{lang}.json" if kind == "qa" else "pairs.{lang}.tsv")
    lrc("export", run, "--int8", "--out", tmp_path / "int8")


def test_a_head_of_the_other_kind_is_refused(tiny: Path, tmp_path: Path) -> None:
    words = refused(*tiny_arguments(tiny, tmp_path / "run", "qa", "--head", "interaction"))
    assert "--head interaction: choose one of linear, question" in words
    assert not (tmp_path / "run").exists()
    old = {"format": "lrc-run", "format_version": 1, "task": "qa", "kind": "qa", "langs": ["hi"], "shots": 4}
    assert TrainSettings.from_json(old, "old").head == ""
