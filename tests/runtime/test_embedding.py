"""What an application that embeds the runtime relies on: long texts, offsets, threads, forks, closing, coroutines."""

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tokenizers import Tokenizer

import lrc_runtime
from lrc_runtime import AsyncAnswerer, InputError, ParaphraseDetector, QuestionAnswerer
from lrc_runtime.batching import Model, Row
from lrc_runtime.calibration import Calibration, log_odds
from lrc_runtime.cpus import usable_cpus
from lrc_runtime.encoding import Ints, TextEncoder
from lrc_runtime.files import write_archive
from lrc_runtime.manifest import Windowing
from tests.conftest import lrc
from tests.fuzz import check
from tests.runtime.test_answerers import CASES

QUESTION, CONTEXT = CASES[2][1:]


def load(path: Path, **options: str) -> QuestionAnswerer:
    loaded = lrc_runtime.load(path, **options)  # type: ignore[arg-type]
    assert isinstance(loaded, QuestionAnswerer)
    return loaded


@pytest.fixture(scope="module")
def qa(qa_bundle: Path) -> QuestionAnswerer:
    return load(qa_bundle)


@pytest.mark.parametrize(
    "context",
    [
        "👩🏽‍👩🏽‍👦 चक्की १८१२ में बनी। 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "e\u0301cole ﬁnale Ａｎｎａ ベルリン ㍿",
        "\u202eמגדל\u202c برج\u0640\u064b \x07\x00 สำเนา ก\u0e33",
    ],
)
def test_offsets_hold_in_every_unit(qa: QuestionAnswerer, context: str) -> None:
    answers = qa.answer("क्या?", context, 5)
    assert answers
    check(context, answers, 5)


def test_long_text_reports_progress_and_its_tokens_are_those_of_its_parts(
    qa: QuestionAnswerer, qa_bundle: Path
) -> None:
    long = (" ".join(context for _, _, context in CASES) + " ") * 600
    seen: list[tuple[int, int]] = []
    answer = qa.answer(QUESTION, long, progress=lambda read, total: seen.append((read, total)))
    assert long[answer.start : answer.end] == answer.text
    assert [read for read, _ in seen] == sorted(read for read, _ in seen)
    assert {total for _, total in seen} == {len(long)} and 0.999 * len(long) < seen[-1][0] <= len(long)
    (found,) = TextEncoder.from_file(qa_bundle / "tokenizer.json", Windowing()).tokenize([long])
    whole = Tokenizer.from_file(str(qa_bundle / "tokenizer.json")).encode(long, add_special_tokens=False)
    assert len(long) > 3 * 50_000
    assert found.ids.tolist() == whole.ids and [tuple(pair) for pair in found.offsets.tolist()] == whole.offsets


# The tiny vocabulary has the words of these three.
@pytest.mark.parametrize(("lang", "question", "context"), CASES[:3])
def test_only_the_windows_nearest_to_the_question_are_read(
    qa: QuestionAnswerer, lang: str, question: str, context: str
) -> None:
    others = [other for code, _, other in CASES if code != lang]
    before, after = (" ".join(others) + " ") * 40, " ".join(reversed(others)) * 40
    long = before + context + " " + after
    seen: list[tuple[int, int]] = []
    answer = qa.answer(question, long, max_windows=1, progress=lambda *read: seen.append(read))
    assert long[answer.start : answer.end] == answer.text
    reached = len(long) // 6
    assert len(before) - reached < answer.start < len(before) + len(context) + reached
    assert seen[-1] == (len(long), len(long)) and len(seen) <= 2
    assert qa.answer(question, long, max_windows=10_000) == qa.answer(question, long)
    assert qa.answer("", long, max_windows=1).text in long
    with pytest.raises(InputError, match="max_windows must be a whole number of at least 1, found 0"):
        qa.answer(question, long, max_windows=0)


def test_bundle_without_its_table_alone_says_that_it_cannot_rank(qa: QuestionAnswerer) -> None:
    plain = QuestionAnswerer(qa._encoder, qa._run, qa._decoding, qa.manifest)
    assert plain.answer(QUESTION, CONTEXT, max_windows=1) == qa.answer(QUESTION, CONTEXT)
    with pytest.raises(InputError, match="max_windows: this bundle cannot rank windows; export it again"):
        plain.answer(QUESTION, CONTEXT * 100, max_windows=1)


