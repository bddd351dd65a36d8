"""Opens a task of a bundle."""

import os
from functools import cache
from typing import Any

import onnxruntime as ort

from .encoding import TextEncoder
from .errors import BundleError
from .files import Files, Folder, open_files, read_file
from .kinds import KINDS, A, Opened, TaskKind
from .manifest import LOOKUP, TOKENIZER, WEIGHTS, Manifest, manifest_file, model_file, other_tasks, read_manifest
from .ranking import Lookup
from .session import Make, Session, Source
from .verified import Verified


def open_kind(kind: TaskKind[A], path: str | os.PathLike[str], threads: int | None, provider: str, preset: str) -> A:
    """Opens the first task of a bundle that is of a kind; otherwise as `load`.

    Raises:
        BundleError: Also if there is none.
    """
    files = open_files(path)
    first: Manifest | None = None
    for name in (None, *other_tasks(files)):
        manifest = read_manifest(files, name)
        first = first or manifest
        if manifest.task == kind.task:
            answerer: A = open_task(files, name, manifest, threads, provider, preset)
            return answerer
    assert first is not None
    other = KINDS[first.task]
    raise BundleError(f"{os.fspath(path)}: {other.does} and {kind.lacks}; use `{other.command.name}`")


def open_task(
    files: Files, name: str | None, manifest: Manifest, threads: int | None, provider: str, preset: str
) -> Any:
    """Opens a task of a bundle and returns the answerer of its kind; otherwise as `load`."""
    verified = Verified(files, manifest)
    encoder, session = open_parts(verified, name, manifest, threads, provider, preset)
    opened = Opened(encoder, session, session.at_once, manifest, _lookup(verified, manifest))
    answerer = KINDS[manifest.task].open(opened)
    answerer.reopening = (_reopen, (os.fspath(verified.path), name, manifest.sha256, threads, provider, preset))
    return answerer


def _reopen(path: str, name: str | None, digest: str, threads: int | None, provider: str, preset: str) -> Any:
    """Opens what was pickled."""
    files = open_files(path)
    manifest = read_manifest(files, name)
    if manifest.sha256 != digest:
        raise BundleError(
            f"{files.where(manifest_file(name))}: is not the manifest of the bundle that was pickled, whose SHA-256 is"
            f" {digest}; load the bundle again and pickle that"
        )
    return open_task(files, name, manifest, threads, provider, preset)


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
    needed = KINDS[manifest.task].outputs
    if not needed <= set(session.outputs):
        raise BundleError(
            f"{verified.where[model]}: has the outputs {session.outputs}, the task {manifest.task} needs"
            f" {sorted(needed)}; export the bundle again"
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
