"""Steps a second and peak memory of LoRA training: lrc's loop beside transformers' Trainer with PEFT.

python -m benchmarks.method.training_cost --train "examples/data/qa.{lang}.json" --langs hi,ar,en --steps 40

The Trainer's run is written as the question answering guide of transformers and PEFT's quicktour have it: windows
padded to the longest input, the backbone in training mode with its dropout, batches in random order. It is measured in
float32, as the guide leaves it, and in bf16. All have the same backbone, windows, batch size, rank and target layers.
Each measurement is a process of its own, one after the other, and the whole round is repeated; the median counts.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lrc.backbones.load import load_backbone
from lrc.config.resolve import resolve
from lrc.config.settings import TrainSettings
from lrc.devices import pick_device, pick_precision
from lrc.run_folder import text_encoder
from lrc.tasks import find_kind
from lrc.training.labels import prepare
from lrc.training.launch import resolve_langs
from lrc.training.trainer import Trainer

_WARMUP = 5
# Of the built-in backbone.
_LOWER_HALF = 6


def settings_of(options: argparse.Namespace) -> TrainSettings:
    device = pick_device(options.device)
    settings = resolve(
        {
            "task": "qa",
            "method": "lora",
            "langs": options.langs,
            "shots": options.shots,
            "train": options.train,
            "backbone": options.backbone,
            "device": device,
            "precision": pick_precision("auto", device),
            "batch_size": options.batch_size,
            "steps": options.steps + _WARMUP,
        }
    )
    resolve_langs(settings)
    return settings


def with_lrc(settings: TrainSettings) -> float:
    """Trains with lrc's own loop and returns the seconds of the steps after the warm-up."""
    began = 0.0

    def report(step: int, _: dict[str, float]) -> None:
        nonlocal began
        if step == _WARMUP:
            synchronize(settings.device)
            began = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(load_backbone(settings.backbone), prepare(settings), settings, Path(folder))
        trainer.train(report)
    synchronize(settings.device)
    return time.perf_counter() - began


def with_trainer(settings: TrainSettings, bf16: bool) -> float:
    """Trains with transformers' Trainer and PEFT and returns the same."""
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForQuestionAnswering, DefaultDataCollator, TrainerCallback, TrainingArguments
    from transformers import Trainer as TransformersTrainer

    backbone = load_backbone(settings.backbone)
    encoder = text_encoder(backbone, settings)
    kind = find_kind(settings.kind)
    features = kind.features(prepare(settings).target, encoder, kind.scheme(settings))
    pad = backbone.config.pad_token_id
    rows = []
    for feature in features:
        ids = feature.inputs.input_ids
        missing = settings.max_length - len(ids)
        rows.append(
            {
                "input_ids": [*ids, *[pad] * missing],
                "attention_mask": [1] * len(ids) + [0] * missing,
                "start_positions": feature.target[0],
                "end_positions": feature.target[1],
            }
        )

    class Clock(TrainerCallback):  # type: ignore[misc]
        began = 0.0

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == _WARMUP:
                synchronize(settings.device)
                self.began = time.perf_counter()

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        backbone.encoder.set_attn_implementation("sdpa")
        backbone.encoder.save_pretrained(folder)
        model = AutoModelForQuestionAnswering.from_pretrained(folder)
        config = LoraConfig(
            task_type=TaskType.QUESTION_ANS,
            r=settings.lora_rank,
            lora_alpha=2 * settings.lora_rank,
            # All linear layers of the encoder.
            target_modules=["query", "key", "value", "dense"],
        )
        trainer = TransformersTrainer(
            model=get_peft_model(model, config),
            args=TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=settings.batch_size,
                learning_rate=settings.lr,
                weight_decay=settings.weight_decay,
                max_steps=settings.steps,
                use_cpu=settings.device == "cpu",
                bf16=bf16,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=rows,
            data_collator=DefaultDataCollator(),
            callbacks=[clock],
        )
        trainer.train()
    synchronize(settings.device)
    return time.perf_counter() - clock.began


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


LOOPS = {
    "Trainer and PEFT, fp32": lambda settings: with_trainer(settings, False),
    "Trainer and PEFT, bf16": lambda settings: with_trainer(settings, True),
    "lrc": with_lrc,
    "lrc, lower half frozen": lambda settings: with_lrc(replace(settings, frozen_layers=_LOWER_HALF)),
}


def measure(name: str, options: argparse.Namespace) -> dict[str, float]:
    settings = settings_of(options)
    seconds = LOOPS[name](settings)
    if settings.device == "cuda":
        memory = torch.cuda.max_memory_allocated() / 1e6
    else:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {"steps": options.steps / seconds, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", default="examples/data/qa.{lang}.json")
    parser.add_argument("--langs", default="hi,ar,en")
    parser.add_argument("--shots", type=int, default=64)
    parser.add_argument("--backbone", default="builtin")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", choices=list(LOOPS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.only, options)))
        return
    results: dict[str, list[dict[str, float]]] = {name: [] for name in LOOPS}
    for _ in range(options.rounds):
        for name in LOOPS:
            command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            results[name].append(json.loads(output.splitlines()[-1]))
            # A machine that is lent may be gone before the last one.
            print(f"{name}: {results[name][-1]['steps']:.2f} steps/s", file=sys.stderr, flush=True)
    settings = settings_of(options)
    print(
        f"{settings.device}, lrc in {settings.precision}, batches of {options.batch_size}, median of {options.rounds}"
    )
    own = statistics.median(result["steps"] for result in results["lrc"])
    for name, rounds in results.items():
        steps = statistics.median(result["steps"] for result in rounds)
        memory = statistics.median(result["memory"] for result in rounds)
        print(
            f"{name:24} {steps:6.2f} steps/s {steps * options.batch_size:7.1f} examples/s {memory:7.0f} MB peak"
            f"   lrc is {own / steps:.2f} times as fast"
        )


if __name__ == "__main__":
    main()