def test_closed_bundle_says_so(qa_bundle: Path, pair_bundle: Path) -> None:
    with load(qa_bundle) as answerer:
        assert answerer.answer(QUESTION, CONTEXT).text
    with pytest.raises(InputError, match="closed; load the bundle again"):
        answerer.answer(QUESTION, CONTEXT)
    with pytest.raises(InputError, match="closed; load the bundle again"):
        answerer.answer(QUESTION, CONTEXT * 100, max_windows=1)
    detector = lrc_runtime.load(pair_bundle)
    detector.close()
    assert isinstance(detector, ParaphraseDetector)
    with pytest.raises(InputError, match="closed"):
        detector.compare(QUESTION, CONTEXT)


def _answer_in_child(answerer: QuestionAnswerer, answers: "multiprocessing.Queue[str]") -> None:
    answers.put(answerer.answer(QUESTION, CONTEXT).text)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("archive", [False, True])
def test_forked_process_answers(qa_bundle: Path, tmp_path: Path, archive: bool) -> None:
    path = qa_bundle
    if archive:
        path = tmp_path / "qa.lrc"
        write_archive(qa_bundle, path)
    loaded = lrc_runtime.load(path, threads=2)
    assert isinstance(loaded, QuestionAnswerer)
    expected = loaded.answer(QUESTION, CONTEXT).text
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_answer_in_child, args=(loaded, answers))
    child.start()
    assert answers.get(timeout=60) == expected
    child.join(60)
    assert child.exitcode == 0
    assert loaded.answer(QUESTION, CONTEXT).text == expected


