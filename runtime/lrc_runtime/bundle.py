"""Opens a bundle."""

import os

from .encoding import TextEncoder
from .errors import BundleError
from .files import Files, Folder, open_files, read_file
from .manifest import (
    PARAPHRASE,
    QUESTION_ANSWERING,
    TOKENIZER,
    WEIGHTS,
    Manifest,
    model_file,
    other_tasks,
    read_manifest,
    verify,
)
from .pairs import ParaphraseDetector
from .qa import QuestionAnswerer
from .session import Session

_OUTPUTS = {QUESTION_ANSWERING: {"start_logits", "end_logits"}, PARAPHRASE: {"logits"}}


def load(
    path: str | os.PathLike[str], threads: int | None = None, *, task: str | None = None, provider: str = "cpu"
) -> QuestionAnswerer | ParaphraseDetector:
    """Opens a bundle after verifying every file in it.

    Args:
        path: The folder or archive that `lrc export` wrote.
        threads: Threads for one call; the CPUs that this process may use when None.
        task: Which task, in a bundle of several: the name that `lrc export` said; the first when None.
        provider: ONNX Runtime's execution provider: `cpu`, `cuda` or `openvino`.

    Returns:
        A `QuestionAnswerer` or a `ParaphraseDetector`, by the task.

    Raises:
        BundleError: If a file is missing or changed, the format is newer than this runtime, there is no such task, or
            the model and the manifest do not fit together.
        InputError: If this installation of ONNX Runtime does not have the provider.
    """
    files = open_files(path)
    if task is not None and task not in other_tasks(files):
        raise BundleError(f"{os.fspath(path)}: has no task {task!r} beside its first; it has {other_tasks(files)}")
    return _open(files, read_manifest(files, task), task, threads, provider)


def load_question_answerer(
    path: str | os.PathLike[str], threads: int | None = None, *, provider: str = "cpu"
) -> QuestionAnswerer:
    """Opens the first task of a bundle that answers questions; otherwise as `load`."""
    loaded = _load_kind(path, QUESTION_ANSWERING, threads, provider)
    if not isinstance(loaded, QuestionAnswerer):
        raise BundleError(f"{os.fspath(path)}: compares sentences and answers no questions; use `compare`")
    return loaded


def load_paraphrase_detector(
    path: str | os.PathLike[str], threads: int | None = None, *, provider: str = "cpu"
) -> ParaphraseDetector:
    """Opens the first task of a bundle that compares sentences; otherwise as `load`."""
    loaded = _load_kind(path, PARAPHRASE, threads, provider)
    if not isinstance(loaded, ParaphraseDetector):
        raise BundleError(f"{os.fspath(path)}: answers questions and compares no sentences; use `ask`")
    return loaded


def _load_kind(
    path: str | os.PathLike[str], kind: str, threads: int | None, provider: str
) -> QuestionAnswerer | ParaphraseDetector | None:
    files = open_files(path)
    for name in (None, *other_tasks(files)):
        manifest = read_manifest(files, name)
        if manifest.task == kind:
            return _open(files, manifest, name, threads, provider)
    return None


def _open(
    files: Files, manifest: Manifest, name: str | None, threads: int | None, provider: str
) -> QuestionAnswerer | ParaphraseDetector:
    verify(files, manifest)
    encoder = TextEncoder.from_bytes(read_file(files, TOKENIZER), manifest.windowing, files.where(TOKENIZER))
    model = model_file(name)
    if isinstance(files, Folder):
        # A file is mapped: its weights are read when they are needed, and shared between processes.
        session = Session(files.root / model, threads, provider=provider)
    else:
        weights = {WEIGHTS: read_file(files, WEIGHTS)}
        session = Session(read_file(files, model), threads, weights, provider, files.where(model))
    if not _OUTPUTS[manifest.task] <= set(session.outputs):
        raise BundleError(
            f"{files.where(model)}: has the outputs {session.outputs}, the task {manifest.task} needs"
            f" {sorted(_OUTPUTS[manifest.task])}; export the bundle again"
        )
    if manifest.task == QUESTION_ANSWERING:
        return QuestionAnswerer(encoder, session, manifest.decoding, manifest)
    return ParaphraseDetector(encoder, session, manifest.labels, manifest)
