"""Post-training int8: matrix products per output channel, the embedding table per row."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from lrc_runtime.errors import LrcError

# Smaller tables (positions, segments) are not worth the operators.
_MIN_ROWS = 1024
_MIN_OUTPUTS = 16


class QuantizationError(LrcError):
    """The graph did not come out quantised as it should."""


def quantize(source: Path, target: Path) -> dict[str, int]:
    """Quantises a float32 graph.

    Products with constant weights become dynamic int8 (symmetric weights per output channel, activations
    quantised as they come), except those with a handful of outputs, which cost nothing and decide everything;
    embedding tables become int8 with one scale a row, dequantised after the lookup.

    Args:
        source: The float32 model.
        target: The file to write.

    Returns:
        Numbers of quantised products and of quantised tables.

    Raises:
        QuantizationError: If a product with constant weights or the embedding table stayed in float32.
    """
    products = _constant_products(onnx.load(source))
    large = [name for name, outputs in products.items() if outputs >= _MIN_OUTPUTS]
    with _quiet():
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=large,
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
    model = onnx.load(target)
    tables = _quantize_tables(model)
    done = sum(node.op_type == "MatMulInteger" for node in model.graph.node)
    if done != len(large) or not tables:
        raise QuantizationError(
            f"quantised {done} of {len(large)} matrix products and {tables} embedding tables; this onnxruntime does"
            " not match the exporter: install the versions of constraints.txt, or export with --fp32"
        )
    onnx.save(model, target)
    return {"matmul": done, "embedding": tables}


def _constant_products(model: onnx.ModelProto) -> dict[str, int]:
    """Returns the number of outputs of each product of token states with constant weights, by the node's name."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    return {
        node.name: weights[node.input[1]].dims[-1]
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1] in weights
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the quantiser from recommending its pre-processing, which would undo the exporter's names."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def _quantize_tables(model: onnx.ModelProto) -> int:
    """Replaces lookups Gather(table, ids) by Gather(int8 table, ids) * Gather(scales, ids)."""
    graph = model.graph
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    nodes, count = [], 0
    for node in graph.node:
        table = initializers.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or len(table.dims) != 2 or table.dims[0] < _MIN_ROWS:
            nodes.append(node)
            continue
        quantised, scales = quantize_rows(numpy_helper.to_array(table))
        name = node.output[0]
        graph.initializer.remove(table)
        graph.initializer.append(numpy_helper.from_array(quantised, f"{table.name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{table.name}_scale"))
        nodes += [
            helper.make_node("Gather", [f"{table.name}_int8", node.input[1]], [f"{name}_int8"], axis=0),
            helper.make_node("Gather", [f"{table.name}_scale", node.input[1]], [f"{name}_scale"], axis=0),
            helper.make_node("Cast", [f"{name}_int8"], [f"{name}_float"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_float", f"{name}_scale"], [name]),
        ]
        count += 1
    del graph.node[:]
    graph.node.extend(nodes)
    return count


def quantize_rows(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantises each row of a table symmetrically to 8 bits.

    Args:
        table: Float values, shape (rows, width).

    Returns:
        int8 values of the same shape and float32 scales of shape (rows, 1), so that their product is the
        table within half a scale.
    """
    scales = np.abs(table).max(axis=1, keepdims=True).astype(np.float32) / 127
    scales[scales == 0] = 1
    return np.rint(table / scales).astype(np.int8), scales
