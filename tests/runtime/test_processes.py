"""An answerer that is sent to another process opens its bundle there again, verified; a copy shares the model."""

import copy
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import lrc_runtime
from lrc_runtime import AsyncAnswerer, BundleError, InputError, ParaphraseDetector, QuestionAnswerer
from lrc_runtime.files import write_archive
from tests.conftest import lrc
from tests.runtime.test_answerers import CASES

QUESTIONS, CONTEXTS = [question for _, question, _ in CASES], [context for _, _, context in CASES]

_PROGRAM = """
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import lrc_runtime


def ask(qa, asked):
    return qa.answer(*asked)


if __name__ == "__main__":
    cases = [tuple(line.split("\\t")) for line in sys.stdin.buffer.read().decode().splitlines()]
    qa = lrc_runtime.load_question_answerer(sys.argv[1], threads=1)
    expected = [qa.answer(*case) for case in cases]
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(1) as pool:
        assert pool.map(partial(ask, qa), cases) == expected
    with ProcessPoolExecutor(1, spawn) as pool:
        assert list(pool.map(partial(ask, qa), cases)) == expected
    print(len(expected), "answers")
"""


@pytest.mark.parametrize("name", ["live", "live.lrc"])
def test_spawned_processes_answer_as_their_parent(name: str, qa_bundle: Path, tmp_path: Path) -> None:
    live = tmp_path / name
    if live.suffix:
        write_archive(qa_bundle, live)
    else:
        shutil.copytree(qa_bundle, live)
    (tmp_path / "program.py").write_text(_PROGRAM, encoding="utf-8")
    cases = "\n".join(f"{question}\t{context}" for question, context in zip(QUESTIONS, CONTEXTS, strict=True))
    done = subprocess.run(
        [sys.executable, "program.py", name], cwd=tmp_path, input=cases.encode(), capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().split() == ["5", "answers"]


def test_pickle_keeps_the_options_and_no_model(qa_bundle: Path) -> None:
    qa = lrc_runtime.load_question_answerer(qa_bundle, threads=2, preset="throughput")
    sent = pickle.dumps(qa)
    assert len(sent) < 1000
    again = pickle.loads(sent)
    assert isinstance(again, QuestionAnswerer) and again.manifest == qa.manifest
    assert pickle.dumps(again) == sent
    assert again.answer_batch(QUESTIONS, CONTEXTS, 3) == qa.answer_batch(QUESTIONS, CONTEXTS, 3)
    assert again._run.at_once == 2 and again._run.threads == 1  # type: ignore[attr-defined]


def test_pickle_of_a_later_task_opens_that_task(qa_run: Path, pair_run: Path, tmp_path: Path) -> None:
    lrc("export", qa_run, pair_run, "--fp32", "--without", "calibration", "--out", tmp_path / "both")
    detector = lrc_runtime.load(tmp_path / "both", task="paraphrase")
    assert isinstance(detector, ParaphraseDetector)
    again = pickle.loads(pickle.dumps(detector))
    assert again.compare(QUESTIONS[1], CONTEXTS[1]) == detector.compare(QUESTIONS[1], CONTEXTS[1])
    found = lrc_runtime.load_paraphrase_detector(tmp_path / "both")
    assert pickle.dumps(found) == pickle.dumps(detector)


def test_pickle_finds_its_bundle_from_another_folder(
    qa_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(qa_bundle, tmp_path / "live")
    monkeypatch.chdir(tmp_path)
    sent = pickle.dumps(lrc_runtime.load("live"))
    monkeypatch.chdir("/")
    assert pickle.loads(sent).answer(QUESTIONS[3], CONTEXTS[3]).text


def test_pickle_of_a_bundle_that_was_replaced_or_damaged_is_refused(
    qa_bundle: Path, pair_bundle: Path, tmp_path: Path
) -> None:
    live = tmp_path / "live"
    shutil.copytree(qa_bundle, live)
    sent = pickle.dumps(lrc_runtime.load(live))
    live.rename(tmp_path / "old")
    with pytest.raises(BundleError, match="live: no such bundle"):
        pickle.loads(sent)
    shutil.copytree(pair_bundle, live)
    with pytest.raises(BundleError, match=r"lrc.json: is not the manifest of the bundle that was pickled.* load the"):
        pickle.loads(sent)
    shutil.rmtree(live)
    shutil.copytree(qa_bundle, live)
    assert pickle.loads(sent).answer(QUESTIONS[4], CONTEXTS[4]).text
    (live / "README.md").write_text("another", encoding="utf-8")
    with pytest.raises(BundleError, match=r"README\.md: does not match its SHA-256"):
        pickle.loads(sent)


def _submit(qa: QuestionAnswerer) -> None:
    with ProcessPoolExecutor(1) as pool:
        pool.submit(qa.answer, QUESTIONS[0], CONTEXTS[0]).result()


@pytest.mark.parametrize("send", [pickle.dumps, _submit])
def test_what_cannot_be_opened_again_is_not_pickled(qa_bundle: Path, pair_bundle: Path, send) -> None:
    qa = lrc_runtime.load_question_answerer(qa_bundle)
    plain = QuestionAnswerer(qa._encoder, qa._run, qa._decoding, qa.manifest)
    with pytest.raises(InputError, match=r"only what `lrc_runtime\.load` opened can be pickled"):
        send(plain)
    qa.close()
    with pytest.raises(InputError, match="this answerer is closed; load the bundle again"):
        send(qa)
    with pytest.raises(InputError, match="an AsyncAnswerer has threads and cannot be pickled"):
        pickle.dumps(AsyncAnswerer(lrc_runtime.load(pair_bundle)))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_shares_the_model_and_is_closed_alone(qa_bundle: Path, tmp_path: Path, duplicate) -> None:
    live = tmp_path / "live"
    shutil.copytree(qa_bundle, live)
    qa = lrc_runtime.load_question_answerer(live)
    expected = qa.answer_batch(QUESTIONS, CONTEXTS)
    sent = pickle.dumps(qa)
    # Nothing is opened for it.
    shutil.rmtree(live)
    other = duplicate([qa])[0] if duplicate is copy.deepcopy else duplicate(qa)
    assert other is not qa and pickle.dumps(other) == sent
    qa.close()
    assert other.answer_batch(QUESTIONS, CONTEXTS) == expected
    with pytest.raises(InputError, match="closed"):
        duplicate(qa).answer(QUESTIONS[0], CONTEXTS[0])
