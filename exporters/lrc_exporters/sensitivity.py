"""Which products lose most when they are quantised: each alone, everything else in float32."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from lrc_runtime.session import Session

from .products import constant_products
from .quantize import Precision, quantize


def rank(path: Path, precision: Precision, batches: Iterable[dict[str, np.ndarray]]) -> list[str]:
    """Orders the products of a float32 graph by what quantising each of them costs.

    The cost is the Kullback-Leibler divergence of the outputs' softmax from that of the float32 graph, averaged over
    outputs and inputs.

    Args:
        path: The float32 model.
        precision: How it is to be quantised.
        batches: Real inputs without padding.

    Returns:
        Names of the products, the costliest first.
    """
    inputs = list(batches)
    names = [node.name for node in constant_products(onnx.load(path))]
    exact = _outputs(path, inputs)
    file = path.with_suffix(".sensitivity")
    costs = {}
    try:
        for name in names:
            quantize(path, file, replace(precision, kept=[other for other in names if other != name]))
            costs[name] = _divergence(exact, _outputs(file, inputs))
    finally:
        file.unlink(missing_ok=True)
    return sorted(names, key=lambda name: -costs[name])


def _outputs(path: Path, inputs: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    session = Session(path)
    return [output for batch in inputs for output in session(batch).values()]


def _divergence(exact: list[np.ndarray], found: list[np.ndarray]) -> float:
    costs = []
    for expected, value in zip(exact, found, strict=True):
        before, after = _log_softmax(expected), _log_softmax(value)
        costs.append(float((np.exp(before) * (before - after)).sum(axis=-1).mean()))
    return float(np.mean(costs))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result
