"""The alignment loss: each term is what its formula says, and training prints and weighs it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from lrc.alignment.terms import Views, agreement, cosine, infonce, mse, parse_terms, retention, transport
from lrc.cli.app import app
from lrc.errors import UserError
from lrc.run_folder import load_run
from tests.conftest import tiny_arguments, train_tiny
from tests.lrc.test_cli import refused
from tests.lrc.test_freezing import interrupt_and_resume, weights


def views(hidden: torch.Tensor, pairs: list[tuple[int, int]], lengths: list[int] | None = None) -> Views:
    translations = torch.zeros(len(hidden), len(hidden), dtype=torch.bool)
    for first, second in pairs:
        translations[first, second] = translations[second, first] = True
    mask = torch.arange(hidden.shape[1]) < torch.tensor(lengths or [hidden.shape[1]] * len(hidden))[:, None]
    return Views(hidden, mask, translations)


def test_cosine_and_mse_of_equal_and_opposite_translations() -> None:
    hidden = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, -3.0], [5.0, 5.0]])[:, None]
    assert cosine(views(hidden, [(0, 1)])) == pytest.approx(0, abs=1e-6)
    assert cosine(views(hidden, [(0, 1), (2, 3)])) == pytest.approx(1)
    assert mse(views(hidden, [(0, 1)])) == pytest.approx(0.5)
    assert mse(views(hidden, [(2, 3)])) == pytest.approx(8)


def test_infonce_wants_translations_nearer_than_the_rest() -> None:
    hidden = torch.eye(4)[:, None]
    near = torch.cat([hidden, hidden + 0.1])
    right = infonce(views(near, [(row, row + 4) for row in range(4)]))
    wrong = infonce(views(near, [(row, (row + 1) % 4 + 4) for row in range(4)]))
    one = infonce(views(torch.ones(8, 1, 4), [(row, row + 4) for row in range(4)]))
    # One vector for everything leaves a choice among seven.
    assert right < 0.01 < one < wrong and one == pytest.approx(torch.log(torch.tensor(7.0)))


def test_transport_finds_the_same_tokens_in_another_order() -> None:
    torch.manual_seed(0)
    text = torch.randn(1, 6, 16)
    padded = torch.cat([text, torch.randn(1, 3, 16)], dim=1)
    moved = torch.cat([text[:, [3, 0, 5, 1, 4, 2]], torch.randn(1, 3, 16)], dim=1)
    other = torch.randn(1, 9, 16)
    same = transport(views(torch.cat([padded, moved]), [(0, 1)], [6, 6]))
    far = transport(views(torch.cat([padded, other]), [(0, 1)], [6, 9]))
    assert same < 0.05 < 0.5 < far
    # A token twice as often takes twice the mass: half of it must go elsewhere.
    first, second = torch.eye(2)[[0, 0]], torch.eye(2)[[0, 1]]
    assert transport(views(torch.stack([first, second]), [(0, 1)])) == pytest.approx(0.5, abs=0.01)


def test_agreement_teaches_each_language_by_the_other() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(1, 5, 16)
    order = torch.tensor([0, 4, 2, 3, 1])
    both = torch.cat([hidden, hidden[:, order]]).requires_grad_()
    span_mask = torch.ones(2, 5, dtype=torch.bool)
    logits = torch.tensor([0.0, 9.0, 0.0, 0.0, 0.0])
    right = torch.stack([logits, logits[order]])
    wrong = torch.stack([logits, logits])
    seen = views(both, [(0, 1)])
    agreed = agreement(replace(seen, logits={"start_logits": right, "end_logits": right}, span_mask=span_mask))
    differing = agreement(replace(seen, logits={"start_logits": wrong, "end_logits": wrong}, span_mask=span_mask))
    assert agreed < 0.05 < 1 < differing
    pairs = torch.tensor([[3.0, -3.0], [0.0, 0.0], [9.0, 9.0]], requires_grad=True)
    loss = agreement(replace(views(torch.randn(3, 1, 4), [(0, 1)]), logits={"logits": pairs}))
    loss.backward()  # type: ignore[no-untyped-call]
    p = torch.tensor([3.0, -3.0]).softmax(0)
    half = torch.tensor([0.5, 0.5])
    expected = ((p * (p / half).log()).sum() + (half * (half / p).log()).sum()) / 2
    assert float(loss.detach()) == pytest.approx(float(expected), rel=1e-4)
    assert pairs.grad is not None and (pairs.grad[:2] != 0).all() and (pairs.grad[2] == 0).all()


def test_retention_counts_real_tokens() -> None:
    before = torch.zeros(1, 3, 4)
    after = torch.tensor([[[2.0] * 4, [0.0] * 4, [9.0] * 4]])
    assert retention(
        Views(after, torch.tensor([[True, True, False]]), torch.zeros(1, 1), before=before)
    ) == pytest.approx(2)


TERMS = ("cosine:0.1", "mse:0.1", "infonce:0.1@1,2", "transport:0.1", "kl:0.2", "retention:0.1")


def test_training_prints_and_keeps_every_term(tiny: Path, tmp_path: Path) -> None:
    options = [option for term in TERMS for option in ("--align", term)]
    result = CliRunner().invoke(app, tiny_arguments(tiny, tmp_path / "run", "qa", *options))
    assert result.exit_code == 0, result.output
    names = [term.split(":")[0] for term in TERMS]
    assert all(f"{name} " in result.stderr for name in names)
    losses = load_run(tmp_path / "run").metrics["loss"]
    # The draw of four steps holds translations of the same questions.
    assert all(any(name in step for step in losses) for name in names)
    # The last layer's LoRA starts at nothing, but the prefixes are there from the start.
    assert losses[0]["retention"] > 0
    plain = CliRunner().invoke(app, tiny_arguments(tiny, tmp_path / "plain", "qa", "--align", "none"))
    assert plain.exit_code == 0 and set(load_run(tmp_path / "plain").metrics["loss"][0]) == {"task"}


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_frozen_model_is_what_is_retained(method: str, tiny: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("नदी बहुत गहरी है।\n\n河水很深。\n\nالنهر عميق جدا.\n", encoding="utf-8")
    losses = {}
    for weight in (0.000001, 100):
        run = train_tiny(
            tiny,
            tmp_path / f"{weight}",
            "paraphrase",
            *("--method", method, "--align", f"retention:{weight}", "--unlabelled", text, "--steps", 20, "--lr", 0.01),
        )
        losses[weight] = [step["retention"] for step in load_run(run).metrics["loss"]]
        if method == "lora":
            assert losses[weight][0] == pytest.approx(0, abs=1e-10)
    assert losses[100][-1] < 0.5 * losses[0.000001][-1]


def test_weights_rise_and_are_learned(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    common = ("--align", "cosine:1", "--steps", 8)
    plain = weights(train_tiny(tiny, tmp_path / "plain", "qa", *common))
    ramped = weights(train_tiny(tiny, tmp_path / "ramped", "qa", *common, "--align-ramp", 0.5))
    assert any(not torch.equal(plain[name], ramped[name]) for name in plain)
    options = (*common, "--align-learned", "--lr", 0.05)
    whole = weights(train_tiny(tiny, tmp_path / "whole", "qa", *options))
    assert not any("align" in name for name in whole), "the weights of the loss are no part of the model"
    metrics = load_run(tmp_path / "whole").metrics
    assert metrics["align_weights"]["cosine"] != pytest.approx(1, abs=0.01)
    interrupt_and_resume(tiny, tmp_path / "cut", monkeypatch, 5, *options)
    for name, value in weights(tmp_path / "cut").items():
        assert torch.equal(value, whole[name]), name
    assert load_run(tmp_path / "cut").metrics["align_weights"] == metrics["align_weights"]


def test_terms_that_cannot_be(tiny: Path, tmp_path: Path) -> None:
    assert [term.layers for term in parse_terms(["mse:1@3,12", "cosine:2"], 12)] == [(-10, -1), (-1,)]
    for text, words in (
        ("cosin:1", "unknown term 'cosin'; choose from cosine, mse"),
        ("cosine", "expected NAME:WEIGHT"),
        ("cosine:x", "expected NAME:WEIGHT"),
        ("cosine:nan", "positive number"),
        ("cosine:1@13", "layers that are trained are 5 to 12"),
        ("cosine:1@4", "layers that are trained are 5 to 12"),
        ("kl:1@12", "leave the layers out"),
    ):
        with pytest.raises(UserError, match=f"`align` {text}: .*{words}"):
            parse_terms([text], 12, 4)
    with pytest.raises(UserError, match="given twice"):
        parse_terms(["cosine:1", "cosine:2"], 12)
    out = tmp_path / "run"
    assert "none.txt: No such file" in refused(*tiny_arguments(tiny, out, "qa", "--unlabelled", tmp_path / "none.txt"))
    assert "--align-ramp 2.0" in refused(*tiny_arguments(tiny, out, "qa", "--align-ramp", 2))
    assert not out.exists()


def test_old_runs_keep_their_alignment(qa_run: Path, tmp_path: Path) -> None:
    from lrc.config.settings import TrainSettings

    document = json.loads((qa_run / "settings.json").read_text())
    for name in ("align", "align_ramp", "align_learned", "unlabelled", "frozen_layers", "unfreezing"):
        del document[name]
    settings = TrainSettings.from_json({**document, "align_weight": 0.3}, "old")
    assert settings.align == ["cosine:0.3"]
    assert TrainSettings.from_json({**document, "align_weight": 0}, "old").align == []
