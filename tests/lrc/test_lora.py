"""The LoRA layer's own pass computes what PEFT's does, forwards and backwards."""

import copy
from pathlib import Path

import pytest
import torch
from peft.tuners.lora import Linear

from lrc.adapters.lora import LoraLinear, add_lora
from lrc.backbones.families.family import linear_layers
from lrc.backbones.load import load_backbone
from tests.conftest import EXAMPLES


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_own_pass_equals_that_of_peft(precision: str, tiny: Path) -> None:
    backbone = load_backbone(str(tiny))
    text = (EXAMPLES / "qa.hi.json").read_text(encoding="utf-8")
    ids = torch.tensor([backbone.tokenizer.encode(text[i : i + 200]).ids[:32] for i in (400, 900)])
    own = backbone.encoder
    add_lora(own, [*linear_layers(own)], 4)
    layers = [module for module in own.modules() if isinstance(module, LoraLinear)]
    assert len(layers) == 12
    torch.manual_seed(1)
    layers[1].get_base_layer().bias.requires_grad_()
    for layer in layers:
        torch.nn.init.normal_(layer.lora_B["default"].weight, std=0.3)
    theirs = copy.deepcopy(own)
    for module in theirs.modules():
        if type(module) is LoraLinear:
            module.__class__ = Linear
    results = []
    for encoder in (own, theirs):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            hidden = encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        hidden.float().square().mean().backward()
        gradients = {name: value.grad for name, value in encoder.named_parameters() if value.grad is not None}
        results.append((hidden.detach().float(), gradients))
    (hidden, gradients), (expected, expected_gradients) = results
    loose = precision == "bf16"
    assert torch.allclose(hidden, expected, atol=0.1 if loose else 1e-5)
    assert gradients.keys() == expected_gradients.keys() and len(gradients) == 25
    for name, gradient in gradients.items():
        wanted = expected_gradients[name]
        assert gradient is not None and wanted is not None
        assert (gradient - wanted).norm() <= (0.1 if loose else 1e-4) * wanted.norm() + 1e-7, name
