"""Bundles are replaced, and the service ended, without a request being lost."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lrc_runtime.files import write_archive
from tests.conftest import lrc
from tests.runtime.serve.server import PATIENCE, Server, start

QUESTION = {"question": "Wer?", "context": "Anna kaufte ein Boot."}

# What matters here is that a bundle is another, not what it is good for.
QUICK = ("--fp32", "--without", "vocabulary", "--without", "gate", "--without", "calibration")

# Ends itself at the moment that its log says that it listens.
EARLY = """
import logging, os, signal, sys
from lrc_runtime.cli import main

def end(record):
    if "listening" in record.msg:
        os.kill(os.getpid(), signal.SIGTERM)
    return True

logging.getLogger("lrc.serve").addFilter(end)
sys.exit(main())
"""


@pytest.fixture(scope="module")
def newer(qa_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another bundle of the same task."""
    out = tmp_path_factory.mktemp("newer") / "bundle"
    lrc("export", qa_run, *QUICK, "--out", out)
    return out


@pytest.fixture
def live(qa_copy: Path, tmp_path: Path) -> Iterator[Server]:
    with start(tmp_path / "log", f"live={qa_copy}", "--reload", 0.05) as running:
        yield running


def digest(server: Server) -> str:
    return str(server.get("/v1/bundles").json["bundles"][0]["digest"])


def replace(folder: Path, new: Path) -> None:
    """Puts a copy of a bundle in the place of another, as a deployment does: by renaming."""
    ready = folder.with_name("ready")
    shutil.copytree(new, ready)
    folder.rename(folder.with_name(f"old-{os.urandom(4).hex()}"))
    ready.rename(folder)


def test_a_replaced_folder_is_reloaded_and_no_request_is_lost(live: Server, qa_copy: Path, newer: Path) -> None:
    before = digest(live)
    done = False

    def keep_asking() -> set[int]:
        statuses = set()
        while not done:
            statuses.add(live.post("/v1/answer", QUESTION).status)
        return statuses

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(keep_asking) for _ in range(3)]
        try:
            replace(qa_copy, newer)
            live.wait('lrc_bundle_reloads_total{bundle="live",outcome="ok"}', 1)
        finally:
            done = True
        assert [one.result(PATIENCE) for one in asking] == [{200}] * 3
    after = live.get("/v1/bundles").json["bundles"][0]
    assert after["digest"] != before and after["precision"] == "fp32"
    assert live.metric(f'lrc_bundle_info{{bundle="live",digest="{after["digest"]}"}}') == 1


def test_a_request_that_began_with_the_old_bundle_ends_with_it(live: Server, qa_copy: Path, newer: Path) -> None:
    with live.busy():
        replace(qa_copy, newer)
        live.wait('lrc_bundle_reloads_total{bundle="live",outcome="ok"}', 1)
        assert live.post("/v1/answer", QUESTION).status == 200
        assert live.metric("lrc_requests_in_flight") == 1


def test_a_broken_replacement_leaves_the_old_and_says_so(
    live: Server, qa_bundle: Path, qa_copy: Path, newer: Path, tmp_path: Path
) -> None:
    before = digest(live)
    broken = tmp_path / "broken"
    shutil.copytree(newer, broken)
    (broken / "model.onnx").write_bytes((broken / "model.onnx").read_bytes()[:-1])
    replace(qa_copy, broken)
    live.wait('lrc_bundle_stale{bundle="live"}', 1)
    assert live.post("/v1/answer", QUESTION).status == 200 and digest(live) == before
    assert live.get("/healthz").json["stale"] == ["live"] and live.get("/v1/bundles").json["bundles"][0]["stale"]
    assert "model.onnx: does not match its SHA-256" in live.log.read_text()
    replace(qa_copy, newer)
    live.wait('lrc_bundle_stale{bundle="live"}', 0)
    assert digest(live) != before and live.get("/healthz").json["stale"] == []


def test_a_folder_that_is_gone_stays_in_service(live: Server, qa_copy: Path) -> None:
    qa_copy.rename(qa_copy.with_name("away"))
    live.wait('lrc_bundle_stale{bundle="live"}', 1)
    assert live.post("/v1/answer", QUESTION).status == 200
    qa_copy.with_name("away").rename(qa_copy)
    live.wait('lrc_bundle_stale{bundle="live"}', 0)


def test_several_tasks_of_one_archive_are_served_and_reloaded(
    qa_run: Path, pair_run: Path, newer: Path, tmp_path: Path
) -> None:
    both, file = tmp_path / "both.lrc", tmp_path / "served.lrc"
    lrc("export", qa_run, pair_run, *QUICK, "--out", both)
    shutil.copy(both, file)
    with start(tmp_path / "log", file, "--reload", 0.05, module="lrc.cli.app") as server:
        names = [one["name"] for one in server.get("/v1/bundles").json["bundles"]]
        assert names == ["served", "served:paraphrase"]
        assert server.post("/v1/compare", {"first": "a", "second": "b"}).json["bundle"] == names[1]
        assert server.get(f"/v1/bundles/{names[1]}/card").status == 200
        write_archive(newer, tmp_path / "next")
        (tmp_path / "next").replace(file)
        server.wait('lrc_bundle_reloads_total{bundle="served",outcome="ok"}', 1)
        assert server.post("/v1/compare", {"first": "a", "second": "b"}).error == "no_bundle_for_task"
        assert server.post("/v1/answer", QUESTION).json["bundle"] == "served"


def test_on_sigterm_every_accepted_request_is_answered(qa_bundle: Path, tmp_path: Path) -> None:
    with start(tmp_path / "log", qa_bundle, "--workers", 1) as server, ThreadPoolExecutor(12) as pool:
        with server.busy():
            waiting = [pool.submit(server.post, "/v1/answer", QUESTION) for _ in range(12)]
            server.wait("lrc_queue_waiting", 12)
            server.process.terminate()
        replies = [one.result(PATIENCE) for one in waiting]
        assert [reply.status for reply in replies] == [200] * 12
        # Nobody sends a next request into a connection that is about to be closed.
        assert {reply.headers["connection"] for reply in replies} == {"close"}
        assert server.process.wait(PATIENCE) == 0
        with pytest.raises(OSError), socket.create_connection(("127.0.0.1", server.port), 1):
            pass
        assert "ended; 0 accepted requests left unanswered" in server.log.read_text()


def test_a_signal_before_the_first_request_ends_it(qa_bundle: Path) -> None:
    command = [sys.executable, "-c", EARLY, "serve", str(qa_bundle), "--port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 0 and "ended; 0 accepted requests left unanswered" in ended.stderr
