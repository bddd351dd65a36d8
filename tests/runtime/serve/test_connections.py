"""Clients that keep the service waiting: they take neither its connections nor its log."""

import os
import re
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.runtime.serve.server import PATIENCE, Server, head, start

QUESTION = {"question": "किसने घर बेचा?", "context": "रवि ने घर बेचा। ልጁ ቤቱን ሸጠ።"}
HALF = b"POST /v1/answer HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
# The lowest limit of open files that systems set by themselves is 256.
FILES = 128
LATE = 'lrc_connections_closed_total{reason="late"}'


@contextmanager
def connections(server: Server, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Opens connections that send the same and then nothing."""
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            opened.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), PATIENCE)))
            opened[-1].sendall(sent)
        yield opened


def lines(server: Server, words: str) -> int:
    return server.log.read_text().count(words)


def is_closed(connection: socket.socket) -> bool:
    """Reads until the service closes a connection."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("sent", [HALF, b"", GET], ids=["half a head", "nothing", "kept alive"])
def test_more_idle_connections_than_files_leave_the_service_up(qa_copy: Path, tmp_path: Path, sent: bytes) -> None:
    with start(tmp_path / "log", qa_copy, "--reload", 0.05, files=FILES) as server:
        with connections(server, FILES + 12, sent):
            assert server.get("/healthz").json["status"] == "ok"
            assert server.post("/v1/answer", QUESTION).status == 200
            # What a reload opens is left over.
            os.utime(qa_copy / "model.onnx")
            server.wait(f'lrc_bundle_reloads_total{{bundle="{qa_copy.name}",outcome="ok"}}', 1)
            assert server.metric('lrc_connections_closed_total{reason="room"}') > 12
        assert server.get("/healthz").status == 200
        assert lines(server, "the most there may be") == 1
        assert len(server.log.read_text().splitlines()) < 10 and not lines(server, "Traceback")


def test_many_who_ask_at_once_are_all_answered(qa_bundle: Path, tmp_path: Path) -> None:
    with start(tmp_path / "log", qa_bundle, files=FILES) as server, connections(server, 200, GET) as opened:
        # Some wait in the system until others have been closed, and none that has asked is closed unheard.
        for connection in opened:
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_health_is_told_while_requests_take_all_that_they_may(qa_bundle: Path, tmp_path: Path) -> None:
    with start(tmp_path / "log", qa_bundle, "--connections", 24, "--queue", 100) as server:
        # Bodies that do not come.
        with connections(server, 30, head(9) + b"{") as opened:
            server.wait("lrc_requests_in_flight", 16)
            assert server.get("/healthz").status == 200
            refused = server.post("/v1/answer", QUESTION)
            assert (refused.status, refused.error) == (429, "queue_full")
            assert opened[-1].recv(100).startswith(b"HTTP/1.1 429 ")
        server.wait("lrc_requests_in_flight", 0)
        assert server.post("/v1/answer", QUESTION).status == 200


@pytest.fixture(scope="module")
def hasty(qa_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that waits for nobody for long."""
    with start(tmp_path_factory.mktemp("hasty") / "log", qa_bundle, "--head-timeout", 0.3) as running:
        yield running


def trickle(connection: socket.socket, sent: bytes) -> None:
    """Sends a byte now and then, until the service has closed the connection."""
    connection.settimeout(0.05)
    with pytest.raises(ConnectionError):
        while True:
            connection.sendall(sent)
            try:
                while connection.recv(65536):
                    pass
                raise ConnectionResetError
            except TimeoutError:
                pass


def never_read(connection: socket.socket, _: bytes) -> None:
    """Asks ever again and reads no answer, until nothing more can be sent or the connection is closed."""
    connection.settimeout(PATIENCE)
    with pytest.raises(ConnectionError):
        while True:
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)


@pytest.mark.parametrize(
    ("sent", "then", "more"),
    [
        (b"", is_closed, None),
        (HALF, is_closed, None),
        (HALF, trickle, b"a"),
        # A next head, and the body of a request that has been refused.
        (GET + HALF, trickle, b"a"),
        (head(10**9), trickle, b"a"),
        (head(10**9).replace(b"/v1/answer", b"/nothing"), trickle, b"a"),
        (b"", never_read, b""),
    ],
)
def test_a_client_that_keeps_it_waiting_is_left(
    hasty: Server, sent: bytes, then: Callable[..., None], more: bytes | None
) -> None:
    before = hasty.metric(LATE)
    with connections(hasty, 1, sent) as [connection]:
        then(connection, *([] if more is None else [more]))
        # The one that asks for the number.
        hasty.wait("lrc_connections", 1)
        assert hasty.metric(LATE) == before + 1
    assert hasty.post("/v1/answer", QUESTION).status == 200
    assert not lines(hasty, "WARNING") and not lines(hasty, "Traceback")


def test_a_client_that_does_not_read_does_not_keep_it_from_ending(qa_bundle: Path, tmp_path: Path) -> None:
    with start(tmp_path / "log", qa_bundle, "--head-timeout", 0.3) as server, connections(server, 1, b"") as [slow]:
        slow.settimeout(0.1)
        with pytest.raises(TimeoutError):
            while True:
                slow.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        assert server.stop() == 0


def test_what_is_no_http_does_not_fill_the_log(server: Server) -> None:
    before = len(server.log.read_text().splitlines())
    chunked = b"Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n"
    upgrade = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n"
    for sent in (b"\0\0\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000, b"POST / HTTP/1.1\r\n" + chunked, upgrade):
        for _ in range(20):
            with connections(server, 1, b"") as [connection]:
                # It may be closed while this is still being sent.
                try:
                    connection.sendall(sent)
                except ConnectionError:
                    continue
                assert is_closed(connection)
    # Something wrong after a request that has been answered already.
    for _ in range(20):
        with connections(server, 1, head(2).replace(b"Content-Length: 2", b"Transfer-Encoding: chunked")) as [one]:
            one.sendall(b"1\r\n{\r\n0\r\n\r\nno HTTP\r\n\r\n")
            assert is_closed(one)
    said = server.log.read_text().splitlines()[before:]
    assert len(said) < 10 and "Traceback" not in "".join(said), said


def test_a_full_system_is_one_line(qa_bundle: Path, tmp_path: Path) -> None:
    with start(tmp_path / "log", qa_bundle) as server, connections(server, 3, GET):
        assert server.get("/healthz").status == 200
        limits = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        most = max(map(int, os.listdir(f"/proc/{server.process.pid}/fd"))) + 1
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (most, limits[1]))
        # Where nothing more can be opened the oldest connections are closed, and those that wait take their place.
        for _ in range(2):
            with connections(server, 4, b""):
                assert server.get("/healthz").status == 200
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limits)
        assert lines(server, "a connection must wait") == 1
        assert not lines(server, "out of system resource") and not lines(server, "Traceback")


@pytest.mark.parametrize("arguments", [("--connections", 100_000), ()])
def test_too_few_files_are_one_line(qa_bundle: Path, tmp_path: Path, arguments: tuple[object, ...]) -> None:
    log = tmp_path / "log"
    with pytest.raises(AssertionError):
        start(log, qa_bundle, *arguments, files=1000 if arguments else 60)
    said = log.read_text()
    assert re.fullmatch(r"error: .*connections.*open files.*ulimit -n.*\n", said)
