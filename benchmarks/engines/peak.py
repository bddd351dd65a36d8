"""How near a bundle comes to the integer products that the processor can do: one window beside products alone, in turn.

python -m benchmarks.engines.peak BUNDLE --length 256

The peak is the fastest of three products with constant int8 weights under ONNX Runtime. A multiplication and an
addition are two operations; of the bundle only its products with constant int8 weights count, over the time of the
whole window.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import lrc_runtime
from lrc_runtime.cpus import usable_cpus
from lrc_runtime.session import Session

# Rows, inner and outer sizes: a window through the feed-forward layers of the built-in backbone, and larger ones.
_SHAPES = ((256, 384, 1536), (1024, 1024, 1024), (2048, 2048, 2048))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--length", type=int, default=256, help="tokens of the window")
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    # The default preset: threads that spin would disturb the other sessions.
    model = lrc_runtime.load_question_answerer(options.bundle)
    rng = np.random.default_rng(0)
    shape = (1, options.length)
    window = {"input_ids": rng.integers(5, 1000, shape), "attention_mask": np.ones(shape, np.int64)}
    window["token_type_ids"] = np.zeros(shape, np.int64)
    works: dict[str, tuple[float, Callable[[], object]]] = {
        "window": (operations(options.bundle, options.length), lambda: model._run(window))
    }
    for rows, inner, outer in _SHAPES:
        works[f"{rows} x {inner} x {outer}"] = (2 * rows * inner * outer / 1e9, product(rows, inner, outer, rng))
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(options.repeats + 3):
        for name, (_, work) in works.items():
            began = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - began)
    speeds = {name: works[name][0] / statistics.median(taken[3:]) for name, taken in times.items()}
    for name, speed in speeds.items():
        median = 1000 * statistics.median(times[name][3:])
        print(f"{name:20} {median:8.2f} ms {works[name][0]:7.2f} GOP {speed:7.0f} GOP/s")
    share = speeds.pop("window") / max(speeds.values())
    print(f"the window reaches {share:.0%} of the peak, on {usable_cpus()} CPUs")


def operations(bundle: Path, length: int) -> float:
    """Returns how many 10^9 integer operations the products of a window of so many tokens take."""
    graph = onnx.load(bundle / "model.onnx", load_external_data=False).graph
    sizes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    products = [sizes[node.input[1]] for node in graph.node if node.op_type == "MatMulInteger"]
    return sum(2 * length * inner * outer for inner, outer in products) / 1e9


def product(rows: int, inner: int, outer: int, rng: np.random.Generator) -> Callable[[], object]:
    """Returns what runs one product of uint8 rows with constant int8 weights."""
    weights = numpy_helper.from_array(rng.integers(-127, 128, (inner, outer), np.int8), "weights")
    node = helper.make_node("MatMulInteger", ["rows", "weights"], ["sums"])
    inputs = [helper.make_tensor_value_info("rows", TensorProto.UINT8, [rows, inner])]
    outputs = [helper.make_tensor_value_info("sums", TensorProto.INT32, [rows, outer])]
    graph = helper.make_graph([node], "product", inputs, outputs, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()
    session = Session(lambda make: make(model, {}), where="product")
    values = rng.integers(0, 256, (rows, inner), np.uint8)
    return lambda: session({"rows": values})


if __name__ == "__main__":
    main()
