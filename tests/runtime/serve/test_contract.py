"""The service does what its OpenAPI document says, and no request makes it fail."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import serve_fuzz
from tests.runtime.serve.server import Server, start
from tests.runtime.test_classes import make_bundle

# Schemathesis holds the service to its document: statuses, bodies and headers that are described, what fits the schema
# taken, what does not fit refused, methods that are not described refused.
COMMAND = [sys.executable, "-m", "schemathesis.cli", "run"]
CLASSIFY = "^/v1/classify"


@pytest.fixture(scope="module")
def server(qa_bundle: Path, pair_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of a bundle of each kind of task, so that every route has what answers it."""
    folder = tmp_path_factory.mktemp("contract")
    classes = make_bundle(pair_bundle, folder / "classes", 1)
    with start(folder / "log", qa_bundle, pair_bundle, classes, "--reload", 0) as running:
        yield running


def hold(server: Server, folder: Path, examples: int) -> None:
    said = run(server, folder, examples, "--exclude-path-regex", CLASSIFY)
    assert "No issues found" in said
    # A schema cannot say how many texts the bundle takes, so that what fits it may be refused.
    run(server, folder, examples, "--include-path-regex", CLASSIFY, "--exclude-checks", "positive_data_acceptance")


def run(server: Server, folder: Path, examples: int, *options: str) -> str:
    arguments = ["--max-examples", str(examples), "--seed", "1", "--no-color", "--suppress-health-check", "all"]
    result = subprocess.run(
        [*COMMAND, f"{server.address}/openapi.json", *arguments, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    return result.stdout


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
