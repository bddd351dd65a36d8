"""The declaration of every option of a training run: from it come flags, TOML keys, keyword arguments and a page.

`TrainOptions` is what can be asked for, any part of it. What it resolves to is `lrc.config.settings.TrainSettings`.
This module imports nothing heavy, as the help of the command line is made from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from os import PathLike
from typing import Annotated, Any, TypedDict, get_args, get_type_hints

# Types of options beside plain ones: a file, names that a string separates by commas, one or more of something, and
# names of columns as context=passage,answer=antwort or a mapping.
FilePath = str | PathLike[str]
Names = str | Sequence[str]
Several = FilePath | Sequence[FilePath]
Columns = str | Mapping[str, str]

# The backbone of the `offline` extra.
BUILTIN = "builtin"
# torch takes seeds of 64 bits, and each step of dropout has one of its own above that of the run.
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Bounds:
    """Where a number may lie.

    Attributes:
        low: The least, None for no bound.
        high: The most, None for no bound.
        above: Whether it must be above `low`.
        below: Whether it must be below `high`.
    """

    low: float | None = None
    high: float | None = None
    above: bool = False
    below: bool = False

    def hold(self, value: float) -> bool:
        """Whether the number lies there."""
        over = self.low is None or (value > self.low if self.above else value >= self.low)
        return over and (self.high is None or (value < self.high if self.below else value <= self.high))

    def __str__(self) -> str:
        if self.low is not None and self.high is not None and not (self.above or self.below):
            return f"from {self.low} to {self.high}"
        parts = [f"{'above' if self.above else 'at least'} {self.low}"] if self.low is not None else []
        parts += [f"{'below' if self.below else 'at most'} {self.high}"] if self.high is not None else []
        return " and ".join(parts)


@dataclass(frozen=True)
class Option:
    """What is known of an option.

    Attributes:
        help: One line for people.
        panel: The group that it is shown in.
        default: Its value where it is not asked for; None where method, task or machine decide, or there is none.
        first: Whether a newcomer needs it.
        bounds: Of a number.
        choices: Of a string.
        spellings: Older names of its flag.
        alone: Name of the flag for one file of an option whose own flag takes two.
        saved: Whether the settings of a run hold it under its name.
        members: `module:function` of lrc that lists its values, for `{members}` in the help; it may be slow to import.
        name: Set by the declaration.
        kind: Its type, set by the declaration.
    """

    help: str
    panel: str
    default: Any = None
    first: bool = False
    bounds: Bounds | None = None
    choices: tuple[str, ...] = ()
    spellings: tuple[str, ...] = ()
    alone: str = ""
    saved: bool = True
    members: str = ""
    name: str = ""
    kind: Any = None

    def full_help(self) -> str:
        """Returns its help with the values that it takes."""
        if not self.members:
            return self.help
        module, _, function = self.members.partition(":")
        return self.help.format(members=", ".join(getattr(import_module(f"lrc.{module}"), function)()))


_START, _LABELS, _MORE, _TRAINING = "Start", "Labels", "More to learn from", "Training"
_METHOD, _ALIGN, _TEXT, _MACHINE = "Method", "Alignment", "Text", "Machine"
PANELS = (_START, _LABELS, _MORE, _METHOD, _ALIGN, _TRAINING, _TEXT, _MACHINE)

_ONE, _NONE = Bounds(1), Bounds(0)
_SHARE = Bounds(0, 1)
_INSIDE = Bounds(0, 1, above=True, below=True)
_POSITIVE = Bounds(0, above=True)
_SEED = Bounds(0, LARGEST_SEED)


class TrainOptions(TypedDict, total=False):
    """What may be asked of a training run; all of it but the task has a default.

    A value of None is as good as none.
    """

    task: Annotated[
        str,
        Option("mlqa, xquad, pawsx, tydiqa, amqa, afriqa; qa, paraphrase or classes for own data.", _START, first=True),
    ]
    preset: Annotated[
        str, Option("Settings by name, which others win over: quick or steady.", _START, first=True, saved=False)
    ]
    out: Annotated[
        FilePath, Option("Run folder; default runs/TASK-LANGS-SHOTS-sSEED.", _START, first=True, saved=False)
    ]

    train: Annotated[
        FilePath,
        Option(
            "Own labels: a file, or hf:REPO[:config]; {lang} is the language.",
            _LABELS,
            first=True,
            spellings=("data",),
        ),
    ]
    langs: Annotated[
        Names, Option("Languages, separated by commas; default those that the data has.", _LABELS, None, True)
    ]
    shots: Annotated[int, Option("Labels a language.", _LABELS, 64, True, _NONE)]
    dev: Annotated[FilePath, Option("Own dev examples, as `train`.", _LABELS)]
    dev_limit: Annotated[int, Option("Dev examples a language behind a run's own metrics.", _LABELS, 64, False, _ONE)]
    columns: Annotated[Columns, Option("Names of your columns, as context=passage,answer=antwort.", _LABELS)]
    ids: Annotated[
        str,
        Option(
            "Ids of own data that only count rows: no names (auto), or shared by translations (shared).",
            _LABELS,
            "auto",
            choices=("auto", "shared"),
        ),
    ]
    data_dir: Annotated[FilePath, Option("Folder of the official data sets; default $LRC_DATA_DIR.", _LABELS)]
    shots_file: Annotated[FilePath, Option("Take the shots of another run's shots.json.", _LABELS)]
    draw_seed: Annotated[int, Option("Seed of the draw of labels; default that of the run.", _LABELS, bounds=_SEED)]
    draw_apart: Annotated[bool, Option("Draw other shots in each language, where languages share ids.", _LABELS, False)]
    skip_bad: Annotated[bool, Option("Count and drop bad examples instead of stopping.", _LABELS, False)]

    source: Annotated[FilePath, Option("Labels in a high-resource language.", _MORE, first=True)]
    source_lang: Annotated[str, Option("Its language.", _MORE, "en")]
    source_limit: Annotated[int, Option("Labels to take from it; default all.", _MORE, bounds=_ONE)]
    target_share: Annotated[float, Option("Share of target labels in each pass beside it.", _MORE, 0.2, bounds=_INSIDE)]
    pseudo: Annotated[
        Several,
        Option("Pseudo-labels that `lrc pseudo` wrote; {lang} as in `train`; repeatable.", _MORE),
    ]
    pseudo_weight: Annotated[float, Option("Share of pseudo-labels in each pass.", _MORE, 0.5, bounds=_INSIDE)]
    pseudo_limit: Annotated[int, Option("Pseudo-labels to take; default all.", _MORE, bounds=_ONE)]
    parallel: Annotated[
        Several,
        Option("Two line-aligned files, translations of each other.", _MORE, alone="bitext"),
    ]
    unlabelled: Annotated[FilePath, Option("Text for the retention term: a file or folder.", _MORE)]

    method: Annotated[
        str,
        Option(
            "lrc, zero-shot, full, bias-only, lora, prompt-tuning, p-tuning, prefix-tuning or adapters; see the page"
            " on methods.",
            _METHOD,
            "lrc",
        ),
    ]
    prompt_length: Annotated[int, Option("Length of the soft prompt; default by method.", _METHOD, bounds=_NONE)]
    prompt_init: Annotated[str, Option("Where it starts: labels, vocabulary or text:WORDS.", _METHOD, "labels")]
    prompt_aside: Annotated[
        float,
        Option("Lower the logits of prefixes by so much at first; default by method.", _METHOD, bounds=_NONE),
    ]
    prompt_layers: Annotated[str, Option("Layers with a prefix, as 7-12; default all.", _METHOD, "")]
    reparametrise: Annotated[bool, Option("Prefixes through a small network.", _METHOD, False)]
    lora_rank: Annotated[int, Option("Rank of LoRA in every linear layer; default by method.", _METHOD, bounds=_NONE)]
    lora_kind: Annotated[str, Option("Kind of LoRA: {members}.", _METHOD, "lora", members="adapters:lora_kinds")]
    bottleneck: Annotated[int, Option("Width of adapters; default by method.", _METHOD, bounds=_NONE)]
    parallel_adapters: Annotated[bool, Option("Adapters beside a layer, not behind.", _METHOD, False)]
    scaling: Annotated[bool, Option("Scale keys, values and feed-forward blocks.", _METHOD, False)]
    bias: Annotated[bool, Option("Train the backbone's bias terms too.", _METHOD, False)]
    head: Annotated[
        str,
        Option("linear or question for spans, pooled or interaction for labels; default the former.", _METHOD, ""),
    ]
    frozen_layers: Annotated[int, Option("Lowest layers in which nothing is trained.", _METHOD, 0, bounds=_NONE)]

    align: Annotated[
        Several,
        Option("Term of the alignment loss, NAME:WEIGHT[@LAYERS], or none; repeatable; default by method.", _ALIGN),
    ]
    align_ramp: Annotated[float, Option("Share of the steps over which weights rise.", _ALIGN, 0.0, bounds=_SHARE)]
    align_learned: Annotated[bool, Option("Learn the weights.", _ALIGN, False)]

    steps: Annotated[int, Option("Optimiser steps; default by task and labels.", _TRAINING, None, True, _ONE)]
    epochs: Annotated[
        float, Option("Passes over the labels, instead of `steps`.", _TRAINING, bounds=_POSITIVE, saved=False)
    ]
    batch_size: Annotated[int, Option("Examples a step; default by task.", _TRAINING, bounds=_ONE)]
    lr: Annotated[float, Option("Peak learning rate; default by method and task.", _TRAINING, bounds=_POSITIVE)]
    weight_decay: Annotated[float, Option("Weight decay of AdamW.", _TRAINING, 0.01, bounds=_NONE)]
    warmup: Annotated[
        float,
        Option("Share of the steps over which the rate rises; default by method and task.", _TRAINING, bounds=_SHARE),
    ]
    recipe: Annotated[str, Option("joint, staged, or stages such as pseudo:0.5,source+target:0.5.", _TRAINING, "joint")]
    unfreezing: Annotated[
        float,
        Option(
            "Share of the steps over which the layers join from the top down.",
            _TRAINING,
            0.0,
            bounds=Bounds(0, 1, below=True),
        ),
    ]
    dropout: Annotated[bool, Option("The backbone's dropout while training.", _TRAINING, False)]
    average: Annotated[
        float, Option("Share of the last steps whose weights are averaged.", _TRAINING, 0.0, bounds=_SHARE)
    ]
    label_smoothing: Annotated[
        float,
        Option("Share of the target mass spread over all labels.", _TRAINING, 0.0, bounds=Bounds(0, 1, below=True)),
    ]
    layer_decay: Annotated[
        float,
        Option("Factor of the rate from each layer to the one below.", _TRAINING, 1.0, bounds=Bounds(0, 1, above=True)),
    ]
    soup: Annotated[int, Option("Average so many runs of other seeds into one model.", _TRAINING, 1, bounds=_ONE)]
    dev_every: Annotated[int, Option("Score on dev every so many steps; 0: at the end.", _TRAINING, 0, bounds=_NONE)]

    backbone: Annotated[str, Option("builtin, a Hugging Face hub id, or a folder.", _TEXT, BUILTIN, True)]
    max_length: Annotated[int, Option("Longest model input in tokens.", _TEXT, 256, bounds=Bounds(16))]
    stride: Annotated[int, Option("Context tokens that neighbouring windows share.", _TEXT, 64, bounds=_NONE)]
    max_question_length: Annotated[int, Option("Question tokens kept.", _TEXT, 64, bounds=_ONE)]
    max_answer_length: Annotated[int, Option("Longest answer in tokens.", _TEXT, 30, bounds=_ONE)]

    seed: Annotated[int, Option("Of the weights, the batches and the draw.", _MACHINE, 0, True, _SEED)]
    device: Annotated[str, Option("auto, cuda or cpu.", _MACHINE, "auto", True, choices=("auto", "cuda", "cpu"))]
    precision: Annotated[str, Option("auto, fp32 or bf16.", _MACHINE, "auto", choices=("auto", "fp32", "bf16"))]


def _declared() -> dict[str, Option]:
    hints = get_type_hints(TrainOptions, include_extras=True)
    return {name: replace(get_args(hint)[1], name=name, kind=get_args(hint)[0]) for name, hint in hints.items()}


OPTIONS: dict[str, Option] = _declared()
