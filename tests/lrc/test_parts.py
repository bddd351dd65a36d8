"""Parts of lrc's own method: prompts and adapters of every kind, alone and together, start gently and fold exactly."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lrc.adapters.attention import KeyValuePrefix
from lrc.adapters.bottleneck import BottleneckAdapter
from lrc.adapters.prefix import ReparametrisedPrefix
from lrc.adapters.scaling import ScaledLinear
from lrc.backbones.load import load_backbone
from lrc.lowering.lower import lower
from lrc.model import TaskModel, build_model
from lrc.run_folder import load_run
from tests.conftest import assert_same_scores, lrc, settings_of, tiny_arguments, train_tiny
from tests.lrc.test_cli import refused

IDS = torch.tensor([[0, 40, 50, 60, 2], [0, 70, 2, 1, 1]])
MASK = (IDS != 1).long()
BATCH = {"input_ids": IDS, "attention_mask": MASK}
EVERYTHING = ("--reparametrise", "--bottleneck", "4", "--parallel-adapters", "--scaling", "--bias")


def built(backbone: Path, **changes: Any) -> TaskModel:
    settings = replace(settings_of(**changes), prompt_aside=changes.get("prompt_aside", 0.0))
    return build_model(load_backbone(str(backbone)), settings, BATCH)


def prefixes(model: TaskModel) -> list[KeyValuePrefix]:
    return [module for module in model.modules() if isinstance(module, KeyValuePrefix)]


def test_a_reparametrised_prefix_starts_as_the_direct_one(tiny: Path) -> None:
    direct, network = built(tiny), built(tiny, reparametrise=True)
    assert all(isinstance(layer, ReparametrisedPrefix) for layer in prefixes(network))
    with torch.inference_mode():
        assert torch.equal(direct.encode(IDS, MASK), network.encode(IDS, MASK))
        torch.nn.init.normal_(prefixes(network)[1].up.weight)  # type: ignore[union-attr, arg-type]
        assert (direct.encode(IDS, MASK) - network.encode(IDS, MASK)).abs().max() > 1e-3


def test_prompts_start_from_labels_words_or_the_vocabulary(tiny: Path) -> None:
    encoder = load_backbone(str(tiny))
    words = "उत्तर अनुच्छेद में है"
    tokens = encoder.tokenizer.encode(words, add_special_tokens=False).ids
    length = len(tokens) + 2
    model = built(tiny, method="prompt-tuning", prompt_length=length, lora_rank=0, prompt_init=f"text:{words}")
    expected = encoder.encoder.get_input_embeddings().weight[[*tokens, *tokens[:2]]]
    assert torch.equal(model.prompt(), expected)  # type: ignore[misc]
    starts = [prefixes(built(tiny, prompt_init=init))[0].keys for init in ("labels", "vocabulary", f"text:{words}")]
    assert len({tuple(keys.flatten().tolist()) for keys in starts}) == 3
    assert torch.equal(starts[1], prefixes(built(tiny, prompt_init="vocabulary"))[0].keys)
    assert not torch.equal(starts[1], prefixes(built(tiny, prompt_init="vocabulary", seed=1))[0].keys)


def test_a_prefix_that_is_looked_away_from_disturbs_less(tiny: Path) -> None:
    plain, aside, without = built(tiny), built(tiny, prompt_aside=4.0), built(tiny, prompt_length=0)
    with torch.inference_mode():
        before = without.encode(IDS, MASK)[MASK.bool()]
        disturbed = [(model.encode(IDS, MASK)[MASK.bool()] - before).square().mean() for model in (plain, aside)]
    assert disturbed[1] < disturbed[0] / 4
    assert torch.equal(prefixes(plain)[0].values, prefixes(aside)[0].values)


def test_prefixes_go_into_the_chosen_layers(tiny: Path) -> None:
    model = built(tiny, prompt_layers="2-2")
    assert [name for name in model.trained_state() if ".prefix." in name] == [
        f"encoder.encoder.layer.1.attention.self.prefix.{leaf}" for leaf in ("keys", "values")
    ]


@pytest.mark.parametrize("part", [{"scaling": True}, {"bottleneck": 4}, {"bottleneck": 4, "parallel_adapters": True}])
def test_adapters_start_as_the_backbone(part: dict[str, Any], tiny: Path) -> None:
    model = built(tiny, prompt_length=0, lora_rank=0, **part)
    with torch.inference_mode():
        expected = load_backbone(str(tiny)).encoder(**BATCH).last_hidden_state
        assert torch.equal(model.encode(IDS, MASK), expected)


def test_an_adapter_reads_what_its_kind_says(tiny: Path) -> None:
    layer = torch.nn.Linear(6, 3)
    inputs = torch.randn(2, 5, 6)
    for parallel, read in ((False, layer(inputs)), (True, inputs)):
        adapter = BottleneckAdapter(layer, 2, parallel)
        torch.nn.init.normal_(adapter.up.weight)
        expected = layer(inputs) + adapter.up(torch.nn.functional.gelu(adapter.down(read)))
        assert torch.allclose(adapter(inputs), expected, atol=1e-6)


def test_scaling_is_of_the_outputs_or_the_inputs() -> None:
    inputs = torch.randn(2, 5, 6)
    for of_inputs in (False, True):
        layer = torch.nn.Linear(6, 3)
        scaled = ScaledLinear(layer, of_inputs)
        torch.nn.init.normal_(scaled.factors)
        expected = layer(inputs * scaled.factors) if of_inputs else layer(inputs) * scaled.factors
        assert torch.allclose(scaled(inputs), expected, atol=1e-6)
        with torch.no_grad():
            assert torch.allclose(scaled.fold()(inputs), expected, atol=1e-6)


@pytest.mark.parametrize(
    "flags",
    [
        ("--lora-kind", "rslora"),
        ("--lora-kind", "dora"),
        ("--lora-kind", "vera", "--lora-rank", "24"),
        ("--lora-kind", "vera", "--frozen-layers", "1", *EVERYTHING),
        ("--prompt-length", "0", "--scaling"),
        ("--frozen-layers", "1", "--prompt-layers", "2", *EVERYTHING),
        EVERYTHING,
    ],
    ids=" ".join,
)
def test_any_parts_together_train_lower_and_export(flags: tuple[str, ...], tiny: Path, tmp_path: Path) -> None:
    # At twice the rate rsLoRA now and then makes logits so large that float32 lacks the digits that the proof asks for.
    run = train_tiny(tiny, tmp_path / "run", "qa", "--lr", "0.01", *flags)
    loaded = load_run(run)
    plain = lower(loaded.model)
    assert not any(value.requires_grad for value in plain.parameters())
    assert not any(isinstance(module, ScaledLinear | ReparametrisedPrefix) for module in plain.modules())
    assert not any("lora" in name or "lambda" in name for name, _ in plain.named_parameters())
    with torch.inference_mode():
        expected, found = loaded.model(IDS, MASK), plain(IDS, MASK)
    for name, value in expected.items():
        assert torch.allclose(found[name], value, atol=1e-4)
    lrc("export", run, "--fp32", "--out", tmp_path / "bundle")
    assert_same_scores(run, tmp_path / "bundle", "qa.{lang}.json")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_part_gets_a_gradient(dtype: torch.dtype, tiny: Path) -> None:
    model = built(tiny, reparametrise=True, bottleneck=4, parallel_adapters=True, scaling=True, bias=True)
    state = model.trained_state()
    for value in state.values():
        # Behind weights that begin as zero nothing would move in the first step.
        torch.nn.init.normal_(value, std=0.5)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        outputs = model(IDS, MASK)
    sum((logits.float() * torch.randn(IDS.shape)).sum() for logits in outputs.values()).backward()
    for part in (".prefix.down.", ".prefix.up.", ".prefix.keys", "lora_A", ".up.", ".factors", "base_layer.bias"):
        assert any(part in name for name in state), part
    for name, value in state.items():
        assert value.grad is not None and value.grad.abs().sum() > 0, name


def test_parts_that_cannot_be_are_refused(tiny: Path, tmp_path: Path) -> None:
    common = tiny_arguments(tiny, tmp_path / "run", "qa")
    for flags, said in (
        (("--lora-kind", "lorax"), "--lora-kind lorax: choose one of lora, rslora, dora, vera"),
        (("--prompt-init", "noise"), "--prompt-init noise: choose labels or vocabulary, or give words"),
        (("--prompt-init", "text:"), "--prompt-init text:: choose labels or vocabulary, or give words"),
        (("--prompt-layers", "2-9"), "--prompt-layers 2-9: give a range of the layers 1 to 2"),
        (("--prompt-layers", "top"), "--prompt-layers top: give a range of the layers 1 to 2"),
        (
            ("--method", "full", "--lora-kind", "dora"),
            "--lora-kind dora: there is nothing it is about",
        ),
        (("--prompt-length", "0", "--reparametrise"), "--reparametrise: there is nothing it is about without"),
        (("--parallel-adapters",), "--parallel-adapters: there is nothing it is about without --bottleneck"),
        (("--method", "lora", "--scaling"), "--scaling: only --method lrc takes it; leave it out"),
        (("--method", "adapters", "--parallel-adapters"), "--parallel-adapters: only --method lrc takes it"),
    ):
        assert said in refused(*common, *flags)
    assert not (tmp_path / "run").exists()
