"""The training loop: few labels in, a run folder out."""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch

from .. import run_folder
from ..adapters import chosen
from ..adapters.attention import any_shape
from ..alignment.aligner import Aligner, frozen_twin
from ..alignment.terms import parse_terms
from ..backbones.load import Backbone
from ..config.methods import find_method
from ..config.settings import TrainSettings
from ..errors import UserError
from ..evaluation.scoring import evaluate_dev, main_score
from ..files import write_json
from ..model import INPUTS, build_model
from ..tasks import find_kind
from ..tasks.kind import Feature
from .batching import collate
from .cuda_graphs import EncoderGraphs
from .freezing import LowerLayers, check_freezing, gradual_unfreezing
from .labels import TrainingData
from .optim import WeightAverage, parameter_groups
from .stages import PSEUDO, SOURCE, TARGET, parse_recipe, stage_batches, stage_rate

# Seconds of work that an interruption without warning can cost.
_CHECKPOINT_SECONDS = 120

Report = Callable[[int, dict[str, float]], None]


class Trainer:
    """Trains one run; every step is a function of the settings, so that a resumed run ends where it would have.

    Args:
        backbone: The frozen backbone.
        data: The labels.
        settings: Resolved settings.
        folder: The run folder, which holds the settings and the shots already.
    """

    def __init__(self, backbone: Backbone, data: TrainingData, settings: TrainSettings, folder: Path) -> None:
        method = find_method(settings.method)
        self._dropout = method.dropout or settings.dropout
        check_freezing(settings, int(backbone.config.num_hidden_layers))
        taken = sum(part.tokens(settings) for part in chosen(settings))
        limit = backbone.family.positions(backbone.config) - taken
        if settings.max_length > limit:
            raise UserError(
                f"`max_length` {settings.max_length}: {settings.backbone} reads at most {limit} tokens here"
            )
        self._settings = settings
        self._folder = folder
        self._data = data
        self._device = torch.device(settings.device)
        self._encoder = run_folder.text_encoder(backbone, settings)
        labels = {TARGET: data.target, SOURCE: data.source, PSEUDO: data.pseudo}
        self._kind = find_kind(settings.kind)
        scheme = self._kind.scheme(settings)
        self._features = {
            part: self._kind.features(examples, self._encoder, scheme) for part, examples in labels.items()
        }
        available = [kind for kind, features in self._features.items() if features]
        if not available:
            raise UserError(f"{settings.task}: no label fits `max_length` {settings.max_length}; raise it")
        self._stages = parse_recipe(settings.recipe, available, settings.steps)
        terms = parse_terms(settings.align, int(backbone.config.num_hidden_layers), settings.frozen_layers)
        self._all_layers = any(term.layers != (-1,) for term in terms)
        retained = any(term.kind.frozen for term in terms)
        frozen = frozen_twin(backbone.encoder, method.trains == "none") if retained else None
        some = self._features[available[0]][: settings.batch_size]
        self.model = build_model(backbone, settings, batch=collate(some, self._encoder)).to(self._device)
        self._aligner = Aligner(
            terms,
            self.model,
            frozen.to(self._device) if frozen is not None else None,
            self._encoder,
            data.parallel,
            data.unlabelled,
            settings.seed,
            round(settings.align_ramp * settings.steps),
            settings.align_learned,
        )
        self._trained = self.model.trained_state()
        groups = parameter_groups(self.model, settings)
        if self._aligner.spreads:
            # What weighs the terms has no reason to shrink.
            groups.append({"params": list(self._aligner.spreads.values()), "weight_decay": 0.0})
        self._optimizer = torch.optim.AdamW(groups, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
        self._unfreeze = gradual_unfreezing(self.model, settings.steps, settings.unfreezing)
        self._lower: LowerLayers | None = None
        self._encode_last: Callable[..., torch.Tensor] = self.model.encode
        if not self._dropout:
            self._save_work(backbone, some)
        self._scheduler = torch.optim.lr_scheduler.LambdaLR(self._optimizer, stage_rate(self._stages, settings.warmup))
        self._average = WeightAverage(self._trained, settings.steps, settings.average)
        self.step = 0
        self.losses: list[dict[str, float]] = []
        self.dev_curve: list[tuple[int, float]] = []
        self.seconds = 0.0

    def _save_work(self, backbone: Backbone, some: list[Feature]) -> None:
        """Takes the shortcuts that need a forward pass without chance."""
        settings = self._settings
        if self._device.type == "cuda" and not (settings.unfreezing or self.model.prompt or self._all_layers):
            pad = int(backbone.config.pad_token_id or 0)
            self._encode_last = EncoderGraphs(self.model, pad, settings.max_length, settings.precision).encode
        elif settings.frozen_layers:
            lower = LowerLayers(self.model, settings.frozen_layers, self._encoder, self._device, settings.precision)
            self._lower = lower if lower.fits(some) else None

    @property
    def trained_share(self) -> float:
        """Trained parameters as a share of all."""
        trained = sum(value.numel() for value in self._trained.values())
        return trained / sum(value.numel() for value in self.model.parameters())

    def train(self, report: Report) -> None:
        """Trains to the last step, leaving a checkpoint now and then and when interrupted.

        Args:
            report: Called after each step with its number and the terms of the loss.
        """
        settings = self._settings
        ends = list(accumulate(stage.steps for stage in self._stages))
        began = saved = time.monotonic()
        before = self.seconds
        try:
            for number, batch in enumerate(stage_batches(self._stages, self._features, settings)):
                if number < self.step:
                    continue
                terms = self._step(batch)
                self.step += 1
                self.seconds = before + time.monotonic() - began
                self.losses.append(terms)
                self._average.update(self.step)
                # A stage's effect is what dev says at its end; that of the last one comes with the run's metrics.
                if self.step in ends[:-1] or (settings.dev_every and self.step % settings.dev_every == 0):
                    scored = time.monotonic()
                    self._score_dev()
                    began += time.monotonic() - scored
                report(self.step, terms)
                if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                    self._save_checkpoint()
                    saved = time.monotonic()
        except KeyboardInterrupt:
            self._save_checkpoint()
            raise

    def _score_dev(self) -> None:
        scores = evaluate_dev(self.model, self._encoder, self._settings, self._data.dev, self._device, lambda _: None)
        if scores:
            self.dev_curve.append((self.step, main_score(scores)))

    def _step(self, features: list[Feature]) -> dict[str, float]:
        settings = self._settings
        batch = {
            name: value if name == "translations" else value.to(self._device, non_blocking=True)
            for name, value in collate(features, self._encoder).items()
        }
        if self._dropout:
            # Each step has a seed of its own, so that a resumed run draws the same masks.
            torch.manual_seed(settings.seed * 1_000_003 + self.step)
        self.model.train(self._dropout)
        self._unfreeze(self.step)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=settings.precision == "bf16"), any_shape():
            hidden = self._encode(features, batch)
            logits = self.model.head(hidden[-1], batch["attention_mask"], batch["input_ids"])
            loss = self._kind.loss(logits, batch, settings.label_smoothing)
            align, values = self._aligner(hidden, logits, batch, self.step)
            terms = {"task": loss.detach(), **values}
            loss = loss + align
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._trained.values(), 1.0)
        self._optimizer.step()
        self._scheduler.step()
        self._optimizer.zero_grad(set_to_none=True)
        # A GPU is waited for once a step, when all of its work is queued.
        total, *seen = torch.stack([loss.detach(), *(value.float() for value in terms.values())]).tolist()
        if not math.isfinite(total):
            raise UserError(
                f"{self._folder}: the loss is not finite at step {self.step + 1}; lower `lr` ({settings.lr})"
            )
        return dict(zip(terms, seen, strict=True))

    def _encode(self, features: list[Feature], batch: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        """Returns the hidden states of the layers that something looks at, the last one last."""
        replaying = (
            self._lower.replaying(self._lower.hidden(features, batch["input_ids"].shape[1]))
            if self._lower is not None
            else nullcontext()
        )
        inputs = [batch[name] for name in INPUTS]
        with replaying:
            return self.model.encode_layers(*inputs) if self._all_layers else [self._encode_last(*inputs)]

    def _state(self) -> dict[str, torch.Tensor]:
        """Returns everything that the optimiser changes."""
        return {**self._trained, **{f"align.{name}": value for name, value in self._aligner.spreads.items()}}

    def _save_checkpoint(self) -> None:
        tensors: dict[str, torch.Tensor] = {}
        for name, value in self._state().items():
            tensors[f"model.{name}"] = value
            for key, state in self._optimizer.state[value].items():
                tensors[f"optimizer.{key}.{name}"] = state
        for name, mean in self._average.means.items():
            tensors[f"average.{name}"] = mean
        progress = {
            "averaged": self._average.count,
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.losses,
            "dev_curve": self.dev_curve,
        }
        run_folder.save_tensors(self._folder / run_folder.CHECKPOINT, tensors, progress)

    def resume(self) -> None:
        """Takes up the run folder's checkpoint, if there is one."""
        path = self._folder / run_folder.CHECKPOINT
        if not path.is_file():
            return
        tensors = run_folder.load_tensors(path)
        progress = run_folder.load_metadata(path)
        try:
            with torch.no_grad():
                for name, value in self._state().items():
                    value.copy_(tensors[f"model.{name}"])
                    # What never had a gradient has no state.
                    if f"optimizer.step.{name}" in tensors:
                        self._optimizer.state[value] = {
                            key: tensors[f"optimizer.{key}.{name}"].to(self._device)
                            for key in ("step", "exp_avg", "exp_avg_sq")
                        }
            self.step, self.seconds, self.losses = progress["step"], progress["seconds"], progress["losses"]
            self._average.count = progress["averaged"]
            if self._average.count:
                self._average.means = {name: tensors[f"average.{name}"].to(self._device) for name in self._trained}
            self.dev_curve = [(step, score) for step, score in progress["dev_curve"]]
        except (KeyError, RuntimeError) as error:
            raise UserError(f"{path}: does not fit the run ({error}); delete it to start over") from error
        self._scheduler = type(self._scheduler)(self._optimizer, self._scheduler.lr_lambdas[0], self.step - 1)

    def finish(self, progress: Callable[[int], None]) -> dict[str, Any]:
        """Scores the run on its dev examples and writes what a finished run folder holds.

        Args:
            progress: Called with the number of dev examples finished since the last call.

        Returns:
            The metrics.
        """
        settings = self._settings
        self._average.apply()
        dev = evaluate_dev(self.model, self._encoder, settings, self._data.dev, self._device, progress)
        curve = dict(self.dev_curve) | ({self.step: main_score(dev)} if dev else {})
        ends = accumulate(stage.steps for stage in self._stages)
        metrics: dict[str, Any] = {
            "steps": self.step,
            "seconds": round(self.seconds, 1),
            "trained_share": self.trained_share,
            "loss": self.losses,
            "dev_curve": self.dev_curve,
            "stages": [
                {"name": stage.name, "steps": stage.steps, "dev": curve.get(end)}
                for stage, end in zip(self._stages, ends, strict=True)
            ],
            "align_weights": self._aligner.weights(),
            "dev": dev,
        }
        write_json(self._folder / run_folder.METRICS, metrics)
        run_folder.save_tensors(self._folder / run_folder.ADAPTER, self._trained)
        (self._folder / run_folder.CHECKPOINT).unlink(missing_ok=True)
        return metrics
