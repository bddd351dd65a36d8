"""Freezing strategies: lower layers in which nothing is trained, and layers that join from the top down.

The output of the lower layers is then the same in every step, so that it is computed once an input and kept.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from lrc_runtime.encoding import TextEncoder

from ..adapters import chosen
from ..config.settings import TrainSettings
from ..errors import UserError
from ..model import TaskModel, layer_depths
from ..tasks.kind import Feature
from .batching import collate
from .memory import ran_out_of_memory

_LOG = logging.getLogger(__name__)
# Bytes of hidden states kept; an input of 256 tokens at width 384 takes 0.4 MB.
CAPACITY = 4 << 30


class _Reached(Exception):
    """Ends a forward pass at the first layer that is trained."""

    def __init__(self, hidden: torch.Tensor) -> None:
        super().__init__()
        self.hidden = hidden


class _Replayed(nn.Module):
    """Stands for a frozen layer whose output is known."""

    def __init__(self, hidden: torch.Tensor) -> None:
        super().__init__()
        self.hidden = hidden

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        return self.hidden


class LowerLayers:
    """The output of the frozen lower layers, computed once for each input.

    Args:
        model: The model, of which the lowest `count` layers hold nothing that is trained.
        count: Number of frozen layers.
        encoder: Makes batches of features.
        device: Of the model.
        precision: `fp32` or `bf16`, as in training.
    """

    def __init__(
        self, model: TaskModel, count: int, encoder: TextEncoder, device: torch.device, precision: str
    ) -> None:
        self._model = model
        self._layers = model.family.layers(model.encoder)[1]
        self._count = count
        self._encoder = encoder
        self._device = device
        self._precision = precision
        self._kept: dict[int, torch.Tensor] = {}
        self._room = CAPACITY

    def fits(self, features: Sequence[Feature]) -> bool:
        """Whether replaying gives what the whole encoder gives; an encoder of another build may pass more along."""
        batch = {name: value.to(self._device) for name, value in collate(features, self._encoder).items()}
        inputs = [batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")]
        with torch.no_grad():
            try:
                hidden = self.hidden(features, batch["input_ids"].shape[1])
                with self.replaying(hidden):
                    found = self._model.encode(*inputs)
            except (TypeError, AttributeError, IndexError, RuntimeError) as error:
                if ran_out_of_memory(error):
                    raise
                _LOG.warning("frozen layers run in every step, so training is slower: %s", error)
                return False
            expected = self._model.encode(*inputs)
        self._kept.clear()
        same = same_hidden(found, expected, batch["attention_mask"], self._precision)
        if not same:
            _LOG.warning("frozen layers run in every step, so training is slower: their outputs alone do not suffice")
        return same

    def hidden(self, features: Sequence[Feature], length: int) -> torch.Tensor:
        """Returns the hidden states before the first trained layer, (batch, length, width), zeros behind each input."""
        rows = [self._row(feature) for feature in features]
        padded = rows[0].new_zeros(len(rows), length, rows[0].shape[-1])
        for index, row in enumerate(rows):
            padded[index, : len(row)] = row
        return padded.to(self._device)

    def _row(self, feature: Feature) -> torch.Tensor:
        # Features live as long as the training data, so that their identity names them.
        kept = self._kept.get(id(feature))
        if kept is None:
            # Alone, so that it does not depend on the batch that an input is first met in.
            kept = self._compute(feature)
            size = kept.numel() * kept.element_size()
            if size <= self._room:
                self._kept[id(feature)] = kept
                self._room -= size
        return kept

    @torch.no_grad()
    def _compute(self, feature: Feature) -> torch.Tensor:
        def stop(module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
            raise _Reached(args[0])

        batch = {name: value.to(self._device) for name, value in collate([feature], self._encoder).items()}
        handle = self._layers[self._count].register_forward_pre_hook(stop)
        try:
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._precision == "bf16"):
                self._model.encode(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
        except _Reached as reached:
            return reached.hidden[0].cpu()
        finally:
            handle.remove()
        raise RuntimeError("the encoder never reached its first trained layer")

    @contextmanager
    def replaying(self, hidden: torch.Tensor) -> Iterator[None]:
        """Has the encoder take the given hidden states in place of the lower layers' own."""
        layers = [self._layers[index] for index in range(self._count)]
        for index in range(self._count):
            self._layers[index] = _Replayed(hidden)
        try:
            yield
        finally:
            for index, layer in enumerate(layers):
                self._layers[index] = layer


def same_hidden(found: torch.Tensor, expected: torch.Tensor, attention_mask: torch.Tensor, precision: str) -> bool:
    """Whether two ways to the same hidden states agree, up to rounding, where there is text."""
    real = attention_mask.bool()
    tolerance = 0.1 if precision == "bf16" else 1e-3
    return torch.allclose(found[real].float(), expected[real].float(), atol=tolerance, rtol=tolerance)


def gradual_unfreezing(model: TaskModel, steps: int, share: float) -> Callable[[int], None]:
    """Lets layers join the training from the top down, at even distances (Howard and Ruder 2018).

    Args:
        model: The model; what requires gradients now is what is trained in the end. The head always is.
        steps: Steps of the run.
        share: Of the steps, after which everything is trained.

    Returns:
        A function to call with the number of each step, counted from 0.
    """
    if not share:
        return lambda step: None
    names, count = layer_depths(model)
    depths = [
        (value, names[name]) for name, value in model.named_parameters() if value.requires_grad and names[name] < count
    ]

    def unfreeze(step: int) -> None:
        joined = count + 1 if step >= steps * share else int((count + 1) * step / (steps * share)) + 1
        for parameter, depth in depths:
            parameter.requires_grad_(depth >= count - joined)

    return unfreeze


def check_freezing(settings: TrainSettings, count: int) -> None:
    """Checks the settings against a backbone of `count` layers.

    Raises:
        UserError: If they leave nothing to train, or make no sense.
    """
    if settings.frozen_layers >= count:
        raise UserError(f"`frozen_layers` {settings.frozen_layers}: the backbone has {count} layers; freeze fewer")
    parts = chosen(settings)
    if settings.frozen_layers and parts and not any(part.in_layers for part in parts):
        raise UserError(
            f"`frozen_layers` {settings.frozen_layers}: `method` {settings.method} trains nothing in the layers;"
            " leave it out"
        )
