"""The Dockerfile of examples/: what it says holds; where an engine is at hand it is built and asked."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lrc_runtime import cli
from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "docker"


def instructions() -> list[tuple[str, str]]:
    """Returns the instructions of the Dockerfile, each with what follows its name."""
    text = re.sub(r"^#.*\n", "", (FOLDER / "Dockerfile").read_text(encoding="utf-8"), flags=re.M)
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split()[0], " ".join(line.split()[1:])) for line in lines]


def found(name: str) -> str:
    [rest] = [rest for each, rest in instructions() if each == name]
    return rest


def packages(requirements: list[str], extra: str = "") -> set[str]:
    """Returns the names of all packages that requirements bring along, as they are installed here."""
    names: set[str] = set()
    waiting = [(Requirement(text), extra) for text in requirements]
    while waiting:
        wanted, of_extra = waiting.pop()
        if wanted.marker and not wanted.marker.evaluate({"extra": of_extra}):
            continue
        name = canonicalize_name(wanted.name)
        if name not in names:
            names.add(name)
            below = [Requirement(text) for text in metadata.requires(name) or []]
            waiting += [(each, one) for each in below for one in (wanted.extras or {""})]
    return names


def test_image_holds_pinned_packages_and_no_torch() -> None:
    project = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert '-c /src/constraints.txt "/src/runtime[serve]"' in found("RUN")
    names = packages(project["dependencies"] + project["optional-dependencies"]["serve"])
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {canonicalize_name(line.partition("==")[0]) for line in pins.splitlines() if "==" in line}
    assert {"numpy", "onnxruntime", "tokenizers", "uvicorn"} <= names <= pinned
    assert not {"torch", "transformers", "onnx", "lrc-compiler"} & names


def test_image_copies_what_is_there() -> None:
    kept = [line[1:] for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"]
    copied = [rest.split() for name, rest in instructions() if name == "COPY"]
    assert sorted(kept) == sorted(source for source, _ in copied)
    for source, target in copied:
        assert (ROOT / source).exists() and target == f"/src/{source}"


def test_image_serves_as_another_user_than_root() -> None:
    names = [name for name, _ in instructions()]
    assert names.index("RUN") < names.index("USER") < names.index("ENTRYPOINT")
    assert int(found("USER")) > 0 and f"--uid {found('USER')}" in found("RUN")


def test_entry_point_serves_and_health_check_tells(qa_bundle: Path) -> None:
    program, *arguments = json.loads(found("ENTRYPOINT"))
    assert program == "lrc-runtime" and cli.command_line()[0].parse_args(arguments).host == "0.0.0.0"
    health = json.loads(found("HEALTHCHECK").partition("CMD ")[2])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    arguments = [{"/bundle": str(qa_bundle), "0.0.0.0": "127.0.0.1", "8000": port}.get(one, one) for one in arguments]
    check = [sys.executable, "-c", health[2].replace(":8000/", f":{port}/")]
    assert health[:2] == ["python", "-c"] and check[2] != health[2]
    assert subprocess.run(check, capture_output=True, check=False).returncode != 0
    service = subprocess.Popen([sys.executable, "-m", "lrc_runtime", *arguments], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while subprocess.run(check, capture_output=True, check=False).returncode:
            assert service.poll() is None and time.monotonic() < until
            time.sleep(0.1)
    finally:
        service.terminate()
        service.wait()


def docker(*arguments: object) -> str:
    return subprocess.run(["docker", *map(str, arguments)], check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_image_builds_and_answers(qa_bundle: Path) -> None:
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("no Docker engine is running")
    docker("build", "--file", FOLDER / "Dockerfile", "--tag", "lrc-runtime-test", ROOT)
    assert "torch" not in docker("run", "--rm", "--entrypoint", "pip", "lrc-runtime-test", "list")
    run = ("run", "--detach", "--rm", "--read-only", "--publish", "127.0.0.1::8000", "--volume")
    container = docker(*run, f"{qa_bundle}:/bundle:ro", "lrc-runtime-test").strip()
    try:
        until = time.monotonic() + 120
        while docker("inspect", "--format", "{{.State.Health.Status}}", container).strip() != "healthy":
            assert time.monotonic() < until
            time.sleep(1)
        address = docker("port", container, "8000").split()[-1]
        with urllib.request.urlopen(f"http://{address}/healthz") as response:
            assert response.status == 200
    finally:
        docker("stop", container)
