"""A real server in a process of its own, on loopback, and what asks it."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

# How long a test waits for what must happen before it fails.
PATIENCE = 60.0
LONG = "Der Zug fuhr von Köln nach Bonn und kam um neun Uhr an. " * 12_000


def head(length: int) -> bytes:
    """The head of a question whose body has so many bytes."""
    lines = ["POST /v1/answer HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The code of an error, which must have the shape of all errors and one line."""
        assert set(self.json) == {"error"} and set(self.json["error"]) == {"code", "message"}
        assert self.json["error"]["message"] and "\n" not in self.json["error"]["message"]
        return str(self.json["error"]["code"])


@dataclass
class Server:
    """A server, by its port."""

    port: int
    process: subprocess.Popen[str]
    log: Path
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Sends a request; a body that is not bytes is sent as JSON."""
        sent = dict(self.headers)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent["content-type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {**sent, **(headers or {})})
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Reply:
        return self.ask("POST", path, body, headers)

    def metric(self, name: str) -> float:
        """The value of a sample of `/metrics`, by its name with its labels; 0 where there is none yet."""
        text = self.get("/metrics").body.decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, flags=re.M)
        return float(found.group(1)) if found else 0.0

    def wait(self, name: str, value: float) -> None:
        """Waits until a metric has a value."""
        until = time.monotonic() + PATIENCE
        while (found := self.metric(name)) != value:
            assert time.monotonic() < until, f"{name} is {found}, not {value}\n{self.log.read_text()}"
            time.sleep(0.01)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keeps one worker at a long text as long as the block lasts."""
        body = json.dumps({"question": "Wohin?", "context": LONG}).encode()
        calls = self.metric("lrc_batch_requests_count")
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            connection.sendall(head(len(body)) + body)
            self.wait("lrc_batch_requests_count", calls + 1)
            yield

    def stop(self) -> int:
        """Ends it in order and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()


def start(
    log: Path,
    *arguments: object,
    token: str | None = None,
    module: str = "lrc_runtime.cli",
    files: int | None = None,
) -> Server:
    """Starts a server on a free port and returns it when it listens.

    Args:
        log: Where its log goes.
        arguments: Of `serve`.
        token: The bearer token, given by the environment.
        module: Whose `main` to run: the runtime's or the compiler's command.
        files: Limit of open files; that of the tests when None.
    """
    environment = {name: value for name, value in os.environ.items() if name != "LRC_SERVE_TOKEN"}
    if token is not None:
        environment["LRC_SERVE_TOKEN"] = token
    program = f"import sys; from {module} import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "serve", *map(str, arguments)]
    if files is not None:
        command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command]
    with open(log, "w") as stderr:
        process = subprocess.Popen([*command, "--port", "0"], env=environment, stderr=stderr, text=True)
    until = time.monotonic() + PATIENCE
    while not (found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", log.read_text())):
        assert process.poll() is None and time.monotonic() < until, log.read_text()
        time.sleep(0.02)
    return Server(int(found.group(1)), process, log)
