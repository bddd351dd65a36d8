"""Starts and resumes training runs: resolves the settings, makes the run folder, shows the progress."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import run_folder
from ..backbones.load import load_backbone
from ..config.asked import check, with_preset
from ..config.resolve import resolve
from ..config.settings import TrainSettings
from ..console import note, progress, tell, warn
from ..devices import pick_device, pick_precision
from ..errors import Interrupted, UserError
from ..files import claimed, read_json, replace_folder, write_json
from ..tasks import find_kind
from ..tasks.registry import check_langs, data_root, find_task, present_langs
from .diagnosis import signs_of_failure
from .labels import TrainingData, prepare
from .soup import check_soup, finish_soup, unfinished
from .trainer import Trainer

_VERSIONS = ("torch", "transformers", "peft", "tokenizers", "numpy")


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    Attributes:
        folder: The run folder, as `lrc.evaluate` and `lrc.export` take it.
        settings: What it was trained with.
        metrics: Scores on dev examples, the loss of each step, seconds: what `metrics.json` holds.
        warnings: Signs that it failed.
    """

    folder: Path
    settings: TrainSettings
    metrics: dict[str, Any]
    warnings: list[str]

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """Scores on dev examples by language, in percent; none where there were no such examples."""
        dev: dict[str, Any] = self.metrics["dev"]
        return dict(dev["languages"]) if dev else {}


def start(asked: Mapping[str, Any]) -> TrainResult:
    """Trains a new run.

    Args:
        asked: Options by name, see `lrc.config.options`.

    Raises:
        UserError: If anything that they name cannot be used.
        Interrupted: If the process is interrupted while it trains.
    """
    given = with_preset(check(asked))
    settings = resolve(given)
    resolve_langs(settings)
    settings.device = pick_device(settings.device)
    settings.precision = pick_precision(settings.precision, settings.device)
    usual = Path("runs") / f"{settings.task}-{'-'.join(settings.langs)}-{settings.shots}-s{settings.seed}"
    folder = Path(given.get("out", usual))
    with claimed(folder):
        if folder.exists():
            raise UserError(f"`out` {folder}: exists already; name a new folder, or go on with `resume` {folder}")
        return _start(settings, folder, given.get("epochs"))


def _start(settings: TrainSettings, folder: Path, epochs: float | None) -> TrainResult:
    check_soup(settings)
    data = prepare(settings)
    dev = [example for group in data.dev.values() for example in group]
    find_kind(settings.kind).resolve(settings, data.target + data.source + data.pseudo, dev)
    _resolve_steps(settings, data, epochs)
    backbone = load_backbone(settings.backbone)
    settings.fingerprint = backbone.fingerprint
    settings.versions = {name: version(name) for name in _VERSIONS}
    settings.make_paths_absolute()
    # The trainer may refuse the settings, so it is made before the folder.
    trainer = Trainer(backbone, data, *unfinished(settings, folder)[0])
    with replace_folder(folder) as partial:
        write_json(partial / run_folder.SETTINGS, settings.to_json())
        run_folder.write_trained(partial, data.shots, data.seen)
    return _train_all(trainer, data, settings, folder)


def resume(folder: Path) -> TrainResult:
    """Goes on with an interrupted run from its last checkpoint.

    Raises:
        UserError: If the folder is not a run, is finished, or its data or backbone have changed.
        Interrupted: If the process is interrupted while it trains.
    """
    settings = run_folder.read_settings(folder)
    with claimed(folder, "`resume`"):
        return _resume(folder, settings)


def _resume(folder: Path, settings: TrainSettings) -> TrainResult:
    if (folder / run_folder.ADAPTER).is_file():
        raise UserError(f"`resume` {folder}: the run is finished; evaluate or export it")
    settings.device = pick_device("cuda" if settings.device == "cuda" else "cpu")
    data = prepare(settings)
    if data.shots != read_json(folder / run_folder.SHOTS):
        raise UserError(f"`resume` {folder}: its data has changed and gives other shots; train a new run")
    backbone = load_backbone(settings.backbone)
    if backbone.fingerprint != settings.fingerprint:
        raise UserError(f"`resume` {folder}: `backbone` {settings.backbone} has changed; train a new run")
    left = unfinished(settings, folder)
    return _train_all(Trainer(backbone, data, *left[0]) if left else None, data, settings, folder)


