"""Settings to labels: reads the files, draws the shots, keeps the rest as dev examples."""

from dataclasses import dataclass
from pathlib import Path

from .distractors import add_distractors
from .errors import UserError
from .examples import BadExamples, Example, per_language, read_parallel
from .settings import TrainSettings
from .shots import draw, rank, remainder
from .tasks import Task, data_root, find_task, read_labelled, reader


@dataclass
class TrainingData:
    """The labels of a run.

    Attributes:
        target: The shots of all languages.
        source: Labels in a high-resource language.
        dev: For each language examples that the shots have not shown.
        parallel: Line-aligned sentences.
        shots: For each language the ids of the shots.
        bad: Number of bad examples that were dropped.
    """

    target: list[Example]
    source: list[Example]
    dev: dict[str, list[Example]]
    parallel: list[tuple[str, str]]
    shots: dict[str, list[str]]
    bad: int


def prepare(settings: TrainSettings) -> TrainingData:
    """Reads everything that the settings name.

    Raises:
        UserError: If a file is missing or bad, or there are fewer labels than shots.
    """
    task = find_task(settings.task)
    bad = BadExamples(settings.skip_bad)
    labelled, own_dev = read_files(task, settings, bad)
    target: list[Example] = []
    dev: dict[str, list[Example]] = {}
    shots: dict[str, list[str]] = {}
    for lang, examples in labelled.items():
        drawn = draw(examples, settings.shots, settings.seed, f"{settings.train or task.name} in {lang}")
        shots[lang] = [example.id for example in drawn]
        target += drawn
        # The ranking of the dev examples does not depend on the run's seed, so that runs compare.
        left = sorted(own_dev[lang] if own_dev else remainder(examples, drawn), key=lambda item: rank(0, item.id))
        dev[lang] = left[: settings.dev_limit]
    source = _read_source(task, settings, bad)
    if not target and not source:
        raise UserError("--shots 0: nothing to learn from; give --source, or at least one shot")
    parallel: list[tuple[str, str]] = []
    if settings.parallel:
        first, second = settings.parallel
        parallel = read_parallel(Path(first), Path(second))
    return TrainingData(target, source, dev, parallel, shots, bad.count)


def read_files(
    task: Task, settings: TrainSettings, bad: BadExamples
) -> tuple[dict[str, list[Example]], dict[str, list[Example]] | None]:
    """Reads the labelled examples of each language, and the user's own dev examples where there are any."""
    own_dev = None
    if settings.dev:
        own_dev = per_language(settings.dev, settings.langs, "--dev", reader(task), bad)
    if settings.train:
        return per_language(settings.train, settings.langs, "--train", reader(task), bad), own_dev
    if task.labelled is None:
        raise UserError(f"--task {task.name}: give your own labels with --train FILE")
    root = data_root(settings.data_dir)
    return {lang: read_labelled(task, root, lang, bad) for lang in settings.langs}, own_dev


def _read_source(task: Task, settings: TrainSettings, bad: BadExamples) -> list[Example]:
    if not settings.source:
        return []
    examples = reader(task)(Path(settings.source), settings.source_lang, bad)
    ranked = sorted(examples, key=lambda item: rank(settings.seed, item.id))
    return add_distractors(ranked[: settings.source_limit], settings.seed)
