"""What was verified is what is opened: in forked processes, late, after the bundle or the process has moved."""

import builtins
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

import lrc_runtime
from lrc_runtime import Answer, BundleError, ParaphraseDetector, QuestionAnswerer
from lrc_runtime.files import write_archive
from tests.conftest import lrc
from tests.runtime.test_answerers import CASES

fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
QUESTIONS, CONTEXTS = [question for _, question, _ in CASES], [context for _, _, context in CASES]
QUESTION, LONG = QUESTIONS[2], CONTEXTS[2] * 100


@pytest.fixture(scope="module")
def other(qa_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose model and vocabulary are others."""
    out = tmp_path_factory.mktemp("other") / "bundle"
    lrc("export", qa_run, "--fp32", "--without", "calibration", "--langs", "hi", "--out", out)
    return out


def place(bundle: Path, path: Path) -> Path:
    """Puts a bundle in place as a deployment does: all at once, and what was there is moved away."""
    part = path.with_name(f"part-{path.name}")
    if path.suffix == ".lrc":
        write_archive(bundle, part)
    else:
        shutil.copytree(bundle, part)
    if path.exists():
        path.rename(path.with_name(f"old-{len(list(path.parent.iterdir()))}-{path.name}"))
    part.rename(path)
    return path


def load(path: Path | str, **options: Any) -> QuestionAnswerer:
    loaded = lrc_runtime.load(path, **options)
    assert isinstance(loaded, QuestionAnswerer)
    return loaded


def ask(qa: QuestionAnswerer) -> list[Answer]:
    return qa.answer_batch(QUESTIONS, CONTEXTS)


def _work(work: Callable[[], Any], results: Any) -> None:
    try:
        results.put(work())
    except BundleError as error:
        results.put(f"BundleError: {error}")


def in_child(work: Callable[[], Any]) -> Any:
    """Returns what a forked process returned, or which BundleError it raised."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_work, args=(work, results))
    child.start()
    try:
        found = results.get(timeout=60)
        child.join(30)
        assert child.exitcode == 0
    finally:
        child.kill()
    return found


@fork
@pytest.mark.parametrize("name", ["live", "live.lrc"])
def test_a_child_answers_as_its_parent_or_not_at_all(name: str, qa_bundle: Path, other: Path, tmp_path: Path) -> None:
    live = place(qa_bundle, tmp_path / name)
    qa = load(live, threads=1)
    expected = ask(qa)
    assert in_child(lambda: ask(qa)) == expected
    place(other, live)
    assert ask(qa) == expected
    found = in_child(lambda: ask(qa))
    assert isinstance(found, str) and found.startswith("BundleError") and "\n" not in found
    assert name in found and "replaced since it was loaded; load the bundle again" in found
    assert ask(load(live)) != expected, "the new one is another"
    # The same bundle from elsewhere is as good, also after a call that failed.
    place(qa_bundle, live)
    assert in_child(lambda: ask(qa)) == expected
    live.rename(tmp_path / "away")
    assert "moved or replaced since it was loaded; load it again" in in_child(lambda: ask(qa))


@fork
@pytest.mark.parametrize("name", ["model.onnx", "model.onnx.data"])
def test_a_child_notices_one_file_that_was_replaced(name: str, qa_copy: Path, other: Path) -> None:
    qa = load(qa_copy, threads=1)
    shutil.copy(other / name, qa_copy / "part")
    (qa_copy / "part").rename(qa_copy / name)
    assert "replaced since it was loaded" in in_child(lambda: ask(qa))


@fork
def test_a_child_notices_new_bytes_behind_the_same_size_date_and_number(qa_copy: Path) -> None:
    path = qa_copy / "model.onnx.data"
    qa = load(qa_copy, threads=1)
    before, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    with open(path, "r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)
    assert "replaced since it was loaded" in in_child(lambda: ask(qa))


@fork
def test_a_link_that_is_set_to_a_new_bundle_leaves_the_old_to_who_loaded_it(
    qa_bundle: Path, other: Path, tmp_path: Path
) -> None:
    live = tmp_path / "live"
    live.symlink_to(qa_bundle)
    qa = load(live, threads=1)
    expected = ask(qa)
    (tmp_path / "next").symlink_to(other)
    (tmp_path / "next").replace(live)
    assert in_child(lambda: ask(qa)) == expected
    assert qa.answer(QUESTION, LONG, max_windows=1).text in LONG


@fork
@pytest.mark.parametrize("name", ["live", "live.lrc"])
def test_a_relative_path_means_the_same_after_the_process_changed_its_folder(
    name: str, qa_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(qa_bundle, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    qa = load(name, threads=1)
    expected = ask(qa)
    monkeypatch.chdir("/")
    assert in_child(lambda: ask(qa)) == expected
    assert qa.answer(QUESTION, LONG, max_windows=1).text in LONG


@pytest.mark.parametrize("name", ["live", "live.lrc"])
def test_what_is_opened_late_is_that_of_the_bundle(name: str, qa_bundle: Path, other: Path, tmp_path: Path) -> None:
    live = place(qa_bundle, tmp_path / name)
    qa, expected = load(live), load(qa_bundle).answer(QUESTION, LONG, max_windows=1)
    place(other, live)
    for _ in range(2):
        with pytest.raises(BundleError, match=r"lookup\.onnx: was changed or replaced since it was loaded"):
            qa.answer(QUESTION, LONG, max_windows=1)
    assert qa.answer(QUESTION, LONG).text
    place(qa_bundle, live)
    assert qa.answer(QUESTION, LONG, max_windows=1) == expected
    place(other, live)
    assert qa.answer(QUESTION, LONG, max_windows=1) == expected, "and is kept"


@fork
def test_another_task_of_a_bundle_is_held_to_its_own_manifest(qa_run: Path, pair_run: Path, tmp_path: Path) -> None:
    for name, precision in (("first", "--int8"), ("second", "--fp32")):
        lrc("export", qa_run, pair_run, precision, "--without", "calibration", "--out", tmp_path / name)
    live = place(tmp_path / "first", tmp_path / "live")
    detector = lrc_runtime.load(live, task="paraphrase", threads=1)
    assert isinstance(detector, ParaphraseDetector)
    expected = detector.compare(QUESTION, CONTEXTS[2])
    assert in_child(lambda: detector.compare(QUESTION, CONTEXTS[2])) == expected
    place(tmp_path / "second", live)
    found = in_child(lambda: detector.compare(QUESTION, CONTEXTS[2]))
    assert "paraphrase.onnx: was changed or replaced since it was loaded" in found


def when_opened(monkeypatch: pytest.MonkeyPatch, name: str, time: int, change: Callable[[], object]) -> None:
    """Calls `change` just before a file is opened from Python for the so-manyeth time."""
    real, opened = builtins.open, []

    def watched(file: Any, *arguments: Any, **named: Any) -> Any:
        if str(file).endswith(f"live/{name}"):
            opened.append(file)
            if len(opened) == time:
                change()
        return real(file, *arguments, **named)

    monkeypatch.setattr(builtins, "open", watched)


def when_made(monkeypatch: pytest.MonkeyPatch, change: Callable[[int], object]) -> list[int]:
    """Calls `change` just before ONNX Runtime opens a model, with how many it has opened; returns one for each."""
    real, made = onnxruntime.InferenceSession, []

    def watched(*arguments: Any, **named: Any) -> Any:
        made.append(1)
        change(len(made))
        return real(*arguments, **named)

    monkeypatch.setattr(onnxruntime, "InferenceSession", watched)
    return made


def test_a_bundle_replaced_while_it_is_loaded_is_refused(
    qa_bundle: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(qa_bundle)
    for at, name in enumerate(("live", "sub/live.lrc")):
        (tmp_path / "sub").mkdir(exist_ok=True)
        live = place(qa_bundle, tmp_path / name)
        with monkeypatch.context() as patch:
            when_made(patch, lambda count, live=live: count == 1 and place(other, live))
            with pytest.raises(BundleError, match="replaced since it was loaded"):
                load(live)
        assert at or load(live).manifest == load(other).manifest
    # Between the check of the tokenizer and its reading.
    live = place(qa_bundle, tmp_path / "live")
    when_opened(monkeypatch, "tokenizer.json", 2, lambda: place(other, live))
    with pytest.raises(BundleError, match=r"tokenizer\.json: was changed or replaced"):
        load(live)


def test_files_that_go_away_while_a_bundle_is_loaded_give_one_line(
    qa_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lrc.json", "model.onnx", "tokenizer.json", "README.md"):
        live = place(qa_bundle, tmp_path / "live")
        with monkeypatch.context() as patch:
            when_opened(patch, name, 1, lambda live=live: shutil.rmtree(live))
            with pytest.raises(BundleError) as caught:
                load(live)
        assert name in str(caught.value) and "\n" not in str(caught.value)


def test_the_same_file_touched_while_a_bundle_is_loaded_changes_nothing(
    qa_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = ask(load(qa_copy))
    made = when_made(monkeypatch, lambda count: count == 1 and (qa_copy / "model.onnx").touch())
    assert ask(load(qa_copy)) == expected and len(made) == 2, "what was opened meanwhile is opened again"
    made = when_made(monkeypatch, lambda _: (qa_copy / "model.onnx").touch())
    with pytest.raises(BundleError, match="changes while it is opened; load it again once it is in place"):
        load(qa_copy)
    assert len(made) < 10


@fork
def test_threads_of_a_child_open_the_model_once(qa_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    qa = load(qa_bundle, preset="throughput")
    expected = qa.answer(QUESTION, CONTEXTS[2])

    def both() -> tuple[list[Answer], int]:
        # Long enough for the second thread to come by.
        made = when_made(monkeypatch, lambda _: time.sleep(0.5))
        together, found = threading.Barrier(2), []

        def one() -> None:
            together.wait(30)
            found.append(qa.answer(QUESTION, CONTEXTS[2]))

        threads = [threading.Thread(target=one) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found, len(made)

    assert in_child(both) == ([expected, expected], 1)


@fork
@pytest.mark.parametrize("replaced", [False, True])
def test_a_child_can_close_what_it_never_asked(replaced: bool, qa_bundle: Path, other: Path, tmp_path: Path) -> None:
    """A session waits for its threads when it is freed; those of the parent are not in the child."""
    live = place(qa_bundle, tmp_path / "live")
    qa = load(live, threads=2)
    if replaced:
        place(other, live)

    def close() -> str:
        if replaced:
            with pytest.raises(BundleError):
                qa.answer(QUESTION, CONTEXTS[2])
        qa.close()
        return "closed"

    assert in_child(close) == "closed"
    assert qa.answer(QUESTION, CONTEXTS[2]).text