def _train_all(trainer: Trainer | None, data: TrainingData, settings: TrainSettings, folder: Path) -> TrainResult:
    """Trains the run, or what is left of the runs of a soup, beginning with the trainer of the first one left."""
    result = None
    for member, own in unfinished(settings, folder):
        own.mkdir(parents=True, exist_ok=True)
        trainer = trainer or Trainer(load_backbone(settings.backbone), data, member, own)
        trainer.resume()
        result = _train(trainer, data, member, own, folder)
        trainer = None
    if settings.soup > 1:
        with progress("score the mean on dev", sum(map(len, data.dev.values()))) as advance:
            metrics = finish_soup(folder, settings, data, advance)
        note(f"finished {folder}, the mean of {settings.soup} runs")
        result = _outcome(folder, metrics, data, settings)
    assert result is not None
    return result


def _train(trainer: Trainer, data: TrainingData, settings: TrainSettings, folder: Path, whole: Path) -> TrainResult:
    note(
        f"training on {settings.device} in {settings.precision}: {len(data.target)} target labels"
        f" ({', '.join(settings.langs)}), {len(data.source)} source labels,"
        f"{f' {len(data.pseudo)} pseudo-labels,' if data.pseudo else ''}"
        f" {100 * trainer.trained_share:.2f} % of the parameters; writing to {folder}"
    )
    tell(data.bad.notices, data.bad.count)
    began = time.monotonic()
    try:
        with progress("train", settings.steps, trainer.step) as advance:

            def report(step: int, terms: dict[str, float]) -> None:
                recent = trainer.losses[-20:]
                means = {name: [entry[name] for entry in recent if name in entry] for name in terms}
                advance(1, "  ".join(f"{name} {sum(v) / len(v):.3f}" for name, v in means.items() if v))

            trainer.train(report)
    except KeyboardInterrupt:
        raise Interrupted(whole, trainer.step) from None
    with progress("score on dev", sum(map(len, data.dev.values()))) as advance:
        metrics = trainer.finish(advance)
    note(f"finished {folder} in {time.monotonic() - began:.0f} s")
    return _outcome(folder, metrics, data, settings)


def _outcome(folder: Path, metrics: dict[str, Any], data: TrainingData, settings: TrainSettings) -> TrainResult:
    dev = metrics["dev"]
    losses = [terms["task"] for terms in metrics["loss"]]
    signs = list(signs_of_failure(losses, dev, data.dev, find_task(settings.task)))
    for sign in signs:
        warn(sign)
    return TrainResult(folder, settings, metrics, signs)


def resolve_langs(settings: TrainSettings) -> None:
    """Checks the languages; without any, takes those that the data folder has.

    Raises:
        UserError: If there are none, or the task does not have one of them.
    """
    task = find_task(settings.task)
    if settings.train is None and task.labelled is not None:
        settings.data_dir = str(data_root(settings.data_dir))
        if not settings.langs:
            settings.langs = present_langs(task, Path(settings.data_dir))
            if not settings.langs:
                raise UserError(
                    f"`data_dir` {settings.data_dir}: has no {task.name} data; put the official files there"
                )
    settings.langs = check_langs(task, settings.langs)


def _resolve_steps(settings: TrainSettings, data: TrainingData, epochs: float | None) -> None:
    """Fills in batch size and steps, by the task and the number of labels."""
    default = find_kind(settings.kind).steps
    settings.batch_size = settings.batch_size or default.batch_size
    labels = len(data.target) + len(data.source) + len(data.pseudo)
    if epochs is not None:
        settings.steps = max(1, round(epochs * labels / settings.batch_size))
    if not settings.steps:
        settings.steps = default.many if data.source or data.pseudo else default.few
