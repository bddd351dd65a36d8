"""The resolved settings of a training run, as the run folder keeps them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ..errors import UserError
from .migration import migrated
from .options import BUILTIN

FORMAT_VERSION = 1

# Settings that name a file or folder, and those that name several.
_PATHS = ("data_dir", "train", "dev", "shots_file", "source", "unlabelled")
_PATH_LISTS = ("pseudo", "parallel")


@dataclass
class TrainSettings:
    """Everything that a training run depends on besides its data's content.

    What was asked for and its defaults are those of `lrc.config.options`; `lrc.config.resolve` makes these of them.

    Attributes:
        task: Name of the task.
        kind: Kind of task, one of `lrc.tasks.KINDS`.
        langs: Languages of the labels.
        shots: Labels a language.
        method: Transfer method, one of `lrc.config.methods`.
        seed: Of the initial weights and the order of the batches.
        draw_seed: Of the draw of shots and source labels.
        draw_apart: Whether each language draws shots of its own where languages share ids.
        backbone: As `backbone` gave it.
        fingerprint: SHA-256 of the backbone's weights.
        data_dir: Folder of the official layouts, where one was used.
        train: Pattern of the user's own training files.
        dev: Pattern of the user's own dev files.
        columns: Names of the columns in the user's own files, where they are not lrc's.
        shots_file: File of the ids of the shots, where they were not drawn.
        ids: What the ids of the user's own files are taken for, see `lrc.data.identity`.
        source: File of labels in a high-resource language.
        source_lang: Its language.
        source_limit: Labels taken from it.
        target_share: Share of target labels in each pass where there is a source.
        pseudo: Patterns of files of pseudo-labels.
        pseudo_weight: Share of pseudo-labels in each pass.
        pseudo_limit: Pseudo-labels taken.
        parallel: Files of parallel text.
        steps: Optimiser steps.
        batch_size: Examples a step.
        lr: Peak learning rate.
        weight_decay: Of AdamW.
        warmup: Share of each stage's steps over which the learning rate rises.
        prompt_length: Length of the soft prompt: keys and values a layer, or embeddings in the input; 0 for none.
        prompt_init: What it starts from: `labels`, `vocabulary` or `text:WORDS`.
        prompt_aside: By how much the logits of a prefix are lowered at first.
        prompt_layers: Range of the layers that have a prefix, as 7-12; empty for all.
        reparametrise: Whether prefixes are trained through a small network.
        lora_rank: Rank of LoRA in every linear layer; 0 for none.
        lora_kind: `lora`, `rslora` or `dora`.
        bottleneck: Width of the bottleneck adapters; 0 for none.
        parallel_adapters: Whether they stand beside the layer, not behind it.
        scaling: Whether keys, values and feed-forward activations are scaled by trained vectors.
        bias: Whether the backbone's bias terms are trained too.
        head: Of the task, one of those of its kind; empty for the default.
        frozen_layers: Lowest layers in which nothing is trained.
        unfreezing: Share of the steps over which the layers join from the top down.
        recipe: Stages of the run, by name or as KINDS:SHARE.
        dropout: Whether the backbone's dropout is on while training, whatever the method.
        average: Share of the steps, from the end, whose weights are averaged.
        label_smoothing: Share of the target mass spread over all labels.
        layer_decay: Factor of the learning rate from each layer to the one below.
        align: Terms of the alignment loss, as NAME:WEIGHT or NAME:WEIGHT@LAYERS.
        align_ramp: Share of the steps over which their weights rise from nothing.
        align_learned: Whether their weights are learned.
        unlabelled: File or folder of text for the retention term.
        max_length: Longest model input in tokens.
        stride: Context tokens that neighbouring windows share.
        max_question_length: Question tokens kept.
        max_answer_length: Longest answer in tokens.
        soup: Runs whose mean it is, each with a seed of its own.
        device: The device that the run took.
        precision: `fp32` or `bf16`.
        dev_every: Steps between two scores on dev while training; 0 for none.
        dev_limit: Dev examples a language behind the run's own metrics.
        skip_bad: Whether bad examples were dropped.
        versions: Versions of the libraries.
        labels: Names of the classes in the order of the logits, where the labels tell them.
        texts: How many texts an input has.
    """

    task: str
    kind: str
    langs: list[str]
    shots: int
    method: str
    seed: int
    draw_seed: int
    draw_apart: bool
    backbone: str
    fingerprint: str
    data_dir: str | None
    train: str | None
    dev: str | None
    columns: dict[str, str] | None
    shots_file: str | None
    ids: str
    source: str | None
    source_lang: str
    source_limit: int | None
    target_share: float
    pseudo: list[str] | None
    pseudo_weight: float
    pseudo_limit: int | None
    parallel: list[str] | None
    steps: int
    batch_size: int
    lr: float
    weight_decay: float
    warmup: float
    prompt_length: int
    prompt_init: str
    prompt_aside: float
    prompt_layers: str
    reparametrise: bool
    lora_rank: int
    lora_kind: str
    bottleneck: int
    parallel_adapters: bool
    scaling: bool
    bias: bool
    head: str
    frozen_layers: int
    unfreezing: float
    recipe: str
    dropout: bool
    average: float
    label_smoothing: float
    layer_decay: float
    align: list[str]
    align_ramp: float
    align_learned: bool
    unlabelled: str | None
    max_length: int
    stride: int
    max_question_length: int
    max_answer_length: int
    soup: int
    device: str
    precision: str
    dev_every: int
    dev_limit: int
    skip_bad: bool
    versions: dict[str, str]
    labels: list[str]
    texts: int

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as they are saved."""
        return {"format": "lrc-run", "format_version": FORMAT_VERSION, **asdict(self)}

    def make_paths_absolute(self) -> None:
        """Lets the run be used from any folder."""
        self._change_paths(os.path.abspath)
        if self.backbone != BUILTIN and os.path.isdir(self.backbone):
            self.backbone = os.path.abspath(self.backbone)

    def public(self) -> "TrainSettings":
        """Returns the settings as a bundle tells them: of files the names, as their places are their owner's matter."""
        told = replace(self, data_dir=None)
        told._change_paths(os.path.basename)
        if os.path.isabs(self.backbone):
            told.backbone = os.path.basename(self.backbone)
        return told

    def as_given(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the settings as they are saved, less the folder of the data, with paths as they were given."""
        paths = {name: given[name] for name in (*_PATHS, *_PATH_LISTS, "backbone") if name in given}
        return {name: value for name, value in {**self.to_json(), **paths}.items() if name != "data_dir"}

    def _change_paths(self, change: Callable[[str], str]) -> None:
        for name in _PATHS:
            value = getattr(self, name)
            if value and not value.startswith("hf:"):
                setattr(self, name, change(value))
        for name in _PATH_LISTS:
            if getattr(self, name):
                setattr(self, name, [change(path) for path in getattr(self, name)])

    @classmethod
    def from_json(cls, document: dict[str, Any], where: str) -> "TrainSettings":
        """Reads saved settings.

        Raises:
            UserError: If they are not those of a run this version can read.
        """
        if document.get("format") != "lrc-run" or document.get("format_version") != FORMAT_VERSION:
            raise UserError(f"{where}: not the settings of a run that this version of lrc reads; train it again")
        values = {name: value for name, value in document.items() if name not in ("format", "format_version")}
        values = migrated(values)
        known = {item.name for item in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise UserError(
                f"{where}: this version of lrc does not know the settings {', '.join(unknown)}; train the run again"
            )
        try:
            return cls(**values)
        except TypeError as error:
            raise UserError(f"{where}: {error}; train the run again") from error
