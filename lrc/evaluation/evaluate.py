"""Scores a run (torch) or a bundle (runtime) on test examples, through the same decoding code."""

from dataclasses import dataclass
from pathlib import Path

import torch

import lrc_runtime
from lrc_runtime.batching import Served
from lrc_runtime.files import open_files
from lrc_runtime.manifest import MANIFEST, other_tasks, read_manifest

from .. import run_folder
from ..config.settings import TrainSettings
from ..console import progress, tell
from ..data.examples import BadExamples, Example
from ..data.overlap import Seen, Trained
from ..data.shots import sample
from ..devices import pick_device
from ..errors import UserError
from ..run_folder import load_run
from ..tasks import KINDS
from ..tasks.registry import Task, check_langs, data_root, find_task, read_own, read_test
from .scoring import score_examples, summarise, torch_answerer


@dataclass(frozen=True)
class Subject:
    """What is evaluated: a run or a bundle.

    Attributes:
        answerer: Does what its task is.
        settings: Settings of the run, or of the run behind the bundle.
        trained: What it was trained on.
        what: Names it in tables.
    """

    answerer: Served
    settings: TrainSettings
    trained: Trained
    what: str


@dataclass(frozen=True)
class EvalResult:
    """Scores on test examples, in percent.

    Attributes:
        task: The task that they are of.
        subject: The run or bundle.
        kind: What that is, such as `int8 bundle`.
        languages: For each language its scores, and `count`, the number of examples.
        average: Their means over the languages.
    """

    task: str
    subject: str
    kind: str
    languages: dict[str, dict[str, float]]
    average: dict[str, float]


def evaluate_path(
    path: Path,
    langs: list[str],
    task_name: str | None,
    data_dir: str | None,
    test: str | None,
    columns: dict[str, str] | None,
    limit: int | None,
    device: str,
    skip_bad: bool,
) -> EvalResult:
    """Scores a run or a bundle.

    Args:
        path: A run folder or a bundle.
        langs: Languages; those that it was trained on when empty.
        task_name: Task to test on; the one it was trained on, in a bundle of several the first, when None.
        data_dir: Folder of the official layouts.
        test: Pattern of the user's own test files.
        columns: Names of their columns, where they are not lrc's.
        limit: Examples a language.
        device: Device of a run; a bundle runs on the CPU.
        skip_bad: Whether to drop bad examples.

    Raises:
        UserError: If the folder is neither, or the test examples cannot be read or are of another kind.
    """
    task = find_task(task_name) if task_name else None
    subject = open_subject(path, device, task)
    task = task or find_task(subject.settings.task)
    if task.kind != subject.settings.kind:
        raise UserError(f"`task` {task.name}: {path} was trained for {subject.settings.kind}, not {task.kind}")
    langs = check_langs(task, langs or subject.settings.langs)
    bad = BadExamples(skip_bad)
    settings = subject.settings
    groups = read_examples(task, langs, data_dir or settings.data_dir, test, columns, bad, settings.ids)
    if test is not None:
        groups = subject.trained.unseen(groups, bad)
    else:
        subject.trained.overlap(groups, bad)
    groups = {lang: sample(examples, limit, test is not None) for lang, examples in groups.items()}
    for lang, examples in groups.items():
        if not examples:
            raise UserError(f"{task.name} in {lang}: has no test example that {path} was not trained on")
    tell(bad.notices, bad.count)
    with progress("evaluate", sum(map(len, groups.values()))) as advance:
        scores = {lang: score_examples(task, subject.answerer, examples, advance) for lang, examples in groups.items()}
    return EvalResult(task.name, str(path), subject.what, **summarise(scores))


def open_subject(path: Path, device: str, task: Task | None = None) -> Subject:
    """Opens a run folder or a bundle.

    Args:
        path: Of the folder, or of a bundle's archive.
        device: Device of a run.
        task: What it is for, which chooses among the tasks of a bundle; the first when None.

    Raises:
        UserError: If it is neither.
        BundleError: If it is a damaged bundle.
    """
    if not path.exists():
        raise UserError(f"{path}: no such folder or archive; give a run or a bundle")
    if path.is_file() or (path / MANIFEST).is_file():
        bundle = lrc_runtime.load(path, task=_choose(path, task))
        assert bundle.manifest is not None
        if bundle.manifest.task not in {kind.served_as for kind in KINDS.values()}:
            raise UserError(f"{path}: its task is {bundle.manifest.task}, which lrc cannot score")
        training = dict(bundle.manifest.training)
        shots, texts = training.pop("shot_ids", {}), training.pop("seen_texts", None)
        trained = Trained(shots, None if texts is None else Seen.from_text(texts))
        training.pop("trained_share", None)
        settings = TrainSettings.from_json(training, str(path / MANIFEST))
        return Subject(bundle, settings, trained, f"{bundle.manifest.precision} bundle")
    run = load_run(path)
    torch_device = torch.device(pick_device(device))
    encoder = run_folder.text_encoder(run.backbone, run.settings)
    answerer = torch_answerer(run.model, encoder, run.settings, torch_device, "fp32")
    return Subject(answerer, run.settings, run.trained, f"run on {torch_device.type}")


def _choose(path: Path, task: Task | None) -> str | None:
    """Returns the name in a bundle of what was trained on a task, or else of the first of its kind."""
    files = open_files(path)
    names: list[str | None] = [None, *other_tasks(files)]
    if task is None or len(names) == 1:
        return None
    trained = {name: read_manifest(files, name).training for name in names}
    same = [name for name in names if trained[name].get("task") == task.name]
    return next(iter(same + [name for name in names if trained[name].get("kind") == task.kind]), None)


def read_examples(
    task: Task,
    langs: list[str],
    data_dir: str | None,
    test: str | None,
    columns: dict[str, str] | None,
    bad: BadExamples,
    ids: str,
) -> dict[str, list[Example]]:
    """Reads the test examples of each language, from the user's own files or the official ones."""
    if test is not None:
        return read_own(task, test, langs, "`test`", bad, columns, "test", ids)
    if task.test is None:
        raise UserError(f"`task` {task.name}: give your own test examples with `test` FILE")
    root = data_root(data_dir)
    return {lang: read_test(task, root, lang, bad) for lang in langs}
