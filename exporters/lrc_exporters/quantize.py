"""Post-training int8: matrix products per output channel, the embedding table in 4 or 8 bits."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from lrc_runtime.errors import LrcError

from .products import constant_products
from .tables import quantize_tables


class QuantizationError(LrcError):
    """The graph did not come out quantised as it should."""


def quantize(source: Path, target: Path, table_bits: int = 4) -> dict[str, int]:
    """Quantises a float32 graph.

    Products with constant weights become dynamic int8 (symmetric weights per output channel, activations
    quantised as they come), except those with a handful of outputs, which cost nothing and decide everything;
    embedding tables become 4 or 8 bits, dequantised after the lookup.

    Args:
        source: The float32 model.
        target: The file to write.
        table_bits: 4, with one scale for 32 values, or 8, with one a row.

    Returns:
        Numbers of quantised products and of quantised tables.

    Raises:
        QuantizationError: If a product with constant weights or the embedding table stayed in float32.
    """
    large = [node.name for node in constant_products(onnx.load(source))]
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
    tables = quantize_tables(model, table_bits)
    done = sum(node.op_type == "MatMulInteger" for node in model.graph.node)
    if done != len(large) or not tables:
        raise QuantizationError(
            f"quantised {done} of {len(large)} matrix products and {tables} embedding tables; this onnxruntime does"
            " not match the exporter: install the versions of constraints.txt, or export with --fp32"
        )
    onnx.save(model, target)
    return {"matmul": done, "embedding": tables}


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
