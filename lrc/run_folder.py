"""The run folder: the contract between training, evaluation and export.

settings.json          resolved settings, seed and versions
shots.json             for each language the ids of the drawn shots
seen.json              digests of all texts that it was trained on
adapter.safetensors    prefixes, LoRA factors and head
metrics.json           scores on dev examples, loss over the steps, time
checkpoint.safetensors while the run is unfinished: the trained tensors and the optimiser's state
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from lrc_runtime.encoding import TextEncoder
from lrc_runtime.manifest import Windowing

from .backbones.load import Backbone, load_backbone
from .config.settings import TrainSettings
from .data.overlap import Seen, Trained
from .data.shots import read_shots
from .errors import UserError
from .files import read_json, write_file, write_json
from .model import TaskModel, build_model

SETTINGS = "settings.json"
SHOTS = "shots.json"
SEEN = "seen.json"
ADAPTER = "adapter.safetensors"
METRICS = "metrics.json"
CHECKPOINT = "checkpoint.safetensors"


@dataclass
class Run:
    """A finished run, ready to evaluate or lower."""

    folder: Path
    settings: TrainSettings
    trained: Trained
    metrics: dict[str, Any]
    backbone: Backbone
    model: TaskModel


def windowing(settings: TrainSettings) -> Windowing:
    """Returns the windowing that the settings ask for."""
    return Windowing(settings.max_length, settings.stride, settings.max_question_length)


def text_encoder(backbone: Backbone, settings: TrainSettings) -> TextEncoder:
    """Returns the encoder of text that training, evaluation and the bundle share."""
    return TextEncoder(backbone.tokenizer, windowing(settings))


def read_settings(folder: Path) -> TrainSettings:
    """Reads a run's settings.

    Raises:
        UserError: If the folder is not a run.
    """
    path = folder / SETTINGS
    if not path.is_file():
        raise UserError(f"{folder}: not a run folder (no {SETTINGS}); give the folder that `lrc train` wrote")
    document = read_json(path)
    if not isinstance(document, dict):
        raise UserError(f"{path}: not the settings of a run")
    return TrainSettings.from_json(document, str(path))


def load_run(folder: Path) -> Run:
    """Loads a finished run.

    Raises:
        UserError: If it is not a run, not finished, damaged, or made from another backbone.
    """
    settings = read_settings(folder)
    if not (folder / ADAPTER).is_file():
        raise UserError(f"{folder}: the run is not finished; go on with `resume` {folder}")
    state = load_tensors(folder / ADAPTER)
    backbone = load_backbone(settings.backbone)
    if backbone.fingerprint != settings.fingerprint:
        raise UserError(
            f"{folder}: was trained on other weights than `backbone` {settings.backbone} has now;"
            " restore that backbone or train again"
        )
    try:
        model = build_model(backbone, settings, state=state)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{folder / ADAPTER}: does not fit its settings ({error}); train the run again") from error
    return Run(folder, settings, read_trained(folder), read_json(folder / METRICS), backbone, model)


def write_trained(folder: Path, shots: dict[str, list[str]], seen: Seen) -> None:
    """Writes what a run is trained on: the ids of its shots, and all texts as digests."""
    write_json(folder / SHOTS, shots)
    write_json(folder / SEEN, {"texts": seen.to_text()})


def read_trained(folder: Path) -> Trained:
    """Reads what `write_trained` wrote; runs of lrc 0.1 have no digests.

    Raises:
        UserError: If a file is damaged.
    """
    path = folder / SEEN
    seen = None
    if path.is_file():
        try:
            seen = Seen.from_text(read_json(path)["texts"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: damaged ({error}); train the run again") from error
    return Trained(read_shots(folder / SHOTS), seen)


def save_tensors(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, Any] | None = None) -> None:
    """Writes safetensors, atomically, with JSON values as metadata."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_file(path, save(plain, {key: json.dumps(value) for key, value in (metadata or {}).items()}))


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Reads safetensors.

    Raises:
        UserError: If the file is damaged.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged ({error}); train the run again") from error


def load_metadata(path: Path) -> dict[str, Any]:
    """Reads the JSON values that `save_tensors` wrote beside the tensors."""
    try:
        with safe_open(path, "pt") as file:
            return {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}); train the run again") from error
