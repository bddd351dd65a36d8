"""Opens a bundle."""

import os
from functools import cache

import onnxruntime as ort

from .encoding import TextEncoder
from .errors import BundleError
from .files import Files, Folder, open_files, read_file
from .manifest import (
    LOOKUP,
    PARAPHRASE,
    QUESTION_ANSWERING,
    TOKENIZER,
    WEIGHTS,
    Manifest,
    manifest_file,
    model_file,
    other_tasks,
    read_manifest,
)
from .pairs import ParaphraseDetector
from .qa import QuestionAnswerer
from .ranking import Lookup
from .session import Make, Session, Source
from .verified import Verified

_OUTPUTS = {QUESTION_ANSWERING: {"start_logits", "end_logits"}, PARAPHRASE: {"logits"}}


def load(
    path: str | os.PathLike[str],
    threads: int | None = None,
    *,
    task: str | None = None,
    provider: str = "cpu",
    preset: str = "default",
) -> QuestionAnswerer | ParaphraseDetector:
    """Opens a bundle after verifying every file in it.

    Args:
        path: The folder or archive that `lrc export` wrote.
        threads: CPUs for one call; those that this process may use when None.
        task: Which task, in a bundle of several: the name that `lrc export` said; the first when None.
        provider: ONNX Runtime's execution provider: `cpu`, `cuda` or `openvino`.
        preset: `default`: all of them for each batch, idle while there is nothing to do; `latency`: the same, but they
            spin for a moment and answer sooner; `throughput`: one CPU for each batch, for calls of many texts, or from
            as many threads as there are CPUs.

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
    return _open(files, task, read_manifest(files, task), threads, provider, preset)


def load_question_answerer(
    path: str | os.PathLike[str], threads: int | None = None, *, provider: str = "cpu", preset: str = "default"
) -> QuestionAnswerer:
    """Opens the first task of a bundle that answers questions; otherwise as `load`."""
    loaded = _load_kind(path, QUESTION_ANSWERING, threads, provider, preset)
    if not isinstance(loaded, QuestionAnswerer):
        raise BundleError(f"{os.fspath(path)}: compares sentences and answers no questions; use `compare`")
    return loaded


def load_paraphrase_detector(
    path: str | os.PathLike[str], threads: int | None = None, *, provider: str = "cpu", preset: str = "default"
) -> ParaphraseDetector:
    """Opens the first task of a bundle that compares sentences; otherwise as `load`."""
    loaded = _load_kind(path, PARAPHRASE, threads, provider, preset)
    if not isinstance(loaded, ParaphraseDetector):
        raise BundleError(f"{os.fspath(path)}: answers questions and compares no sentences; use `ask`")
    return loaded


def _load_kind(
    path: str | os.PathLike[str], kind: str, threads: int | None, provider: str, preset: str
) -> QuestionAnswerer | ParaphraseDetector | None:
    files = open_files(path)
    for name in (None, *other_tasks(files)):
        manifest = read_manifest(files, name)
        if manifest.task == kind:
            return _open(files, name, manifest, threads, provider, preset)
    return None


def _open(
    files: Files, name: str | None, manifest: Manifest, threads: int | None, provider: str, preset: str
) -> QuestionAnswerer | ParaphraseDetector:
    verified = Verified(files, manifest)
    encoder, session = open_parts(verified, name, manifest, threads, provider, preset)
    answerer: QuestionAnswerer | ParaphraseDetector
    if manifest.task == QUESTION_ANSWERING:
        lookup = _lookup(verified, manifest)
        answerer = QuestionAnswerer(encoder, session, manifest.decoding, manifest, lookup, session.at_once)
    else:
        answerer = ParaphraseDetector(encoder, session, manifest.labels, manifest, session.at_once)
    answerer.reopening = (_reopen, (os.fspath(verified.path), name, manifest.sha256, threads, provider, preset))
    return answerer


def _reopen(
    path: str, name: str | None, digest: str, threads: int | None, provider: str, preset: str
) -> QuestionAnswerer | ParaphraseDetector:
    """Opens what was pickled."""
    files = open_files(path)
    manifest = read_manifest(files, name)
    if manifest.sha256 != digest:
        raise BundleError(
            f"{files.where(manifest_file(name))}: is not the manifest of the bundle that was pickled, whose SHA-256 is"
            f" {digest}; load the bundle again and pickle that"
        )
    return _open(files, name, manifest, threads, provider, preset)


def open_parts(
    verified: Verified, name: str | None, manifest: Manifest, threads: int | None, provider: str, preset: str
) -> tuple[TextEncoder, Session]:
    """Opens the tokenizer and the graph of a task of a bundle; otherwise as `load`."""
    encoder = verified.open(
        [TOKENIZER],
        lambda files: TextEncoder.from_bytes(read_file(files, TOKENIZER), manifest.windowing, files.where(TOKENIZER)),
    )
    model = model_file(name)
    session = Session(_source(verified, [model, WEIGHTS]), threads, provider, preset, verified.where[model])
    if not _OUTPUTS[manifest.task] <= set(session.outputs):
        raise BundleError(
            f"{verified.where[model]}: has the outputs {session.outputs}, the task {manifest.task} needs"
            f" {sorted(_OUTPUTS[manifest.task])}; export the bundle again"
        )
    return encoder, session


def _source(verified: Verified, names: list[str]) -> Source:
    """Finds a model, the first of the names, and its weights, the rest."""
    model, *weights = names

    def source(make: Make) -> ort.InferenceSession:
        def open_model(files: Files) -> ort.InferenceSession:
            if isinstance(files, Folder):
                # A file is mapped: its weights are read when they are needed, and shared between processes.
                return make(files.where(model), {})
            return make(read_file(files, model), {name: read_file(files, name) for name in weights})

        return verified.open(names, open_model)

    return source


def _lookup(verified: Verified, manifest: Manifest) -> Lookup | None:
    """Returns what looks embeddings up, which is opened when it is first called: most never rank windows."""
    if LOOKUP not in manifest.files:
        return None
    opened = cache(lambda: Session(_source(verified, [LOOKUP, WEIGHTS]), threads=1, where=verified.where[LOOKUP]))
    return lambda ids: opened()({"input_ids": ids})["embeddings"]
