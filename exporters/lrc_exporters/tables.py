"""Embedding tables in 2, 4 or 8 bits, looked up first and dequantised after: only the rows of a batch become floats."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BLOCK = 32
# Rows that take 4 bits where others take 2.
FREQUENT = 8192
# What a code stands for is its distance from this, times a scale.
MIDDLE = {4: 8.0, 2: 1.5}
# The value of largest magnitude in a block becomes one of these; the one that leaves the least error is taken. A table
# that was quantised to 4 bits before comes out as it was.
_EXTREMES = (-8.0, -7.5, -7.0, 7.0)
# Smaller tables (segments) are not worth the operators; that of the tokens always is.
_MIN_ROWS = 256
# The input that is looked up in the table of the tokens.
IDS = "input_ids"
_ROWS_AT_ONCE = 8192
_FITS = 4


def quantize_tables(model: onnx.ModelProto, bits: int) -> int:
    """Replaces lookups in large constant tables by lookups in quantised ones, in place.

    Args:
        model: The graph.
        bits: Of the table of the tokens, where its width is a multiple of 32: 4, with one scale for 32 values; or 2,
            with one scale a row, for all but the first 8,192 rows, which vocabularies give to the most frequent
            pieces and which take 4. With 8, and for all other tables, one scale a row.

    Returns:
        The number of tables.
    """
    graph = model.graph
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    nodes, count = [], 0
    for node in graph.node:
        table = initializers.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or len(table.dims) != 2 or (table.dims[0] < _MIN_ROWS and node.input[1] != IDS):
            nodes.append(node)
            continue
        graph.initializer.remove(table)
        values = numpy_helper.to_array(table)
        lookup = _Lookup(table.name)
        ids, output = node.input[1], node.output[0]
        if bits == 8 or ids != IDS or values.shape[1] % BLOCK:
            lookup.rows(values, ids, output)
        elif bits == 4 or len(values) <= FREQUENT:
            lookup.packed(*quantize_blocks(values), 4, ids, output, "")
        else:
            lookup.two_parts(values, ids, output)
        graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in lookup.constants.items())
        nodes += lookup.nodes
        count += 1
    del graph.node[:]
    graph.node.extend(nodes)
    return count


class _Lookup:
    """The operators that look rows up in a quantised table, standard ones, which every execution provider runs.

    Args:
        name: Name of the table.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.constants: dict[str, np.ndarray] = {}
        self.nodes: list[onnx.NodeProto] = []

    def rows(self, table: np.ndarray, ids: str, output: str) -> None:
        """Gather(table, ids) as Gather(int8 table, ids) * Gather(scales, ids)."""
        quantised, scales = quantize_rows(table)
        values = self._step("Cast", [self._gather(quantised, ids, "int8")], "float", to=TensorProto.FLOAT)
        self._node("Mul", [values, self._gather(scales, ids, "scale")], output)

    def packed(self, table: np.ndarray, scales: np.ndarray, bits: int, ids: str, output: str, part: str) -> None:
        """The same with several values a byte; `part` tells the names of two of these apart."""
        codes = self._gather(table, ids, f"int{bits}{part}")
        places = [1 << at for at in range(0, 8, bits)]
        pieces = []
        for at, place in enumerate(places):
            mask = self._constant(np.array(place * ((1 << bits) - 1), np.uint8), f"mask{at}{part}")
            pieces.append(self._step("BitwiseAnd", [codes, mask], f"code{at}{part}"))
        together = self._step("Concat", pieces, f"codes{part}", axis=-1)
        raised = self._step("Cast", [together], f"raised{part}", to=TensorProto.FLOAT)
        # Where a shift would do: OpenVINO's rounds to the nearest number. By a power of two a product is exact.
        lowered = self._constant(np.repeat(1 / np.array(places, np.float32), table.shape[1]), f"places{part}")
        values = self._step("Mul", [raised, lowered], f"float{part}")
        middle = self._constant(np.array(MIDDLE[bits], np.float32), f"middle{part}")
        signed = self._step("Sub", [values, middle], f"signed{part}")
        width = table.shape[1] * (8 // bits)
        shape = self._constant(np.array([0, 0, -1, width // scales.shape[1]], np.int64), f"shape{part}")
        blocks = self._step("Reshape", [signed, shape], f"blocks{part}")
        halves = self._gather(scales, ids, f"scale{part}")
        whole = self._step("Cast", [halves], f"factor{part}", to=TensorProto.FLOAT)
        last = self._constant(np.array([-1], np.int64), f"last{part}")
        scaled = self._step("Mul", [blocks, self._step("Unsqueeze", [whole, last], f"factors{part}")], f"scaled{part}")
        flat = self._constant(np.array([0, 0, -1], np.int64), f"flat{part}")
        self._node("Reshape", [scaled, flat], output)

    def two_parts(self, table: np.ndarray, ids: str, output: str) -> None:
        """The first rows in 4 bits and all others in 2: each id is looked up in both, and the right row taken."""
        first = self._constant(np.array(FREQUENT, np.int64), "first")
        last = self._constant(np.array(FREQUENT - 1, np.int64), "first_last")
        frequent = self._step("Less", [ids, first], "frequent")
        in_first = self._step("Min", [ids, last], "ids_first")
        above = self._step("Sub", [ids, first], "above")
        in_rest = self._step("Max", [above, self._constant(np.array(0, np.int64), "none")], "ids_rest")
        found = [f"{self.name}_{part}_row" for part in ("first", "rest")]
        self.packed(*quantize_blocks(table[:FREQUENT]), 4, in_first, found[0], "_first")
        self.packed(*quantize_pairs(table[FREQUENT:]), 2, in_rest, found[1], "_rest")
        column = self._step("Unsqueeze", [frequent, self._constant(np.array([-1], np.int64), "column")], "which")
        self._node("Where", [column, *found], output)

    def _gather(self, table: np.ndarray, ids: str, what: str) -> str:
        return self._step("Gather", [self._constant(table, what), ids], f"row_{what}", axis=0)

    def _constant(self, value: np.ndarray, what: str) -> str:
        name = f"{self.name}_{what}"
        self.constants[name] = value
        return name

    def _step(self, operator: str, inputs: list[str], what: str, **attributes: Any) -> str:
        return self._node(operator, inputs, f"{self.name}_{what}", **attributes)

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output


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


def quantize_pairs(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantises each row of a table to 2 bits.

    The four levels are evenly spaced, which for values that are spread as a normal distribution loses next to nothing
    against the best levels (Max 1960); their spacing is fitted to each row by turns with the codes.

    Args:
        table: Float values, shape (rows, width), the width a multiple of 4.

    Returns:
        uint8 values of shape (rows, width / 4), column j holding values j, j + width / 4, j + width / 2 and
        j + 3 width / 4 in its bits from the lowest up, each 1.5 more than the signed number; float16 scales of shape
        (rows, 1).
    """
    values = table.astype(np.float32)
    scales = np.sqrt(np.square(values).mean(axis=1, keepdims=True))
    for _ in range(_FITS):
        scales[scales == 0] = 1
        levels = np.clip(np.rint(values / scales + 1.5), 0, 3) - 1.5
        scales = (values * levels).sum(axis=1, keepdims=True) / np.square(levels).sum(axis=1, keepdims=True)
    codes = (levels + 1.5).astype(np.uint8)
    packed = np.zeros((len(table), table.shape[1] // 4), np.uint8)
    for at, part in enumerate(np.split(codes, 4, axis=1)):
        packed |= part << (2 * at)
    return packed, scales.astype(np.float16)
