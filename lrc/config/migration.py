"""What the settings of run folders that older versions wrote stand for today.

This is history: nothing here is a default of a new run, and what stands here does not change with those.
"""

from collections.abc import Mapping
from typing import Any

from ..data.identity import ROWS

# Of settings that older folders lack, what those runs were trained with.
_BEFORE: dict[str, Any] = {
    "method": "lrc",
    "seed": 0,
    "draw_apart": False,
    "backbone": "builtin",
    "fingerprint": "",
    "data_dir": None,
    "train": None,
    "dev": None,
    "columns": None,
    "shots_file": None,
    # Runs of before took the number of a row for its id.
    "ids": ROWS,
    "source": None,
    "source_lang": "en",
    "source_limit": None,
    "target_share": 0.2,
    "pseudo": None,
    "pseudo_weight": 0.5,
    "pseudo_limit": None,
    "parallel": None,
    "steps": 0,
    "batch_size": 16,
    "lr": 1e-3,
    "weight_decay": 0.01,
    "warmup": 0.1,
    "prompt_length": 8,
    "prompt_init": "labels",
    "prompt_aside": 0.0,
    "prompt_layers": "",
    "reparametrise": False,
    "lora_rank": 16,
    "lora_kind": "lora",
    "bottleneck": 0,
    "parallel_adapters": False,
    "scaling": False,
    "bias": False,
    "head": "",
    "frozen_layers": 0,
    "unfreezing": 0.0,
    "recipe": "joint",
    "dropout": False,
    "average": 0.0,
    "label_smoothing": 0.0,
    "layer_decay": 1.0,
    "align": [],
    "align_ramp": 0.0,
    "align_learned": False,
    "unlabelled": None,
    "max_length": 256,
    "stride": 64,
    "max_question_length": 64,
    "max_answer_length": 30,
    "soup": 1,
    "device": "cpu",
    "precision": "fp32",
    "dev_every": 0,
    "dev_limit": 64,
    "skip_bad": False,
    "versions": {},
    "labels": [],
    "texts": 2,
}


def migrated(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Returns saved settings with what older versions left out or called otherwise."""
    values = dict(saved)
    # Runs of one alignment term gave its weight alone.
    weight = values.pop("align_weight", 0)
    if weight:
        values["align"] = [f"cosine:{weight}"]
    # Runs that know no seed of the draw drew by their own.
    values.setdefault("draw_seed", values.get("seed", 0))
    return {**_BEFORE, **values}
