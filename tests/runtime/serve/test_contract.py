"""The service does what its OpenAPI document says, and no request makes it fail."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import serve_fuzz
from tests.runtime.serve.server import Server

# Schemathesis holds the service to its document: statuses, bodies and headers that are described, what fits the schema
# taken, what does not fit refused, methods that are not described refused.
COMMAND = [sys.executable, "-m", "schemathesis.cli", "run"]


def hold(server: Server, folder: Path, examples: int) -> None:
    arguments = ["--max-examples", str(examples), "--seed", "1", "--no-color", "--suppress-health-check", "all"]
    result = subprocess.run(
        [*COMMAND, f"{server.address}/openapi.json", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert "No issues found" in result.stdout


def test_the_document_is_true(server: Server, tmp_path: Path) -> None:
    hold(server, tmp_path, 5)


def test_arbitrary_requests_are_answered_or_refused(server: Server) -> None:
    statuses = serve_fuzz.fuzz(server.address, 600, 1)
    assert {200, 400, 404, 405, 413, 415, 422} >= set(statuses) - {421} and statuses[200] > 100


@pytest.mark.slow
def test_the_document_is_true_at_length(server: Server, tmp_path: Path) -> None:
    hold(server, tmp_path, 300)


@pytest.mark.slow
def test_ten_thousand_arbitrary_requests_are_answered_or_refused(server: Server) -> None:
    assert serve_fuzz.fuzz(server.address, 10_000, 2)[200] > 2_000
