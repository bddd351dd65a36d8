"""Attention as one operator: what encoders of several architectures come out as, and that they compute the same."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from torch import nn
from transformers import AutoModel, BertConfig, DistilBertConfig, ModernBertConfig, PretrainedConfig, XLMRobertaConfig

from lrc.adapters.attention import enable, fused
from lrc.adapters.prefix import add_prefixes
from lrc_exporters.fusion import fuse
from lrc_exporters.graph import export_graph
from lrc_runtime.session import Session

SMALL = {
    "vocab_size": 300,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "pad_token_id": 1,
}
DISTIL = {"vocab_size": 300, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}


class FirstState(nn.Module):
    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return {"states": states[..., 0]}


@pytest.mark.parametrize(
    ("config", "prefix", "attention"),
    [
        (BertConfig(**SMALL), 0, 2),
        (BertConfig(**SMALL), 3, 2),
        (XLMRobertaConfig(**SMALL), 3, 2),
        (DistilBertConfig(**DISTIL), 3, 2),
        # Its first layer looks everywhere, its second at its neighbours only.
        (ModernBertConfig(**SMALL, local_attention=8, global_attn_every_n_layers=2), 0, 1),
    ],
    ids=["bert", "bert-prefix", "xlm-roberta-prefix", "distilbert-prefix", "modernbert"],
)
def test_fused_encoder_computes_the_same(config: PretrainedConfig, prefix: int, attention: int, tmp_path: Path) -> None:
    torch.manual_seed(1)
    encoder = AutoModel.from_config(config).eval()
    enable(encoder)
    ids, seen = torch.randint(5, 300, (3, 20)), torch.ones(3, 20, dtype=torch.int64)
    seen[1, 12:] = 0
    if prefix:
        add_prefixes(encoder, {"input_ids": ids, "attention_mask": seen}, range(prefix))
    model, path = FirstState(encoder).eval(), tmp_path / "model.onnx"
    with fused(encoder):
        export_graph(model, {"input_ids": ids, "attention_mask": seen}, ["states"], {"states": True}, path)
    assert fuse(path)["attention"] == attention
    branches = [node for node in onnx.load(path).graph.node if node.op_type == "If"]
    assert len(branches) == attention
    # A type that OpenVINO's provider does not know keeps it off what it cannot build: tests/interop/test_openvino.py.
    types = [{value.type.tensor_type.elem_type for value in node.attribute[0].g.output} for node in branches]
    assert all(TensorProto.DOUBLE in found for found in types)
    session = Session(path)
    # A batch with padding, one without, and a length the graph was not exported with.
    for rows, length in ((3, 20), (1, 20), (2, 9)):
        batch = {"input_ids": ids[:rows, :length], "attention_mask": seen[:rows, :length]}
        with torch.inference_mode():
            expected = model(**batch)["states"].numpy()
        found = session({name: value.numpy() for name, value in batch.items()})["states"]
        assert np.abs(found - expected)[batch["attention_mask"].numpy() == 1].max() < 1e-5


def test_fusing_is_deterministic(tmp_path: Path) -> None:
    encoder = AutoModel.from_config(BertConfig(**SMALL)).eval()
    ids = torch.randint(5, 300, (2, 8))
    for name in ("a", "b"):
        with fused(encoder):
            batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            export_graph(FirstState(encoder).eval(), batch, ["states"], {"states": True}, tmp_path / name)
        fuse(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
