"""Plain torch module to ONNX graph."""

import logging
import re
import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from lrc_runtime.errors import LrcError

# The first with GELU as one operator.
OPSET = 20


class GraphError(LrcError):
    """The module uses an operator that ONNX does not have."""


class _Flat(nn.Module):
    """Gives named outputs in a fixed order, which is what the exporter takes."""

    def __init__(self, module: nn.Module, outputs: list[str]) -> None:
        super().__init__()
        self.module = module
        self._outputs = outputs

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        named = self.module(*inputs)
        return tuple(named[name] for name in self._outputs)


def export_graph(
    module: nn.Module, batch: dict[str, torch.Tensor], outputs: list[str], length_axis: dict[str, bool], path: Path
) -> onnx.ModelProto:
    """Exports a module with dynamic batch and length.

    Args:
        module: Takes the tensors of `batch` in its order and returns a dictionary of outputs.
        batch: Example inputs, each (batch, length) of int64, with at least two rows.
        outputs: Names of the outputs.
        length_axis: For each output whether its second axis is the length.
        path: The file to write.

    Returns:
        The graph as written.

    Raises:
        GraphError: If the exporter knows no translation of an operator, with its name.
    """
    rows, length = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("length", min=2, max=1 << 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            program = torch.onnx.export(
                _Flat(module.eval(), outputs),
                tuple(batch.values()),
                input_names=list(batch),
                output_names=outputs,
                dynamic_shapes=(tuple({0: rows, 1: length} for _ in batch),),
                dynamo=True,
                opset_version=OPSET,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            if operator := _untranslated(error):
                raise GraphError(
                    f"the backbone uses the operator {operator}, which ONNX opset {OPSET} does not have; choose another"
                    " backbone"
                ) from error
            raise
    assert program is not None
    model = program.model_proto
    _name_axes(model, length_axis)
    _strip(model)
    onnx.save(model, path)
    return model


def _untranslated(error: BaseException) -> str | None:
    """Returns the operator that the exporter named in an error or in one of its causes."""
    cause: BaseException | None = error
    while cause is not None:
        if found := re.search(r"No ONNX function found for <OpOverload\(op='([^']+)'", str(cause)):
            return found.group(1)
        cause = cause.__cause__
    return None


def _strip(model: onnx.ModelProto) -> None:
    """Takes out what the exporter tells of itself: stack traces, paths of this machine, shapes that can be inferred."""
    del model.graph.value_info[:], model.graph.metadata_props[:], model.metadata_props[:], model.functions[:]
    for part in [*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output]:
        del part.metadata_props[:]
        part.doc_string = ""


def _name_axes(model: onnx.ModelProto, length_axis: dict[str, bool]) -> None:
    """Calls the free axes `batch` and `length` in the graph's signature."""
    for value in [*model.graph.input, *model.graph.output]:
        dimensions = value.type.tensor_type.shape.dim
        dimensions[0].dim_param = "batch"
        if length_axis.get(value.name, True):
            dimensions[1].dim_param = "length"
