"""Loads the service with wrk on loopback: throughput, percentiles, errors, memory, and an end under load.

apt-get install wrk
python -m benchmarks.serving.load BUNDLE --seconds 60 --clients 50
"""

import argparse
import http.client
import itertools
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lrc_runtime.bench import machine

ROOT = Path(__file__).parents[2]
PATIENCE = 60


def bodies() -> Iterator[str]:
    """Requests about the texts of the page's examples and of examples/data, in several languages and lengths."""
    for path in sorted((ROOT / "examples/data").glob("qa.*.json")):
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"][:1]:
                    yield json.dumps({"question": asked["question"], "context": paragraph["context"]})


class Server:
    """The service in a process of its own."""

    def __init__(self, bundle: str, log: Path, *options: str) -> None:
        self.log = log
        command = [sys.executable, "-m", "lrc_runtime", "serve", bundle, "--port", "0", *options]
        with open(log, "w") as stderr:
            self.process = subprocess.Popen(command, stderr=stderr)
        until = time.monotonic() + PATIENCE
        while not (found := re.search(r"listening on (\S+)", log.read_text())):
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit(log.read_text())
            time.sleep(0.05)
        self.address = found.group(1)

    def metric(self, name: str) -> float:
        """Returns a sample of `/metrics`."""
        with urllib.request.urlopen(f"{self.address}/metrics") as reply:
            found = re.search(rf"^{name} (\S+)$", reply.read().decode(), flags=re.M)
        return float(found.group(1)) if found else 0.0

    def end(self) -> tuple[int, str]:
        """Returns the exit code and the last line of the log."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        return code, self.log.read_text().splitlines()[-1]


@contextmanager
def wrk(server: Server, requests: Path, clients: int, seconds: int) -> Iterator[subprocess.Popen[str]]:
    script = ROOT / "benchmarks/serving/load.lua"
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "60s", "-s", script, server.address]
    with subprocess.Popen([*command, "--", requests], stdout=subprocess.PIPE, text=True) as process:
        yield process


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    printed, _ = process.communicate(timeout=600)
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def load(bundle: str, requests: Path, log: Path, clients: int, seconds: int, *options: str) -> dict[str, Any]:
    server = Server(bundle, log, *options)
    try:
        # Memory is compared from when every buffer has been used.
        with wrk(server, requests, clients, 5) as process:
            result(process)
        before = server.metric("process_resident_memory_bytes")
        calls, answered = server.metric("lrc_batch_requests_count"), server.metric("lrc_batch_requests_sum")
        with wrk(server, requests, clients, seconds) as process:
            found = result(process)
        found["memory_mb"] = [
            round(value / 1e6, 1) for value in (before, server.metric("process_resident_memory_bytes"))
        ]
        calls, answered = (
            server.metric("lrc_batch_requests_count") - calls,
            server.metric("lrc_batch_requests_sum") - answered,
        )
        found["requests_a_call"] = round(answered / max(calls, 1), 2)
        found["requests_a_second"] = round(found["requests"] / found["seconds"], 1)
    finally:
        found_end = server.end()
    return {"options": options, **found, "exit": found_end}


def end_under_load(bundle: str, requests: Path, log: Path, clients: int) -> dict[str, Any]:
    """Ends the service while clients with connections that they keep go on asking, and counts what became of it."""
    server, outcomes = Server(bundle, log), Counter[str]()
    host, port = server.address.removeprefix("http://").split(":")
    sent = requests.read_bytes().splitlines()

    def ask() -> None:
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
        for body in itertools.cycle(sent):
            try:
                connection.connect() if connection.sock is None else None
            except ConnectionRefusedError:
                outcomes["refused, as the port was closed"] += 1
                return
            try:
                connection.request("POST", "/v1/answer", body, {"Content-Type": "application/json"})
                reply = connection.getresponse()
                reply.read()
                outcomes[f"status {reply.status}"] += 1
            except (OSError, http.client.HTTPException):
                outcomes["sent and never answered"] += 1
                return

    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(ask) for _ in range(clients)]
        time.sleep(5)
        code, last = server.end()
        for one in asking:
            one.result()
    return {"exit": code, "log": last, "outcomes": outcomes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--only", choices=("batch", "single", "end"), help="one part instead of all")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("this needs wrk: apt-get install wrk")
    print(json.dumps(machine()))
    with tempfile.TemporaryDirectory() as work:
        requests, log = Path(work) / "bodies", Path(work) / "log"
        requests.write_text("\n".join(bodies()), encoding="utf-8")
        parts = {
            "single": lambda: load(options.bundle, requests, log, options.clients, options.seconds),
            "batch": lambda: load(options.bundle, requests, log, options.clients, options.seconds, "--batch", "16"),
            "end": lambda: end_under_load(options.bundle, requests, log, options.clients),
        }
        for name, part in parts.items():
            if options.only in (None, name):
                print(json.dumps({name: part()}), flush=True)


if __name__ == "__main__":
    main()
