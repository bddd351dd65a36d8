"""Opens a bundle folder."""

import os
from pathlib import Path

from .encoding import TextEncoder
from .errors import BundleError
from .manifest import MODEL, QUESTION_ANSWERING, TOKENIZER, read_manifest
from .pairs import ParaphraseDetector
from .qa import QuestionAnswerer
from .session import Session

_OUTPUTS = {True: {"start_logits", "end_logits"}, False: {"logits"}}


def load(path: str | os.PathLike[str], threads: int | None = None) -> QuestionAnswerer | ParaphraseDetector:
    """Opens a bundle after verifying every file in it.

    Args:
        path: The folder that `lrc export` wrote.
        threads: Threads for one call; the CPUs that this process may use when None.

    Returns:
        A `QuestionAnswerer` or a `ParaphraseDetector`, by the bundle's task.

    Raises:
        BundleError: If a file is missing or changed, the format is newer than this runtime, or the
            model and the manifest do not fit together.
    """
    root = Path(path)
    manifest = read_manifest(root)
    encoder = TextEncoder.from_file(root / TOKENIZER, manifest.windowing)
    session = Session(root / MODEL, threads)
    answers_questions = manifest.task == QUESTION_ANSWERING
    if not _OUTPUTS[answers_questions] <= set(session.outputs):
        raise BundleError(
            f"{root / MODEL}: has the outputs {session.outputs}, the task {manifest.task} needs"
            f" {sorted(_OUTPUTS[answers_questions])}; export the bundle again"
        )
    if answers_questions:
        return QuestionAnswerer(encoder, session, manifest.decoding, manifest)
    return ParaphraseDetector(encoder, session, manifest.labels, manifest)


def load_question_answerer(path: str | os.PathLike[str], threads: int | None = None) -> QuestionAnswerer:
    """Opens a bundle that must answer questions; otherwise as `load`."""
    loaded = load(path, threads)
    if not isinstance(loaded, QuestionAnswerer):
        raise BundleError(f"{os.fspath(path)}: compares sentences and answers no questions; use `compare`")
    return loaded


def load_paraphrase_detector(path: str | os.PathLike[str], threads: int | None = None) -> ParaphraseDetector:
    """Opens a bundle that must compare sentences; otherwise as `load`."""
    loaded = load(path, threads)
    if not isinstance(loaded, ParaphraseDetector):
        raise BundleError(f"{os.fspath(path)}: answers questions and compares no sentences; use `ask`")
    return loaded
