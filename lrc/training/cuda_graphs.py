"""The encoder's forward and backward pass as CUDA graphs: a small encoder on a GPU waits for its launches alone.

A step of the built-in backbone launches some 1,500 kernels of three microseconds each. A graph launches them at once.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional

from ..model import TaskModel
from .freezing import same_hidden
from .memory import ran_out_of_memory

_LOG = logging.getLogger(__name__)
# Inputs are padded to a multiple of this, so that few lengths need a graph of their own.
_MULTIPLE = 32
# Captures of a shape cost about as much as this many of its steps.
_EAGER = 3

Capture = Callable[[nn.Module, tuple[torch.Tensor, ...]], nn.Module]


class EncoderGraphs:
    """Gives what `TaskModel.encode` gives, from a graph for each shape of batch that has come up a few times.

    A graph replays what it has seen, so it fits only a model that draws no dropout, has no prompt in its input and
    trains the same parameters in all steps. Each replay must be followed by its backward pass before the next one, as
    all graphs share one pool of memory and their outputs are overwritten.

    Args:
        model: The model.
        pad: Id of the padding token.
        longest: Longest input that the model reads, in tokens.
        precision: `fp32`, or `bf16` for autocast.
        capture: Makes the graph of a module from sample inputs; for tests.
    """

    def __init__(
        self, model: TaskModel, pad: int, longest: int, precision: str, capture: Capture | None = None
    ) -> None:
        self._model = model
        self._pad = pad
        self._longest = longest
        self._precision = precision
        self._capture: Capture | None = capture or _CudaCapture()
        self._encoder = _Encoder(model)
        self._seen: Counter[tuple[int, ...]] = Counter()
        self._graphs: dict[tuple[int, ...], nn.Module] = {}

    def encode(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        """Returns the last hidden states, (batch, length, width), of ids, mask and segments, each (batch, length)."""
        if self._capture is None:
            return self._model.encode(input_ids, attention_mask, types)
        length = input_ids.shape[1]
        missing = max(length, min(self._longest, length + -length % _MULTIPLE)) - length
        # transformers asks a mask of two dimensions whether it is all ones, which would wait for the GPU.
        inputs = (
            functional.pad(input_ids, (0, missing), value=self._pad),
            functional.pad(attention_mask, (0, missing)).bool()[:, None, None],
            functional.pad(types, (0, missing)),
        )
        expected = None if self._seen else self._model.encode(input_ids, attention_mask, types)
        try:
            if expected is not None:
                self._check(inputs, attention_mask, expected)
            hidden: torch.Tensor = self._module(inputs)(*inputs)
        except (RuntimeError, TypeError, ValueError, AttributeError, IndexError) as error:
            if ran_out_of_memory(error):
                raise
            # An encoder that waits for the GPU, or reads the mask in a way of its own, runs as it is.
            _LOG.warning("CUDA graphs are off, so training is slower: %s: %s", type(error).__name__, error)
            self._capture = None
            return self._model.encode(input_ids, attention_mask, types)
        return hidden[:, :length]

    def _module(self, inputs: tuple[torch.Tensor, ...]) -> nn.Module:
        """Returns what encodes inputs of this shape: a graph, or the encoder itself while the shape may be rare."""
        assert self._capture is not None
        shape = tuple(inputs[0].shape)
        self._seen[shape] += 1
        if self._seen[shape] <= _EAGER:
            return self._encoder
        if shape not in self._graphs:
            autocast = torch.autocast(
                inputs[0].device.type, torch.bfloat16, enabled=self._precision == "bf16", cache_enabled=False
            )
            with autocast:
                # Capturing replaces a module's forward pass, so each graph has a module of its own.
                self._graphs[shape] = self._capture(_Encoder(self._model), inputs)
        return self._graphs[shape]

    @torch.no_grad()
    def _check(self, inputs: tuple[torch.Tensor, ...], attention_mask: torch.Tensor, expected: torch.Tensor) -> None:
        found = self._encoder(*inputs)[:, : expected.shape[1]]
        if not same_hidden(found, expected, attention_mask, self._precision):
            raise ValueError("the encoder reads its mask in a way of its own")


class _Encoder(nn.Module):
    """What is captured: the encoder with its parameters, and nothing of the head."""

    def __init__(self, model: TaskModel) -> None:
        super().__init__()
        self.encoder = model.encoder
        self._inputs = model.inputs

    def forward(self, input_ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.encoder(**self._inputs(input_ids, mask, types)).last_hidden_state
        return hidden


class _CudaCapture:
    """Captures graphs that share one pool, as only one of them is at work at a time."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        # The warm-up runs on a stream of its own, which costs nothing here.
        torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)

    def __call__(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> nn.Module:
        sample = tuple(tensor.clone() for tensor in inputs)
        graph = torch.cuda.make_graphed_callables(module, sample, allow_unused_input=True, pool=self._pool)
        assert isinstance(graph, nn.Module)
        return graph
