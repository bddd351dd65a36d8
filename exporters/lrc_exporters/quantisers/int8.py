"""Products in int8: weights one scale an output, activations in 8 bits too."""

from collections.abc import Collection
from dataclasses import replace

import onnx

from ..products import quantize_products
from .quantiser import Quantiser, Ranges


def _products(model: onnx.ModelProto, names: Collection[str], ranges: Ranges | None) -> onnx.ModelProto:
    quantize_products(model, names, ranges)
    return model


INT8 = Quantiser("int8", _products, fused=("MatMulIntegerToFloat", "DynamicQuantizeMatMul"), rounds=True)
INT8_STATIC = replace(INT8, fixed=True)
