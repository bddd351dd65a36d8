"""A backbone by its hub id, from a small server on loopback that speaks the hub's protocol."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES

REPO = "some-lab/tiny-encoder"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tiny: Path) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            prefix = f"/{REPO}/resolve/"
            name = self.path.split("?")[0].removeprefix(prefix).split("/", 1)[-1]
            file = tiny / name
            if not self.path.startswith(prefix) or not file.is_file():
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound" if f"/{REPO}/" in self.path else "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            data = file.read_bytes()
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if with_body:
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_hub_id_is_fetched_trained_and_remembered(hub: str, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    arguments = ["train", "--task", "qa", "--train", str(EXAMPLES / "qa.{lang}.json"), "--langs", "ar", "--shots", "4"]
    for repo, code in ((REPO, 0), ("some-lab/absent", 2)):
        result = subprocess.run(
            [
                *(sys.executable, "-c", "from lrc.cli.app import main; main()", *arguments),
                *("--backbone", repo, "--steps", "1", "--out", str(tmp_path / f"run{code}")),
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == code, result.stderr
    assert "--backbone some-lab/absent" in result.stderr.splitlines()[-1]
    assert json.loads((tmp_path / "run0" / "settings.json").read_text())["backbone"] == REPO