def test_opening_and_asking_imports_no_event_loop(qa_bundle: Path) -> None:
    code = (
        "import sys, lrc_runtime; qa = lrc_runtime.load(sys.argv[1]); qa.answer(*sys.argv[2:]);"
        "print([name for name in ('asyncio', 'ssl', 'torch', 'transformers') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(qa_bundle), QUESTION, CONTEXT]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_coroutines_ask_at_once(qa: QuestionAnswerer, pair_bundle: Path) -> None:
    async def ask() -> list[str]:
        async with AsyncAnswerer(qa, workers=2) as answerer:
            found = await asyncio.gather(*(answerer.answer(question, context) for _, question, context in CASES))
            with pytest.raises(InputError, match="use answer"):
                await answerer.compare(QUESTION, CONTEXT)
            told: list[tuple[int, int]] = []
            long = CONTEXT * 40
            best = await answerer.answer(
                QUESTION, long, 3, lang="th", max_windows=2, progress=lambda *read: told.append(read)
            )
            assert best == qa.answer(QUESTION, long, 3, lang="th", max_windows=2)
            assert told[-1] == (len(long), len(long))
            return [answer.text for answer in found]

    async def compare() -> float:
        async with AsyncAnswerer(lrc_runtime.load(pair_bundle)) as detector:
            with pytest.raises(InputError, match="use compare"):
                await detector.answer(QUESTION, CONTEXT)
            return (await detector.compare(QUESTION, CONTEXT)).score

    assert asyncio.run(ask()) == [qa.answer(question, context).text for _, question, context in CASES]
    assert 0 < asyncio.run(compare()) <= 1


def test_presets_answer_the_same(qa: QuestionAnswerer, qa_bundle: Path) -> None:
    expected = qa.answer(QUESTION, CONTEXT)
    for preset in ("default", "latency", "throughput"):
        found = load(qa_bundle, preset=preset).answer(QUESTION, CONTEXT)
        assert found.text == expected.text and found.score == pytest.approx(expected.score, rel=0.05)
    with pytest.raises(InputError, match="preset 'fast': unknown; choose from default, latency, throughput"):
        load(qa_bundle, preset="fast")
    with pytest.raises(InputError, match="threads must be a whole number"):
        lrc_runtime.load(qa_bundle, threads=0)


class Together:
    """A model whose first two batches wait for each other; counts the batches, and how many ran at once."""

    def __init__(self, run: Model) -> None:
        self._run, self._lock, self._two = run, threading.Lock(), threading.Barrier(2)
        self.calls = self.running = self.most = 0

    def __call__(self, batch: dict[str, Ints]) -> Row:
        with self._lock:
            self.calls += 1
            first, self.running = self.calls <= 2, self.running + 1
            self.most = max(self.most, self.running)
        if first:
            self._two.wait(60)
        outputs = self._run(batch)
        with self._lock:
            self.running -= 1
        return outputs


def test_batches_of_one_call_run_at_once_with_the_same_answers(qa: QuestionAnswerer) -> None:
    questions, texts = [question for _, question, _ in CASES], [context * 40 for _, _, context in CASES]
    alone = QuestionAnswerer(qa._encoder, qa._run, qa._decoding)
    model = Together(qa._run)
    both = QuestionAnswerer(qa._encoder, model, qa._decoding, at_once=2)
    assert both.answer_batch(questions, texts, 3) == alone.answer_batch(questions, texts, 3)
    assert model.most == 2 < model.calls


def test_a_call_that_is_given_up_ends_soon(qa: QuestionAnswerer) -> None:
    def give_up(*_: int) -> None:
        raise KeyboardInterrupt

    model = Together(qa._run)
    both = QuestionAnswerer(qa._encoder, model, qa._decoding, qa.manifest, at_once=2)
    with pytest.raises(KeyboardInterrupt):
        both.answer(QUESTION, CONTEXT * 1000, progress=give_up)
    assert 2 <= model.calls <= 5
    assert both.answer(QUESTION, CONTEXT) == qa.answer(QUESTION, CONTEXT)


def test_a_long_text_leaves_room_to_others(qa: QuestionAnswerer) -> None:
    model = Together(qa._run)
    both = QuestionAnswerer(qa._encoder, model, qa._decoding, qa.manifest, at_once=2)
    found: list[tuple[int, str]] = []

    def ask_meanwhile(read: int, total: int) -> None:
        if found:
            return
        while model.running:
            time.sleep(0.001)
        model.most = 0
        answer = both.answer(QUESTION, CONTEXT * 40)
        found.append((model.most, answer.text))
        model.most = 0

    both.answer(QUESTION, CONTEXT * 1000, progress=ask_meanwhile)
    assert found == [(1, qa.answer(QUESTION, CONTEXT * 40).text)]
    assert model.most == 2, "and takes it again when they are done"


def test_limit_of_the_control_group_counts(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/app/worker\n")
    (tmp_path / "app" / "worker").mkdir(parents=True)
    affinity = usable_cpus(tmp_path, own)
    (tmp_path / "app" / "worker" / "cpu.max").write_text("max 100000\n")
    assert usable_cpus(tmp_path, own) == affinity
    (tmp_path / "app" / "cpu.max").write_text("50000 100000\n")
    assert usable_cpus(tmp_path, own) == 1
    (tmp_path / "app" / "cpu.max").write_text("1000000000 100000\n")
    assert usable_cpus(tmp_path, own) == affinity
    older = tmp_path / "older"
    older.write_text("4:memory:/x\n3:cpu,cpuacct:/x\n")
    (tmp_path / "cpu,cpuacct" / "x").mkdir(parents=True)
    (tmp_path / "cpu,cpuacct" / "x" / "cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu,cpuacct" / "x" / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_cpus(tmp_path, older) == 1
    assert usable_cpus(tmp_path, tmp_path / "none") == affinity


def test_calibration_maps_probabilities_to_probabilities() -> None:
    plain = Calibration()
    assert plain.confidence(-0.5) == pytest.approx(0.6065, abs=1e-4)
    assert plain.confidence(0.0) == pytest.approx(1) and plain.confidence(-1e9) == pytest.approx(0)
    assert log_odds(0.0) < 100 and plain.no_answer(float("-inf")) == 1
    fitted = Calibration(0.5, -1.0, {"hi": 2.0}, 0.3, 0.1)
    assert fitted.confidence(-0.5, "hi") > fitted.confidence(-0.5) == fitted.confidence(-0.5, "zh")
    assert fitted.no_answer(5) < 0.5 < fitted.no_answer(-5)


def test_bench_tells_what_a_bundle_costs(qa_bundle: Path) -> None:
    found = json.loads(lrc("bench", qa_bundle, "--json"))
    assert found["bytes"]["all"] == sum(path.stat().st_size for path in qa_bundle.iterdir())
    assert 0 < found["window_ms"]["p50"] <= found["window_ms"]["p95"] <= found["window_ms"]["p99"]
    assert {row["batch"] for row in found["throughput"]} == {1, 4, 8} and found["window_tokens"] == 256
    assert found["machine"]["cpus"] >= 1 and found["load_ms"] > 0
    assert "windows a second" in lrc("bench", qa_bundle)
