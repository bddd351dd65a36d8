"""Embedding tables in 4 or 8 bits, looked up first and dequantised after: only the rows of a batch become floats."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BLOCK = 32
# The value of largest magnitude in a block becomes one of these; the one that leaves the least error is taken. A table
# that was quantised to 4 bits before comes out as it was.
_EXTREMES = (-8.0, -7.5, -7.0, 7.0)
# Smaller tables (segments) are not worth the operators; that of the tokens always is.
_MIN_ROWS = 256
_IDS = "input_ids"
_ROWS_AT_ONCE = 8192


def quantize_tables(model: onnx.ModelProto, bits: int) -> int:
    """Replaces lookups in large constant tables by lookups in quantised ones, in place.

    Args:
        model: The graph.
        bits: Of the table of the tokens: 4, with one scale a block of 32, where the width is a multiple of that; or 8,
            with one scale a row, as all others have.

    Returns:
        The number of tables.
    """
    graph = model.graph
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    nodes, count = [], 0
    for node in graph.node:
        table = initializers.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or len(table.dims) != 2 or (table.dims[0] < _MIN_ROWS and node.input[1] != _IDS):
            nodes.append(node)
            continue
        graph.initializer.remove(table)
        values = numpy_helper.to_array(table)
        blocks = bits == 4 and node.input[1] == _IDS and values.shape[1] % BLOCK == 0
        constants, lookup = (_blocks if blocks else _rows)(values, table.name, node)
        graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
        nodes += lookup
        count += 1
    del graph.node[:]
    graph.node.extend(nodes)
    return count


def _rows(table: np.ndarray, name: str, node: onnx.NodeProto) -> tuple[dict[str, np.ndarray], list[onnx.NodeProto]]:
    """Gather(table, ids) as Gather(int8 table, ids) * Gather(scales, ids)."""
    quantised, scales = quantize_rows(table)
    ids, output = node.input[1], node.output[0]
    within = f"{output}_table"
    return {f"{name}_int8": quantised, f"{name}_scale": scales}, [
        helper.make_node("Gather", [f"{name}_int8", ids], [f"{within}_int8"], axis=0),
        helper.make_node("Gather", [f"{name}_scale", ids], [f"{within}_scale"], axis=0),
        helper.make_node("Cast", [f"{within}_int8"], [f"{within}_float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{within}_float", f"{within}_scale"], [output]),
    ]


def _blocks(table: np.ndarray, name: str, node: onnx.NodeProto) -> tuple[dict[str, np.ndarray], list[onnx.NodeProto]]:
    """The same with two values a byte, in standard operators, which every execution provider runs."""
    packed, scales = quantize_blocks(table)
    ids, output = node.input[1], node.output[0]
    within = f"{output}_table"
    constants = {
        f"{name}_int4": packed,
        f"{name}_scale": scales,
        f"{name}_low": np.array(15, np.uint8),
        f"{name}_shift": np.array(4, np.uint8),
        f"{name}_zero": np.array(8, np.float32),
        f"{name}_blocks": np.array([0, 0, -1, BLOCK], np.int64),
        f"{name}_last": np.array([-1], np.int64),
        f"{name}_flat": np.array([0, 0, -1], np.int64),
    }

    def step(operator: str, inputs: list[str], result: str, **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(operator, inputs, [result], **attributes)

    return constants, [
        step("Gather", [f"{name}_int4", ids], f"{within}_int4", axis=0),
        step("BitwiseAnd", [f"{within}_int4", f"{name}_low"], f"{within}_first"),
        step("BitShift", [f"{within}_int4", f"{name}_shift"], f"{within}_second", direction="RIGHT"),
        step("Concat", [f"{within}_first", f"{within}_second"], f"{within}_both", axis=-1),
        step("Cast", [f"{within}_both"], f"{within}_float", to=TensorProto.FLOAT),
        step("Sub", [f"{within}_float", f"{name}_zero"], f"{within}_signed"),
        step("Reshape", [f"{within}_signed", f"{name}_blocks"], f"{within}_blocks"),
        step("Gather", [f"{name}_scale", ids], f"{within}_half", axis=0),
        step("Cast", [f"{within}_half"], f"{within}_scale", to=TensorProto.FLOAT),
        step("Unsqueeze", [f"{within}_scale", f"{name}_last"], f"{within}_scales"),
        step("Mul", [f"{within}_blocks", f"{within}_scales"], f"{within}_scaled"),
        step("Reshape", [f"{within}_scaled", f"{name}_flat"], output),
    ]


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


def quantize_blocks(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantises each block of 32 values in a row to 4 bits.

    Args:
        table: Float values, shape (rows, width), the width a multiple of 32.

    Returns:
        uint8 values of shape (rows, width / 2), column j holding value j in its low half and value j + width / 2 in
        its high one, each 8 more than the signed number; float16 scales of shape (rows, width / 32).
    """
    rows, width = table.shape
    packed, scales = np.empty((rows, width // 2), np.uint8), np.empty((rows, width // BLOCK), np.float16)
    for start in range(0, rows, _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        blocks = table[part].astype(np.float32).reshape(-1, width // BLOCK, BLOCK)
        peaks = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=2, keepdims=True), axis=2)
        best, least = np.zeros_like(blocks), np.full(peaks.shape, np.inf, np.float32)
        chosen = np.ones_like(peaks)
        for extreme in _EXTREMES:
            scale = (peaks / extreme).astype(np.float16).astype(np.float32)
            scale[scale == 0] = 1
            values = np.clip(np.rint(blocks / scale), -8, 7)
            error = np.square(values * scale - blocks).sum(axis=2, keepdims=True)
            better = error < least
            best, least = np.where(better, values, best), np.where(better, error, least)
            chosen = np.where(better, scale, chosen)
        numbers = (best.reshape(-1, width) + 8).astype(np.uint8)
        packed[part] = numbers[:, : width // 2] | numbers[:, width // 2 :] << 4
        scales[part] = chosen[..., 0].astype(np.float16)
    return packed, scales
