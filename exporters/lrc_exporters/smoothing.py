"""Smoothing: a few outlier channels of the activations no longer decide how coarsely all others are quantised.

Activations take one scale a tensor. In multilingual encoders one neuron of a feed-forward block, or one dimension of a
layer norm, is often ten times as large as all others, which then share a tenth of the steps. Such channels are divided
by s, and the rows of the weights that they meet multiplied by it: x W = (x / s) (s W), exactly. That is the scale
migration of SmoothQuant (Xiao et al. 2023) for outliers only: s = max(1, a / t), a being the largest magnitude of a
channel and t that of the fifth largest channel.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .activations import observe
from .products import constant_products

# Which channel gives the threshold, counted from the largest.
_RANK = 4
# Where no channel is so many times larger, a further operator is not worth it.
_LEAST_FACTOR = 1.5


def smooth(path: Path, batches: Iterable[dict[str, np.ndarray]]) -> int:
    """Moves the scale of outlier channels from activations into weights.

    Args:
        path: The float32 model, rewritten in place; it computes the same.
        batches: Real inputs, of one text each.

    Returns:
        The number of activations that have outliers.
    """
    model = onnx.load(path)
    graph = model.graph
    products = constant_products(model)
    seen = observe(path, list(dict.fromkeys(node.input[0] for node in products)), batches)
    weights = {tensor.name: tensor for tensor in graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in products:
        readers.setdefault(node.input[0], []).append(node)
    uses = Counter(name for node in graph.node for name in node.input)
    scaled: dict[str, onnx.NodeProto] = {}
    for name, activations in seen.items():
        channels = activations.peak
        threshold = np.sort(channels)[-1 - min(_RANK, len(channels) - 1)]
        factors = np.maximum(1, channels / max(threshold, 1e-6)).astype(np.float32)
        # Where layers share their weights, a weight cannot follow the scale of one of them.
        if factors.max() < _LEAST_FACTOR or any(uses[node.input[1]] > 1 for node in readers[name]):
            continue
        graph.initializer.append(numpy_helper.from_array(1 / factors, f"{name}_smooth"))
        for node in readers[name]:
            weight = weights[node.input[1]]
            smoothed = numpy_helper.to_array(weight) * factors[:, None]
            weight.CopyFrom(numpy_helper.from_array(smoothed.astype(np.float32), weight.name))
            node.input[0] = f"{name}_smoothed"
        scaled[name] = helper.make_node("Mul", [name, f"{name}_smooth"], [f"{name}_smoothed"], name=f"{name}_smooth")
    nodes = []
    for node in graph.node:
        nodes.append(node)
        nodes += [scaled[output] for output in node.output if output in scaled]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, path)
    return len(scaled)
