"""The resolved settings of a training run, as the run folder keeps them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from lrc_runtime.languages import check_lang

from ..data.identity import AUTO, ROWS
from ..errors import UserError

FORMAT_VERSION = 1
# The backbone of the `offline` extra.
BUILTIN = "builtin"

# Settings that name a file or folder, and those that name several.
_PATHS = ("data_dir", "train", "dev", "shots_file", "source", "unlabelled")
_PATH_LISTS = ("pseudo", "parallel")


@dataclass
class TrainSettings:
    """Everything that a training run depends on besides its data's content.

    Attributes:
        task: Name of the task.
        kind: `qa` or `paraphrase`.
        langs: Languages of the labels.
        shots: Labels a language.
        method: Transfer method, one of `lrc.config.methods`.
        seed: Of the initial weights and the order of the batches.
        draw_seed: Of the draw of shots and source labels.
        draw_apart: Whether each language draws shots of its own where languages share ids.
        backbone: As `--backbone` gave it.
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
        head: Of the task, one of `lrc.heads`; empty for the default of its kind.
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
    """

    task: str
    kind: str
    langs: list[str]
    shots: int
    method: str = "lrc"
    seed: int = 0
    draw_seed: int = 0
    draw_apart: bool = False
    backbone: str = BUILTIN
    fingerprint: str = ""
    data_dir: str | None = None
    train: str | None = None
    dev: str | None = None
    columns: dict[str, str] | None = None
    shots_file: str | None = None
    ids: str = AUTO
    source: str | None = None
    source_lang: str = "en"
    source_limit: int | None = None
    target_share: float = 0.2
    pseudo: list[str] | None = None
    pseudo_weight: float = 0.5
    pseudo_limit: int | None = None
    parallel: list[str] | None = None
    steps: int = 0
    batch_size: int = 16
    lr: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    prompt_length: int = 8
    prompt_init: str = "labels"
    prompt_aside: float = 0.0
    prompt_layers: str = ""
    reparametrise: bool = False
    lora_rank: int = 16
    lora_kind: str = "lora"
    bottleneck: int = 0
    parallel_adapters: bool = False
    scaling: bool = False
    bias: bool = False
    head: str = ""
    frozen_layers: int = 0
    unfreezing: float = 0.0
    recipe: str = "joint"
    dropout: bool = False
    average: float = 0.0
    label_smoothing: float = 0.0
    layer_decay: float = 1.0
    align: list[str] = field(default_factory=list)
    align_ramp: float = 0.0
    align_learned: bool = False
    unlabelled: str | None = None
    max_length: int = 256
    stride: int = 64
    max_question_length: int = 64
    max_answer_length: int = 30
    soup: int = 1
    device: str = "cpu"
    precision: str = "fp32"
    dev_every: int = 0
    dev_limit: int = 64
    skip_bad: bool = False
    versions: dict[str, str] = field(default_factory=dict)

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
        # Runs of one alignment term gave its weight alone.
        weight = values.pop("align_weight", 0)
        if weight:
            values["align"] = [f"cosine:{weight}"]
        # Runs that know no seed of the draw drew by their own.
        values.setdefault("draw_seed", values.get("seed", 0))
        # Runs of before took the number of a row for its id.
        values.setdefault("ids", ROWS)
        known = {item.name for item in fields(cls)}
        if not set(values) <= known:
            raise UserError(f"{where}: unknown settings {sorted(set(values) - known)}; train the run again")
        try:
            return cls(**values)
        except TypeError as error:
            raise UserError(f"{where}: {error}; train the run again") from error


def split_langs(text: str | None) -> list[str]:
    """Splits `--langs`; an empty list stands for the default.

    Raises:
        InputError: If one is no language tag.
    """
    langs = list(dict.fromkeys(lang.strip() for lang in (text or "").split(",") if lang.strip()))
    for lang in langs:
        check_lang(lang, "--langs")
    return langs


def split_columns(text: str | None) -> dict[str, str] | None:
    """Splits `--columns`, as `context=passage,answer=antwort`.

    Raises:
        UserError: If a part is not of the form name=column.
    """
    if text is None:
        return None
    parts = [part.partition("=") for part in text.split(",")]
    for name, sign, column in parts:
        if not (name.strip() and sign and column.strip()):
            raise UserError(f"--columns {text}: expected name=column, such as context=passage,answer=antwort")
    return {name.strip(): column.strip() for name, _, column in parts}
