"""One server that most tests share: it has a bundle of each task and the usual limits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.serve.server import Server, start


@pytest.fixture(scope="session")
def server(qa_bundle: Path, pair_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("serve") / "log"
    with start(log, qa_bundle, pair_bundle, "--reload", 0) as running:
        yield running
