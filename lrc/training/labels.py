"""Settings to labels: reads the files, draws the shots, keeps the rest as dev examples."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..config.settings import TrainSettings
from ..data.examples import BadExamples, Example
from ..data.overlap import Seen
from ..data.parallel import read_parallel
from ..data.passages import read_passages
from ..data.shots import draw, pick, rank, read_shots, remainder
from ..errors import UserError
from ..tasks import find_kind
from ..tasks.registry import Task, data_root, find_task, read_labelled, read_own, read_source

# Passages of unlabelled text kept in memory.
_PASSAGES = 20_000


@dataclass
class TrainingData:
    """The labels of a run.

    Attributes:
        target: The shots of all languages.
        source: Labels in a high-resource language.
        pseudo: Pseudo-labels.
        dev: For each language examples that the shots have not shown.
        parallel: Line-aligned sentences.
        unlabelled: Passages of text.
        shots: For each language the ids of the shots.
        seen: The texts of all labels and pseudo-labels.
        bad: What was dropped and noticed.
    """

    target: list[Example]
    source: list[Example]
    pseudo: list[Example]
    dev: dict[str, list[Example]]
    parallel: list[tuple[str, str]]
    unlabelled: list[str]
    shots: dict[str, list[str]]
    seen: Seen
    bad: BadExamples


def prepare(settings: TrainSettings) -> TrainingData:
    """Reads everything that the settings name.

    Raises:
        UserError: If a file is missing or bad, or there are fewer labels than shots.
    """
    task = find_task(settings.task)
    bad = BadExamples(settings.skip_bad)
    shots, dev = draw_labels(settings, bad)
    target = [example for group in shots.values() for example in group]
    source = _read_source(task, settings, bad)
    pseudo = _read_pseudo(task, settings, bad)
    if not target and not source and not pseudo:
        raise UserError("`shots` 0: nothing to learn from; give `source`, `pseudo`, or at least one shot")
    parallel = read_parallel([Path(path) for path in settings.parallel]) if settings.parallel else []
    unlabelled: list[str] = []
    if settings.unlabelled:
        passages = islice(read_passages(Path(settings.unlabelled), bad), _PASSAGES)
        unlabelled = [passage.text for passage in passages]
        if not unlabelled:
            raise UserError(f"`unlabelled` {settings.unlabelled}: has no text")
    ids = {lang: [example.id for example in group] for lang, group in shots.items()}
    seen = Seen.of(target + source + pseudo)
    source, pseudo = (find_kind(settings.kind).augment(group, settings.draw_seed) for group in (source, pseudo))
    return TrainingData(target, source, pseudo, dev, parallel, unlabelled, ids, seen, bad)


def draw_labels(settings: TrainSettings, bad: BadExamples) -> tuple[dict[str, list[Example]], dict[str, list[Example]]]:
    """Returns the shots and the dev examples of each language.

    Raises:
        UserError: If a file is missing or bad, or there are fewer labels than shots.
    """
    task = find_task(settings.task)
    labelled, own_dev = read_files(task, settings, bad)
    shots: dict[str, list[Example]] = {}
    dev: dict[str, list[Example]] = {}
    chosen = read_shots(Path(settings.shots_file)) if settings.shots_file else None
    for lang, examples in labelled.items():
        what = f"{settings.train or task.name} in {lang}"
        if chosen is None:
            apart = lang if settings.draw_apart else ""
            shots[lang] = draw(examples, settings.shots, settings.draw_seed, what, apart)
        else:
            shots[lang] = pick(examples, chosen.get(lang, []), f"`shots_file` {settings.shots_file}: {what}")
    # The same id in another language is a translation, of which a dev example shall not be one.
    everywhere = {example.id for group in shots.values() for example in group}
    for lang, examples in labelled.items():
        left = own_dev[lang] if own_dev else remainder(examples, shots[lang], everywhere)
        dev[lang] = _chosen(left, lang, settings.dev_limit)
    return shots, dev


def _chosen(examples: list[Example], lang: str, limit: int) -> list[Example]:
    """Draws dev examples: the same ones for every run, and others in each language, as translations tell less."""
    # By an order of its own: what shots drawn in the same order left has few of one label at its beginning.
    return sorted(examples, key=lambda item: rank(0, f"dev\0{lang}\0{item.id}"))[:limit]


def read_files(
    task: Task, settings: TrainSettings, bad: BadExamples
) -> tuple[dict[str, list[Example]], dict[str, list[Example]] | None]:
    """Reads the labelled examples of each language, and the user's own dev examples where there are any."""
    own_dev = None
    if settings.dev:
        own_dev = read_own(task, settings.dev, settings.langs, "`dev`", bad, settings.columns, "dev", settings.ids)
    if settings.train:
        labelled = read_own(
            task, settings.train, settings.langs, "`train`", bad, settings.columns, "train", settings.ids
        )
        return labelled, own_dev
    if task.labelled is None:
        raise UserError(f"`task` {task.name}: give your own labels with `train` FILE")
    root = data_root(settings.data_dir)
    return {lang: read_labelled(task, root, lang, bad) for lang in settings.langs}, own_dev


def _read_source(task: Task, settings: TrainSettings, bad: BadExamples) -> list[Example]:
    if not settings.source:
        return []
    examples = read_source(task, settings.source, settings.source_lang, bad, None, "train", settings.ids)
    ranked = sorted(examples, key=lambda item: rank(settings.draw_seed, item.id))
    return ranked[: settings.source_limit]


def _read_pseudo(task: Task, settings: TrainSettings, bad: BadExamples) -> list[Example]:
    examples: list[Example] = []
    for pattern in settings.pseudo or []:
        # One file may hold several languages, so unlike `train` a pattern without {lang} is read once.
        langs = settings.langs if "{lang}" in pattern else settings.langs[:1]
        for own in read_own(task, pattern, langs, "`pseudo`", bad, None, "train", settings.ids).values():
            examples += own
    if settings.pseudo_limit is not None:
        examples = sorted(examples, key=lambda item: rank(settings.draw_seed, item.id))[: settings.pseudo_limit]
    return examples
