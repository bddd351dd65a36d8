"""Opens a bundle, whatever its task."""

import os

from .errors import BundleError
from .files import open_files
from .manifest import other_tasks, read_manifest
from .opening import open_task
from .tasks import Answerer


def load(
    path: str | os.PathLike[str],
    threads: int | None = None,
    *,
    task: str | None = None,
    provider: str = "cpu",
    preset: str = "default",
) -> Answerer:
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
        The answerer of its kind of task, such as a `QuestionAnswerer` or a `ParaphraseDetector`.

    Raises:
        BundleError: If a file is missing or changed, the format is newer than this runtime, there is no such task, or
            the model and the manifest do not fit together.
        InputError: If this installation of ONNX Runtime does not have the provider.
    """
    files = open_files(path)
    if task is not None and task not in other_tasks(files):
        raise BundleError(f"{os.fspath(path)}: has no task {task!r} beside its first; it has {other_tasks(files)}")
    answerer: Answerer = open_task(files, task, read_manifest(files, task), threads, provider, preset)
    return answerer
