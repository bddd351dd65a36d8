"""Logistic curves from a model's log-odds to how often it is right (Platt 1999)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

# Of the squared offsets of groups, whose few examples say little about each.
_DECAY = 1.0
# Log-odds beyond which float64 tells no probability from 0 or 1.
FARTHEST = 700.0


@dataclass(frozen=True)
class Curve:
    """p(right) = sigmoid(slope * log-odds + intercept + offset of the group).

    Attributes:
        slope: Of the curve.
        intercept: Of the curve.
        offsets: One for each group.
    """

    slope: float
    intercept: float
    offsets: Floats

    def __call__(self, values: Floats, groups: Indices) -> Floats:
        """Returns the probability of being right of each value."""
        logits = self.slope * values + self.intercept + self.offsets[groups]
        result: Floats = 1 / (1 + np.exp(-np.clip(logits, -FARTHEST, FARTHEST)))
        return result


def fit(
    values: Floats,
    right: Floats,
    groups: Indices | None = None,
    offsets: bool = False,
    count: int | None = None,
) -> Curve:
    """Fits a logistic curve, with an offset for each group if asked.

    As in Platt (1999) the labels are drawn in by one example each, so that a few that are all right do not make the
    curve a step.

    Args:
        values: Log-odds, (examples,).
        right: 1 where the model was right, else 0, (examples,).
        groups: Index of each example's group; one group when None.
        offsets: Whether groups have offsets.
        count: How many groups there are; as many as `groups` names when None.
    """
    index = np.zeros(len(values), np.int64) if groups is None else groups
    size = int(index.max()) + 1 if count is None else count
    x, labels = torch.from_numpy(values), torch.from_numpy(right)
    positive, negative = float(right.sum()), float(len(right) - right.sum())
    high, low = (positive + 1) / (positive + 2), 1 / (negative + 2)
    targets = low + labels * (high - low)
    line = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    by_group = torch.zeros(size, dtype=torch.float64, requires_grad=offsets)
    rows = torch.from_numpy(index)
    optimiser = torch.optim.LBFGS([line, by_group] if offsets else [line], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = line[0] * x + line[1] + by_group[rows]
        total = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
        total = total + _DECAY * by_group.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    slope, intercept = line.detach().tolist()
    # A slope below 0 would prefer what the model thinks worst: then it knows nothing.
    if slope < 0:
        return Curve(0.0, float(np.log(targets.mean() / (1 - targets.mean()))), np.zeros(size))
    return Curve(slope, intercept, by_group.detach().numpy())


def log_loss(confidence: Floats, right: Floats) -> float:
    """Returns the mean negative log-likelihood of what came true."""
    bounded = np.clip(confidence, 1e-9, 1 - 1e-9)
    return float(-(right * np.log(bounded) + (1 - right) * np.log(1 - bounded)).mean())
