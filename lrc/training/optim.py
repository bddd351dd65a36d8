"""What steadies training on few labels: learning rates by layer, and the average of the last weights."""

from collections.abc import Mapping
from typing import Any

import torch

from ..config.settings import TrainSettings
from ..model import TaskModel, layer_depths


def parameter_groups(model: TaskModel, settings: TrainSettings) -> list[dict[str, Any]]:
    """Returns the optimiser's groups: the rate falls by a constant factor from each layer to the one below.

    Layer-wise learning rates as in Howard and Ruder (2018) and ELECTRA (Clark et al. 2020): the head and the top layer
    have the rate itself, the layer l below the top has it times decay^l, what lies below all layers likewise.

    Args:
        model: The model; what requires gradients is trained.
        settings: The rate and `layer_decay`; 1 gives every layer the same.
    """
    decay = settings.layer_decay
    trained = model.trained_state()
    if decay == 1:
        return [{"params": list(trained.values())}]
    depths, count = layer_depths(model)
    groups: dict[int, list[torch.Tensor]] = {}
    for name, value in trained.items():
        groups.setdefault(min(depths[name], count - 1), []).append(value)
    return [
        {"params": values, "lr": settings.lr * decay ** (count - 1 - depth)} for depth, values in sorted(groups.items())
    ]


class WeightAverage:
    """The mean of the trained weights over the last steps (Izmailov et al. 2018; Szegedy et al. 2016).

    Args:
        weights: The trained tensors by name.
        steps: Steps of the run.
        share: Of the steps that the mean is over, counted from the end; 0 leaves the last weights.
    """

    def __init__(self, weights: Mapping[str, torch.Tensor], steps: int, share: float) -> None:
        self._weights = weights
        self._first = steps - round(steps * share)
        self.means: dict[str, torch.Tensor] = {}
        self.count = 0

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the weights after a step, counted from 1."""
        if step <= self._first:
            return
        self.count += 1
        for name, value in self._weights.items():
            if self.count == 1:
                self.means[name] = value.detach().clone()
            else:
                self.means[name] += (value - self.means[name]) / self.count

    @torch.no_grad()
    def apply(self) -> None:
        """Puts the mean in the place of the weights, where there is one."""
        for name, mean in self.means.items():
            self._weights[name].copy_(mean)
