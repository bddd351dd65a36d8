"""Smoothing: the graph computes the same, and int8 comes much nearer to it where a channel sticks out."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from lrc_exporters.graph import export_graph
from lrc_exporters.products import constant_products
from lrc_exporters.quantize import Precision, quantize
from lrc_exporters.sensitivity import rank
from lrc_exporters.smoothing import smooth
from lrc_runtime.session import Session


class FeedForward(nn.Module):
    """A lookup and a feed-forward block, one neuron of which is forty times as large as the others."""

    def __init__(self, shared: bool = False) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.table = nn.Embedding(2000, 32)
        self.inner, self.outer = nn.Linear(32, 64), nn.Linear(64, 32)
        self.shared = shared
        with torch.no_grad():
            self.inner.weight[3] *= 40
            self.outer.weight[:, 3] /= 40

    def forward(self, input_ids: torch.Tensor) -> dict[str, torch.Tensor]:
        states = self.table(input_ids)
        for _ in range(2 if self.shared else 1):
            states = self.outer(nn.functional.gelu(self.inner(states)))
        return {"states": states[..., 0]}


def build(path: Path, shared: bool = False) -> list[dict[str, np.ndarray]]:
    ids = torch.arange(40).reshape(2, 20) + 50
    export_graph(FeedForward(shared).eval(), {"input_ids": ids}, ["states"], {"states": True}, path)
    if shared:
        model = onnx.load(path)
        products = [node for node in model.graph.node if node.op_type == "MatMul"]
        for first, second in zip(products[:2], products[2:], strict=True):
            second.input[1] = first.input[1]
        onnx.save(model, path)
    rng = np.random.default_rng(0)
    return [{"input_ids": rng.integers(0, 2000, (1, length))} for length in (7, 60, 300)]


@pytest.mark.parametrize("shared", [False, True], ids=["own-weights", "shared-weights"])
def test_smoothed_graph_computes_the_same(tmp_path: Path, shared: bool) -> None:
    path = tmp_path / "model.onnx"
    batches = build(path, shared)
    before = [Session(path)(batch)["states"] for batch in batches]
    assert smooth(path, batches) == (0 if shared else 1)
    for batch, expected in zip(batches, before, strict=True):
        assert np.abs(Session(path)(batch)["states"] - expected).max() < 1e-5 * np.abs(expected).max()
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_int8_comes_nearer(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    batches = build(path)
    exact = Session(path)(batches[2])["states"]

    def error() -> float:
        quantize(path, tmp_path / "int8.onnx", Precision(table_bits=8))
        return float(np.abs(Session(tmp_path / "int8.onnx")(batches[2])["states"] - exact).mean())

    plain = error()
    smooth(path, batches)
    assert error() < 0.5 * plain


def test_graph_without_outliers_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    module = FeedForward()
    with torch.no_grad():
        module.inner.weight[3] /= 40
    ids = torch.arange(40).reshape(2, 20)
    export_graph(module.eval(), {"input_ids": ids}, ["states"], {"states": True}, path)
    before = len(onnx.load(path).graph.node)
    assert smooth(path, [{"input_ids": ids.numpy()}]) == 0
    assert len(onnx.load(path).graph.node) == before


def test_product_behind_the_outlier_is_the_most_sensitive(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    batches = build(path)
    inner, outer = (node.name for node in constant_products(onnx.load(path)))
    assert rank(path, Precision(), batches) == [outer, inner]
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
