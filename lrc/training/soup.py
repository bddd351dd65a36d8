"""The mean of several runs that differ by their seed alone: one model, as small and as fast as each of them.

Wortsman et al. 2022 ("model soups") average models that were fine-tuned from the same weights.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import run_folder
from ..adapters import chosen
from ..backbones.load import load_backbone
from ..config.settings import TrainSettings
from ..errors import UserError
from ..evaluation.scoring import evaluate_dev
from ..files import read_json, write_json
from ..model import build_model
from ..tasks import find_kind
from .labels import TrainingData

_MEMBERS = "members"


def check_soup(settings: TrainSettings) -> None:
    """Refuses what has no mean: parts that begin by chance and enter the model by more than a product.

    Raises:
        UserError: If the settings have such a part.
    """
    if settings.soup == 1:
        return
    kind = find_kind(settings.kind)
    for part in (
        "" if kind.means else f"a head that {kind.what}",
        *(adapter.without_mean(settings) for adapter in chosen(settings)),
    ):
        if part:
            raise UserError(f"`soup` {settings.soup}: runs with {part} have no mean; leave one of the two out")


def unfinished(settings: TrainSettings, folder: Path) -> list[tuple[TrainSettings, Path]]:
    """Returns the runs that are still to be trained, with their settings and folders: of one alone the run itself.

    Those of a soup learn from the same labels, with seeds that no other soup of as many runs has.
    """
    if settings.soup == 1:
        runs = [(settings, folder)]
    else:
        first = settings.seed * settings.soup
        runs = [
            (replace(settings, seed=first + index, soup=1), folder / _MEMBERS / str(index))
            for index in range(settings.soup)
        ]
    return [(member, own) for member, own in runs if not (own / run_folder.ADAPTER).is_file()]


def finish_soup(folder: Path, settings: TrainSettings, data: TrainingData, progress: Callable[[int], None]) -> Any:
    """Averages finished members, scores the mean on dev and writes what a finished run folder holds.

    Args:
        folder: The run folder; its members go.
        settings: Of the soup.
        data: The labels.
        progress: Called with the number of dev examples finished since the last call.

    Returns:
        The metrics.
    """
    owns = [folder / _MEMBERS / str(index) for index in range(settings.soup)]
    state = mean_state([run_folder.load_tensors(own / run_folder.ADAPTER) for own in owns], settings)
    metrics = [read_json(own / run_folder.METRICS) for own in owns]
    backbone = load_backbone(settings.backbone)
    device = torch.device(settings.device)
    model = build_model(backbone, settings, state=state).to(device)
    dev = evaluate_dev(model, run_folder.text_encoder(backbone, settings), settings, data.dev, device, progress)
    mean: dict[str, Any] = {
        "steps": sum(one["steps"] for one in metrics),
        "seconds": round(sum(one["seconds"] for one in metrics), 1),
        "trained_share": metrics[0]["trained_share"],
        "loss": [
            {name: float(np.mean([terms[name] for terms in step if name in terms])) for name in step[0]}
            for step in zip(*(one["loss"] for one in metrics), strict=True)
        ],
        "dev_curve": [],
        "dev": dev,
        "members": [{name: value for name, value in one.items() if name != "loss"} for one in metrics],
    }
    write_json(folder / run_folder.METRICS, mean)
    run_folder.save_tensors(folder / run_folder.ADAPTER, state)
    shutil.rmtree(folder / _MEMBERS)
    return mean


def mean_state(states: Sequence[dict[str, torch.Tensor]], settings: TrainSettings) -> dict[str, torch.Tensor]:
    """Returns the trained tensors of the mean of several runs: of the values, unless an adapter knows better.

    Args:
        states: Trained tensors of the runs, by the same names and of the same shapes.
        settings: Of the soup.
    """
    parts = chosen(settings)
    mean = {}
    for name in states[0]:
        tensors = [state[name] for state in states]
        own = (part.mean(name, tensors, settings) for part in parts)
        known = next((value for value in own if value is not None), None)
        mean[name] = torch.stack(tensors).mean(0) if known is None else known
    return mean
