"""Limits of size, time and number, and what requests that wait share."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.runtime.serve.server import LONG, PATIENCE, Server, head, start

CONTEXTS = ["Anna kaufte ein Boot.", "रवि ने घर बेचा।", "بنت مريم الطاحونة.", "Der Zug fuhr nach Bonn.", "Ein Dorf."]


def question(context: str) -> dict[str, str]:
    return {"question": "Wer?", "context": context}


def test_a_body_beyond_the_limit_is_refused_however_it_is_sent(qa_bundle: Path, tmp_path: Path) -> None:
    with start(tmp_path / "log", qa_bundle, "--max-bytes", 1000) as server:
        assert server.post("/v1/answer", question("a" * 900)).status == 200
        said = server.post("/v1/answer", question("a" * 5_000_000))
        assert (said.status, said.error) == (413, "too_large")
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
            head = "POST /v1/answer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            connection.sendall(
                f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + b"400\r\n" + b"a" * 1024 + b"\r\n"
            )
            assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_one_request_too_many_is_told_to_come_back(qa_bundle: Path, tmp_path: Path) -> None:
    with start(tmp_path / "log", qa_bundle, "--queue", 1) as server:
        with server.busy():
            refused = server.post("/v1/answer", question("Anna."))
            assert (refused.status, refused.error) == (429, "queue_full") and int(refused.headers["retry-after"]) >= 1
            assert server.get("/healthz").status == 200
        # The client of the long text is gone: so is the work.
        server.wait("lrc_requests_in_flight", 0)
        assert server.post("/v1/answer", question("Anna.")).status == 200


def test_what_takes_too_long_is_given_up(qa_bundle: Path, pair_bundle: Path, tmp_path: Path) -> None:
    limits = ("--timeout", 0.3, "--workers", 1, "--max-bytes", 20_000_000)
    with start(tmp_path / "log", qa_bundle, pair_bundle, *limits) as server:
        late = server.post("/v1/answer", question(LONG))
        assert (late.status, late.error) == (503, "timeout") and int(late.headers["retry-after"]) >= 1
        # A text that nobody waits for is not read to its end, and its worker is free again.
        server.wait("lrc_calls_abandoned_total", 1)
        assert server.post("/v1/answer", question("Anna.")).status == 200
        # Nor is one that was not yet cut into pieces.
        assert server.post("/v1/compare", {"first": LONG * 10, "second": "Wer?"}).error == "timeout"
        server.wait("lrc_calls_abandoned_total", 2)
        # A body that never comes is given up likewise.
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
            connection.sendall(head(9) + b"{")
            assert connection.recv(100).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize("batch", [16, 1])
def test_requests_that_wait_share_a_call_and_get_the_same_answers(qa_bundle: Path, tmp_path: Path, batch: int) -> None:
    with start(tmp_path / "log", qa_bundle, "--workers", 1, "--batch", batch) as server:
        alone = [server.post("/v1/answer", question(context)).json for context in CONTEXTS]
        calls = server.metric("lrc_batch_requests_count")
        with ThreadPoolExecutor(len(CONTEXTS)) as pool:
            with server.busy():
                waiting = [pool.submit(server.post, "/v1/answer", question(context)) for context in CONTEXTS]
                server.wait("lrc_queue_waiting", len(CONTEXTS))
            replies = [one.result(PATIENCE) for one in waiting]
        # The long text was a call of its own.
        assert server.metric("lrc_batch_requests_count") - calls - 1 == (1 if batch > 1 else len(CONTEXTS))
    for one, reply in zip(alone, replies, strict=True):
        found = reply.json
        assert [answer["text"] for answer in found["answers"]] == [answer["text"] for answer in one["answers"]]
        # int8 activations take their scale from a whole batch, so the last digits depend on the company.
        assert found["answers"][0]["score"] == pytest.approx(one["answers"][0]["score"], abs=0.02)


def test_requests_of_different_kinds_do_not_share_a_call(qa_bundle: Path, pair_bundle: Path, tmp_path: Path) -> None:
    bodies = [
        ("/v1/answer", question("Anna.")),
        ("/v1/answer", {**question("Anna und Otto."), "top_k": 3}),
        ("/v1/answer", {**question("Anna."), "lang": "de"}),
        ("/v1/compare", {"first": "a", "second": "b"}),
    ]
    with (
        start(tmp_path / "log", qa_bundle, pair_bundle, "--workers", 1, "--batch", 16) as server,
        ThreadPoolExecutor(4) as pool,
    ):
        calls = server.metric("lrc_batch_requests_count")
        with server.busy():
            waiting = [pool.submit(server.post, *body) for body in bodies]
            server.wait("lrc_queue_waiting", 4)
        replies = [one.result(PATIENCE) for one in waiting]
        assert [reply.status for reply in replies] == [200] * 4
        assert len(replies[1].json["answers"]) > len(replies[0].json["answers"]) == 1
        assert server.metric("lrc_batch_requests_count") - calls == 1 + 4


def test_a_long_text_does_not_keep_short_ones_waiting(server: Server) -> None:
    body = json.dumps(question(LONG)).encode()
    with server.busy(), socket.create_connection(("127.0.0.1", server.port), PATIENCE) as second:
        second.sendall(head(len(body)) + body)
        # Of two workers one is at the first long text; the second long text leaves the other alone.
        server.wait("lrc_queue_waiting", 1)
        assert server.post("/v1/answer", question("Anna.")).status == 200
        assert server.metric("lrc_queue_waiting") == 1
    server.wait("lrc_requests_in_flight", 0)
